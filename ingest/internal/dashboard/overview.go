package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/upload"
)

// maxTransfers is how many recordings on their way the overview draws.
const maxTransfers = 12

// wallView is the live part of the overview.
type wallView struct {
	At          time.Time
	Store       storeView
	Moving      int
	Rate        uint64
	Waiting     uint64
	SpoolBytes  uint64
	Quarantined uint64
	Stations    []stationView
	Transfers   []transferView
	// MoreTransfers counts those that are not drawn.
	MoreTransfers int
	Arrivals      []catalog.Item
	// Alerts are the newest of OpenAlerts, which wait for people.
	Alerts     []alertView
	OpenAlerts uint64
}

type storeView struct {
	Items, LastDay, Bytes int64
	Free                  uint64
	FreeKnown             bool
}

type stationView struct {
	Name  string
	Cards []template.HTML // of its docks
	Bays  int
	docks []reading.LiveDock
}

type dockView struct {
	reading.LiveDock
	Status status
	Tiles  []bayView
}

type bayView struct {
	Port, Camera, Model, Message string
	Status                       status
	HasProgress                  bool
	Permille, Percent            uint64
	Done, Total                  uint64
	Bytes, Rate                  uint64
	Battery, Charge              int
}

type transferView struct {
	reading.Transfer
	Permille, Percent uint64
	Word, Left        string
}

type overviewView struct {
	base
	wallView
}

func (d *Dashboard) overview(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	o, err := d.Reading.Overview(r.Context(), actor)
	if errors.Is(err, auth.ErrForbidden) && d.elsewhere(w, r, actor) {
		return
	}
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	wall, err := d.wall(o, nil)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := overviewView{d.roomBase(r.Context(), actor, "Overview", "overview", "live.js"), wall}
	if v.Alerts, v.OpenAlerts, err = d.pressingAlerts(r.Context(), actor); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	d.show(w, r, http.StatusOK, "overview", v)
}

// wall is the live part of the overview for a page that has some cards already.
func (d *Dashboard) wall(o *reading.Overview, page told) (wallView, error) {
	stored := o.Totals.ByState[catalog.StateStored]
	v := wallView{
		At:          o.At,
		Store:       storeView{Items: stored.Items, LastDay: o.Totals.Last24h.Items, Bytes: stored.Bytes, Free: o.Free, FreeKnown: o.FreeKnown},
		Moving:      len(o.Transfers),
		Quarantined: number(o.Totals.ByState[catalog.StateQuarantined].Items),
		Arrivals:    o.Arrivals,
	}
	for _, dock := range o.Docks {
		v.Waiting += dock.RecordingsWaiting
		v.SpoolBytes += dock.SpoolBytes
		if n := len(v.Stations); n == 0 || v.Stations[n-1].Name != dock.Station {
			v.Stations = append(v.Stations, stationView{Name: dock.Station})
		}
		s := &v.Stations[len(v.Stations)-1]
		s.docks = append(s.docks, dock)
		s.Bays += len(dock.Bays)
	}
	for i := range v.Stations {
		s := &v.Stations[i]
		var err error
		if s.Cards, err = d.cards.draw(s.docks, page, o.At, d.drawn); err != nil {
			return v, err
		}
	}
	for i, t := range o.Transfers {
		v.Rate += t.BytesPerSecond
		if i < maxTransfers {
			v.Transfers = append(v.Transfers, drawTransfer(t))
		}
	}
	v.MoreTransfers = len(o.Transfers) - len(v.Transfers)
	return v, nil
}

func drawDock(dock reading.LiveDock) dockView {
	v := dockView{LiveDock: dock, Status: status{"warn", "off", "Not connected"}}
	switch {
	case dock.Connected:
		v.Status = status{"ok", "ok", "Connected"}
	case dock.LastSeen.IsZero():
		v.Status = status{"", "ring", "Never connected"}
	}
	for _, bay := range dock.Bays {
		tile := drawBay(bay)
		if !dock.Connected {
			tile.Status = status{"", "wait", "Last: " + tile.Status.Word}
			tile.Rate = 0
		}
		v.Tiles = append(v.Tiles, tile)
	}
	return v
}

func drawBay(b reading.Bay) bayView {
	v := bayView{
		Port: b.Port, Camera: b.CameraSerial, Model: b.CameraModel, Message: b.Message, Status: bayStatus(b.State),
		Done: b.RecordingsDone, Total: b.RecordingsTotal, Bytes: b.BytesTotal, Rate: b.BytesPerSecond,
		Battery: min(b.Battery, 100),
	}
	v.Charge = max(v.Battery, 0) * 21 / 100
	v.HasProgress = b.RecordingsTotal > 0
	done, total := b.BytesDone, b.BytesTotal
	if total == 0 {
		done, total = b.RecordingsDone, b.RecordingsTotal
	}
	v.Permille = permille(done, total)
	v.Percent = v.Permille / 10
	return v
}

// bayStatus puts a dock's word for a bay into words for people. A word that is
// not known is shown as it came.
func bayStatus(word string) status {
	switch word {
	case upload.BayEmpty, "":
		return status{"", "ring", "Empty"}
	case upload.BayReading:
		return status{"busy", "wait", "Listing"}
	case upload.BayCopying:
		return status{"busy", "moving", "Copying"}
	case upload.BayUploading:
		return status{"busy", "moving", "Uploading"}
	case upload.BayReleasing:
		return status{"busy", "wait", "Releasing"}
	case upload.BayDone:
		return status{"ok", "ok", "Done, take it"}
	case upload.BayAttention:
		return status{"bad", "stop", "Needs a look"}
	}
	return status{"", "info", word}
}

func drawTransfer(t reading.Transfer) transferView {
	v := transferView{Transfer: t, Permille: permille(t.Durable, t.Length)}
	v.Percent = v.Permille / 10
	switch t.Stage {
	case "receiving":
		v.Word = fmt.Sprintf("%d %%", v.Percent)
		if t.BytesPerSecond > 0 && t.Length > t.Durable {
			v.Left = leftText(time.Duration(float64(t.Length-t.Durable)/float64(t.BytesPerSecond)) * time.Second)
		}
	case "proving":
		v.Word = "Reading back"
	case "committing":
		v.Word = "Signing"
	default:
		v.Word = t.Stage
	}
	return v
}

func leftText(left time.Duration) string {
	switch {
	case left < time.Second:
		return "1 s left"
	case left < 2*time.Minute:
		return fmt.Sprintf("%d s left", int(left.Seconds()))
	case left < 2*time.Hour:
		return fmt.Sprintf("%d min left", int(left.Minutes()))
	}
	return fmt.Sprintf("%d h left", int(min(left.Hours(), 9999)))
}

// permille is done of total, and only all of it is 1000.
func permille(done, total uint64) uint64 {
	switch {
	case total == 0 || done >= total:
		return 1000
	}
	return min(uint64(float64(done)/float64(total)*1000), 999)
}

// elsewhere leads who may not see the overview to the first room that is theirs.
func (d *Dashboard) elsewhere(w http.ResponseWriter, r *http.Request, actor *auth.Actor) bool {
	open := d.roomsOf(actor)
	for _, room := range []struct {
		may  bool
		path string
	}{{open.Evidence, "/evidence"}, {open.Cameras, "/cameras"}, {open.Uplinks, "/uplinks"}, {open.People, "/people"}} {
		if room.may {
			http.Redirect(w, r, room.path, http.StatusSeeOther)
			return true
		}
	}
	return false
}
