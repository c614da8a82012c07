package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// caseRoutes are the rooms of cases.
func (d *Dashboard) caseRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /cases", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showCases(w, r, actor, http.StatusOK, "", caseTyped{})
	}))
	mux.HandleFunc("POST /cases", d.private(d.openCase))
	mux.HandleFunc("GET /cases/put", d.private(d.putPage))
	mux.HandleFunc("GET /cases/{id}", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showCase(w, r, actor, r.PathValue("id"), http.StatusOK, "", nil, giveTyped{})
	}))
	mux.HandleFunc("POST /cases/{id}", d.private(d.changeCase))
	mux.HandleFunc("POST /cases/{id}/close", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.caseAct(w, r, actor, "closed", d.Cases.For(actor).Close(r.Context(), r.PathValue("id")))
	}))
	mux.HandleFunc("POST /cases/{id}/reopen", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.caseAct(w, r, actor, "reopened", d.Cases.For(actor).Reopen(r.Context(), r.PathValue("id")))
	}))
	mux.HandleFunc("POST /cases/{id}/items", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.setInCase(w, r, actor, true)
	}))
	mux.HandleFunc("POST /cases/{id}/items/remove", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.setInCase(w, r, actor, false)
	}))
}

// caseTyped is what was typed about a case, when it was refused.
type caseTyped struct{ Number, Title, Note, Lead string }

func typedCase(r *http.Request) (caseTyped, cases.Draft) {
	note := strings.ToValidUTF8(r.PostForm.Get("note"), "")
	t := caseTyped{searchText(r.PostForm.Get("number"), 200), searchText(r.PostForm.Get("title"), 400), note[:min(len(note), 2*cases.MaxNote)], searchText(r.PostForm.Get("lead"), 64)}
	return t, cases.Draft{Number: t.Number, Title: t.Title, Note: r.PostForm.Get("note"), Lead: t.Lead}
}

type caseRow struct {
	*catalog.Case
	Status   status
	Link     string
	LeadName string
}

func (d *Dashboard) caseRowOf(c *catalog.Case, names func(string) string) caseRow {
	row := caseRow{Case: c, Status: status{"ok", "ring", "Open"}, Link: caseLink(c.ID), LeadName: names(c.Lead)}
	if c.Closed() {
		row.Status = status{"", "off", "Closed"}
	}
	return row
}

func caseLink(id string) string { return "/cases/" + url.PathEscape(id) }

type casesView struct {
	base
	CanOpen        bool
	Problem, Done  string
	Search         string
	States, Orders []option
	Narrowed       bool
	Cases          []caseRow
	First, Older   string
	Typed          caseTyped
	People         []personRow
}

func (d *Dashboard) showCases(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string, typed caseTyped) {
	q := r.URL.Query()
	desk := d.Cases.For(actor)
	v := casesView{CanOpen: desk.CanOpen(), Problem: problem, Search: searchText(q.Get("q"), 200), Typed: typed}
	f := catalog.CaseFilter{Text: v.Search}
	if state := q.Get("state"); state == "open" || state == "closed" {
		f.Open = new(state == "open")
	}
	order := catalog.CaseOrder(q.Get("order"))
	if order != catalog.OldestCase && order != catalog.CaseNumber && order != catalog.CaseTitle {
		order = catalog.NewestCase
	}
	page, err := desk.List(r.Context(), f, order, q.Get("from"), pageLength)
	if errors.Is(err, catalog.ErrCursor) { // a cursor of another list: begin anew
		q.Del("from")
		http.Redirect(w, r, "/cases?"+q.Encode(), http.StatusSeeOther)
		return
	} else if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	names := desk.Names(r.Context())
	for i := range page.Cases {
		v.Cases = append(v.Cases, d.caseRowOf(&page.Cases[i], names))
	}
	v.Narrowed = v.Search != "" || f.Open != nil
	v.States = options(q.Get("state"), "", "Any state", "open", "Open", "closed", "Closed")
	v.Orders = options(string(order), "", "Newest first", "opened", "Oldest first", "number", "By number", "title", "By title")
	v.First, v.Older = pageLinks("/cases", q, page.Next)
	v.People = d.leads(r, actor, v.CanOpen)
	v.base = d.roomBase(r.Context(), actor, "Cases", "cases")
	d.show(w, r, code, "cases", v)
}

// leads are people that a field proposes who leads a case; for who may see who there is.
func (d *Dashboard) leads(r *http.Request, actor *auth.Actor, wanted bool) []personRow {
	desk := d.Auth.Desk(actor)
	if !wanted || !desk.CanList() {
		return nil
	}
	people, err := proposed(desk, r)
	if err != nil {
		d.Log.WarnContext(r.Context(), "looking up people", "error", err)
	}
	return people
}

