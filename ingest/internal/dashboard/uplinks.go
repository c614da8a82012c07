package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/proto/evidence"
)

func dockLink(name string) string    { return "/uplinks/docks/" + url.PathEscape(name) }
func stationLink(name string) string { return "/uplinks/stations/" + url.PathEscape(name) }

func (d *Dashboard) uplinkRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /uplinks", d.private(d.uplinks))
	mux.HandleFunc("GET /uplinks/live", func(w http.ResponseWriter, r *http.Request) {
		d.watchOver(w, r, drawing{d.uplinkChanged, d.drawUplinks})
	})
	mux.HandleFunc("GET /uplinks/docks/{dock}", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showDock(w, r, actor, http.StatusOK, nil)
	}))
	mux.HandleFunc("GET /uplinks/docks/{dock}/live", func(w http.ResponseWriter, r *http.Request) {
		dock := evidence.DockID(r.PathValue("dock"))
		d.watchOver(w, r, drawing{d.uplinkChanged, func(ctx context.Context, actor *auth.Actor, _ told) (string, time.Time, error) {
			return d.drawDockLive(ctx, actor, dock)
		}})
	})
	mux.HandleFunc("POST /uplinks/docks/{dock}/queue", d.private(d.changeQueue))
	mux.HandleFunc("POST /uplinks/docks/{dock}/bandwidth", d.private(d.changeDockTable))
	mux.HandleFunc("GET /uplinks/stations/{station}", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showStation(w, r, actor, http.StatusOK, nil)
	}))
	mux.HandleFunc("POST /uplinks/stations/{station}/bandwidth", d.private(d.changeStationTable))
	mux.HandleFunc("GET /uplinks/sending", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showSending(w, r, actor, http.StatusOK, nil, "")
	}))
	mux.HandleFunc("POST /uplinks/sending", d.private(d.changeSending))
}

func (d *Dashboard) uplinkChanged() <-chan struct{} { return d.Uplink.Live.Changed() }

// uplinkWall is the live part of the room.
type uplinkWall struct {
	At       time.Time
	Stations []stationUplink
}

type stationUplink struct {
	uplink.StationPlan
	Link  string
	Clear clearWords
	Limit string // in words
	Docks []dockUplink
}

type dockUplink struct {
	uplink.DockPlan
	Link       string
	Alone      bool // on its own page
	State      status
	Over       status
	How        string // how it is connected, in figures
	Why        string // why so
	Clear      clearWords
	Spool      status
	SpoolBytes uint64
	SpoolQuota uint64
	Waiting    uint64
	Spark      spark
	Bays       []bayUplink
}

type bayUplink struct {
	uplink.BayPlan
	Clear clearWords
}

type uplinksView struct {
	base
	uplinkWall
	Officers, Categories int
}

