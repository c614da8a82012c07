package dashboard

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

const (
	// maxAlerts is how many alerts their page draws.
	maxAlerts = 100
	// wallAlerts is how many the overview draws.
	wallAlerts = 4
)

// alertView is an alert in words.
type alertView struct {
	catalog.Alert
	Status            status
	Title, Todo       string
	Kind, Name, Link  string // what it is about
	By                string // who acknowledged it
	Back              string // where acknowledging leads
	State             status
	CanAcknowledge    bool
	StillOpen, Repeat bool
}

func alertOf(a catalog.Alert, names func(string) string, mayAcknowledge bool, back string) alertView {
	v := alertView{Alert: a, Status: severityStatus(a.Severity), By: names(a.AcknowledgedBy), Back: back, StillOpen: a.Open(), Repeat: a.Count > 1}
	v.Title, v.Todo = alertText(a.Code)
	v.Message = sentenceOf(a.Message)
	v.Kind, v.Name, v.Link = objectOf(a.Object)
	v.CanAcknowledge = mayAcknowledge && v.StillOpen
	switch {
	case !a.ClearedAt.IsZero():
		v.State = status{"ok", "ok", "Over"}
	case !a.AcknowledgedAt.IsZero():
		v.State = status{"", "eye", "Acknowledged"}
	default:
		v.State = status{"warn", "wait", "Open"}
	}
	return v
}

type alertsView struct {
	base
	All     bool // those that are acknowledged or over too
	Alerts  []alertView
	More    bool
	Done    string
	Problem string
}

func (d *Dashboard) alerts(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.showAlerts(w, r, actor, http.StatusOK, "")
}

func (d *Dashboard) showAlerts(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string) {
	q := r.URL.Query()
	v := alertsView{All: q.Get("show") == "all", Problem: problem, Done: doneText(q.Get("done"), "")}
	desk := d.Cameras.For(actor)
	alerts, err := desk.Alerts(r.Context(), catalog.AlertFilter{Open: !v.All}, maxAlerts+1)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	if v.More = len(alerts) > maxAlerts; v.More {
		alerts = alerts[:maxAlerts]
	}
	names, back := d.names(r.Context()), "/alerts"
	if v.All {
		back = "/alerts?show=all"
	}
	for _, a := range alerts {
		v.Alerts = append(v.Alerts, alertOf(a, names, desk.MayAcknowledge(&a), back))
	}
	v.base = d.roomBase(r.Context(), actor, "Alerts", "alerts")
	d.show(w, r, code, "alerts", v)
}

// acknowledge notes that this person has looked at an alert, and leads back.
func (d *Dashboard) acknowledge(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	err := d.Cameras.For(actor).Acknowledge(r.Context(), searchText(r.PostForm.Get("id"), 64), searchText(r.PostForm.Get("note"), 1000))
	if err == nil {
		back := r.PostForm.Get("back")
		if !localPath(back) || !strings.HasPrefix(back, "/alerts") && !strings.HasPrefix(back, "/cameras") {
			back = "/alerts"
		}
		http.Redirect(w, r, doneLink(back, "acknowledge"), http.StatusSeeOther)
		return
	}
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, catalog.ErrConflict) {
		d.showAlerts(w, r, actor, http.StatusConflict, "That alert does not wait any more: somebody has acknowledged it already, or it is over. Nothing was changed.")
		return
	}
	if code, problem := refusal("acknowledge", err); problem != "" {
		d.showAlerts(w, r, actor, code, problem)
		return
	}
	d.fail(w, r, actor, err)
}

// pressingAlerts are the newest open alerts for the overview.
func (d *Dashboard) pressingAlerts(ctx context.Context, actor *auth.Actor) (drawn []alertView, open uint64, err error) {
	desk := d.Cameras.For(actor)
	n, err := desk.OpenAlerts(ctx)
	if errors.Is(err, auth.ErrForbidden) {
		return nil, 0, nil
	}
	if err != nil || n == 0 {
		return nil, 0, err
	}
	alerts, err := desk.Alerts(ctx, catalog.AlertFilter{Open: true}, wallAlerts)
	for _, a := range alerts {
		drawn = append(drawn, alertOf(a, func(string) string { return "" }, false, ""))
	}
	return drawn, uint64(n), err
}