func (d *Dashboard) openCase(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	typed, draft := typedCase(r)
	id, err := d.Cases.For(actor).Open(r.Context(), draft)
	switch code, problem := caseRefusal(err); {
	case err == nil:
		http.Redirect(w, r, doneLink(caseLink(id), "opened"), http.StatusSeeOther)
	case problem != "":
		d.showCases(w, r, actor, code, problem, typed)
	default:
		d.noCase(w, r, actor, err)
	}
}

func (d *Dashboard) changeCase(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	typed, draft := typedCase(r)
	id := r.PathValue("id")
	err := d.Cases.For(actor).Change(r.Context(), id, draft)
	switch code, problem := caseRefusal(err); {
	case err == nil:
		http.Redirect(w, r, doneLink(caseLink(id), "changed"), http.StatusSeeOther)
	case problem != "":
		d.showCase(w, r, actor, id, code, problem, &typed, giveTyped{})
	default:
		d.noCase(w, r, actor, err)
	}
}

// caseAct leads back to a case after an act, or tells why it was refused.
func (d *Dashboard) caseAct(w http.ResponseWriter, r *http.Request, actor *auth.Actor, done string, err error) {
	switch code, problem := caseRefusal(err); {
	case err == nil:
		http.Redirect(w, r, doneLink(caseLink(r.PathValue("id")), done), http.StatusSeeOther)
	case problem != "":
		d.showCase(w, r, actor, r.PathValue("id"), code, problem, nil, giveTyped{})
	default:
		d.noCase(w, r, actor, err)
	}
}

// caseRefusal puts an error into words for whoever asked; "" when it is not about what
// was asked.
func caseRefusal(err error) (code int, text string) {
	switch {
	case err == nil:
		return 0, ""
	case errors.Is(err, auth.ErrBeyondCase):
		return http.StatusForbidden, sentence(err)
	case errors.Is(err, cases.ErrClosed):
		return http.StatusConflict, sentence(err)
	}
	return powerRefusal(err)
}

// noCase answers an error of a page about a case.
func (d *Dashboard) noCase(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error) {
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such case", "No case or recording of this name is within your reach. Check the number, or look for it among the cases.")
		return
	}
	d.fail(w, r, actor, err)
}

type caseView struct {
	base
	Case          caseRow
	OpenedByName  string
	ClosedByName  string
	CanManage     bool
	CanSee        bool // recordings at all
	Problem, Done string
	Undo          *undo
	Back          string
	Items         []caseItem
	Hidden        int64 // that are in it, and not within the person's reach
	First, Older  string
	Search        string
	Found         []caseItem // by Search
	MoreFound     bool
	Typed         caseTyped
	Changing      bool // the form was refused
	People        []personRow
	Seers         *caseSeersView // nil: the person may not know who sees it
}

// caseItem is an item on a case's page.
type caseItem struct {
	itemRow
	Direct bool // it was put in itself; else it was made of what was
	By     string
	At     catalog.CaseItem
}

// caseSeersView is who sees what is in a case because of grants on it.
type caseSeersView struct {
	Seers   []seerView
	Give    bool // the person may give grants
	CanList bool // people have pages for the person
	Case    string
	Roles   []option
	People  []personRow
	Typed   grantTyped
	Holder  string
	Problem string
	Back    string
}

// foundForCase is how many recordings the search on a case's page proposes.
const foundForCase = 20

func (d *Dashboard) showCase(w http.ResponseWriter, r *http.Request, actor *auth.Actor, name string, code int, problem string, typed *caseTyped, given giveTyped) {
	ctx, q := r.Context(), r.URL.Query()
	desk := d.Cases.For(actor)
	c, err := desk.Find(ctx, name)
	if err != nil {
		d.noCase(w, r, actor, err)
		return
	}
	names := desk.Names(ctx)
	v := caseView{Case: d.caseRowOf(c, names), OpenedByName: names(c.OpenedBy), ClosedByName: names(c.ClosedBy), CanManage: desk.CanManage(c), Problem: problem, Back: caseLink(c.ID),
		CanSee: auth.MaySome(actor, auth.ListItems, d.Auth.Agency()), Typed: caseTyped{Number: c.Number, Title: c.Title, Note: c.Note}}
	if v.Case.LeadName != "" {
		if u, err := d.Cases.Catalog.User(ctx, c.Lead); err == nil {
			v.Typed.Lead = u.Login
		}
	}
	if typed != nil {
		v.Typed, v.Changing = *typed, true
	}
	if problem == "" {
		v.Done, v.Undo = caseDone(q.Get("done")), undoOfCase(r, c)
		if v.Done == "" {
			v.Done, v.Undo = peopleDone(q.Get("done"), ""), undoOf(r)
		}
	}
	if v.CanSee {
		if err := d.caseItems(r, actor, &v, c, names); err != nil {
			d.fail(w, r, actor, err)
			return
		}
	}
	v.People = d.leads(r, actor, v.CanManage && !c.Closed())
	v.Seers = d.caseSeers(r, actor, c, given)
	v.base = d.roomBase(ctx, actor, "Case "+c.Number, "cases")
	d.show(w, r, code, "case", v)
}

