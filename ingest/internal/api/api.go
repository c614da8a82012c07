package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Config is what the API stands on. All fields are required.
type Config struct {
	Auth       *auth.Service
	Reading    *reading.Service
	Packages   *export.Service
	Derive     *derive.Service // nil: no clips are made
	Keys       KeyWork         // nil: keys are for the command line
	Fleet      *fleet.Service
	Cameras    *cameras.Service
	Uplink     *uplink.Service
	Settings   *settings.Service // nil: there are none over the API
	Inspection *inspection.Service
	Webhooks   *webhook.Service // nil: there are none
	Streams    Streams
	Log        *slog.Logger
}

// New returns the handler of everything below /api/v1/. Give it to
// dashboard.Config.API, which puts the security headers around it.
func New(c Config) http.Handler { return bounded(Routes(c)) }

// Routes is what New answers, by pattern and without its bounds.
func Routes(c Config) *http.ServeMux {
	a := &api{c}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/overview", a.private(a.overview))
	mux.HandleFunc("GET /api/v1/docks", a.private(a.docks))
	mux.HandleFunc("GET /api/v1/items", a.private(a.items))
	mux.HandleFunc("GET /api/v1/items/{id}", a.private(a.item))
	mux.HandleFunc("GET /api/v1/items/{id}/events", a.private(a.events))
	mux.HandleFunc("GET /api/v1/items/{id}/receipt", a.private(a.receipt))
	mux.HandleFunc("POST /api/v1/packages", a.private(a.packageOf))
	mux.HandleFunc("POST /api/v1/items/{id}/clips", a.private(a.clipOf))
	if c.Keys != nil {
		a.keyRoutes(mux)
	}
	mux.HandleFunc("GET /api/v1/firmware", a.private(a.firmware))
	mux.HandleFunc("POST /api/v1/firmware/withdraw", a.private(a.withdraw))
	mux.HandleFunc("GET /api/v1/camera-settings", a.private(a.cameraSettings))
	a.meRoutes(mux)
	a.cameraRoutes(mux)
	a.uplinkRoutes(mux)
	a.peopleRoutes(mux)
	a.settingsRoutes(mux)
	a.eventRoutes(mux)
	a.webhookRoutes(mux)
	a.streamRoutes(mux)
	mux.HandleFunc("/api/v1/", a.private(a.nothing))
	return mux
}

// maxBody bounds a request's body, in bytes, but for the routes that take an escrow.
const maxBody = 64 << 10

func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxBody)
		if takesEscrow[r.URL.Path] {
			limit = maxEscrowBody
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

type api struct{ Config }

// private lets signed-in people through.
func (a *api) private(next func(http.ResponseWriter, *http.Request, *auth.Actor)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		actor, err := a.Auth.Actor(r.Context(), auth.Token(r), auth.OriginOf(r))
		if err != nil {
			a.fail(w, r, err)
			return
		}
		next(w, r, actor)
	}
}

func (a *api) nothing(w http.ResponseWriter, r *http.Request, _ *auth.Actor) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem(w, http.StatusMethodNotAllowed, "This interface is for reading", "Only GET is answered here.")
		return
	}
	problem(w, http.StatusNotFound, "No such address", "There is nothing at "+clip(r.URL.Path)+".")
}

func (a *api) overview(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	o, err := a.Reading.Overview(r.Context(), actor)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, overviewOf(o))
}

func (a *api) docks(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	docks, err := a.Reading.Docks(r.Context(), actor)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, map[string]any{"docks": docksOf(docks)})
}

func (a *api) items(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	filter, order, cursor, limit, err := listQuery(r)
	if err != nil {
		problem(w, http.StatusBadRequest, "The search cannot be read", err.Error())
		return
	}
	page, found, err := a.Reading.Search(r.Context(), actor, filter, order, cursor, limit)
	if errors.Is(err, catalog.ErrCursor) {
		problem(w, http.StatusBadRequest, "The search cannot be read", "cursor: take it from the next of the page before, with the same search")
		return
	} else if err != nil {
		a.fail(w, r, err)
		return
	}
	list := itemsOf(page)
	list["found"], list["more"] = found.Items, found.More
	a.answer(w, r, list)
}

