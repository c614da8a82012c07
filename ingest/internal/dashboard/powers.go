package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// grantForm is the form that gives something to a holder.
type grantForm struct {
	Holder   catalog.Holder
	HolderID string
	Name     string // of the holder
	Back     string
	Roles    []option
	On       []option
	Typed    grantTyped
}

// grantTyped is what was typed into it, when it was refused.
type grantTyped struct {
	Role, On, Which, Until, Networks, Reason string
	ViewOnly                                 bool
}

func (d *Dashboard) grantForm(r *http.Request, desk *auth.Desk, kind catalog.Holder, id, name, back string, typed grantTyped) (grantForm, error) {
	f := grantForm{Holder: kind, HolderID: id, Name: name, Back: back, Typed: typed}
	var err error
	if f.Roles, err = roleOptions(desk, r, typed.Role); err != nil {
		return f, err
	}
	pairs := []string{"", "Choose what it is about", "agency:", "The whole agency", "own:", "Their own recordings"}
	stations, err := d.Cameras.Catalog.Stations(r.Context(), d.Auth.Agency())
	if err != nil {
		return f, err
	}
	for _, s := range stations {
		pairs = append(pairs, "station:"+string(s.ID), "Station "+string(s.ID))
	}
	groups, err := desk.Groups(r.Context())
	if err != nil {
		return f, err
	}
	for _, g := range groups {
		pairs = append(pairs, "group:"+g.ID, "Recordings of the group "+g.Name)
	}
	f.On = options(typed.On, append(pairs, "category:", "Recordings of one category", "case:", "Recordings of one case", "item:", "One recording")...)
	return f, nil
}

func (d *Dashboard) grantRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /grants", d.private(d.grant))
	mux.HandleFunc("POST /grants/{id}/end", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.grantAct(w, r, actor, "ended", d.Auth.Desk(actor).EndGrant(r.Context(), r.PathValue("id")))
	}))
	mux.HandleFunc("POST /grants/{id}/restore", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.grantAct(w, r, actor, "granted", d.Auth.Desk(actor).RestoreGrant(r.Context(), r.PathValue("id")))
	}))
}

func (d *Dashboard) grant(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	text := func(field string) string { return searchText(r.PostForm.Get(field), 1000) }
	typed := grantTyped{Role: text("role"), On: text("on"), Which: text("which"), Until: text("until"), Networks: text("networks"), Reason: text("reason"), ViewOnly: r.PostForm.Get("view_only") == "yes"}
	scope, value, _ := strings.Cut(typed.On, ":")
	if scope == string(catalog.OnCategory) || scope == string(catalog.OnCase) || scope == string(catalog.OnItem) {
		value = typed.Which
	}
	g := catalog.Grant{Holder: catalog.Holder(text("holder")), HolderID: text("holder_id"), Role: typed.Role, Scope: catalog.Scope(scope), Value: value,
		ViewOnly: typed.ViewOnly, Networks: strings.FieldsFunc(typed.Networks, func(c rune) bool { return c == ' ' || c == ',' }), Reason: typed.Reason}
	for _, client := range []auth.Client{auth.Web, auth.API, auth.Mobile} {
		if slices.Contains(r.PostForm["client"], string(client)) {
			g.Clients = append(g.Clients, string(client))
		}
	}
	var id string
	until, err := d.parseMoment(typed.Until)
	if err != nil {
		err = &auth.PersonError{Field: "until", Text: "the end cannot be read; write it as 2026-11-22 14:30"}
	} else {
		g.Until = until
		id, err = d.Auth.Desk(actor).Grant(r.Context(), g)
	}
	switch {
	case err == nil:
		grantDone(w, r, "granted", id)
	case !d.grantRefused(w, r, actor, err, typed):
		d.powersRefused(w, r, actor, err)
	}
}

func (d *Dashboard) grantAct(w http.ResponseWriter, r *http.Request, actor *auth.Actor, done string, err error) {
	if !d.form(w, r) {
		return
	}
	if err != nil {
		d.powersRefused(w, r, actor, err)
		return
	}
	grantDone(w, r, done, r.PathValue("id"))
}

