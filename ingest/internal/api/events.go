package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
)

func (a *api) eventRoutes() []Route {
	const tag, noEvent = "Audit", "No custody event with this id is held here."
	query := []Parameter{
		{Name: "person", Kind: Text, About: "Name, sign-in name or id of who acted; local is whoever ran the server's commands."},
		{Name: "machine", Kind: Text, About: "What acted: the name of a dock, or server."},
		{Name: "about", Kind: Text, About: "What was acted on: item:ID, camera:SERIAL, dock:NAME or person:NAME; without a name, any of the kind."},
		{Name: "act", Kind: Text, About: "A type of event, as item.viewed, or group: and the name of a group of them."},
		{Name: "outcome", Kind: Text, About: "not-done: refused or failed.", Enum: []string{"done", "refused", "failed", "not-done"}},
		{Name: "address", Kind: Text, About: "From where it was asked."},
		{Name: "from", Kind: Time, About: "Then or later."},
		{Name: "to", Kind: Time, About: "Before then."},
	}
	format := Parameter{Name: "format", Kind: Text, About: "Of the file.", Enum: []string{"csv", "jsonl", "pdf"}}
	return []Route{
		Answer("GET /api/v1/events", Description{Tag: tag, Summary: "Search the record of all acts, newest first", Asks: []auth.Action{auth.ReadAudit}, Query: query, Paged: true,
			About: "That somebody searched is on record.", Codes: []int{http.StatusServiceUnavailable}}, a.allEvents),
		Stream("GET /api/v1/events/{id}/proof", Description{Tag: tag, Summary: "The proof that an event is in the signed log", Asks: []auth.Action{auth.ReadAudit, auth.ViewItem}, Missing: noEvent,
			About: "A C2SP tlog-proof with salt and event in it, as docs/audit.md describes it. Who may see a recording gets the proofs of its events.", Codes: []int{http.StatusServiceUnavailable}}, []string{"text/plain"}, a.eventProof),
		Stream("POST /api/v1/events/export", Description{Tag: tag, Summary: "Take what a search finds away as a file", Asks: []auth.Action{auth.ExportAudit}, Query: append(slices.Clone(query), format),
			About: "Each time is on record. A session must have shown a factor within the last 5 minutes, unless the setting export.fresh_factor is off. A PDF holds at most 5,000 events.", Codes: []int{http.StatusServiceUnavailable}}, []string{"text/csv", "application/jsonl", "application/pdf"}, a.exportEvents),
	}
}

type toldShape struct {
	eventShape
	Sentence string `json:"sentence" jsonschema:"the event in words"`
	Salt     []byte `json:"salt"`
	Text     string `json:"text" jsonschema:"the very bytes that were hashed"`
}

type toldAnswer struct {
	Events []toldShape `json:"events"`
	Next   string      `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
	Found  int         `json:"found" jsonschema:"how many there are on all pages, as far as they were counted"`
	More   bool        `json:"more" jsonschema:"there are more than found says"`
}

// allEvents answers a search of the custody log, newest first.
func (a *api) allEvents(r *Request, _ *Nothing) (toldAnswer, error) {
	page, err := a.Inspection.Search(r.Context(), r.Actor, eventQuery(r), r.Text("cursor"), r.Number("limit", defaultLimit))
	if err != nil {
		return toldAnswer{}, err
	}
	all := make([]toldShape, len(page.Entries))
	for i := range page.Entries {
		e := &page.Entries[i]
		all[i] = toldShape{eventShape: eventShape{e.Row.ID, e.Row.LogIndex, nil}, Sentence: e.Sentence(), Salt: e.Row.Salt, Text: string(e.Row.JSON)}
		if e.Readable {
			all[i].Event = e.Row.JSON
		}
	}
	return toldAnswer{all, page.Next, int(min(page.Found, inspection.MaxCount)), page.Found > inspection.MaxCount}, nil
}

func eventQuery(r *Request) inspection.Query {
	q := inspection.Query{Person: r.Text("person"), Machine: r.Text("machine"), Act: r.Text("act"), Outcome: r.Text("outcome"), Address: r.Text("address"), From: r.Time("from"), To: r.Time("to")}
	q.About, q.Object, _ = strings.Cut(r.Text("about"), ":")
	return q
}

// eventProof answers a proof as C2SP tlog-proof, with salt and event in it.
func (a *api) eventProof(w http.ResponseWriter, r *Request, _ *Nothing) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return notThere
	}
	text, err := a.Inspection.EventProof(r.Context(), r.Actor, id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, err = w.Write(text)
	return err
}

// exportEvents answers what a search finds as a file.
func (a *api) exportEvents(w http.ResponseWriter, r *Request, _ *Nothing) error {
	e, err := a.Inspection.Export(r.Context(), r.Actor, eventQuery(r), inspection.Format(r.Text("format")))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", e.Format.MediaType())
	w.Header().Set("Content-Disposition", `attachment; filename="sealdock-audit.`+string(e.Format)+`"`)
	return e.Write(r.Context(), &moving{w, http.NewResponseController(w)})
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
