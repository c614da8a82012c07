package dashboard

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// errAsked is an act that was not asked for as its form asks; its text is for
// people.
type errAsked string

func (e errAsked) Error() string { return string(e) }

// actRoutes are the posts that decide something about a camera. The serial
// travels in the form, since no path holds every serial.
func (d *Dashboard) actRoutes(mux *http.ServeMux) {
	acts := map[string]func(context.Context, *cameras.Desk, string, *actForm) error{
		"approve": func(ctx context.Context, desk *cameras.Desk, serial string, f *actForm) error {
			return decide(f, func(key evidence.Digest) error { return desk.Approve(ctx, serial, key, f.Reason) })
		},
		"block": func(ctx context.Context, desk *cameras.Desk, serial string, f *actForm) error {
			return decide(f, func(key evidence.Digest) error { return desk.Block(ctx, serial, key, f.Reason) })
		},
		"hold": func(ctx context.Context, desk *cameras.Desk, serial string, f *actForm) error {
			return desk.Hold(ctx, serial, f.Reason)
		},
		"end-hold": func(ctx context.Context, desk *cameras.Desk, serial string, f *actForm) error {
			return desk.EndHold(ctx, serial, f.Reason)
		},
		"assign": d.assign, "unassign": d.unassign, "begin": begin,
	}
	for name, act := range acts {
		mux.HandleFunc("POST /cameras/"+name, d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
			d.act(w, r, actor, name, act)
		}))
	}
}

// act does what a form on a camera's page asks for and leads back to the page
// with the result. What is refused shows the page again, with what was typed.
func (d *Dashboard) act(w http.ResponseWriter, r *http.Request, actor *auth.Actor, name string, do func(context.Context, *cameras.Desk, string, *actForm) error) {
	if !d.form(w, r) {
		return
	}
	serial := r.PostForm.Get("serial")
	text := func(field string) string { return searchText(r.PostForm.Get(field), 1000) }
	f := &actForm{Act: name, Key: text("key"), Reason: text("reason"), Officer: text("officer"), OfficerID: text("officer_id"), From: text("from"), Until: text("until"), Number: text("number"),
		Replace: r.PostForm.Get("replace") == "yes"}
	err := d.wanted(name, r.PostForm.Get("sure") == "yes", f)
	if err == nil {
		err = do(r.Context(), d.Cameras.For(actor), serial, f)
	}
	if err == nil {
		http.Redirect(w, r, doneLink(cameraLink(serial), name), http.StatusSeeOther)
		return
	}
	code, problem := refusal(name, err)
	if problem == "" {
		d.fail(w, r, actor, err)
		return
	}
	v, drawn := d.drawCamera(r.Context(), actor, serial)
	if drawn != nil {
		d.noCamera(w, r, actor, drawn)
		return
	}
	v.Problem, v.Form = problem, *f
	d.show(w, r, code, "camera", v)
}

// wanted refuses what a browser's own checks would have stopped.
func (d *Dashboard) wanted(name string, sure bool, f *actForm) error {
	switch {
	case (name == "hold" || name == "end-hold") && f.Reason == "":
		return errAsked("Say why: a hold begins and ends with a reason, which is kept.")
	case name == "begin" && f.Reason == "":
		return errAsked("Say why: where the camera was used before. It stands in every report from then on.")
	case name == "assign" && f.Officer == "":
		return errAsked("Say who has the camera: the officer’s name is needed.")
	case (name == "approve" || name == "block" || name == "end-hold" || name == "begin") && !sure:
		return errAsked("Nothing was changed: tick the box that says what you are about to do.")
	}
	return nil
}

// refusal puts an error into words for whoever asked; "" when the error is not
// about what was asked.
func refusal(name string, err error) (code int, text string) {
	var asked errAsked
	switch {
	case errors.As(err, &asked):
		return http.StatusUnprocessableEntity, asked.Error()
	case errors.Is(err, cameras.ErrInput):
		return http.StatusUnprocessableEntity, sentence(err)
	case errors.Is(err, catalog.ErrConflict) && name == "assign":
		return http.StatusConflict, "Another assignment covers a part of that time. Look at the history below; to take the camera from another officer, tick “End the assignment that stands”."
	case errors.Is(err, catalog.ErrConflict):
		return http.StatusConflict, "The camera is not in a state that allows this. Somebody may have been faster: this page shows how it stands now."
	case errors.Is(err, catalog.ErrNotFound) && name == "unassign":
		return http.StatusConflict, "The camera was nobody’s at that moment. Nothing was changed."
	case errors.Is(err, catalog.ErrNotFound) && (name == "approve" || name == "block"):
		return http.StatusConflict, "This camera has no such key. This page shows the keys that it has."
	case errors.Is(err, catalog.ErrNotFound):
		return http.StatusNotFound, "There is no such camera."
	}
	return 0, ""
}

// decide decides about the key that the form names, never about another one.
func decide(f *actForm, do func(evidence.Digest) error) error {
	key, err := evidence.ParseDigest(f.Key)
	if err != nil || key.IsZero() {
		return errAsked("The form does not name a key. Open the camera’s page again.")
	}
	return do(key)
}

func begin(ctx context.Context, desk *cameras.Desk, serial string, f *actForm) error {
	number, err := strconv.ParseUint(f.Number, 10, 64)
	if err != nil {
		return errAsked("The number cannot be read. Write the first number that counts, for example 128.")
	}
	return desk.Begin(ctx, serial, number, f.Reason)
}

func (d *Dashboard) assign(ctx context.Context, desk *cameras.Desk, serial string, f *actForm) error {
	from, err := d.parseMoment(f.From)
	until, err2 := d.parseMoment(f.Until)
	if err != nil || err2 != nil {
		return errAsked("A time cannot be read. Write it as 2026-11-22 14:30.")
	}
	return desk.Assign(ctx, serial, f.Officer, f.OfficerID, from, until, f.Replace)
}

func (d *Dashboard) unassign(ctx context.Context, desk *cameras.Desk, serial string, f *actForm) error {
	at, err := d.parseMoment(f.Until)
	if err != nil {
		return errAsked("The time cannot be read. Write it as 2026-11-22 14:30.")
	}
	return desk.Unassign(ctx, serial, at)
}
