package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (a *api) cameraRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/cameras", a.private(a.cameras))
	mux.HandleFunc("GET /api/v1/cameras/{serial}", a.private(a.camera))
	mux.HandleFunc("GET /api/v1/cameras/{serial}/completeness", a.private(a.completeness))
	mux.HandleFunc("GET /api/v1/completeness", a.private(a.completeness))
	mux.HandleFunc("GET /api/v1/alerts", a.private(a.alerts))
	acts := map[string]func(context.Context, *cameras.Desk, string, *actShape) error{
		"approve": func(ctx context.Context, d *cameras.Desk, serial string, b *actShape) error {
			return d.Approve(ctx, serial, b.Key, b.Reason)
		},
		"block": func(ctx context.Context, d *cameras.Desk, serial string, b *actShape) error {
			return d.Block(ctx, serial, b.Key, b.Reason)
		},
		"hold": func(ctx context.Context, d *cameras.Desk, serial string, b *actShape) error {
			return d.Hold(ctx, serial, b.Reason)
		},
		"end-hold": func(ctx context.Context, d *cameras.Desk, serial string, b *actShape) error {
			return d.EndHold(ctx, serial, b.Reason)
		},
		"assign": func(ctx context.Context, d *cameras.Desk, serial string, b *actShape) error {
			return d.Assign(ctx, serial, b.Officer, b.OfficerID, b.From, b.Until, b.Replace)
		},
		"unassign": func(ctx context.Context, d *cameras.Desk, serial string, b *actShape) error {
			return d.Unassign(ctx, serial, b.At)
		},
		"begin": func(ctx context.Context, d *cameras.Desk, serial string, b *actShape) error {
			return d.Begin(ctx, serial, b.Number, b.Reason)
		},
		"settle": func(ctx context.Context, d *cameras.Desk, serial string, b *actShape) error {
			_, err := d.Settle(ctx, serial, cameras.Entry{Number: b.Number, Path: b.Path, Item: b.Item, Reason: b.Finding}, b.Reason)
			return err
		},
	}
	for name, act := range acts {
		mux.HandleFunc("POST /api/v1/cameras/{serial}/"+name, a.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
			a.act(w, r, func(b *actShape) error { return act(r.Context(), a.Cameras.For(actor), r.PathValue("serial"), b) })
		}))
	}
	mux.HandleFunc("POST /api/v1/alerts/{id}/acknowledge", a.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		a.act(w, r, func(b *actShape) error {
			return a.Cameras.For(actor).Acknowledge(r.Context(), r.PathValue("id"), b.Note)
		})
	}))
}

// actShape is the body of all acts; each uses its own fields.
type actShape struct {
	Key       evidence.Digest `json:"key_sha256"` // absent: the only key that waits
	Reason    string          `json:"reason"`
	Officer   string          `json:"officer"`
	OfficerID string          `json:"officer_id"`
	From      time.Time       `json:"from"`    // absent: now
	Until     time.Time       `json:"until"`   // absent: until further notice
	Replace   bool            `json:"replace"` // end another assignment
	At        time.Time       `json:"at"`      // absent: now
	Note      string          `json:"note"`
	Number    uint64          `json:"number"` // begin: the first that counts; settle: of the entry

	// Of the entry to settle, what is not absent.
	Path    string              `json:"path"`
	Item    evidence.EvidenceID `json:"item"`
	Finding ledger.Reason       `json:"finding"`
}

// maxAct bounds the body of an act, in bytes.
const maxAct = 8 << 10

// act reads a body, does something, and answers 204.
func (a *api) act(w http.ResponseWriter, r *http.Request, do func(*actShape) error) {
	var body actShape
	reader := json.NewDecoder(io.LimitReader(r.Body, maxAct))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		problem(w, http.StatusBadRequest, "The request cannot be read", "Send one JSON object with the fields that docs/cameras.md names for this act; times as in 2026-11-22T09:30:00Z.")
		return
	}
	switch err := do(&body); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, cameras.ErrInput):
		problem(w, http.StatusBadRequest, "This cannot be taken", err.Error())
	case errors.Is(err, catalog.ErrNotFound):
		problem(w, http.StatusNotFound, "Not found", "There is no such camera, key, alert, assignment or entry here.")
	case errors.Is(err, catalog.ErrConflict):
		problem(w, http.StatusConflict, "It is not in a state that allows this", "Somebody may have been faster, or it overlaps what is there: read it again.")
	default:
		a.fail(w, r, err)
	}
}

func (a *api) cameras(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	all, err := a.Cameras.For(actor).Cameras(r.Context())
	if err != nil {
		a.fail(w, r, err)
		return
	}
	shapes := []cameraShape{}
	for i := range all {
		shapes = append(shapes, cameraOf(&all[i]))
	}
	a.answer(w, r, map[string]any{"cameras": shapes})
}

func (a *api) camera(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	page, err := a.Cameras.For(actor).Camera(r.Context(), r.PathValue("serial"))
	if a.noCamera(w, r, err) {
		return
	}
	a.answer(w, r, cameraPageOf(page))
}

func (a *api) completeness(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	reports, err := a.Cameras.For(actor).Completeness(r.Context(), r.PathValue("serial"))
	if a.noCamera(w, r, err) {
		return
	}
	shapes := []reportShape{}
	for i := range reports {
		shapes = append(shapes, reportOf(&reports[i]))
	}
	a.answer(w, r, map[string]any{"reports": shapes})
}

func (a *api) alerts(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	filter := catalog.AlertFilter{}
	for name, values := range r.URL.Query() {
		switch {
		case name == "camera" && len(values) == 1:
			filter.Object = evidence.CameraObject(values[0])
		case name == "dock" && len(values) == 1:
			filter.Object = evidence.DockObject(evidence.DockID(values[0]))
		case name == "code" && len(values) == 1:
			filter.Code = catalog.AlertCode(values[0])
		case name == "open" && len(values) == 1 && values[0] == "true":
			filter.Open = true
		default:
			problem(w, http.StatusBadRequest, "The search cannot be read", clip(name)+": there are camera, dock, code, and open=true, each once")
			return
		}
	}
	all, err := a.Cameras.For(actor).Alerts(r.Context(), filter, maxLimit)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, map[string]any{"alerts": alertsOf(all)})
}

// noCamera answers an error of a question about one camera.
func (a *api) noCamera(w http.ResponseWriter, r *http.Request, err error) bool {
	if errors.Is(err, catalog.ErrNotFound) {
		problem(w, http.StatusNotFound, "No such camera", "No camera with this serial number was ever docked here.")
	} else if err != nil {
		a.fail(w, r, err)
	}
	return err != nil
}
