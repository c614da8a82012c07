package api

import (
	"context"
	"net/http"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (a *api) uplinkRoutes() []Route {
	const none = "There is no such dock or station, or the recording does not wait there, or no longer."
	of := func(asks auth.Action, summary, about string) Description {
		return Description{Tag: "Docks and uplinks", Summary: summary, About: about, Asks: []auth.Action{asks}, Missing: none}
	}
	whole := of(auth.ListDocks, "Stations and docks with their backlog, rates and forecasts", "")
	queue := of(auth.ListDocks, "What waits at a dock, in its order", "")
	sending := of(auth.ListDocks, "Which officers and categories go first", "")
	setSending := of(auth.ManageSending, "Decide which officers and categories go first", "")
	whole.Missing, sending.Missing, setSending.Missing, queue.Paged = "", "", "", true
	return []Route{
		Answer("GET /api/v1/uplinks", whole, a.uplinks),
		Answer("GET /api/v1/docks/{dock}/queue", queue, a.queue),
		Answer("PUT /api/v1/docks/{dock}/queue/order", of(auth.ChangeQueue, "Say what goes first", "All that is named goes before what is not."), a.order),
		Answer("POST /api/v1/docks/{dock}/queue/move", of(auth.ChangeQueue, "Move a recording in the order", ""), a.move),
		Answer("POST /api/v1/docks/{dock}/queue/urgent", of(auth.ChangeQueue, "Mark a recording urgent, or not", ""), a.urgent),
		Answer("GET /api/v1/docks/{dock}/bandwidth", of(auth.ListDocks, "A dock's weekly table of bandwidth", ""), a.dockBandwidth),
		Answer("PUT /api/v1/docks/{dock}/bandwidth", of(auth.ManageBandwidth, "Set a dock's weekly table", "No windows: no table."), a.setDockBandwidth),
		Answer("GET /api/v1/stations/{station}/bandwidth", of(auth.ListDocks, "A station's weekly table of bandwidth", ""), a.stationBandwidth),
		Answer("PUT /api/v1/stations/{station}/bandwidth", of(auth.ManageBandwidth, "Set a station's weekly table", "No windows: no table."), a.setStationBandwidth),
		Answer("GET /api/v1/sending", sending, a.sending),
		Answer("PUT /api/v1/sending", setSending, a.setSending),
	}
}

func (r *Request) dock() evidence.DockID       { return evidence.DockID(r.PathValue("dock")) }
func (r *Request) station() evidence.StationID { return evidence.StationID(r.PathValue("station")) }

func (a *api) uplinks(r *Request, _ *Nothing) (planShape, error) {
	plan, err := a.Uplink.For(r.Actor).Plan(r.Context())
	if err != nil {
		return planShape{}, err
	}
	return planOf(plan), nil
}

func (a *api) queue(r *Request, _ *Nothing) (queueShape, error) {
	queue, err := a.Uplink.For(r.Actor).Queue(r.Context(), r.dock())
	if err != nil {
		return queueShape{}, err
	}
	v := queueOf(queue)
	for i := range v.Waiting {
		v.Waiting[i].place = i
	}
	v.Waiting, v.Next, err = cut(r, v.Waiting, func(w *waitingShape) string { return newestFirst(^int64(w.place)) })
	return v, err
}

type orderBody struct {
	Order []evidence.EvidenceID `json:"order" required:"true" jsonschema:"all that goes before what is not named"`
}

func (a *api) order(r *Request, body *orderBody) (Nothing, error) {
	return Nothing{}, a.Uplink.For(r.Actor).Order(r.Context(), r.dock(), body.Order)
}

type moveBody struct {
	Item evidence.EvidenceID `json:"evidence_id" required:"true"`
	To   string              `json:"to" required:"true" jsonschema:"first, up or down"`
}

func (a *api) move(r *Request, body *moveBody) (Nothing, error) {
	return Nothing{}, a.Uplink.For(r.Actor).Move(r.Context(), r.dock(), body.Item, body.To)
}

type urgentBody struct {
	Item   evidence.EvidenceID `json:"evidence_id" required:"true"`
	Urgent bool                `json:"urgent"`
}

func (a *api) urgent(r *Request, body *urgentBody) (Nothing, error) {
	return Nothing{}, a.Uplink.For(r.Actor).Urgent(r.Context(), r.dock(), body.Item, body.Urgent)
}

func (a *api) dockBandwidth(r *Request, _ *Nothing) (tableShape, error) {
	return shapeOfTable(a.Uplink.For(r.Actor).DockBandwidth(r.Context(), r.dock()))
}

func (a *api) stationBandwidth(r *Request, _ *Nothing) (tableShape, error) {
	return shapeOfTable(a.Uplink.For(r.Actor).StationBandwidth(r.Context(), r.station()))
}

func shapeOfTable(t *schedule.Table, err error) (tableShape, error) {
	if err != nil {
		return tableShape{}, err
	}
	return tableOf(t), nil
}

func (a *api) setDockBandwidth(r *Request, body *tableShape) (Nothing, error) {
	return setBandwidth(r, body, func(ctx context.Context, t *schedule.Table) error {
		return a.Uplink.For(r.Actor).SetDockBandwidth(ctx, r.dock(), t)
	})
}

func (a *api) setStationBandwidth(r *Request, body *tableShape) (Nothing, error) {
	return setBandwidth(r, body, func(ctx context.Context, t *schedule.Table) error {
		return a.Uplink.For(r.Actor).SetStationBandwidth(ctx, r.station(), t)
	})
}

func setBandwidth(r *Request, body *tableShape, set func(context.Context, *schedule.Table) error) (Nothing, error) {
	table, err := body.table()
	if err != nil {
		return Nothing{}, refuse(http.StatusBadRequest, "This cannot be taken", err.Error())
	}
	return Nothing{}, set(r.Context(), table)
}

func (a *api) sending(r *Request, _ *Nothing) (uplink.Sending, error) {
	policy, err := a.Uplink.For(r.Actor).Sending()
	return sendingOf(policy), err
}

func (a *api) setSending(r *Request, body *uplink.Sending) (Nothing, error) {
	return Nothing{}, a.Uplink.For(r.Actor).SetSending(r.Context(), *body)
}