// caseItems adds what is in a case, and what a search for more finds.
func (d *Dashboard) caseItems(r *http.Request, actor *auth.Actor, v *caseView, c *catalog.Case, names func(string) string) error {
	q := r.URL.Query()
	page, _, err := d.Reading.Search(r.Context(), actor, catalog.ItemFilter{Case: c.ID}, catalog.OldestRecording, q.Get("from"), pageLength)
	if errors.Is(err, catalog.ErrCursor) {
		page, _, err = d.Reading.Search(r.Context(), actor, catalog.ItemFilter{Case: c.ID}, catalog.OldestRecording, "", pageLength)
	}
	if err != nil {
		return err
	}
	mark := func(items []catalog.Item) ([]caseItem, error) {
		var ids []evidence.EvidenceID
		for i := range items {
			ids = append(ids, items[i].ID)
		}
		direct, err := d.Cases.Catalog.InCase(r.Context(), c.Agency, c.ID, ids)
		if err != nil {
			return nil, err
		}
		var all []caseItem
		for _, row := range rows(items) {
			one := caseItem{itemRow: row}
			for _, m := range direct {
				if m.Item == row.ID {
					one.Direct, one.At, one.By = true, m, names(m.AddedBy)
				}
			}
			all = append(all, one)
		}
		return all, nil
	}
	if v.Items, err = mark(page.Items); err != nil {
		return err
	}
	seen := int64(0)
	for _, i := range v.Items {
		if i.Direct {
			seen++
		}
	}
	if page.Next == "" && q.Get("from") == "" {
		v.Hidden = max(c.Items-seen, 0)
	}
	v.First, v.Older = pageLinks(v.Back, url.Values{"from": {q.Get("from")}}, page.Next)
	if v.Search = searchText(q.Get("q"), 200); v.Search == "" || !v.CanManage || c.Closed() {
		return nil
	}
	found, _, err := d.Reading.Search(r.Context(), actor, catalog.ItemFilter{Text: v.Search}, catalog.NewestRecording, "", foundForCase)
	if err != nil {
		return err
	}
	v.MoreFound = found.Next != ""
	v.Found, err = mark(found.Items)
	return err
}

// caseSeers is who sees what is in a case, for those who may know; nil for others.
func (d *Dashboard) caseSeers(r *http.Request, actor *auth.Actor, c *catalog.Case, given giveTyped) *caseSeersView {
	desk := d.Auth.Desk(actor)
	all, err := d.Auth.CaseSeers(r.Context(), actor, c.ID)
	if errors.Is(err, auth.ErrForbidden) {
		return nil
	}
	v := &caseSeersView{Give: desk.CanManage(), CanList: desk.CanList(), Case: c.ID, Typed: given.grantTyped, Holder: given.Holder, Problem: given.Problem, Back: caseLink(c.ID)}
	if given.Role == "" {
		v.Typed.Role = string(auth.Prosecutor)
	}
	if err == nil && v.Give {
		v.Roles, err = roleOptions(desk, r, v.Typed.Role)
	}
	if err == nil && v.Give {
		v.People, err = proposed(desk, r)
	}
	if err != nil {
		d.Log.WarnContext(r.Context(), "looking up who sees a case", "error", err)
		return nil
	}
	for _, s := range all {
		v.Seers = append(v.Seers, seerView{personRowOf(s.Someone), s.Because})
	}
	return v
}

// caseDone says what an act has done.
func caseDone(act string) string {
	switch act {
	case "opened":
		return "The case is open. Put recordings in, then let somebody see them."
	case "changed":
		return "The case is changed."
	case "closed":
		return "The case is closed: nothing is put in and taken out any more. Who was let in still sees what is in it."
	case "reopened":
		return "The case is open again."
	case "put":
		return "The recordings are in the case. Whoever was let into it sees them from the next click on."
	case "taken":
		return "The recording is out of the case. Who saw it because of the case sees it no more, from the next click on."
	}
	return ""
}

// undoOfCase is the way back from what was done with a case just now.
func undoOfCase(r *http.Request, c *catalog.Case) *undo {
	q := r.URL.Query()
	var fields []hiddenField
	for _, text := range q["item"] {
		if id, err := evidence.ParseEvidenceID(text); err == nil && len(fields) < cases.MaxPut {
			fields = append(fields, hiddenField{"item", id.String()})
		}
	}
	link := caseLink(c.ID)
	switch done := q.Get("done"); {
	case done == "closed":
		return &undo{link + "/reopen", "Undo: open it again", nil}
	case done == "reopened":
		return &undo{link + "/close", "Undo: close it again", nil}
	case done == "put" && fields != nil:
		return &undo{link + "/items/remove", "Undo: take out again what was put in", fields}
	case done == "taken" && fields != nil:
		return &undo{link + "/items", "Undo: put it back", fields}
	}
	return nil
}