// grantDone leads back to where the form was, which then tells what was done and how
// to undo it.
func grantDone(w http.ResponseWriter, r *http.Request, done, id string) {
	back, place := backTo(r)
	http.Redirect(w, r, doneLink(back, done)+"&grant="+url.QueryEscape(id)+place, http.StatusSeeOther)
}

// powersRefused says on a page of its own why something was refused.
func (d *Dashboard) powersRefused(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error) {
	if code, problem := powerRefusal(err); problem != "" {
		d.problem(w, r, actor, code, "Nothing was changed", problem)
		return
	}
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such thing", "No role, group or grant of this name stands here. Somebody may have removed it.")
		return
	}
	d.fail(w, r, actor, err)
}

type rolesView struct {
	base
	CanManage     bool
	Problem, Done string
	Roles         []auth.RoleView
}

func (d *Dashboard) roleRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /roles", d.private(d.roles))
	mux.HandleFunc("GET /roles/{id}", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showRole(w, r, actor, r.PathValue("id"), http.StatusOK, "", nil)
	}))
	mux.HandleFunc("POST /roles/{id}", d.private(d.keepRole))
	mux.HandleFunc("POST /roles/{id}/remove", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		if err := d.Auth.Desk(actor).RemoveRole(r.Context(), r.PathValue("id")); err != nil {
			d.powersRefused(w, r, actor, err)
			return
		}
		http.Redirect(w, r, doneLink("/roles", "removed"), http.StatusSeeOther)
	}))
}

func (d *Dashboard) roles(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	desk := d.Auth.Desk(actor)
	roles, err := desk.Roles(r.Context())
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	d.show(w, r, http.StatusOK, "roles", rolesView{base: d.roomBase(r.Context(), actor, "Roles", "people"), CanManage: desk.CanManage(), Roles: roles, Done: peopleDone(r.URL.Query().Get("done"), "")})
}

type deedField struct {
	Name  string
	Deeds []deedTick
}

type deedTick struct {
	auth.Deed
	Has bool
}

type roleView struct {
	base
	auth.RoleView
	New           bool
	CanManage     bool
	Problem, Done string
	Undo          *undo
	Fields        []deedField
	Given         grantForm
}

// newRole stands for the id of a role that is not there yet.
const newRole = "new"

// showRole shows a role with its actions to tick; typed is what was sent and refused.
func (d *Dashboard) showRole(w http.ResponseWriter, r *http.Request, actor *auth.Actor, id string, code int, problem string, typed *catalog.Role) {
	desk := d.Auth.Desk(actor)
	roles, err := desk.Roles(r.Context())
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := roleView{New: id == newRole, CanManage: desk.CanManage(), Problem: problem, Undo: undoOf(r)}
	at := slices.IndexFunc(roles, func(v auth.RoleView) bool { return v.ID == id })
	switch {
	case at >= 0:
		v.RoleView = roles[at]
	case v.New:
		v.ID = newRole
	default:
		d.powersRefused(w, r, actor, catalog.ErrNotFound)
		return
	}
	v.Done = peopleDone(r.URL.Query().Get("done"), "")
	title := v.Name
	if v.New {
		title = "New role"
	}
	if typed != nil {
		v.Name, v.About, v.Actions = typed.Name, typed.About, typed.Actions
	}
	for _, deed := range auth.Deeds() {
		if len(v.Fields) == 0 || v.Fields[len(v.Fields)-1].Name != deed.Field {
			v.Fields = append(v.Fields, deedField{Name: deed.Field})
		}
		last := &v.Fields[len(v.Fields)-1]
		last.Deeds = append(last.Deeds, deedTick{deed, slices.Contains(v.Actions, string(deed.Action))})
	}
	if !v.New {
		if v.Given, err = d.grantForm(r, desk, catalog.ToRole, v.ID, "everybody with the role "+title, "/roles/"+v.ID, grantTyped{Role: v.ID}); err != nil {
			d.fail(w, r, actor, err)
			return
		}
	}
	v.base = d.roomBase(r.Context(), actor, title, "people")
	d.show(w, r, code, "role", v)
}

