package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	seersShown = 25  // how many people an item's page names
	peopleHint = 200 // how many a field for a sign-in name proposes
)

// seersView is who sees an item, and the form that lets one more person see it.
type seersView struct {
	Seers []seerView
	More  bool
	Item  string
	Give  bool // the person may give grants
	Roles []option
	// People are proposed where a sign-in name is asked for.
	People              []personRow
	Typed               grantTyped
	Holder              string
	Problem, Done, Back string
	Undo                *undo
}

type seerView struct {
	personRow
	Because []auth.Because
}

// giveTyped is what was typed into the form, when it was refused.
type giveTyped struct {
	grantTyped
	Holder, Problem string
}

// seersOf is who sees an item, for those who may know; nil for others.
func (d *Dashboard) seersOf(r *http.Request, actor *auth.Actor, id evidence.EvidenceID, typed giveTyped) *seersView {
	desk := d.Auth.Desk(actor)
	if !desk.CanList() {
		return nil
	}
	v := &seersView{Item: id.String(), Give: desk.CanManage(), Typed: typed.grantTyped, Holder: typed.Holder, Problem: typed.Problem, Done: peopleDone(r.URL.Query().Get("done"), ""), Back: "/evidence/" + id.String(), Undo: undoOf(r)}
	seers, more, err := desk.WhoSees(r.Context(), id, seersShown)
	if err == nil && v.Give {
		v.Roles, err = roleOptions(desk, r, typed.Role)
	}
	if err == nil && v.Give {
		v.People, err = proposed(desk, r)
	}
	if err != nil {
		d.Log.WarnContext(r.Context(), "looking up who sees an item", "error", err)
		return nil
	}
	v.More = more
	for _, s := range seers {
		v.Seers = append(v.Seers, seerView{personRowOf(s.Someone), s.Because})
	}
	return v
}

// proposed are people for a field that takes a sign-in name.
func proposed(desk *auth.Desk, r *http.Request) (rows []personRow, err error) {
	all, err := desk.People(r.Context(), "")
	for _, one := range all[:min(len(all), peopleHint)] {
		rows = append(rows, personRowOf(one))
	}
	return rows, err
}

// undo is the way back from what was done just now.
type undo struct {
	Action, Words string
	Fields        []hiddenField
}

// undoOf is the way back from a grant that was given, taken back or given again just
// now, and from a person who was put into a group or taken out; nil for everything else.
func undoOf(r *http.Request) *undo {
	q := r.URL.Query()
	if group, person := searchText(q.Get("group"), 64), searchText(q.Get("person"), 64); group != "" && person != "" {
		back, words := "yes", "Undo: put "+person+" back"
		if q.Get("in") == "yes" {
			back, words = "no", "Undo: take "+person+" out again"
		}
		return &undo{"/groups/" + url.PathEscape(group) + "/members", words, []hiddenField{{"person", person}, {"in", back}}}
	}
	id := searchText(q.Get("grant"), 64)
	if id == "" {
		return nil
	}
	id = url.PathEscape(id)
	switch q.Get("done") {
	case "granted":
		return &undo{"/grants/" + id + "/end", "Undo: take this grant back", nil}
	case "ended":
		return &undo{"/grants/" + id + "/restore", "Undo: let the grant stand again", nil}
	}
	return nil
}

// backTo is where a form came from, and its place there: one of these rooms, never
// another place.
func backTo(r *http.Request) (page, place string) {
	back := r.PostForm.Get("back")
	for room, place := range map[string]string{"/people/": "#grants", "/groups": "#grants", "/roles/": "#grants", "/evidence/": "#seers", "/cases/": "#seers"} {
		if strings.HasPrefix(back, room) && localPath(back) {
			return back, place
		}
	}
	return "/people", ""
}

// grantRefused shows the form again where it was, with what was typed and why it was
// refused; false where that page has no such place.
func (d *Dashboard) grantRefused(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error, typed grantTyped) bool {
	code, problem := powerRefusal(err)
	if problem == "" {
		return false
	}
	back, _ := backTo(r)
	if login, ok := strings.CutPrefix(back, "/people/"); ok {
		d.showPerson(w, r, actor, login, code, problem, typed)
		return true
	}
	if text, ok := strings.CutPrefix(back, "/cases/"); ok && catalog.Scope(strings.TrimSuffix(typed.On, ":")) == catalog.OnCase {
		if id, err := url.PathUnescape(text); err == nil {
			d.showCase(w, r, actor, id, code, "", nil, giveTyped{typed, searchText(r.PostForm.Get("holder_id"), 64), problem})
			return true
		}
	}
	if text, ok := strings.CutPrefix(back, "/evidence/"); ok && catalog.Scope(strings.TrimSuffix(typed.On, ":")) == catalog.OnItem {
		if id, err := evidence.ParseEvidenceID(text); err == nil {
			d.itemPage(w, r, actor, id, code, itemTyped{Give: giveTyped{typed, searchText(r.PostForm.Get("holder_id"), 64), problem}})
			return true
		}
	}
	return false
}
