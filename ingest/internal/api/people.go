package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// noPower is said of every id of these routes that is not there.
const noPower = "There is no such person, role, group, grant or item here."

// power describes a route about who may do what.
func power(summary string, changes, named bool) Description {
	d := Description{Tag: "People", Summary: summary, Asks: []auth.Action{auth.ListAccounts, auth.ManageAccount}}
	if changes {
		d.Fresh, d.Asks, d.Codes = true, []auth.Action{auth.ManageAccount}, []int{http.StatusConflict, http.StatusUnprocessableEntity}
	}
	if named {
		d.Missing = noPower
	}
	return d
}

type peopleAnswer struct {
	People []someoneShape `json:"people"`
	Next   string         `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

type joinAnswer struct {
	ID   string `json:"id,omitempty"`
	Path string `json:"join_path" jsonschema:"where the person chooses a password, for 72 hours and once"`
}

type inviteBody struct {
	Login     string `json:"login" required:"true"`
	Name      string `json:"name" required:"true"`
	Role      string `json:"role" required:"true"`
	OfficerID string `json:"officer_id"`
}

type personBody struct {
	Role      string `json:"role" required:"true"`
	OfficerID string `json:"officer_id"`
}

func (a *api) peopleRoutes() []Route {
	list, invite, again := power("People with an account", false, false), power("Invite a person", true, false), power("Make a new invitation in place of the former", true, true)
	list.Paged, list.Query = true, []Parameter{{Name: "q", Kind: Text, About: "Part of a name, sign-in name or officer id."}}
	invite.Secret, again.Secret = true, true
	invite.About, again.About = "Hand join_path over; it is shown this once.", "Hand join_path over; it is shown this once."
	roles := power("Roles, and all actions in words", false, false)
	return []Route{
		Answer("GET /api/v1/people", list, a.people),
		Answer("POST /api/v1/people", invite, func(r *Request, b *inviteBody) (joinAnswer, error) {
			id, token, err := a.desk(r).Invite(r.Context(), auth.NewPerson{Login: b.Login, Name: b.Name, OfficerID: b.OfficerID, Role: auth.Role(b.Role)})
			return joinAnswer{id, "/join?token=" + token}, err
		}),
		Answer("GET /api/v1/people/{id}", power("One person, by id or sign-in name: grants, and what they may do", false, true), a.person),
		Answer("POST /api/v1/people/{id}/invite", again, func(r *Request, _ *Nothing) (joinAnswer, error) {
			id, err := a.named(r)
			if err != nil {
				return joinAnswer{}, err
			}
			token, err := a.desk(r).InviteAgain(r.Context(), id)
			return joinAnswer{Path: "/join?token=" + token}, err
		}),
		Answer("POST /api/v1/people/{id}/disable", power("Let a person in no more, and end what they have open", true, true), func(r *Request, _ *Nothing) (Nothing, error) {
			return a.toPerson(r, a.desk(r).Disable)
		}),
		Answer("POST /api/v1/people/{id}/end-sessions", power("End all sessions of a person", true, true), func(r *Request, _ *Nothing) (Nothing, error) {
			return a.toPerson(r, a.desk(r).EndSessions)
		}),
		Answer("POST /api/v1/people/{id}/enable", power("Let a person in again", true, true), func(r *Request, _ *Nothing) (Nothing, error) {
			return a.toPerson(r, a.desk(r).Enable)
		}),
		Answer("POST /api/v1/people/{id}/release", power("End the lock of a password", true, true), func(r *Request, _ *Nothing) (Nothing, error) {
			return a.toPerson(r, a.desk(r).ReleaseLock)
		}),
		Answer("POST /api/v1/people/{id}/change", power("Change a person's role and officer id", true, true), func(r *Request, b *personBody) (Nothing, error) {
			id, err := a.named(r)
			if err != nil {
				return Nothing{}, err
			}
			return Nothing{}, a.desk(r).Change(r.Context(), id, auth.Role(b.Role), b.OfficerID)
		}),
		Answer("GET /api/v1/roles", roles, a.roles),
		Answer("POST /api/v1/roles", power("Make a role", true, false), func(r *Request, b *roleBody) (idAnswer, error) {
			id, err := a.desk(r).PutRole(r.Context(), "", b.Name, b.About, b.Actions)
			return idAnswer{id}, err
		}),
		Answer("PUT /api/v1/roles/{id}", power("Change a role", true, true), func(r *Request, b *roleBody) (Nothing, error) {
			_, err := a.desk(r).PutRole(r.Context(), r.PathValue("id"), b.Name, b.About, b.Actions)
			return Nothing{}, err
		}),
		Answer("DELETE /api/v1/roles/{id}", power("Remove a role that nobody has", true, true), func(r *Request, _ *Nothing) (Nothing, error) {
			return Nothing{}, a.desk(r).RemoveRole(r.Context(), r.PathValue("id"))
		}),
	}
}

func (a *api) desk(r *Request) *auth.Desk { return a.Auth.Desk(r.Actor) }

// named is the id of the person that a path names by id or sign-in name, for who may
// manage people; for others what the path says, which they are refused by.
func (a *api) named(r *Request) (string, error) {
	id := r.PathValue("id")
	if !a.desk(r).CanManage() {
		return id, nil
	}
	p, err := a.desk(r).Person(r.Context(), id)
	if err != nil {
		return "", err
	}
	return p.ID, nil
}

func (a *api) toPerson(r *Request, do func(context.Context, string) error) (Nothing, error) {
	id, err := a.named(r)
	if err == nil {
		err = do(r.Context(), id)
	}
	return Nothing{}, err
}

func (a *api) people(r *Request, _ *Nothing) (peopleAnswer, error) {
	all, err := a.desk(r).People(r.Context(), r.Text("q"))
	people := []someoneShape{}
	for _, v := range all {
		people = append(people, someoneOf(v))
	}
	if err != nil {
		return peopleAnswer{}, err
	}
	page, next, err := cut(r, people, func(p *someoneShape) string { return p.Login })
	return peopleAnswer{page, next}, err
}

func (a *api) person(r *Request, _ *Nothing) (knownShape, error) {
	p, err := a.desk(r).Person(r.Context(), r.PathValue("id"))
	if err != nil {
		return knownShape{}, err
	}
	return knownOf(p), nil
}

type idAnswer struct {
	ID string `json:"id"`
}

type roleBody struct {
	Name    string   `json:"name" required:"true"`
	About   string   `json:"about"`
	Actions []string `json:"actions" required:"true"`
}

type rolesAnswer struct {
	Roles   []roleShape   `json:"roles"`
	Actions []actionShape `json:"actions"`
}

func (a *api) roles(r *Request, _ *Nothing) (rolesAnswer, error) {
	roles, err := a.desk(r).Roles(r.Context())
	shapes := []roleShape{}
	for _, v := range roles {
		shapes = append(shapes, roleShape{v.ID, v.Name, v.About, v.Actions, v.Shipped, v.Holders})
	}
	return rolesAnswer{shapes, actionsOf(auth.Deeds())}, err
}

type groupBody struct {
	Name string `json:"name" required:"true"`
}

type groupsAnswer struct {
	Groups []groupShape `json:"groups"`
}

func (a *api) groupRoutes() []Route {
	member := func(in bool) func(*Request, *Nothing) (Nothing, error) {
		return func(r *Request, _ *Nothing) (Nothing, error) {
			return Nothing{}, a.desk(r).SetMember(r.Context(), r.PathValue("id"), r.PathValue("person"), in)
		}
	}
	return []Route{
		Answer("GET /api/v1/groups", power("Groups with the people in them", false, false), func(r *Request, _ *Nothing) (groupsAnswer, error) {
			groups, err := a.desk(r).Groups(r.Context())
			shapes := []groupShape{}
			for _, g := range groups {
				shape := groupShape{ID: g.ID, Name: g.Name, Members: []memberShape{}}
				for _, m := range g.Members {
					shape.Members = append(shape.Members, memberShape{m.ID, m.Login, m.Name})
				}
				shapes = append(shapes, shape)
			}
			return groupsAnswer{shapes}, err
		}),
		Answer("POST /api/v1/groups", power("Make a group", true, false), func(r *Request, b *groupBody) (idAnswer, error) {
			id, err := a.desk(r).PutGroup(r.Context(), "", b.Name)
			return idAnswer{id}, err
		}),
		Answer("PUT /api/v1/groups/{id}", power("Rename a group", true, true), func(r *Request, b *groupBody) (Nothing, error) {
			_, err := a.desk(r).PutGroup(r.Context(), r.PathValue("id"), b.Name)
			return Nothing{}, err
		}),
		Answer("DELETE /api/v1/groups/{id}", power("Remove a group that nobody is in", true, true), func(r *Request, _ *Nothing) (Nothing, error) {
			return Nothing{}, a.desk(r).RemoveGroup(r.Context(), r.PathValue("id"))
		}),
		Answer("PUT /api/v1/groups/{id}/members/{person}", power("Put a person into a group", true, true), member(true)),
		Answer("DELETE /api/v1/groups/{id}/members/{person}", power("Take a person out of a group", true, true), member(false)),
	}
}

type grantBody struct {
	Holder   string    `json:"holder" required:"true" jsonschema:"person, group or role"`
	HolderID string    `json:"holder_id" required:"true"`
	Role     string    `json:"role" required:"true" jsonschema:"whose actions it gives"`
	Scope    string    `json:"scope" required:"true" jsonschema:"agency, station, group, category, own, case or item"`
	Value    string    `json:"value" jsonschema:"which station, group, category, case (number or id) or item"`
	Until    time.Time `json:"until" jsonschema:"absent: until it is taken back"`
	ViewOnly bool      `json:"view_only"`
	Networks []string  `json:"networks" jsonschema:"from where alone it holds"`
	Clients  []string  `json:"clients" jsonschema:"with which kinds of program alone it holds: web, api, mobile"`
	Reason   string    `json:"reason"`
}

type grantsAnswer struct {
	Grants []becauseShape `json:"grants"`
}

type seersAnswer struct {
	Seers   []seerShape    `json:"seers,omitzero" jsonschema:"without person"`
	More    bool           `json:"more,omitempty" jsonschema:"there are more than were looked at"`
	Sees    *bool          `json:"sees,omitempty" jsonschema:"with person"`
	Because []becauseShape `json:"because,omitzero" jsonschema:"with person"`
}

func (a *api) grantRoutes() []Route {
	seers := power("Who sees a recording, and through which grants", false, true)
	seers.Query = []Parameter{{Name: "person", Kind: Text, About: "Id or sign-in name: this person alone."}}
	return []Route{
		Answer("GET /api/v1/grants", power("Grants in force", false, false), func(r *Request, _ *Nothing) (grantsAnswer, error) {
			grants, err := a.desk(r).Grants(r.Context())
			return grantsAnswer{becauseOf(grants)}, err
		}),
		Answer("POST /api/v1/grants", power("Give a grant", true, true), func(r *Request, b *grantBody) (idAnswer, error) {
			id, err := a.desk(r).Grant(r.Context(), catalog.Grant{Holder: catalog.Holder(b.Holder), HolderID: b.HolderID, Role: b.Role, Scope: catalog.Scope(b.Scope), Value: b.Value,
				Until: b.Until, ViewOnly: b.ViewOnly, Networks: b.Networks, Clients: b.Clients, Reason: b.Reason})
			return idAnswer{id}, err
		}),
		Answer("DELETE /api/v1/grants/{id}", power("Take a grant back", true, true), func(r *Request, _ *Nothing) (Nothing, error) {
			return Nothing{}, a.desk(r).EndGrant(r.Context(), r.PathValue("id"))
		}),
		Answer("POST /api/v1/grants/{id}/restore", power("Let a grant stand again", true, true), func(r *Request, _ *Nothing) (Nothing, error) {
			return Nothing{}, a.desk(r).RestoreGrant(r.Context(), r.PathValue("id"))
		}),
		Answer("GET /api/v1/items/{id}/seers", seers, a.seers),
	}
}

// maxSeers bounds who is named at once.
const maxSeers = 5000

func (a *api) seers(r *Request, _ *Nothing) (seersAnswer, error) {
	id, err := r.item()
	if err != nil {
		return seersAnswer{}, err
	}
	if who := r.Text("person"); who != "" {
		why, err := a.desk(r).Why(r.Context(), who, id)
		sees := len(why) > 0
		return seersAnswer{Sees: &sees, Because: becauseOf(why)}, err
	}
	all, more, err := a.desk(r).WhoSees(r.Context(), id, maxSeers)
	shapes := []seerShape{}
	for _, s := range all {
		shapes = append(shapes, seerShape{someoneOf(s.Someone), becauseOf(s.Because)})
	}
	return seersAnswer{Seers: shapes, More: more}, err
}
