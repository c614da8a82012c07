package dashboard

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// peopleRoutes are the rooms of who may do what.
func (d *Dashboard) peopleRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /people", d.private(d.people))
	mux.HandleFunc("POST /people", d.private(d.invite))
	mux.HandleFunc("GET /people/{name}", d.private(d.person))
	for name, act := range map[string]func(*auth.Desk, *http.Request, string) error{
		"disable":      func(k *auth.Desk, r *http.Request, id string) error { return k.Disable(r.Context(), id) },
		"enable":       func(k *auth.Desk, r *http.Request, id string) error { return k.Enable(r.Context(), id) },
		"end-sessions": func(k *auth.Desk, r *http.Request, id string) error { return k.EndSessions(r.Context(), id) },
		"release":      func(k *auth.Desk, r *http.Request, id string) error { return k.ReleaseLock(r.Context(), id) },
		"change": func(k *auth.Desk, r *http.Request, id string) error {
			return k.Change(r.Context(), id, auth.Role(r.PostForm.Get("role")), r.PostForm.Get("officer_id"))
		},
	} {
		mux.HandleFunc("POST /people/{name}/"+name, d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
			d.personAct(w, r, actor, name, act)
		}))
	}
	mux.HandleFunc("POST /people/{name}/invite", d.private(d.inviteAgain))
	d.roleRoutes(mux)
	d.groupRoutes(mux)
	d.grantRoutes(mux)
	mux.HandleFunc("GET /join", d.joinPage)
	mux.HandleFunc("POST /join", d.join)
}

type personRow struct {
	auth.Someone
	Status status
	Link   string
}

func personRowOf(v auth.Someone) personRow {
	return personRow{Someone: v, Status: accountStatus(v.Standing), Link: personLink(v.Login)}
}

func personLink(login string) string { return "/people/" + url.PathEscape(login) }

func accountStatus(s auth.Standing) status {
	switch s {
	case auth.Active:
		return status{"ok", "ok", "Active"}
	case auth.Invited:
		return status{"busy", "wait", "Invited"}
	case auth.Locked:
		return status{"warn", "warn", "Locked"}
	}
	return status{"", "off", "Disabled"}
}

type peopleView struct {
	base
	CanManage            bool
	Problem, Field, Done string
	Search               string
	People               []personRow
	Columns              []column
	Fitting              int
	First, Next          string // addresses of pages
	Dormant, NoFactor    int
	Typed                auth.NewPerson
	Roles                []option
}

// peopleShown is how many people a page lists.
const peopleShown = 200

func (d *Dashboard) people(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.showPeople(w, r, actor, http.StatusOK, nil, auth.NewPerson{})
}

func (d *Dashboard) showPeople(w http.ResponseWriter, r *http.Request, actor *auth.Actor, code int, wrong *auth.PersonError, typed auth.NewPerson) {
	desk := d.Auth.Desk(actor)
	v := peopleView{CanManage: desk.CanManage(), Search: searchText(r.URL.Query().Get("q"), 200), Typed: typed}
	all, err := desk.People(r.Context(), v.Search)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	for _, one := range all {
		if one.Dormant {
			v.Dormant++
		}
		if one.NoFactor {
			v.NoFactor++
		}
		if which := r.URL.Query().Get("which"); which == "dormant" && !one.Dormant || which == "no-factor" && !one.NoFactor {
			continue
		}
		v.People = append(v.People, personRowOf(one))
	}
	v.Columns = sorted(w, r, "/people", v.People, []sortBy[personRow]{
		{"name", "Person", func(a, b *personRow) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) }},
		{"state", "State", func(a, b *personRow) int { return cmp.Compare(a.Status.Word, b.Status.Word) }},
		{"role", "Role", func(a, b *personRow) int { return cmp.Compare(a.RoleName, b.RoleName) }},
		{"", "Groups", nil},
		{"seen", "Last sign-in", func(a, b *personRow) int { return a.LastSignInAt.Compare(b.LastSignInAt) }},
	})
	v.Fitting = len(v.People)
	from, _ := strconv.Atoi(r.URL.Query().Get("from"))
	from = min(max(from, 0), v.Fitting)
	until, next := min(from+peopleShown, v.Fitting), ""
	if until < v.Fitting {
		next = strconv.Itoa(until)
	}
	v.People = v.People[from:until]
	v.First, v.Next = pageLinks("/people", r.URL.Query(), next)
	if v.Roles, err = roleOptions(desk, r, string(typed.Role)); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	if wrong != nil {
		v.Problem, v.Field = sentence(wrong), wrong.Field
	}
	v.base = d.roomBase(r.Context(), actor, "People", "people")
	d.show(w, r, code, "people", v)
}