func (a *api) item(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		a.fail(w, r, catalog.ErrNotFound)
		return
	}
	v, err := a.Reading.View(r.Context(), actor, id)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, itemDetailOf(v))
}

func (a *api) events(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		a.fail(w, r, catalog.ErrNotFound)
		return
	}
	rows, err := a.Reading.Events(r.Context(), actor, id)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, map[string]any{"events": eventsOf(rows)})
}

// receipt answers the signed envelope byte for byte.
func (a *api) receipt(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		a.fail(w, r, catalog.ErrNotFound)
		return
	}
	v, err := a.Reading.Receipt(r.Context(), actor, id)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(v.Item.Receipt)))
	w.Write(v.Item.Receipt)
}

// maxLimit is the longest page of a list.
const maxLimit = 200

func listQuery(r *http.Request) (f catalog.ItemFilter, order catalog.Order, cursor string, limit int, err error) {
	q := r.URL.Query()
	for name, values := range q {
		if len(values) != 1 || !utf8.ValidString(values[0]) || len(values[0]) > 1024 || strings.ContainsFunc(values[0], func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return f, "", "", 0, errors.New(clip(name) + ": once, as text of at most 1024 bytes")
		}
		switch value := values[0]; name {
		case "q":
			f.Text = value
		case "state":
			f.State = catalog.ItemState(value)
		case "kind":
			f.Kind = evidence.Kind(value)
		case "camera":
			f.Camera = value
		case "dock":
			f.Dock = evidence.DockID(value)
		case "station":
			f.Station = evidence.StationID(value)
		case "unassigned":
			if f.NoWearer = value == "true"; !f.NoWearer {
				return f, "", "", 0, errors.New("unassigned: true")
			}
		case "officer":
			f.Officer = value
		case "category":
			f.Category = value
		case "recorded_from", "recorded_to", "arrived_from", "arrived_to":
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil || at.Year() < 1970 || at.Year() > 9999 {
				return f, "", "", 0, errors.New(name + ": a time as RFC 3339 writes it: 2026-11-22T14:03:07Z")
			}
			*map[string]*time.Time{"recorded_from": &f.From, "recorded_to": &f.To, "arrived_from": &f.ArrivedFrom, "arrived_to": &f.ArrivedTo}[name] = at
		case "sort":
			var known bool
			if order, known = orders[value]; !known {
				return f, "", "", 0, errors.New("sort: arrived, recorded, length or officer, with - before it for the other way round")
			}
		case "cursor":
			cursor = value
		case "limit":
			if limit, err = strconv.Atoi(value); err != nil || limit < 1 || limit > maxLimit {
				return f, "", "", 0, errors.New("limit: 1 to 200")
			}
		default:
			return f, "", "", 0, errors.New(clip(name) + ": not a parameter; there are q, state, kind, camera, dock, station, officer, category, recorded_from, recorded_to, arrived_from, arrived_to, unassigned, sort, cursor, limit")
		}
	}
	if limit == 0 {
		limit = 50
	}
	return f, order, cursor, limit, nil
}

// orders are what sort may be.
var orders = map[string]catalog.Order{
	"arrived": catalog.OldestArrival, "-arrived": catalog.NewestArrival, "recorded": catalog.OldestRecording, "-recorded": catalog.NewestRecording,
	"length": catalog.Shortest, "-length": catalog.Longest, "officer": catalog.OfficerUp, "-officer": catalog.OfficerDown,
}

