package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

type keyBody struct {
	Key    evidence.Digest `json:"key_sha256" jsonschema:"absent: the only key that waits"`
	Reason string          `json:"reason"`
}

type reasonBody struct {
	Reason string `json:"reason"`
}

type assignBody struct {
	Officer   string    `json:"officer" jsonschema:"name of whom it is given to"`
	OfficerID string    `json:"officer_id"`
	From      time.Time `json:"from" jsonschema:"absent: now"`
	Until     time.Time `json:"until" jsonschema:"absent: until further notice"`
	Replace   bool      `json:"replace" jsonschema:"end another assignment"`
}

type unassignBody struct {
	At time.Time `json:"at" jsonschema:"absent: now"`
}

type beginBody struct {
	Number uint64 `json:"number" jsonschema:"the first that counts"`
	Reason string `json:"reason"`
}

type settleBody struct {
	Number  uint64              `json:"number" jsonschema:"of the entry to settle, as are path, item and finding: what the entry has"`
	Path    string              `json:"path"`
	Item    evidence.EvidenceID `json:"item"`
	Finding ledger.Reason       `json:"finding"`
	Reason  string              `json:"reason"`
}

type noteBody struct {
	Note string `json:"note"`
}

const noCamera = "No camera with this serial number was ever docked here, or it has no such key, assignment or entry."

func (a *api) cameraRoutes() []Route {
	const tag = "Cameras"
	look := func(summary string) Description {
		return Description{Tag: tag, Summary: summary, Asks: []auth.Action{auth.ListCameras}}
	}
	list, one, completeness, all := look("Cameras that were docked"), look("One camera: keys, stays, assignments, alerts, what it showed"), look("What is missing of one camera"), look("What is missing, camera by camera")
	list.Paged, one.Missing, completeness.Missing, all.Paged = true, noCamera, noCamera, true
	alerts := Description{Tag: tag, Summary: "Alerts, newest first", About: "Whoever has a grant on a station sees those about its docks, cameras and recordings.", Asks: []auth.Action{auth.ListAlerts}, Paged: true, Query: []Parameter{
		{Name: "camera", Kind: Text, About: "Of this camera, by serial number."}, {Name: "dock", Kind: Text, About: "Of this dock."},
		{Name: "code", Kind: Text, About: "Of this kind; docs/cameras.md lists them."}, {Name: "open", Kind: True, About: "That wait for people."},
	}}
	return []Route{
		Answer("GET /api/v1/cameras", list, a.cameras),
		Answer("GET /api/v1/cameras/{serial}", one, a.camera),
		Answer("GET /api/v1/cameras/{serial}/completeness", completeness, a.completeness),
		Answer("GET /api/v1/completeness", all, a.completeness),
		Answer("GET /api/v1/alerts", alerts, a.alerts),
		act("approve", auth.DecideCameraKey, "Approve a camera's key", a, func(ctx context.Context, d *cameras.Desk, serial string, b *keyBody) error {
			return d.Approve(ctx, serial, b.Key, b.Reason)
		}),
		act("block", auth.DecideCameraKey, "Block a camera's key", a, func(ctx context.Context, d *cameras.Desk, serial string, b *keyBody) error {
			return d.Block(ctx, serial, b.Key, b.Reason)
		}),
		act("hold", auth.HoldCamera, "Put a camera on hold: nothing is erased on it", a, func(ctx context.Context, d *cameras.Desk, serial string, b *reasonBody) error {
			return d.Hold(ctx, serial, b.Reason)
		}),
		act("end-hold", auth.EndCameraHold, "End a camera's hold", a, func(ctx context.Context, d *cameras.Desk, serial string, b *reasonBody) error {
			return d.EndHold(ctx, serial, b.Reason)
		}),
		act("assign", auth.AssignCamera, "Assign a camera to an officer", a, func(ctx context.Context, d *cameras.Desk, serial string, b *assignBody) error {
			return d.Assign(ctx, serial, b.Officer, b.OfficerID, b.From, b.Until, b.Replace)
		}),
		act("unassign", auth.AssignCamera, "End a camera's assignment", a, func(ctx context.Context, d *cameras.Desk, serial string, b *unassignBody) error {
			return d.Unassign(ctx, serial, b.At)
		}),
		act("begin", auth.BeginCamera, "Say from which number on a camera counts", a, func(ctx context.Context, d *cameras.Desk, serial string, b *beginBody) error {
			return d.Begin(ctx, serial, b.Number, b.Reason)
		}),
		act("settle", auth.SettleFinding, "Settle what is missing for good", a, func(ctx context.Context, d *cameras.Desk, serial string, b *settleBody) error {
			_, err := d.Settle(ctx, serial, cameras.Entry{Number: b.Number, Path: b.Path, Item: b.Item, Reason: b.Finding}, b.Reason)
			return err
		}),
		Answer("POST /api/v1/alerts/{id}/acknowledge", Description{Tag: tag, Summary: "Acknowledge an alert", Asks: []auth.Action{auth.AcknowledgeAlert}, Missing: "There is no such alert here.", Codes: []int{http.StatusConflict}},
			func(r *Request, b *noteBody) (Nothing, error) {
				return Nothing{}, a.Cameras.For(r.Actor).Acknowledge(r.Context(), r.PathValue("id"), b.Note)
			}),
	}
}