func roleOptions(desk *auth.Desk, r *http.Request, chosen string) ([]option, error) {
	roles, err := desk.Roles(r.Context())
	var all []option
	if chosen == "" { // nobody gets the first of the list by oversight
		all = append(all, option{"", "Choose a role", true})
	}
	for _, role := range roles {
		all = append(all, option{role.ID, role.Name, role.ID == chosen})
	}
	return all, err
}

type inviteView struct {
	base
	Name, Login, Link, Back string
}

func (d *Dashboard) invite(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	f := r.PostForm
	p := auth.NewPerson{Login: searchText(f.Get("login"), 200), Name: searchText(f.Get("name"), 300), OfficerID: searchText(f.Get("officer_id"), 300), Role: auth.Role(f.Get("role"))}
	_, token, err := d.Auth.Desk(actor).Invite(r.Context(), p)
	var wrong *auth.PersonError
	switch {
	case errors.As(err, &wrong):
		d.showPeople(w, r, actor, http.StatusUnprocessableEntity, wrong, p)
	case errors.Is(err, auth.ErrBeyond):
		d.showPeople(w, r, actor, http.StatusForbidden, &auth.PersonError{Field: "role", Text: err.Error()}, p)
	case err != nil:
		d.fail(w, r, actor, err)
	default:
		d.showInvitation(w, r, actor, p.Name, strings.ToLower(p.Login), token)
	}
}

// showInvitation shows a link once: only its hash is kept.
func (d *Dashboard) showInvitation(w http.ResponseWriter, r *http.Request, actor *auth.Actor, name, login, token string) {
	v := inviteView{base: d.roomBase(r.Context(), actor, "Invitation", "people"), Name: name, Login: login,
		Link: "https://" + r.Host + "/join?token=" + token, Back: personLink(login)}
	d.show(w, r, http.StatusOK, "invited", v)
}

func (d *Dashboard) inviteAgain(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	desk := d.Auth.Desk(actor)
	if !desk.CanManage() { // refused, and on record
		_, err := desk.InviteAgain(r.Context(), r.PathValue("name"))
		d.fail(w, r, actor, err)
		return
	}
	p, err := desk.Person(r.Context(), r.PathValue("name"))
	if err != nil {
		d.noPerson(w, r, actor, err)
		return
	}
	token, err := desk.InviteAgain(r.Context(), p.ID)
	if err != nil {
		d.personRefused(w, r, actor, p.Login, err)
		return
	}
	d.showInvitation(w, r, actor, p.Name, p.Login, token)
}

type personView struct {
	base
	Person        *auth.Known
	Status        status
	Own           bool
	CanManage     bool
	Problem, Done string
	Undo          *undo
	Roles         []option
	Fields        []abilityField
	Given         grantForm
}

type abilityField struct {
	Name string
	Does []auth.Ability
}

func (d *Dashboard) person(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.showPerson(w, r, actor, r.PathValue("name"), http.StatusOK, "", grantTyped{})
}

func (d *Dashboard) showPerson(w http.ResponseWriter, r *http.Request, actor *auth.Actor, name string, code int, problem string, typed grantTyped) {
	desk := d.Auth.Desk(actor)
	p, err := desk.Person(r.Context(), name)
	if err != nil {
		d.noPerson(w, r, actor, err)
		return
	}
	v := personView{Person: p, Status: accountStatus(p.Standing), Own: p.ID == actor.User, CanManage: desk.CanManage(), Problem: problem}
	v.Done, v.Undo = peopleDone(r.URL.Query().Get("done"), p.Name), undoOf(r)
	for _, a := range p.May {
		if len(v.Fields) == 0 || v.Fields[len(v.Fields)-1].Name != a.Field {
			v.Fields = append(v.Fields, abilityField{Name: a.Field})
		}
		last := &v.Fields[len(v.Fields)-1]
		last.Does = append(last.Does, a)
	}
	if v.Roles, err = roleOptions(desk, r, p.Role); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	if v.Given, err = d.grantForm(r, desk, catalog.ToPerson, p.Login, p.Name, personLink(p.Login), typed); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v.base = d.roomBase(r.Context(), actor, p.Name, "people")
	d.show(w, r, code, "person", v)
}

// noPerson answers for a person who is not here, or whom the asker may not know of.
func (d *Dashboard) noPerson(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error) {
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such person", "No account here has this sign-in name. The list of people has those that there are.")
		return
	}
	d.fail(w, r, actor, err)
}