// answer sends v as JSON.
func (a *api) answer(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// fail answers an error as a problem. What is not for people stays in the log.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to answer
	}
	code, title := http.StatusInternalServerError, "This did not work"
	detail := "Something on the server failed, and its log says what. Nothing was changed."
	var wait *auth.TooManyError
	switch {
	case errors.Is(err, auth.ErrNoSession):
		code, title, detail = http.StatusUnauthorized, "Not signed in", "Sign in at /sign-in and send the session cookie."
	case errors.Is(err, auth.ErrMustEnrol):
		code, title, detail = http.StatusForbidden, "Set up a second factor first", auth.ErrMustEnrol.Error()
	case errors.Is(err, auth.ErrFreshFactor):
		code, title, detail = http.StatusForbidden, "Show a factor again", auth.ErrFreshFactor.Error()+". Send it to /api/v1/me/confirm, then ask again."
	case errors.Is(err, auth.ErrDirectoryDown):
		code, title, detail = http.StatusServiceUnavailable, "The directory does not answer", auth.ErrDirectoryDown.Error()
	case errors.Is(err, auth.ErrDirectoryPassword):
		code, title, detail = http.StatusConflict, "No password here", auth.ErrDirectoryPassword.Error()
	case errors.Is(err, auth.ErrBusy):
		code, title, detail = http.StatusServiceUnavailable, "Busy", auth.ErrBusy.Error()
	case errors.As(err, &wait):
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.RetryAfter.Seconds())+1))
		code, title, detail = http.StatusTooManyRequests, "Too many tries", wait.Error()
	case errors.Is(err, auth.ErrPlace):
		code, title, detail = http.StatusForbidden, "Not from here", auth.ErrPlace.Error()
	case errors.Is(err, reading.ErrForbidden):
		code, title, detail = http.StatusForbidden, "Not allowed", reading.ErrForbidden.Error()
	case errors.Is(err, catalog.ErrNotFound):
		code, title, detail = http.StatusNotFound, "No such item", "No evidence item with this id is held here."
	case errors.Is(err, reading.ErrNoReceipt):
		code, title, detail = http.StatusNotFound, "No receipt yet", reading.ErrNoReceipt.Error()
	case errors.Is(err, export.ErrNotStored):
		code, title, detail = http.StatusConflict, "Not in the store", export.ErrNotStored.Error()
	case errors.Is(err, derive.ErrBusy):
		code, title, detail = http.StatusServiceUnavailable, "Another clip is being made", derive.ErrBusy.Error()
	case errors.Is(err, derive.ErrLong):
		code, title, detail = http.StatusBadRequest, "Too long", derive.ErrLong.Error()
	case errors.Is(err, derive.ErrReason):
		code, title, detail = http.StatusBadRequest, "No reason", derive.ErrReason.Error()
	case errors.Is(err, export.ErrRange):
		code, title, detail = http.StatusBadRequest, "No such part", export.ErrRange.Error()
	case errors.Is(err, export.ErrBusy):
		code, title, detail = http.StatusServiceUnavailable, "Too many packages at once", export.ErrBusy.Error()
	case errors.Is(err, export.ErrUnlogged):
		code, title, detail = http.StatusServiceUnavailable, "The custody log cannot be written", export.ErrUnlogged.Error()
	case errors.Is(err, export.ErrUnproven):
		title, detail = "It does not prove itself", export.ErrUnproven.Error()
	case errors.Is(err, inspection.ErrUnrecorded):
		code, title, detail = http.StatusServiceUnavailable, "The custody record cannot be written", inspection.ErrUnrecorded.Error()
	case errors.Is(err, reading.ErrUnrecorded):
		code, title, detail = http.StatusServiceUnavailable, "The custody record cannot be written", reading.ErrUnrecorded.Error()
	}
	if code >= 500 {
		a.Log.ErrorContext(r.Context(), "answering a request", "path", r.URL.Path, "error", err)
	}
	problem(w, code, title, detail)
}

// problem sends RFC 9457 problem details.
func problem(w http.ResponseWriter, code int, title, detail string) {
	body, _ := json.Marshal(map[string]any{"type": "about:blank", "title": title, "status": code, "detail": detail}) // strings and a number always marshal
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	w.Write(body)
}

// clip bounds hostile text in an answer.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "")
}
