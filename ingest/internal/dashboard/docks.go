package dashboard

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (d *Dashboard) dockRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /docks", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showDocks(w, r, actor, http.StatusOK, "", tokenTyped{})
	}))
	mux.HandleFunc("POST /docks", d.private(d.makeDockToken))
	mux.HandleFunc("POST /docks/withdraw", d.private(d.withdrawDockToken))
	mux.HandleFunc("GET /docks/{dock}", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showDockRoom(w, r, actor, http.StatusOK, "")
	}))
	for name, act := range map[string]func(*fleet.DockDesk, *http.Request, evidence.DockID) error{
		"disable": func(k *fleet.DockDesk, r *http.Request, id evidence.DockID) error {
			reason := searchText(r.PostForm.Get("reason"), 1000)
			if r.PostForm.Get("stolen") == "yes" {
				reason = "stolen"
			}
			return k.SetEnabled(r.Context(), id, false, reason)
		},
		"enable": func(k *fleet.DockDesk, r *http.Request, id evidence.DockID) error {
			return k.SetEnabled(r.Context(), id, true, searchText(r.PostForm.Get("reason"), 1000))
		},
		"remove": func(k *fleet.DockDesk, r *http.Request, id evidence.DockID) error { return k.Remove(r.Context(), id) },
	} {
		mux.HandleFunc("POST /docks/{dock}/"+name, d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
			d.dockAct(w, r, actor, name, act)
		}))
	}
}

func dockRoomLink(name string) string { return "/docks/" + url.PathEscape(name) }

// dockRow is a dock as pages about who may come in show it.
type dockRow struct {
	catalog.Dock
	Link    string
	Status  status
	Since   time.Time // of the last message; zero: never
	Version string
	Address string
	Ends    status // of its certificate; without a word there is nothing to say
}

func (d *Dashboard) dockRowOf(dock *catalog.Dock, live *reading.LiveDock) dockRow {
	v := dockRow{Dock: *dock, Link: dockRoomLink(string(dock.ID)), Since: dock.LastSeenAt, Version: dock.AgentVersion, Address: dock.LastAddress, Status: status{"warn", "off", "Not connected"}}
	connected := false
	if live != nil {
		connected = live.Connected
		v.Since = latestOf(v.Since, live.LastSeen)
		v.Version, v.Address = cmp.Or(live.AgentVersion, v.Version), cmp.Or(live.Address, v.Address)
	}
	now := d.Now()
	switch {
	case !dock.Enabled:
		v.Status = status{"bad", "stop", "Disabled"}
	case connected:
		v.Status = status{"ok", "ok", "Connected"}
	case v.Since.IsZero():
		v.Status = status{"", "ring", "Never connected"}
	}
	switch left := dock.GoodUntil.Sub(now); {
	case dock.GoodUntil.IsZero() || !dock.Enabled:
	case left <= 0:
		v.Ends = status{"bad", "stop", "Ended"}
	case left < 14*24*time.Hour:
		v.Ends = status{"warn", "warn", "Ends soon"}
	}
	return v
}

func latestOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// pressingDock orders docks by what needs a person first.
func pressingDock(v *dockRow) int {
	return slices.Index([]string{"Disabled", "Not connected", "Never connected", "Connected"}, v.Status.Word)
}

// openToken is an open enrolment token, without its secret.
type openToken struct {
	catalog.DockToken
	By    string
	Again bool // the dock is enrolled already
}

// tokenTyped is what was typed into the form of a token.
type tokenTyped struct{ Dock, Station, Valid string }

type docksView struct {
	base
	Problem, Done, Here string
	Fresh, CanManage    bool
	Docks               []dockRow
	Columns             []column
	Total               int    // docks
	First, Next         string // addresses of pages
	Tokens              []openToken
	MoreTokens          int // that are not drawn
	Stations            []string
	Typed               tokenTyped
	Valid               []option
}

// tokenLives are how long a token may be good, as the form offers it.
var tokenLives = []string{"1h", "1 hour", "24h", "24 hours", "168h", "7 days", "720h", "30 days"}

// docksShown is how many docks, and how many tokens, a page lists.
const docksShown = 200

func validOptions(chosen string) []option { return options(cmp.Or(chosen, "24h"), tokenLives...) }

// liveDocks are the docks of the moment, by name.
func (d *Dashboard) liveDocks(ctx context.Context, actor *auth.Actor) (map[string]*reading.LiveDock, error) {
	all, err := d.Reading.Docks(ctx, actor)
	live := map[string]*reading.LiveDock{}
	for i := range all {
		live[all[i].Dock] = &all[i]
	}
	return live, err
}