func (d *Dashboard) personAct(w http.ResponseWriter, r *http.Request, actor *auth.Actor, name string, act func(*auth.Desk, *http.Request, string) error) {
	if !d.form(w, r) {
		return
	}
	desk := d.Auth.Desk(actor)
	login := r.PathValue("name")
	if !desk.CanManage() { // refused, and on record, whoever it is about
		d.fail(w, r, actor, act(desk, r, login))
		return
	}
	p, err := desk.Person(r.Context(), login)
	if err != nil {
		d.noPerson(w, r, actor, err)
		return
	}
	if name == "disable" && r.PostForm.Get("sure") != "yes" {
		d.showPerson(w, r, actor, p.Login, http.StatusUnprocessableEntity, "Nothing was changed: tick the box that says what you are about to do.", grantTyped{})
		return
	}
	if err := act(desk, r, p.ID); err != nil {
		d.personRefused(w, r, actor, p.Login, err)
		return
	}
	http.Redirect(w, r, doneLink(personLink(p.Login), name), http.StatusSeeOther)
}

func (d *Dashboard) personRefused(w http.ResponseWriter, r *http.Request, actor *auth.Actor, login string, err error) {
	code, problem := powerRefusal(err)
	if problem == "" {
		d.fail(w, r, actor, err)
		return
	}
	d.showPerson(w, r, actor, login, code, problem, grantTyped{})
}

// powerRefusal puts a refusal into words; "" when it is not about what was asked.
func powerRefusal(err error) (code int, text string) {
	var wrong *auth.PersonError
	switch {
	case errors.As(err, &wrong):
		return http.StatusUnprocessableEntity, sentence(wrong)
	case errors.Is(err, auth.ErrBeyond):
		return http.StatusForbidden, sentence(err)
	case errors.Is(err, auth.ErrOwn), errors.Is(err, auth.ErrLastManager):
		return http.StatusConflict, sentence(err)
	case errors.Is(err, catalog.ErrConflict):
		return http.StatusConflict, "It does not stand so any more. Somebody may have been faster: this page shows how it is now."
	}
	return 0, ""
}

// peopleDone says what an act has done.
func peopleDone(act, name string) string {
	switch act {
	case "disable":
		return name + " is disabled: no session is left, and no sign-in is taken. Enabling takes it back at any time."
	case "end-sessions":
		return "No session of " + name + " is left. They may sign in anew."
	case "enable":
		return name + " is enabled again, and signs in anew."
	case "release":
		return name + " is released, and may sign in again."
	case "change":
		return "The account of " + name + " is changed. It counts from their next click on."
	case "granted":
		return "The grant stands. It counts from the next click on."
	case "ended":
		return "The grant is taken back. It counts from the next click on."
	case "role":
		return "The role is kept. It counts from the next click of everybody who has it."
	case "removed":
		return "It is removed."
	case "group":
		return "The group is kept."
	}
	return ""
}

type joinView struct {
	base
	Token, Name, Login, Problem, Closed string
	Joined                              bool
}

func (d *Dashboard) joinPage(w http.ResponseWriter, r *http.Request) {
	v := joinView{base: d.gateBase("Welcome"), Token: r.URL.Query().Get("token")}
	user, err := d.Auth.Invited(r.Context(), v.Token)
	switch {
	case errors.Is(err, auth.ErrInvitation):
		v.Closed = sentence(err)
		d.show(w, r, http.StatusGone, "join", v)
	case err != nil:
		d.fail(w, r, nil, err)
	default:
		v.Name, v.Login = user.Name, user.Login
		d.show(w, r, http.StatusOK, "join", v)
	}
}

func (d *Dashboard) join(w http.ResponseWriter, r *http.Request) {
	if !d.form(w, r) {
		return
	}
	v := joinView{base: d.gateBase("Welcome"), Token: r.PostForm.Get("token")}
	user, err := d.Auth.Invited(r.Context(), v.Token)
	if err == nil {
		v.Name, v.Login = user.Name, user.Login
		if r.PostForm.Get("password") != r.PostForm.Get("again") {
			err = &auth.PersonError{Field: "password", Text: "the two passwords are not the same; type both again"}
		} else {
			err = d.Auth.Join(r.Context(), v.Token, r.PostForm.Get("password"), auth.OriginOf(r))
		}
	}
	var wrong *auth.PersonError
	switch {
	case errors.Is(err, auth.ErrInvitation):
		v.Closed = sentence(err)
		d.show(w, r, http.StatusGone, "join", v)
	case errors.As(err, &wrong):
		v.Problem = sentence(wrong)
		d.show(w, r, http.StatusUnprocessableEntity, "join", v)
	case errors.Is(err, auth.ErrBusy):
		v.Problem = sentence(err)
		d.show(w, r, http.StatusServiceUnavailable, "join", v)
	case err != nil:
		d.fail(w, r, nil, err)
	default:
		v.Joined = true
		d.show(w, r, http.StatusOK, "join", v)
	}
}