func (d *Dashboard) keepRole(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	id := r.PathValue("id")
	typed := &catalog.Role{Name: searchText(r.PostForm.Get("name"), 200), About: searchText(r.PostForm.Get("about"), 400), Actions: r.PostForm["action"]}
	kept := id
	if id == newRole {
		kept = ""
	}
	kept, err := d.Auth.Desk(actor).PutRole(r.Context(), kept, typed.Name, typed.About, typed.Actions)
	if err == nil {
		http.Redirect(w, r, doneLink("/roles/"+kept, "role"), http.StatusSeeOther)
		return
	}
	if code, problem := powerRefusal(err); problem != "" {
		d.showRole(w, r, actor, id, code, problem, typed)
		return
	}
	d.powersRefused(w, r, actor, err)
}

type groupsView struct {
	base
	CanManage     bool
	Problem, Done string
	Undo          *undo
	Name          string
	Groups        []groupCard
	People        []personRow // proposed as members
}

type groupCard struct {
	auth.GroupView
	Given grantForm
}

func (d *Dashboard) groupRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /groups", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.showGroups(w, r, actor, http.StatusOK, "")
	}))
	for path, act := range map[string]func(*auth.Desk, *http.Request) error{
		"POST /groups": func(k *auth.Desk, r *http.Request) error {
			_, err := k.PutGroup(r.Context(), "", searchText(r.PostForm.Get("name"), 200))
			return err
		},
		"POST /groups/{id}": func(k *auth.Desk, r *http.Request) error {
			_, err := k.PutGroup(r.Context(), r.PathValue("id"), searchText(r.PostForm.Get("name"), 200))
			return err
		},
		"POST /groups/{id}/remove": func(k *auth.Desk, r *http.Request) error { return k.RemoveGroup(r.Context(), r.PathValue("id")) },
		"POST /groups/{id}/members": func(k *auth.Desk, r *http.Request) error {
			name := searchText(r.PostForm.Get("person"), 200)
			if !k.CanManage() { // refused, and on record
				return k.SetMember(r.Context(), r.PathValue("id"), name, true)
			}
			p, err := k.Person(r.Context(), name)
			if errors.Is(err, catalog.ErrNotFound) {
				return &auth.PersonError{Field: "person", Text: "there is nobody with this sign-in name"}
			} else if err == nil {
				name = p.ID
			}
			return k.SetMember(r.Context(), r.PathValue("id"), name, r.PostForm.Get("in") == "yes")
		},
	} {
		mux.HandleFunc(path, d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
			if !d.form(w, r) {
				return
			}
			err := act(d.Auth.Desk(actor), r)
			if err == nil {
				to := doneLink("/groups", "group")
				if person := searchText(r.PostForm.Get("person"), 64); strings.HasSuffix(r.URL.Path, "/members") {
					to += "&" + url.Values{"group": {r.PathValue("id")}, "person": {person}, "in": {r.PostForm.Get("in")}}.Encode()
				}
				http.Redirect(w, r, to, http.StatusSeeOther)
			} else if code, problem := powerRefusal(err); problem != "" {
				d.showGroups(w, r, actor, code, problem)
			} else {
				d.powersRefused(w, r, actor, err)
			}
		}))
	}
}

func (d *Dashboard) showGroups(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, problem string) {
	desk := d.Auth.Desk(actor)
	groups, err := desk.Groups(r.Context())
	v := groupsView{CanManage: desk.CanManage(), Problem: problem, Done: peopleDone(r.URL.Query().Get("done"), ""), Undo: undoOf(r)}
	if problem != "" {
		v.Name = searchText(r.PostForm.Get("name"), 200)
	}
	for _, g := range groups {
		card := groupCard{GroupView: g}
		if err == nil {
			card.Given, err = d.grantForm(r, desk, catalog.ToGroup, g.ID, "the group "+g.Name, "/groups", grantTyped{})
		}
		v.Groups = append(v.Groups, card)
	}
	if err == nil && v.CanManage {
		v.People, err = proposed(desk, r)
	}
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v.base = d.roomBase(r.Context(), actor, "Groups", "people")
	d.show(w, r, code, "groups", v)
}

// pair hands two things to a template that draws one with the other.
type pair struct{ A, B any }

// groupSide is what the grants of a group are drawn with.
type groupSide struct {
	CanManage bool
	Given     grantForm
}