func (d *Dashboard) showDocks(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string, typed tokenTyped) {
	desk := d.Fleet.DocksFor(actor)
	docks, tokens, err := desk.List(r.Context())
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	live, err := d.liveDocks(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := docksView{base: d.roomBase(r.Context(), actor, "Docks", "docks"), Problem: problem, Here: "/docks", Fresh: auth.Fresh(actor, d.Now()) == nil, CanManage: desk.MayManage(""), Typed: typed, Valid: validOptions(typed.Valid)}
	switch r.URL.Query().Get("done") {
	case "withdraw":
		v.Done = "The token is withdrawn: nobody enrols with it any more."
	case "remove":
		v.Done = "The dock is removed. Its enrolment stays in the custody log."
	}
	enrolled := map[evidence.DockID]bool{}
	for i := range docks {
		enrolled[docks[i].ID] = true
		v.Docks = append(v.Docks, d.dockRowOf(&docks[i], live[string(docks[i].ID)]))
		if station := string(docks[i].Station); !slices.Contains(v.Stations, station) {
			v.Stations = append(v.Stations, station)
		}
	}
	slices.Sort(v.Stations)
	v.Columns = sorted(w, r, "/docks", v.Docks, []sortBy[dockRow]{
		{"dock", "Dock", func(a, b *dockRow) int { return cmp.Compare(a.ID, b.ID) }},
		{"state", "State", func(a, b *dockRow) int { return cmp.Or(pressingDock(a)-pressingDock(b), a.Since.Compare(b.Since)) }},
		{"station", "Station", func(a, b *dockRow) int { return cmp.Compare(a.Dock.Station, b.Dock.Station) }},
		{"version", "Agent", func(a, b *dockRow) int { return cmp.Compare(a.Version, b.Version) }},
		{"until", "Certificate until", func(a, b *dockRow) int { return a.GoodUntil.Compare(b.GoodUntil) }},
	})
	v.Total = len(v.Docks)
	from, _ := strconv.Atoi(r.URL.Query().Get("from"))
	from = min(max(from, 0), v.Total)
	until, next := min(from+docksShown, v.Total), ""
	if until < v.Total {
		next = strconv.Itoa(until)
	}
	v.Docks = v.Docks[from:until]
	v.First, v.Next = pageLinks("/docks", r.URL.Query(), next)
	v.MoreTokens = max(len(tokens)-docksShown, 0)
	v.Tokens = d.openTokens(r.Context(), tokens[:len(tokens)-v.MoreTokens], enrolled)
	d.show(w, r, code, "docks", v)
}

func (d *Dashboard) openTokens(ctx context.Context, tokens []catalog.DockToken, enrolled map[evidence.DockID]bool) []openToken {
	names := d.names(ctx)
	var all []openToken
	for _, t := range tokens {
		all = append(all, openToken{t, names(t.CreatedBy), enrolled[t.Dock]})
	}
	return all
}

type dockTokenView struct {
	base
	Dock, Station, Token, Command string
	Until                         time.Time
	Again                         bool
}

// makeDockToken makes a token and shows it, this once.
func (d *Dashboard) makeDockToken(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	typed := tokenTyped{searchText(f.Get("dock"), 200), searchText(f.Get("station"), 200), f.Get("valid")}
	valid, err := time.ParseDuration(cmp.Or(typed.Valid, "24h"))
	if err != nil {
		valid = 0
	}
	text, token, err := d.Fleet.DocksFor(actor).MakeToken(r.Context(), evidence.StationID(typed.Station), evidence.DockID(typed.Dock), valid)
	if errors.Is(err, fleet.ErrInput) {
		d.showDocks(w, r, actor, http.StatusUnprocessableEntity, sentence(err), typed)
		return
	}
	if err != nil {
		d.noDock(w, r, actor, err)
		return
	}
	v := dockTokenView{base: d.roomBase(r.Context(), actor, "Enrol "+typed.Dock, "docks"), Dock: typed.Dock, Station: typed.Station, Token: text, Until: token.ExpiresAt}
	v.Command = "sudo sealdock-agent enrol --server https://" + r.Host + " --dock " + v.Dock + " --station " + v.Station + " --token -"
	if _, err := d.Cameras.Catalog.Dock(r.Context(), d.Auth.Agency(), token.Dock); err == nil {
		v.Again = true
	}
	w.Header().Set("Cache-Control", "no-store")
	d.show(w, r, http.StatusOK, "dock-token", v)
}

func (d *Dashboard) withdrawDockToken(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	hash, err := evidence.ParseDigest(r.PostForm.Get("token"))
	if err != nil {
		hash = evidence.Digest{} // of no token: refused, and recorded, as any other that is not there
	}
	back := "/docks"
	if dock := r.PostForm.Get("dock"); evidence.CheckName("dock", dock) == nil {
		back = dockRoomLink(dock)
	}
	err = d.Fleet.DocksFor(actor).Withdraw(r.Context(), hash)
	switch {
	case err == nil:
		http.Redirect(w, r, doneLink(back, "withdraw"), http.StatusSeeOther)
	case errors.Is(err, fleet.ErrTokenGone):
		d.showDocks(w, r, actor, http.StatusConflict, sentence(err), tokenTyped{})
	default:
		d.noDock(w, r, actor, err)
	}
}

type dockRoomView struct {
	base
	Problem, Done, Here string
	Fresh, CanManage    bool
	Dock                dockRow
	Unused              bool
	Tokens              []openToken
	Stations            []string
	Valid               []option
	Events              []eventView
	CanAudit            bool
}

func (d *Dashboard) showDockRoom(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string) {
	desk := d.Fleet.DocksFor(actor)
	dock, tokens, err := desk.Get(r.Context(), evidence.DockID(r.PathValue("dock")))
	if err != nil {
		d.noDock(w, r, actor, err)
		return
	}
	live, err := d.liveDocks(r.Context(), actor)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := dockRoomView{base: d.roomBase(r.Context(), actor, "Dock "+string(dock.ID), "docks"), Problem: problem, Here: dockRoomLink(string(dock.ID)), Fresh: auth.Fresh(actor, d.Now()) == nil,
		CanManage: desk.MayManage(dock.Station), Dock: d.dockRowOf(dock, live[string(dock.ID)]), Valid: validOptions(""), CanAudit: auth.May(actor, auth.ReadAudit, auth.Object{Agency: dock.Agency})}
	v.Done = dockDone(r.URL.Query().Get("done"), string(dock.ID))
	v.Tokens = d.openTokens(r.Context(), tokens, map[evidence.DockID]bool{dock.ID: true})
	if v.CanManage {
		if v.Unused, err = desk.Unused(r.Context(), dock); err != nil {
			d.fail(w, r, actor, err)
			return
		}
	}
	stations, err := d.Cameras.Catalog.Stations(r.Context(), dock.Agency)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	for _, s := range stations {
		if desk.MayManage(s.ID) {
			v.Stations = append(v.Stations, string(s.ID))
		}
	}
	rows, err := d.Cameras.Catalog.Events(r.Context(), catalog.EventFilter{Agency: dock.Agency, Object: evidence.DockObject(dock.ID)}, 50)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	for _, row := range rows {
		if row.Type != evidence.EventDockConnected { // there is one at every start of the server
			v.Events = append(v.Events, eventOf(row))
		}
	}
	d.show(w, r, code, "dock", v)
}

func dockDone(act, name string) string {
	switch act {
	case "disable":
		return "Dock " + name + " is let in no more, its connections end within a second, its open tokens are withdrawn, and cameras that are docked elsewhere from now on open to it no more."
	case "enable":
		return "Dock " + name + " is let in again."
	case "withdraw":
		return "The token is withdrawn: nobody enrols with it any more."
	}
	return ""
}

// dockAct does what a form on a dock's page asks for. What cannot be taken back in the
// same place wants a tick that says what is about to happen.
func (d *Dashboard) dockAct(w http.ResponseWriter, r *http.Request, actor *auth.Actor, name string, act func(*fleet.DockDesk, *http.Request, evidence.DockID) error) {
	if !d.form(w, r) {
		return
	}
	id := evidence.DockID(r.PathValue("dock"))
	desk := d.Fleet.DocksFor(actor)
	if desk.MayManage("") && name == "remove" && strings.TrimSpace(r.PostForm.Get("sure")) != string(id) {
		d.showDockRoom(w, r, actor, http.StatusUnprocessableEntity, "Nothing was removed: type the name of the dock, "+string(id)+".")
		return
	}
	err := act(desk, r, id)
	switch {
	case err == nil && name == "remove":
		http.Redirect(w, r, doneLink("/docks", name), http.StatusSeeOther)
	case err == nil:
		http.Redirect(w, r, doneLink(dockRoomLink(string(id)), name), http.StatusSeeOther)
	case errors.Is(err, fleet.ErrInUse):
		d.showDockRoom(w, r, actor, http.StatusConflict, sentence(err))
	case errors.Is(err, fleet.ErrInput):
		d.showDockRoom(w, r, actor, http.StatusUnprocessableEntity, sentence(err))
	default:
		d.noDock(w, r, actor, err)
	}
}

func (d *Dashboard) noDock(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error) {
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such dock", "Docks lists all that are enrolled, and the tokens that are open. Check the name.")
		return
	}
	d.fail(w, r, actor, err)
}