func (d *Dashboard) uplinks(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	wall, err := d.uplinkWall(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	policy, err := d.Uplink.For(actor).Sending()
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := uplinksView{d.roomBase(r.Context(), actor, "Uplinks", "uplinks", "live.js"), *wall, len(policy.UrgentOfficers), len(policy.Categories)}
	d.show(w, r, http.StatusOK, "uplinks", v)
}

func (d *Dashboard) drawUplinks(ctx context.Context, actor *auth.Actor, _ told) (string, time.Time, error) {
	wall, err := d.uplinkWall(ctx, actor)
	if err != nil {
		return "", time.Time{}, err
	}
	html, err := d.drawn("uplink-wall", wall)
	return html, wall.At, err
}

func (d *Dashboard) uplinkWall(ctx context.Context, actor *auth.Actor) (*uplinkWall, error) {
	plan, err := d.Uplink.For(actor).Plan(ctx)
	if err != nil {
		return nil, err
	}
	wall := &uplinkWall{At: plan.At}
	for _, s := range plan.Stations {
		if len(s.Docks) == 0 {
			continue
		}
		v := stationUplink{StationPlan: s, Link: stationLink(string(s.Station)), Clear: d.clearWords(s.Forecast), Limit: d.limitWords(&s)}
		for i := range s.Docks {
			v.Docks = append(v.Docks, d.dockUplink(&s.Docks[i]))
		}
		wall.Stations = append(wall.Stations, v)
	}
	return wall, nil
}

func (d *Dashboard) dockUplink(p *uplink.DockPlan) dockUplink {
	v := dockUplink{
		DockPlan: *p, Link: dockLink(string(p.Dock)), Clear: d.clearWords(p.Forecast), Spool: spoolStatus(p.SpoolPercent),
		SpoolBytes: p.Status.GetSpoolBytes(), SpoolQuota: p.Status.GetSpoolQuota(), Waiting: p.Status.GetRecordingsWaiting(), Spark: sparkOf(p.History),
	}
	v.State = status{"warn", "off", "Not connected"}
	switch {
	case p.Connected:
		v.State = status{"ok", "ok", "Connected"}
	case p.LastSeen.IsZero():
		v.State = status{"", "ring", "Never connected"}
	}
	v.Over, v.How, v.Why = transportWords(p.Transport)
	for _, b := range p.Bays {
		if b.Camera != "" {
			v.Bays = append(v.Bays, bayUplink{b, d.clearWords(b.Forecast)})
		}
	}
	return v
}

// dockLive is the live part of a dock's page.
type dockLive struct {
	At        time.Time
	Station   string
	Dock      dockUplink
	Queue     *uplink.Queue
	Rows      []queueRow
	More      uint64 // recordings that the dock has not listed
	CanChange bool
}

type queueRow struct {
	uplink.Waiting
	Place     int
	First     bool // of those that people may move
	Last      bool
	Permille  uint64
	CanUrgent bool
}

type dockPage struct {
	base
	dockLive
	Table   tableView
	Problem string
	Done    string
}

func (d *Dashboard) dockLive(ctx context.Context, actor *auth.Actor, id evidence.DockID) (*dockLive, error) {
	wall, err := d.uplinkWall(ctx, actor)
	if err != nil {
		return nil, err
	}
	queue, err := d.Uplink.For(actor).Queue(ctx, id)
	if err != nil {
		return nil, err
	}
	v := &dockLive{At: wall.At, Queue: queue, CanChange: auth.May(actor, auth.ChangeQueue, auth.Object{Agency: d.Auth.Agency()})}
	for _, s := range wall.Stations {
		for _, dock := range s.Docks {
			if dock.DockPlan.Dock == id {
				v.Station, v.Dock = string(s.Station), dock
				v.Dock.Alone = true
			}
		}
	}
	for i, waiting := range queue.Waiting {
		row := queueRow{Waiting: waiting, Place: i + 1, Permille: permille(waiting.Durable, waiting.Length), CanUrgent: !waiting.Urgent || waiting.Marked}
		row.First = !waiting.Urgent && (i == 0 || queue.Waiting[i-1].Urgent)
		row.Last = i == len(queue.Waiting)-1
		v.Rows = append(v.Rows, row)
	}
	v.More = queue.Recordings - min(queue.Recordings, uint64(len(queue.Waiting)))
	return v, nil
}

func (d *Dashboard) drawDockLive(ctx context.Context, actor *auth.Actor, id evidence.DockID) (string, time.Time, error) {
	v, err := d.dockLive(ctx, actor, id)
	if err != nil {
		return "", time.Time{}, err
	}
	html, err := d.drawn("dock-live", v)
	return html, v.At, err
}

// showDock shows a dock's page, with what was refused.
func (d *Dashboard) showDock(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, refused *refusedTable) {
	id := evidence.DockID(r.PathValue("dock"))
	live, err := d.dockLive(r.Context(), actor, id)
	if err != nil {
		d.noUplink(w, r, actor, err)
		return
	}
	table, err := d.Uplink.For(actor).DockBandwidth(r.Context(), id)
	if err != nil {
		d.noUplink(w, r, actor, err)
		return
	}
	v := dockPage{base: d.roomBase(r.Context(), actor, "Dock "+string(id), "uplinks", "live.js", "queue.js"), dockLive: *live, Done: uplinkDone(r.URL.Query().Get("done"))}
	v.Table = d.tableView(actor, dockLink(string(id))+"/bandwidth", "dock "+string(id), table, refused)
	v.Problem = refused.elsewhere()
	d.show(w, r, code, "uplink-dock", v)
}

// changeQueue moves a recording, or makes it urgent.
func (d *Dashboard) changeQueue(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	id, desk := evidence.DockID(r.PathValue("dock")), d.Uplink.For(actor)
	item, err := evidence.ParseEvidenceID(r.PostForm.Get("item"))
	act := r.PostForm.Get("act")
	switch {
	case err != nil && act != "reset":
		err = catalog.ErrNotFound
	case act == "reset":
		err = desk.Order(r.Context(), id, nil)
	case act == "urgent" || act == "calm":
		err = desk.Urgent(r.Context(), id, item, act == "urgent")
	default:
		err = desk.Move(r.Context(), id, item, act)
	}
	switch {
	case err == nil:
		http.Redirect(w, r, dockLink(string(id))+"#item-"+item.String(), http.StatusSeeOther)
	case errors.Is(err, catalog.ErrNotFound):
		d.showDock(w, r, actor, http.StatusConflict, &refusedTable{Problem: "That recording does not wait at this dock any more: it may be stored by now. Nothing was changed."})
	case errors.Is(err, uplink.ErrInput):
		d.showDock(w, r, actor, http.StatusUnprocessableEntity, &refusedTable{Problem: sentence(err)})
	default:
		d.noUplink(w, r, actor, err)
	}
}

// noUplink answers what a page of the room cannot show.
func (d *Dashboard) noUplink(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error) {
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such dock or station", "Uplinks lists all that are enrolled. Check the name.")
		return
	}
	d.fail(w, r, actor, err)
}
