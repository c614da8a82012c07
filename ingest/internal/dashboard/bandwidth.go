package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
)

// tableView is the editor of a weekly table.
type tableView struct {
	Action    string // address of its forms
	Of        string // dock front-desk, station north
	Zone      string
	Windows   []windowRow
	Week      []dayRow
	Now       string // what it says at this moment
	Was       string // names the table as it was shown
	Form      windowForm
	Problem   string
	CanManage bool
}

type windowRow struct {
	Days, Times, Rate string
	Next              bool // it lasts into the next day
	First             bool
}

type dayRow struct {
	Name string
	Y    int
	Bars []bar
}

// bar is a part of a day with a limit, in minutes.
type bar struct {
	X, Width int
	Kind     string // stop, slow
	Depth    string // of its colour: the less is allowed, the deeper
	Says     string
}

type dayTick struct {
	Name, Value string
	On          bool
}

// windowForm is what was typed for a window.
type windowForm struct {
	Days        []dayTick
	From, Until string
	What        string // limit, stop, none
	Rate, Unit  string
	Zone        string
}

type refusedTable struct {
	Problem string
	Form    *windowForm // nil: it was not about a window
}

// elsewhere is a problem that is not told beside the window's form.
func (r *refusedTable) elsewhere() string {
	if r == nil || r.Form != nil {
		return ""
	}
	return r.Problem
}

type stationPage struct {
	base
	Name    string
	Table   tableView
	Problem string
	Done    string
}

var dayNames = [7]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

func dayTicks(on func(int) bool) []dayTick {
	ticks := make([]dayTick, len(dayNames))
	for i, name := range dayNames {
		ticks[i] = dayTick{name, strconv.Itoa(i), on(i)}
	}
	return ticks
}

func (d *Dashboard) tableView(actor *auth.Actor, action, of string, table *schedule.Table, refused *refusedTable) tableView {
	v := tableView{
		Action: action, Of: of, Zone: table.Zone(), Was: tableName(table),
		CanManage: auth.May(actor, auth.ManageBandwidth, auth.Object{Agency: d.Auth.Agency()}),
		Form:      windowForm{Days: dayTicks(func(i int) bool { return i < 5 }), From: "08:00", Until: "18:00", What: "limit", Unit: "Mbit/s"},
	}
	if v.Form.Zone = v.Zone; v.Zone == "" {
		v.Form.Zone = d.Zone.String()
	}
	if refused != nil && refused.Form != nil {
		v.Form, v.Problem = *refused.Form, refused.Problem
	}
	for i, w := range table.Windows() {
		v.Windows = append(v.Windows, windowRow{
			Days: schedule.DaysText(w.Days), Times: schedule.MinuteText(w.From) + " to " + schedule.MinuteText(w.Until), Rate: limitWord(w.BytesPerSecond),
			Next: w.Until <= w.From && w.Until > 0, First: i == 0,
		})
	}
	if table != nil {
		rate, until := table.At(d.Now())
		v.Now = "Now: " + limitWord(rate)
		if !until.IsZero() {
			v.Now += " until " + table.Local(until).Format("Mon 15:04 MST")
		}
		v.Week = weekOf(table)
	}
	return v
}

func limitWord(rate uint64) string {
	switch rate {
	case uplink.NoLimit:
		return "no limit"
	case 0:
		return "nothing is sent"
	}
	return "at most " + schedule.RateText(rate)
}

// weekOf draws the week, a row for each day.
func weekOf(table *schedule.Table) []dayRow {
	const day = 24 * 60
	rows := make([]dayRow, len(dayNames))
	for i := range rows {
		rows[i] = dayRow{Name: dayNames[i], Y: i * 22}
	}
	var rates []uint64 // that are limits, lowest first
	for _, w := range table.Windows() {
		if w.BytesPerSecond > 0 && w.BytesPerSecond != uplink.NoLimit {
			rates = append(rates, w.BytesPerSecond)
		}
	}
	slices.Sort(rates)
	rates = slices.Compact(rates)
	for _, s := range table.Week() {
		if s.BytesPerSecond == uplink.NoLimit {
			continue
		}
		kind, depth := "slow", "1"
		if s.BytesPerSecond == 0 {
			kind = "stop"
		} else if len(rates) > 1 {
			depth = strconv.FormatFloat(1-0.65*float64(slices.Index(rates, s.BytesPerSecond))/float64(len(rates)-1), 'f', 2, 64)
		}
		for from := s.From; from < s.Until; {
			until := min(s.Until, from/day*day+day)
			rows[from/day].Bars = append(rows[from/day].Bars, bar{X: from % day, Width: until - from, Kind: kind, Depth: depth, Says: limitWord(s.BytesPerSecond)})
			from = until
		}
	}
	return rows
}

// tableName names a table's content.
func tableName(table *schedule.Table) string {
	text := table.Zone()
	for _, w := range table.Windows() {
		text += "\n" + w.String()
	}
	return evidence.SHA256([]byte(text)).String()[:16]
}