// act is a route by which somebody decides something about a camera.
func act[B any](name string, asks auth.Action, summary string, a *api, do func(context.Context, *cameras.Desk, string, *B) error) Route {
	d := Description{Tag: "Cameras", Summary: summary, Asks: []auth.Action{asks}, Missing: noCamera, Codes: []int{http.StatusConflict}}
	return Answer("POST /api/v1/cameras/{serial}/"+name, d, func(r *Request, b *B) (Nothing, error) {
		return Nothing{}, do(r.Context(), a.Cameras.For(r.Actor), r.PathValue("serial"), b)
	})
}

type camerasAnswer struct {
	Cameras []cameraShape `json:"cameras"`
	Next    string        `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

func (a *api) cameras(r *Request, _ *Nothing) (camerasAnswer, error) {
	all, err := a.Cameras.For(r.Actor).Cameras(r.Context())
	shapes := []cameraShape{}
	for i := range all {
		shapes = append(shapes, cameraOf(&all[i]))
	}
	if err != nil {
		return camerasAnswer{}, err
	}
	page, next, err := cut(r, shapes, func(c *cameraShape) string { return c.Serial })
	return camerasAnswer{page, next}, err
}

func (a *api) camera(r *Request, _ *Nothing) (cameraPageShape, error) {
	page, err := a.Cameras.For(r.Actor).Camera(r.Context(), r.PathValue("serial"))
	if err != nil {
		return cameraPageShape{}, err
	}
	return cameraPageOf(page), nil
}

type reportsAnswer struct {
	Reports []reportShape `json:"reports"`
	Next    string        `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

func (a *api) completeness(r *Request, _ *Nothing) (reportsAnswer, error) {
	reports, err := a.Cameras.For(r.Actor).Completeness(r.Context(), r.PathValue("serial"))
	shapes := []reportShape{}
	for i := range reports {
		shapes = append(shapes, reportOf(&reports[i]))
	}
	if err != nil {
		return reportsAnswer{}, err
	}
	page, next, err := cut(r, shapes, func(v *reportShape) string { return v.Camera })
	return reportsAnswer{page, next}, err
}

type alertsAnswer struct {
	Alerts []alertShape `json:"alerts"`
	Next   string       `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

func (a *api) alerts(r *Request, _ *Nothing) (alertsAnswer, error) {
	filter := catalog.AlertFilter{Code: catalog.AlertCode(r.Text("code")), Open: r.Text("open") != ""}
	if dock := r.Text("dock"); dock != "" {
		filter.Object = evidence.DockObject(evidence.DockID(dock))
	}
	if camera := r.Text("camera"); camera != "" {
		filter.Object = evidence.CameraObject(camera)
	}
	limit := r.Number("limit", defaultLimit)
	if cursor := r.Text("cursor"); cursor != "" {
		at, id, ok := strings.Cut(cursor, "-")
		micros, err := strconv.ParseInt(at, 10, 64)
		if err != nil || !ok || micros <= 0 {
			return alertsAnswer{}, catalog.ErrCursor
		}
		filter.BeforeAt, filter.BeforeID = time.UnixMicro(micros), id
	}
	all, err := a.Cameras.For(r.Actor).Alerts(r.Context(), filter, limit+1)
	if err != nil {
		return alertsAnswer{}, err
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		last := &all[limit-1]
		next = strconv.FormatInt(last.RaisedAt.UnixMicro(), 10) + "-" + last.ID
	}
	return alertsAnswer{alertsOf(all), next}, nil
}
