package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (d *Dashboard) approvalRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /approvals", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showApprovals(w, r, actor, http.StatusOK, "")
	}))
	mux.HandleFunc("GET /approvals/{id}", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showApproval(w, r, actor, http.StatusOK, "")
	}))
	for name, act := range map[string]func(*auth.Approvals, *http.Request) error{
		"approve": func(p *auth.Approvals, r *http.Request) error {
			seen, err := evidence.ParseDigest(r.PostForm.Get("digest"))
			if err != nil {
				return auth.ErrNotSeen
			}
			return p.Approve(r.Context(), r.PathValue("id"), seen)
		},
		"refuse": func(p *auth.Approvals, r *http.Request) error {
			return p.Refuse(r.Context(), r.PathValue("id"), searchText(r.PostForm.Get("reason"), 1000))
		},
		"withdraw": func(p *auth.Approvals, r *http.Request) error { return p.Withdraw(r.Context(), r.PathValue("id")) },
	} {
		mux.HandleFunc("POST /approvals/{id}/"+name, d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
			d.decide(w, r, actor, name, act)
		}))
	}
	if d.Settings != nil {
		mux.HandleFunc("POST /approvals/rule", d.private(d.setTwoPeople))
	}
	mux.HandleFunc("GET /again", d.private(d.again))
}

func (d *Dashboard) approvals(r *http.Request, actor *auth.Actor) *auth.Approvals {
	return d.Auth.Approvals(actor, auth.BrowserOf(r).Device)
}

// asking lets what is asked wait for a second person.
func asking(r *http.Request) *http.Request {
	asked := &auth.Asking{Door: auth.DoorPage, Method: r.Method, URI: r.URL.RequestURI(), Type: "application/x-www-form-urlencoded", Device: auth.BrowserOf(r).Device}
	asked.Body = func() ([]byte, error) {
		err := r.ParseForm()
		return []byte(r.PostForm.Encode()), err
	}
	r = r.WithContext(auth.WithAsking(r.Context(), asked))
	return r
}

type approvalRow struct {
	auth.Request
	Would  string // what it is to do
	Status status
	Link   string
	Door   string
}