func (d *Dashboard) showStation(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, refused *refusedTable) {
	id := evidence.StationID(r.PathValue("station"))
	table, err := d.Uplink.For(actor).StationBandwidth(r.Context(), id)
	if err != nil {
		d.noUplink(w, r, actor, err)
		return
	}
	v := stationPage{base: d.roomBase(r.Context(), actor, "Station "+string(id), "uplinks"), Name: string(id), Done: uplinkDone(r.URL.Query().Get("done"))}
	v.Table = d.tableView(actor, stationLink(string(id))+"/bandwidth", "station "+string(id), table, refused)
	v.Problem = refused.elsewhere()
	d.show(w, r, code, "uplink-station", v)
}

func (d *Dashboard) changeStationTable(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, desk := evidence.StationID(r.PathValue("station")), d.Uplink.For(actor)
	d.changeTable(w, r, actor, stationLink(string(id)), d.showStation,
		func(ctx context.Context) (*schedule.Table, error) { return desk.StationBandwidth(ctx, id) },
		func(ctx context.Context, t *schedule.Table) error { return desk.SetStationBandwidth(ctx, id, t) })
}

func (d *Dashboard) changeDockTable(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, desk := evidence.DockID(r.PathValue("dock")), d.Uplink.For(actor)
	d.changeTable(w, r, actor, dockLink(string(id)), d.showDock,
		func(ctx context.Context) (*schedule.Table, error) { return desk.DockBandwidth(ctx, id) },
		func(ctx context.Context, t *schedule.Table) error { return desk.SetDockBandwidth(ctx, id, t) })
}

// changeTable does what the editor of a table asks for.
func (d *Dashboard) changeTable(w http.ResponseWriter, r *http.Request, actor *auth.Actor, page string,
	show func(http.ResponseWriter, *http.Request, *auth.Actor, int, *refusedTable),
	get func(context.Context) (*schedule.Table, error), set func(context.Context, *schedule.Table) error) {
	if !d.form(w, r) {
		return
	}
	table, err := get(r.Context())
	if err != nil {
		d.noUplink(w, r, actor, err)
		return
	}
	if r.PostForm.Get("was") != tableName(table) {
		show(w, r, actor, http.StatusConflict, &refusedTable{Problem: "Somebody else has changed this table meanwhile. Nothing was changed: this page shows how it is now."})
		return
	}
	var form *windowForm
	act := r.PostForm.Get("act")
	if act == "add" {
		form = readWindowForm(r)
	}
	changed, err := edited(table, act, r.PostForm.Get("window"), form)
	if err == nil {
		err = set(r.Context(), changed)
	}
	var asked errAsked
	switch {
	case err == nil:
		http.Redirect(w, r, doneLink(page, "table")+"#table", http.StatusSeeOther)
	case errors.As(err, &asked), errors.Is(err, uplink.ErrInput):
		show(w, r, actor, http.StatusUnprocessableEntity, &refusedTable{Problem: sentence(err), Form: form})
	default:
		d.noUplink(w, r, actor, err)
	}
}

func readWindowForm(r *http.Request) *windowForm {
	text := func(field string) string { return searchText(r.PostForm.Get(field), 100) }
	return &windowForm{
		Days: dayTicks(func(i int) bool { return slices.Contains(r.PostForm["day"], strconv.Itoa(i)) }),
		From: text("from"), Until: text("until"), What: text("what"), Rate: text("rate"), Unit: text("unit"), Zone: text("zone"),
	}
}

// edited is a table after one act of its editor, with form to add a window; nil when nothing is left of it.
func edited(table *schedule.Table, act, which string, form *windowForm) (*schedule.Table, error) {
	windows, zone := table.Windows(), table.Zone()
	if form != nil {
		window, err := form.window()
		if err != nil {
			return nil, errAsked(sentence(err))
		}
		windows, zone = append(windows, window), form.Zone
	} else {
		at, err := strconv.Atoi(which)
		if err != nil || at < 0 || at >= len(windows) {
			return nil, errAsked("There is no such window. Nothing was changed.")
		}
		switch {
		case act == "remove":
			windows = slices.Delete(windows, at, at+1)
		case act == "up" && at > 0:
			windows[at-1], windows[at] = windows[at], windows[at-1]
		default:
			return nil, errAsked("Nothing was changed: the form asks for nothing that is known.")
		}
	}
	if len(windows) == 0 {
		return nil, nil
	}
	made, err := schedule.Of(zone, windows...)
	if err != nil {
		return nil, errAsked(sentence(err))
	}
	return made, nil
}

// window reads what was typed.
func (f *windowForm) window() (w schedule.Window, err error) {
	for i, day := range f.Days {
		if day.On {
			w.Days |= 1 << i
		}
	}
	if w.Days == 0 {
		return w, errors.New("tick at least one day on which the window begins")
	}
	if w.From, err = schedule.ParseMinute(f.From); err != nil {
		return w, fmt.Errorf("from: %w", err)
	}
	if w.Until, err = schedule.ParseMinute(f.Until); err != nil {
		return w, fmt.Errorf("until: %w", err)
	}
	switch f.What {
	case "stop":
		w.BytesPerSecond = 0
	case "none":
		w.BytesPerSecond = uplink.NoLimit
	case "limit":
		if f.Rate == "" {
			return w, errors.New("say how much may be sent, for example 20 Mbit/s")
		}
		w.BytesPerSecond, err = schedule.ParseRate(f.Rate + " " + f.Unit)
	default:
		err = errors.New("say what is allowed in this window")
	}
	return w, err
}
