package cameras

import (
	"context"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// How much of each a Page holds.
const (
	pageDockings = 50
	pageShown    = 200
	pageItems    = 20
	pageAlerts   = 50
)

// Page is all that is known of one camera. Lists are newest first.
type Page struct {
	Camera      *catalog.Camera
	Keys        []catalog.CameraKey
	Dockings    []catalog.Docking // the newest 50, with the clocks of each
	Assignments []Worn
	Alerts      []catalog.Alert // the newest 50 that the person may see, open or not
	Shown       []catalog.Shown // last shown first, at most 200
	ShownTotal  int64
	Items       []catalog.Item // the newest 20; the list of items has the rest
	Report      ledger.Report  // its completeness
}

// Worn is an assignment with the dockings that frame it.
type Worn struct {
	catalog.Assignment
	Out  *catalog.Docking // the docking that the officer took the camera from; nil: not known
	Back *catalog.Docking // the last docking of that time, to which the officer brought it; nil: none yet
}

// Cameras lists the agency's cameras, last seen first. auth.ErrForbidden.
func (d *Desk) Cameras(ctx context.Context) ([]catalog.Camera, error) {
	if err := d.some(auth.ListCameras); err != nil {
		return nil, err
	}
	all, err := d.Catalog.Cameras(ctx, d.Agency)
	return d.visible(ctx, all), err
}

// Camera returns what is known of one camera. auth.ErrForbidden,
// catalog.ErrNotFound.
func (d *Desk) Camera(ctx context.Context, serial string) (*Page, error) {
	if err := d.allow(ctx, auth.ListCameras, "", serial); err != nil {
		return nil, err
	}
	p := &Page{}
	var err error
	if p.Camera, err = d.Catalog.Camera(ctx, d.Agency, serial); err != nil {
		return nil, err
	}
	if p.Keys, err = d.Catalog.CameraKeys(ctx, d.Agency, serial); err != nil {
		return nil, err
	}
	if p.Dockings, err = d.Catalog.Dockings(ctx, d.Agency, serial, pageDockings); err != nil {
		return nil, err
	}
	if p.Assignments, err = d.worn(ctx, serial); err != nil {
		return nil, err
	}
	if p.Alerts, err = d.Catalog.Alerts(ctx, catalog.AlertFilter{Agency: d.Agency, Object: evidence.CameraObject(serial), Within: d.within(auth.ListAlerts)}, pageAlerts); err != nil {
		return nil, err
	}
	if p.Shown, err = d.Catalog.ShownPage(ctx, d.Agency, serial, 0, pageShown); err != nil {
		return nil, err
	}
	if p.ShownTotal, err = d.Catalog.CountShown(ctx, d.Agency, serial); err != nil {
		return nil, err
	}
	items, err := d.Catalog.Items(ctx, catalog.ItemFilter{Agency: d.Agency, Camera: serial, Within: d.within(auth.ListItems)}, catalog.NewestArrival, "", pageItems)
	if err != nil {
		return nil, err
	}
	p.Items = items.Items
	reports, err := d.survey(ctx, serial)
	if err != nil {
		return nil, err
	}
	p.Report = reports[0]
	return p, nil
}

// worn joins assignments with the dockings that frame them.
func (d *Desk) worn(ctx context.Context, serial string) ([]Worn, error) {
	assignments, err := d.Catalog.Assignments(ctx, d.Agency, serial)
	if err != nil || len(assignments) == 0 {
		return nil, err
	}
	var all []Worn
	for _, a := range assignments {
		all = append(all, Worn{Assignment: a})
	}
	return all, d.Catalog.EachDocking(ctx, d.Agency, serial, func(docking *catalog.Docking) error {
		for i := range all {
			w := &all[i]
			switch {
			case !docking.At.After(w.From):
				w.Out = docking
			case w.Covers(docking.At) || docking.At.Equal(w.Until):
				w.Back = docking
			}
		}
		return nil
	})
}

// Alerts lists the alerts that the person may see, newest first: all of them, or those of
// stations that a grant names. Of the filter, agency and reach are set here.
// auth.ErrForbidden.
func (d *Desk) Alerts(ctx context.Context, filter catalog.AlertFilter, limit int) ([]catalog.Alert, error) {
	if err := d.some(auth.ListAlerts); err != nil {
		return nil, err
	}
	filter.Agency, filter.Within = d.Agency, d.within(auth.ListAlerts)
	return d.Catalog.Alerts(ctx, filter, limit)
}

// OpenAlerts counts the alerts that wait for people, of those that this one may see.
// auth.ErrForbidden.
func (d *Desk) OpenAlerts(ctx context.Context) (int64, error) {
	if err := d.some(auth.ListAlerts); err != nil {
		return 0, err
	}
	return d.Catalog.CountAlerts(ctx, catalog.AlertFilter{Agency: d.Agency, Open: true, Within: d.within(auth.ListAlerts)})
}

// MayAcknowledge says whether the person may acknowledge an alert.
func (d *Desk) MayAcknowledge(a *catalog.Alert) bool {
	return d.local || auth.May(d.actor, auth.AcknowledgeAlert, auth.StationObject(a.Agency, a.Station))
}

// Completeness reports of one camera, or with "" of all and of what no camera is
// known for any more. auth.ErrForbidden, catalog.ErrNotFound.
func (d *Desk) Completeness(ctx context.Context, serial string) ([]ledger.Report, error) {
	if serial == "" {
		if err := d.some(auth.ListCameras); err != nil {
			return nil, err
		}
	} else if err := d.allow(ctx, auth.ListCameras, "", serial); err != nil {
		return nil, err
	}
	if serial != "" || d.local || auth.May(d.actor, auth.ListCameras, auth.Object{Agency: d.Agency}) {
		return d.survey(ctx, serial)
	}
	all, err := d.Cameras(ctx)
	if err != nil {
		return nil, err
	}
	var reports []ledger.Report
	for _, c := range all {
		one, err := d.survey(ctx, c.Serial)
		if err != nil {
			return nil, err
		}
		reports = append(reports, one...)
	}
	return reports, nil
}

// within is on what the person may do something.
func (d *Desk) within(do auth.Action) *catalog.Reach {
	if d.local {
		return nil
	}
	return auth.ReachOf(d.actor, do, d.Agency)
}
