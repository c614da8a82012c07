package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
)

func (a *api) eventRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/events", a.private(a.allEvents))
	mux.HandleFunc("GET /api/v1/events/{id}/proof", a.private(a.eventProof))
	mux.HandleFunc("POST /api/v1/events/export", a.private(a.exportEvents))
}

type toldShape struct {
	eventShape
	Sentence string `json:"sentence"`
	Salt     []byte `json:"salt"`
	Text     string `json:"text"` // the very bytes that were hashed
}

// allEvents answers a search of the custody log, newest first.
func (a *api) allEvents(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	q, cursor, limit, err := eventQuery(r)
	var page *inspection.Page
	if err == nil {
		page, err = a.Inspection.Search(r.Context(), actor, q, cursor, limit)
	}
	if err != nil {
		a.failEvents(w, r, err)
		return
	}
	all := make([]toldShape, len(page.Entries))
	for i := range page.Entries {
		e := &page.Entries[i]
		all[i] = toldShape{eventShape: eventShape{e.Row.ID, e.Row.LogIndex, nil}, Sentence: e.Sentence(), Salt: e.Row.Salt, Text: string(e.Row.JSON)}
		if e.Readable {
			all[i].Event = e.Row.JSON
		}
	}
	found := map[string]any{"events": all, "next": page.Next, "found": min(page.Found, inspection.MaxCount), "more": page.Found > inspection.MaxCount}
	a.answer(w, r, found)
}

func (a *api) failEvents(w http.ResponseWriter, r *http.Request, err error) {
	var wrong *inspection.QueryError
	switch {
	case errors.As(err, &wrong):
		problem(w, http.StatusBadRequest, "The search cannot be read", wrong.Error())
	case errors.Is(err, catalog.ErrCursor):
		problem(w, http.StatusBadRequest, "The search cannot be read", "cursor: take it from the next of the page before, with the same search")
	case errors.Is(err, inspection.ErrBroad):
		problem(w, http.StatusServiceUnavailable, "The search took too long", inspection.ErrBroad.Error())
	case errors.Is(err, inspection.ErrPending):
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "Not signed yet", inspection.ErrPending.Error())
	default:
		a.fail(w, r, err)
	}
}

func eventQuery(r *http.Request) (q inspection.Query, cursor string, limit int, err error) {
	limit = 50
	for name, values := range r.URL.Query() {
		if len(values) != 1 {
			return q, "", 0, &inspection.QueryError{Field: clip(name), Why: "once"}
		}
		value := values[0]
		switch name {
		case "person":
			q.Person = value
		case "machine":
			q.Machine = value
		case "about":
			q.About, q.Object, _ = strings.Cut(value, ":")
		case "act":
			q.Act = value
		case "outcome":
			q.Outcome = value
		case "address":
			q.Address = value
		case "from", "to":
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil || at.Year() < 1970 || at.Year() > 9999 {
				return q, "", 0, &inspection.QueryError{Field: name, Why: "a time as RFC 3339 writes it: 2026-11-22T14:03:07Z"}
			}
			if name == "from" {
				q.From = at
			} else {
				q.To = at
			}
		case "cursor":
			cursor = value
		case "limit":
			if limit, err = strconv.Atoi(value); err != nil || limit < 1 || limit > maxLimit {
				return q, "", 0, &inspection.QueryError{Field: name, Why: "1 to 200"}
			}
		case "format":
		default:
			return q, "", 0, &inspection.QueryError{Field: clip(name), Why: "not a parameter; there are person, machine, about, act, outcome, address, from, to, cursor, limit"}
		}
	}
	return q, cursor, limit, nil
}

// eventProof answers a proof as C2SP tlog-proof, with salt and event in it.
func (a *api) eventProof(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		a.fail(w, r, catalog.ErrNotFound)
		return
	}
	text, err := a.Inspection.EventProof(r.Context(), actor, id)
	if errors.Is(err, catalog.ErrNotFound) {
		problem(w, http.StatusNotFound, "No such event", "No custody event with this id is held here.")
		return
	} else if err != nil {
		a.failEvents(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Write(text)
}

// exportEvents answers what a search finds as a file: format is csv or jsonl.
func (a *api) exportEvents(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	q, _, _, err := eventQuery(r)
	var e *inspection.Export
	if err == nil {
		e, err = a.Inspection.Export(r.Context(), actor, q, inspection.Format(r.URL.Query().Get("format")))
	}
	if err != nil {
		a.failEvents(w, r, err)
		return
	}
	w.Header().Set("Content-Type", e.Format.MediaType())
	w.Header().Set("Content-Disposition", `attachment; filename="sealdock-audit.`+string(e.Format)+`"`)
	if err := e.Write(r.Context(), &moving{w, http.NewResponseController(w)}); err != nil {
		a.Log.WarnContext(r.Context(), "an export was broken off", "error", err)
		panic(http.ErrAbortHandler) // what came must not pass for the whole
	}
}

// moving gives the reader time for each write, not for the whole.
type moving struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (m *moving) Write(p []byte) (int, error) {
	if err := m.control.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return m.ResponseWriter.Write(p)
}
