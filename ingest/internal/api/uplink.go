package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (a *api) uplinkRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/uplinks", a.private(a.uplinks))
	mux.HandleFunc("GET /api/v1/docks/{dock}/queue", a.private(a.queue))
	mux.HandleFunc("PUT /api/v1/docks/{dock}/queue/order", a.private(a.order))
	mux.HandleFunc("POST /api/v1/docks/{dock}/queue/move", a.private(a.move))
	mux.HandleFunc("POST /api/v1/docks/{dock}/queue/urgent", a.private(a.urgent))
	mux.HandleFunc("GET /api/v1/docks/{dock}/bandwidth", a.private(a.dockBandwidth))
	mux.HandleFunc("PUT /api/v1/docks/{dock}/bandwidth", a.private(a.setDockBandwidth))
	mux.HandleFunc("GET /api/v1/stations/{station}/bandwidth", a.private(a.stationBandwidth))
	mux.HandleFunc("PUT /api/v1/stations/{station}/bandwidth", a.private(a.setStationBandwidth))
	mux.HandleFunc("GET /api/v1/sending", a.private(a.sending))
	mux.HandleFunc("PUT /api/v1/sending", a.private(a.setSending))
}

func (a *api) uplinks(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	plan, err := a.Uplink.For(actor).Plan(r.Context())
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, planOf(plan))
}

func (a *api) queue(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	queue, err := a.Uplink.For(actor).Queue(r.Context(), evidence.DockID(r.PathValue("dock")))
	if a.noUplink(w, r, err) {
		return
	}
	a.answer(w, r, queueOf(queue))
}

// order takes {"order":["…",…]}, all that goes before what is not named.
func (a *api) order(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var body struct {
		Order []evidence.EvidenceID `json:"order"`
	}
	decide(a, w, r, &body, func(ctx context.Context) error {
		return a.Uplink.For(actor).Order(ctx, evidence.DockID(r.PathValue("dock")), body.Order)
	})
}

// move takes {"evidence_id":"…","to":"first"}.
func (a *api) move(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var body struct {
		Item evidence.EvidenceID `json:"evidence_id"`
		To   string              `json:"to"`
	}
	decide(a, w, r, &body, func(ctx context.Context) error {
		return a.Uplink.For(actor).Move(ctx, evidence.DockID(r.PathValue("dock")), body.Item, body.To)
	})
}

// urgent takes {"evidence_id":"…","urgent":true}.
func (a *api) urgent(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var body struct {
		Item   evidence.EvidenceID `json:"evidence_id"`
		Urgent bool                `json:"urgent"`
	}
	decide(a, w, r, &body, func(ctx context.Context) error {
		return a.Uplink.For(actor).Urgent(ctx, evidence.DockID(r.PathValue("dock")), body.Item, body.Urgent)
	})
}

func (a *api) dockBandwidth(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	table, err := a.Uplink.For(actor).DockBandwidth(r.Context(), evidence.DockID(r.PathValue("dock")))
	if !a.noUplink(w, r, err) {
		a.answer(w, r, tableOf(table))
	}
}

func (a *api) stationBandwidth(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	table, err := a.Uplink.For(actor).StationBandwidth(r.Context(), evidence.StationID(r.PathValue("station")))
	if !a.noUplink(w, r, err) {
		a.answer(w, r, tableOf(table))
	}
}

func (a *api) setDockBandwidth(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	a.setBandwidth(w, r, func(ctx context.Context, t *schedule.Table) error {
		return a.Uplink.For(actor).SetDockBandwidth(ctx, evidence.DockID(r.PathValue("dock")), t)
	})
}

func (a *api) setStationBandwidth(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	a.setBandwidth(w, r, func(ctx context.Context, t *schedule.Table) error {
		return a.Uplink.For(actor).SetStationBandwidth(ctx, evidence.StationID(r.PathValue("station")), t)
	})
}

func (a *api) setBandwidth(w http.ResponseWriter, r *http.Request, set func(context.Context, *schedule.Table) error) {
	var body tableShape
	decide(a, w, r, &body, func(ctx context.Context) error {
		table, err := body.table()
		if err != nil {
			return err
		}
		return set(ctx, table)
	})
}

func (a *api) sending(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	policy, err := a.Uplink.For(actor).Sending()
	if !a.noUplink(w, r, err) {
		a.answer(w, r, sendingOf(policy))
	}
}

func (a *api) setSending(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var body uplink.Sending
	decide(a, w, r, &body, func(ctx context.Context) error { return a.Uplink.For(actor).SetSending(ctx, body) })
}

// maxDecision bounds the body of a decision about uplinks, in bytes.
const maxDecision = 64 << 10

// decide reads a body, does something, and answers 204.
func decide[T any](a *api, w http.ResponseWriter, r *http.Request, body *T, do func(context.Context) error) {
	reader := json.NewDecoder(io.LimitReader(r.Body, maxDecision))
	reader.DisallowUnknownFields()
	if err := reader.Decode(body); err != nil || reader.More() {
		problem(w, http.StatusBadRequest, "The request cannot be read", "Send one JSON object of at most 64 KiB with the fields that docs/server.md names for this address.")
		return
	}
	if err := do(r.Context()); !a.noUplink(w, r, err) {
		w.WriteHeader(http.StatusNoContent)
	}
}

// noUplink answers an error about uplinks.
func (a *api) noUplink(w http.ResponseWriter, r *http.Request, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, uplink.ErrInput):
		problem(w, http.StatusBadRequest, "This cannot be taken", err.Error())
	case errors.Is(err, catalog.ErrNotFound):
		problem(w, http.StatusNotFound, "Not found", "There is no such dock or station, or the recording does not wait there, or no longer.")
	default:
		a.fail(w, r, err)
	}
	return true
}