func (d *Dashboard) approvalRows(ctx context.Context, all []auth.Request) (rows []approvalRow, err error) {
	for _, v := range all {
		row := approvalRow{Request: v, Status: approvalStatus(&v), Link: "/approvals/" + v.ID, Door: "on a page"}
		if v.What.Door == auth.DoorAPI {
			row.Door = "over the API"
		}
		if row.Would, err = d.Inspection.Would(ctx, v.What.Kind, v.ActRequest.About); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func approvalStatus(v *auth.Request) status {
	switch {
	case v.Lapsed:
		return status{"", "off", "Lapsed"}
	case v.State == catalog.RequestWaits:
		return status{"busy", "wait", "Waits"}
	case v.State == catalog.RequestApproved && v.Usable || v.State == catalog.RequestApproved && !v.Own:
		return status{"ok", "ok", "Approved"}
	case v.State == catalog.RequestApproved:
		return status{"", "off", "Approved, not used in time"}
	case v.State == catalog.RequestDone:
		return status{"ok", "ok", "Done"}
	case v.State == catalog.RequestRefused:
		return status{"warn", "stop", "Refused"}
	}
	return status{"", "off", "Withdrawn"}
}

// ruleRow is an action with whether it takes two people.
type ruleRow struct {
	auth.Deed
	On bool
}

type approvalsView struct {
	base
	Problem, Done string
	Mine, Theirs  []approvalRow
	Past          []approvalRow
	Rule          []ruleRow
	Was           string // the setting
	Reason        string
	CanRule       bool
}

// pastShown is how many requests a page lists that wait no more.
const pastShown = 30

func (d *Dashboard) showApprovals(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string) {
	p := d.approvals(r, actor)
	v := approvalsView{Problem: problem, Done: approvalDone(r.URL.Query().Get("done"))}
	waiting, err := p.Waiting(r.Context())
	if err == nil {
		for _, one := range waiting {
			rows, failed := d.approvalRows(r.Context(), []auth.Request{one})
			if err = errors.Join(err, failed); one.Own {
				v.Mine = append(v.Mine, rows...)
			} else {
				v.Theirs = append(v.Theirs, rows...)
			}
		}
	}
	if err == nil {
		var past []auth.Request
		if past, err = p.Past(r.Context(), pastShown); err == nil {
			v.Past, err = d.approvalRows(r.Context(), past)
		}
	}
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	if d.Settings != nil {
		v.Was = d.Settings.Value(r.Context(), settings.TwoPeople)
		v.CanRule = auth.May(actor, auth.ManageAgency, auth.Object{Agency: d.Auth.Agency()})
	}
	on := strings.Fields(v.Was)
	if problem != "" && strings.HasSuffix(r.URL.Path, "/rule") {
		on, v.Reason = r.PostForm["act"], searchText(r.PostForm.Get("reason"), 1000)
	}
	for _, deed := range auth.TwoPeopleActions() {
		v.Rule = append(v.Rule, ruleRow{deed, slices.Contains(on, string(deed.Action))})
	}
	v.base = d.roomBase(r.Context(), actor, "Two people", "approvals")
	d.show(w, r, code, "approvals", v)
}

// mayWait reports whether a person may do anything that can take a second one.
func mayWait(actor *auth.Actor, agency evidence.AgencyID) bool {
	return slices.ContainsFunc(auth.TwoPeopleActions(), func(deed auth.Deed) bool { return auth.MaySome(actor, deed.Action, agency) })
}

// askedField is one of what is asked.
type askedField struct{ Name, Value string }

type approvalView struct {
	base
	Problem, Done string
	Row           approvalRow
	Deed          string
	Fields        []askedField
	Hidden        []hiddenField // to do it now
}

func (d *Dashboard) showApproval(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string) {
	v, err := d.approvals(r, actor).Get(r.Context(), r.PathValue("id"))
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such request", "Nothing of this kind waits or waited for you. The list has what does.")
		return
	} else if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	rows, err := d.approvalRows(r.Context(), []auth.Request{*v})
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	page := approvalView{Problem: problem, Row: rows[0], Deed: auth.Words(auth.Action(v.Action)), Fields: askedFields(&v.What), Done: approvalDone(r.URL.Query().Get("done"))}
	if form, err := url.ParseQuery(v.What.Body); err == nil && v.What.Door == auth.DoorPage {
		page.Hidden = hiddenOf(form)
	}
	page.base = d.roomBase(r.Context(), actor, "Two people", "approvals")
	d.show(w, r, code, "approval", page)
}

// askedFields are all fields of what was asked, by name.
func askedFields(v *auth.Asked) (all []askedField) {
	all = append(all, askedField{"Address", v.Method + " " + v.URI})
	if v.Door == auth.DoorPage {
		form, err := url.ParseQuery(v.Body)
		if err != nil {
			return append(all, askedField{"Body", v.Body})
		}
		for _, f := range hiddenOf(form) {
			all = append(all, askedField(f))
		}
		return all
	}
	var body map[string]json.RawMessage
	if json.Unmarshal([]byte(v.Body), &body) != nil {
		if v.Body != "" {
			all = append(all, askedField{"Body", v.Body})
		}
		return all
	}
	for name, value := range body {
		all = append(all, askedField{name, strings.Trim(string(value), `"`)})
	}
	slices.SortFunc(all[1:], func(a, b askedField) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// hiddenOf are the fields of a form, in one order.
func hiddenOf(form url.Values) (all []hiddenField) {
	for name, values := range form {
		for _, value := range values {
			all = append(all, hiddenField{name, value})
		}
	}
	slices.SortStableFunc(all, func(a, b hiddenField) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (d *Dashboard) decide(w http.ResponseWriter, r *http.Request, actor *auth.Actor, name string, act func(*auth.Approvals, *http.Request) error) {
	if !d.form(w, r) {
		return
	}
	err := act(d.approvals(r, actor), r)
	var decision *auth.DecisionError
	var wrong *auth.PersonError
	switch {
	case err == nil:
		http.Redirect(w, r, doneLink("/approvals/"+url.PathEscape(r.PathValue("id")), name), http.StatusSeeOther)
	case errors.As(err, &wrong):
		d.showApproval(w, r, actor, http.StatusUnprocessableEntity, sentence(wrong))
	case errors.As(err, &decision):
		d.showApproval(w, r, actor, http.StatusConflict, sentence(decision))
	case errors.Is(err, catalog.ErrNotFound):
		d.problem(w, r, actor, http.StatusNotFound, "There is no such request", "Nothing of this kind waits or waited for you. The list has what does.")
	case errors.Is(err, auth.ErrFreshFactor): // what is decided is read again first
		http.Redirect(w, r, "/confirm?next="+url.QueryEscape("/approvals/"+url.PathEscape(r.PathValue("id"))), http.StatusSeeOther)
	default:
		d.fail(w, r, actor, err)
	}
}

func approvalDone(act string) string {
	switch act {
	case "approve":
		return "You approved it, and the record names both of you."
	case "refuse":
		return "You refused it. Nothing was changed."
	case "withdraw":
		return "You withdrew it. Nothing was changed."
	case "rule":
		return "The rule is kept. It counts within a second."
	}
	return ""
}

// setTwoPeople changes which acts take a second person.
func (d *Dashboard) setTwoPeople(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	was := strings.ReplaceAll(f.Get("was"), "\r\n", "\n")
	_, err := d.Settings.For(actor).Set(r.Context(), settings.Change{Name: settings.TwoPeople, Value: strings.Join(f["act"], "\n"), Was: &was, Reason: f.Get("reason")})
	switch {
	case err == nil:
		http.Redirect(w, r, "/approvals?done=rule", http.StatusSeeOther)
	case errors.Is(err, settings.ErrConflict):
		d.showApprovals(w, r, actor, http.StatusConflict, sentence(err))
	case errors.Is(err, settings.ErrValue), errors.Is(err, settings.ErrReason):
		d.showApprovals(w, r, actor, http.StatusUnprocessableEntity, sentence(err))
	default:
		d.fail(w, r, actor, err)
	}
}

type waitsView struct {
	base
	Request approvalRow
	Back    string
}

// waits says that something was not done, and waits for a second person.
func (d *Dashboard) waits(w http.ResponseWriter, r *http.Request, actor *auth.Actor, waiting *auth.WaitingError) {
	v, err := d.approvals(r, actor).Get(r.Context(), waiting.ID)
	var rows []approvalRow
	if err == nil {
		rows, err = d.approvalRows(r.Context(), []auth.Request{*v})
	}
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	d.show(w, r, http.StatusAccepted, "waits", waitsView{base: d.roomBase(r.Context(), actor, "It waits for a second person", "approvals"), Request: rows[0], Back: d.cameFrom(r)})
}

// cameFrom is the page on which a form was.
func (d *Dashboard) cameFrom(r *http.Request) string {
	if back := r.PostFormValue("back"); localPath(back) {
		return back
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(path) > 1 && (path[0] == "evidence" || path[0] == "people" || path[0] == "roles" || path[0] == "webhooks") {
		return "/" + path[0] + "/" + path[1]
	}
	if path[0] == "cameras" && r.PostFormValue("serial") != "" {
		return cameraLink(r.PostFormValue("serial"))
	}
	if path[0] == "grants" {
		return "/people"
	}
	return "/" + path[0]
}

// confirmAndGoOn leads to the page that asks for a factor, and from there on with what
// was sent: the form waits meanwhile.
func (d *Dashboard) confirmAndGoOn(w http.ResponseWriter, r *http.Request, actor *auth.Actor, act *auth.Act) {
	if err := r.ParseForm(); err != nil || actor == nil || r.Method == http.MethodGet {
		d.confirmFirst(w, r)
		return
	}
	kept := &auth.KeptForm{Action: r.URL.RequestURI(), Fields: r.PostForm, Back: d.cameFrom(r)}
	if act != nil {
		words, err := d.Inspection.Would(r.Context(), act.Kind, act.About)
		if err != nil {
			d.fail(w, r, actor, err)
			return
		}
		kept.Words = words
	}
	token, err := d.Auth.KeepForm(r.Context(), actor, kept)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	http.Redirect(w, r, "/confirm?next="+url.QueryEscape("/again?form="+token), http.StatusSeeOther)
}

type againView struct {
	base
	Form   *auth.KeptForm
	Fields []hiddenField
}

// again goes on with a form that waited.
func (d *Dashboard) again(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	form, err := d.Auth.Form(r.Context(), actor, r.URL.Query().Get("form"))
	if errors.Is(err, auth.ErrPending) {
		d.problem(w, r, actor, http.StatusNotFound, "Nothing waits here", "What you sent is kept for 5 minutes. Go back to its page and send it again.")
		return
	} else if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	d.show(w, r, http.StatusOK, "again", againView{d.roomBase(r.Context(), actor, "Go on", ""), form, hiddenOf(form.Fields)})
}

// tellRefusal says to who approves an act why a page refused it.
func tellRefusal(w http.ResponseWriter, r *http.Request, view any) {
	v := reflect.Indirect(reflect.ValueOf(view))
	for _, name := range []string{"Problem", "Detail"} {
		if v.Kind() == reflect.Struct {
			if f := v.FieldByName(name); f.IsValid() && f.Kind() == reflect.String && f.String() != "" {
				auth.TellRefusal(w, r, f.String())
				return
			}
		}
	}
}
