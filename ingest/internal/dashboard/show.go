package dashboard

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/freeze"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
)

// base is what every page shows around its content.
type base struct {
	Title, Agency, Room string
	User                struct{ Name, Role string }
	Held                uint64 // items in quarantine
	Open                uint64 // alerts that wait for people
	Waits               uint64 // acts that wait for this person as the second one
	Scripts             []string
	Rooms               rooms
	ReportTo            string // whom to tell of a hole; "": nobody is named
}

// rooms says which rooms a person may enter at all.
type rooms struct{ Overview, Alerts, Cameras, Docks, Uplinks, Evidence, Cases, Freezes, People, Audit, Webhooks, Settings, Posture, Approvals bool }

func (d *Dashboard) roomsOf(actor *auth.Actor) rooms {
	agency := d.Auth.Agency()
	some := func(do auth.Action) bool { return auth.MaySome(actor, do, agency) }
	return rooms{
		Overview: some(auth.SeeOverview), Alerts: auth.ReachOf(actor, auth.ListAlerts, agency).SomeStation(), Cameras: some(auth.ListCameras),
		Docks: some(auth.ListDocks), Uplinks: some(auth.ListDocks), Evidence: some(auth.ListItems), Cases: some(auth.ListCases), Freezes: d.Freezes != nil && freeze.May(actor, agency), People: d.Auth.Desk(actor).CanList(),
		Audit:    auth.May(actor, auth.ReadAudit, auth.Object{Agency: agency}),
		Webhooks: d.Webhooks != nil && webhook.May(actor, agency),
		Settings: d.Settings != nil && some(auth.ManageAgency), Posture: d.Settings != nil && some(auth.SeePosture),
		Approvals: mayWait(actor, agency),
	}
}

// gateBase is base for pages before sign-in.
func (d *Dashboard) gateBase(title string, scripts ...string) base {
	return base{Title: title, Agency: string(d.Auth.Agency()), Scripts: scripts}
}

// roomBase is base for a signed-in person.
func (d *Dashboard) roomBase(ctx context.Context, actor *auth.Actor, title, room string, scripts ...string) base {
	b := d.gateBase(title)
	b.Room, b.Scripts = room, scripts
	b.User.Name, b.User.Role = actor.Name, actor.RoleName
	b.Rooms = d.roomsOf(actor)
	if d.Settings != nil {
		if contacts := d.Settings.Lines(ctx, settings.SecurityContact); len(contacts) > 0 {
			b.ReportTo = contacts[0]
		}
	}
	held, err := d.Reading.HeldBack(ctx, actor)
	if err != nil && !errors.Is(err, reading.ErrForbidden) { // the page itself says so where it matters
		d.Log.WarnContext(ctx, "counting the items in quarantine", "error", err)
	}
	b.Held = uint64(max(held, 0))
	open, err := d.Cameras.For(actor).OpenAlerts(ctx)
	if err != nil && !errors.Is(err, auth.ErrForbidden) {
		d.Log.WarnContext(ctx, "counting the open alerts", "error", err)
	}
	b.Open = uint64(max(open, 0))
	if b.Rooms.Approvals {
		waits, err := d.Auth.Approvals(actor, "").Count(ctx)
		if err != nil {
			d.Log.WarnContext(ctx, "counting what waits for a second person", "error", err)
		}
		b.Waits = uint64(max(waits, 0))
	}
	return b
}

// show sends a page, whole or not at all.
func (d *Dashboard) show(w http.ResponseWriter, r *http.Request, code int, page string, view any) {
	if auth.Running(r.Context()) != nil {
		tellRefusal(w, r, view)
		w.WriteHeader(code)
		return // nobody looks at the page
	}
	var b bytes.Buffer
	if err := d.pages.ExecuteTemplate(&b, page, view); err != nil {
		d.Log.ErrorContext(r.Context(), "drawing a page", "page", page, "error", err)
		http.Error(w, "The page could not be drawn. The server's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

type problemView struct {
	base
	Heading, Detail string
	Status          int
}

// problem says on a page what is wrong and what to do. actor may be nil.
func (d *Dashboard) problem(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, heading, detail string) {
	v := problemView{base: d.gateBase(heading), Heading: heading, Detail: detail, Status: code}
	if actor != nil {
		v.base = d.roomBase(r.Context(), actor, heading, "")
	}
	d.show(w, r, code, "problem", v)
}

// fail answers an error. What is not for people stays in the log.
func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to answer
	}
	var waiting *auth.WaitingError
	if errors.As(err, &waiting) {
		d.waits(w, r, actor, waiting)
		return
	}
	for _, known := range []struct {
		err     error
		code    int
		heading string
	}{
		{catalog.ErrFull, http.StatusInsufficientStorage, "The server’s disk is full"},
		{auth.ErrPlace, http.StatusForbidden, "Not from here"},
		{auth.ErrSecondPerson, http.StatusConflict, "It takes a second person"},
		{auth.ErrManyRequests, http.StatusConflict, "Too many requests"},
		{auth.ErrForbidden, http.StatusForbidden, "Not allowed"},
		{reading.ErrForbidden, http.StatusForbidden, "Not allowed"},
		{reading.ErrUnrecorded, http.StatusServiceUnavailable, "The custody record cannot be written"},
		{inspection.ErrUnrecorded, http.StatusServiceUnavailable, "The custody record cannot be written"},
		{reading.ErrMissing, http.StatusInternalServerError, "Stored bytes are missing"},
		{reading.ErrChanged, http.StatusInternalServerError, "Stored bytes have changed"},
		{reading.ErrNotStored, http.StatusConflict, "Not in the store"},
		{export.ErrNotStored, http.StatusConflict, "Not in the store"},
		{derive.ErrBusy, http.StatusServiceUnavailable, "Another clip is being made"},
		{export.ErrBusy, http.StatusServiceUnavailable, "Too many packages at once"},
		{export.ErrUnlogged, http.StatusServiceUnavailable, "The custody log cannot be written"},
		{export.ErrUnproven, http.StatusInternalServerError, "It does not prove itself"},
		{reading.ErrNoReceipt, http.StatusNotFound, "No receipt yet"},
	} {
		if errors.Is(err, known.err) {
			if known.code >= 500 {
				d.Log.ErrorContext(r.Context(), "an act was refused", "path", r.URL.Path, "error", err)
			}
			d.problem(w, r, actor, known.code, known.heading, sentence(known.err))
			return
		}
	}
	var decision *auth.DecisionError
	if errors.As(err, &decision) {
		d.problem(w, r, actor, http.StatusConflict, "Nothing was changed", sentence(decision))
		return
	}
	var before *auth.FreshError
	if errors.As(err, &before) {
		d.confirmAndGoOn(w, r, actor, &before.Act)
		return
	}
	if errors.Is(err, auth.ErrFreshFactor) {
		d.confirmFirst(w, r)
		return
	}
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such item",
			"No evidence item with this id is held here. Items never disappear on their own: one that was superseded or put into quarantine still has its page, and so has one whose bytes are missing. Check the id, or search for the recording.")
		return
	}
	d.Log.ErrorContext(r.Context(), "answering a request", "path", r.URL.Path, "error", err)
	d.problem(w, r, actor, http.StatusInternalServerError, "This did not work", "Something on the server failed, and its log says what. Nothing was changed; try again in a moment.")
}
