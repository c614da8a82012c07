package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// peopleRoutes are people, roles, groups and grants.
func (a *api) peopleRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/people", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		all, err := k.People(r.Context(), r.URL.Query().Get("q"))
		people := []someoneShape{}
		for _, v := range all {
			people = append(people, someoneOf(v))
		}
		return map[string]any{"people": people}, err
	}))
	mux.HandleFunc("POST /api/v1/people", a.desk(func(r *http.Request, k *auth.Desk, b *powerShape) (any, error) {
		id, token, err := k.Invite(r.Context(), auth.NewPerson{Login: b.Login, Name: b.Name, OfficerID: b.OfficerID, Role: auth.Role(b.Role)})
		return map[string]any{"id": id, "join_path": "/join?token=" + token}, err
	}))
	mux.HandleFunc("GET /api/v1/people/{id}", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		p, err := k.Person(r.Context(), r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		return knownOf(p), nil
	}))
	acts := map[string]func(*http.Request, *auth.Desk, string, *powerShape) (any, error){
		"invite": func(r *http.Request, k *auth.Desk, id string, _ *powerShape) (any, error) {
			token, err := k.InviteAgain(r.Context(), id)
			return map[string]any{"join_path": "/join?token=" + token}, err
		},
		"disable": func(r *http.Request, k *auth.Desk, id string, _ *powerShape) (any, error) {
			return nil, k.Disable(r.Context(), id)
		},
		"enable": func(r *http.Request, k *auth.Desk, id string, _ *powerShape) (any, error) {
			return nil, k.Enable(r.Context(), id)
		},
		"release": func(r *http.Request, k *auth.Desk, id string, _ *powerShape) (any, error) {
			return nil, k.ReleaseLock(r.Context(), id)
		},
		"change": func(r *http.Request, k *auth.Desk, id string, b *powerShape) (any, error) {
			return nil, k.Change(r.Context(), id, auth.Role(b.Role), b.OfficerID)
		},
	}
	for name, act := range acts {
		mux.HandleFunc("POST /api/v1/people/{id}/"+name, a.desk(func(r *http.Request, k *auth.Desk, b *powerShape) (any, error) {
			id := r.PathValue("id")
			if k.CanManage() {
				p, err := k.Person(r.Context(), id)
				if err != nil {
					return nil, err
				}
				id = p.ID
			}
			return act(r, k, id, b)
		}))
	}
	mux.HandleFunc("GET /api/v1/roles", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		roles, err := k.Roles(r.Context())
		shapes := []roleShape{}
		for _, v := range roles {
			shapes = append(shapes, roleShape{v.ID, v.Name, v.About, v.Actions, v.Shipped, v.Holders})
		}
		return map[string]any{"roles": shapes, "actions": actionsOf(auth.Deeds())}, err
	}))
	mux.HandleFunc("POST /api/v1/roles", a.desk(func(r *http.Request, k *auth.Desk, b *powerShape) (any, error) {
		id, err := k.PutRole(r.Context(), "", b.Name, b.About, b.Actions)
		return map[string]any{"id": id}, err
	}))
	mux.HandleFunc("PUT /api/v1/roles/{id}", a.desk(func(r *http.Request, k *auth.Desk, b *powerShape) (any, error) {
		_, err := k.PutRole(r.Context(), r.PathValue("id"), b.Name, b.About, b.Actions)
		return nil, err
	}))
	mux.HandleFunc("DELETE /api/v1/roles/{id}", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		return nil, k.RemoveRole(r.Context(), r.PathValue("id"))
	}))
	a.groupRoutes(mux)
	a.grantRoutes(mux)
}

func (a *api) groupRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/groups", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		groups, err := k.Groups(r.Context())
		shapes := []groupShape{}
		for _, g := range groups {
			shape := groupShape{ID: g.ID, Name: g.Name, Members: []memberShape{}}
			for _, m := range g.Members {
				shape.Members = append(shape.Members, memberShape{m.ID, m.Login, m.Name})
			}
			shapes = append(shapes, shape)
		}
		return map[string]any{"groups": shapes}, err
	}))
	mux.HandleFunc("POST /api/v1/groups", a.desk(func(r *http.Request, k *auth.Desk, b *powerShape) (any, error) {
		id, err := k.PutGroup(r.Context(), "", b.Name)
		return map[string]any{"id": id}, err
	}))
	mux.HandleFunc("PUT /api/v1/groups/{id}", a.desk(func(r *http.Request, k *auth.Desk, b *powerShape) (any, error) {
		_, err := k.PutGroup(r.Context(), r.PathValue("id"), b.Name)
		return nil, err
	}))
	mux.HandleFunc("DELETE /api/v1/groups/{id}", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		return nil, k.RemoveGroup(r.Context(), r.PathValue("id"))
	}))
	for method, in := range map[string]bool{"PUT": true, "DELETE": false} {
		mux.HandleFunc(method+" /api/v1/groups/{id}/members/{person}", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
			return nil, k.SetMember(r.Context(), r.PathValue("id"), r.PathValue("person"), in)
		}))
	}
}

func (a *api) grantRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/grants", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		grants, err := k.Grants(r.Context())
		return map[string]any{"grants": becauseOf(grants)}, err
	}))
	mux.HandleFunc("POST /api/v1/grants", a.desk(func(r *http.Request, k *auth.Desk, b *powerShape) (any, error) {
		id, err := k.Grant(r.Context(), catalog.Grant{Holder: catalog.Holder(b.Holder), HolderID: b.HolderID, Role: b.Role, Scope: catalog.Scope(b.Scope), Value: b.Value,
			Until: b.Until, ViewOnly: b.ViewOnly, Networks: b.Networks, Clients: b.Clients, Reason: b.Reason})
		return map[string]any{"id": id}, err
	}))
	mux.HandleFunc("DELETE /api/v1/grants/{id}", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		return nil, k.EndGrant(r.Context(), r.PathValue("id"))
	}))
	mux.HandleFunc("POST /api/v1/grants/{id}/restore", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		return nil, k.RestoreGrant(r.Context(), r.PathValue("id"))
	}))
	mux.HandleFunc("GET /api/v1/items/{id}/seers", a.desk(func(r *http.Request, k *auth.Desk, _ *powerShape) (any, error) {
		id, err := evidence.ParseEvidenceID(r.PathValue("id"))
		if err != nil {
			return nil, catalog.ErrNotFound
		}
		if who := r.URL.Query().Get("person"); who != "" {
			why, err := k.Why(r.Context(), who, id)
			return map[string]any{"sees": len(why) > 0, "because": becauseOf(why)}, err
		}
		all, more, err := k.WhoSees(r.Context(), id, maxSeers)
		shapes := []seerShape{}
		for _, s := range all {
			shapes = append(shapes, seerShape{someoneOf(s.Someone), becauseOf(s.Because)})
		}
		return map[string]any{"seers": shapes, "more": more}, err
	}))
}

// maxSeers bounds who is named at once.
const maxSeers = 5000

// desk reads a body, lets a signed-in person do something, and answers with what came
// of it: 204 where that is nothing.
func (a *api) desk(do func(*http.Request, *auth.Desk, *powerShape) (any, error)) http.HandlerFunc {
	return a.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		var body powerShape
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			reader := json.NewDecoder(r.Body)
			reader.DisallowUnknownFields()
			if err := reader.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
				problem(w, http.StatusBadRequest, "The request cannot be read", "Send one JSON object with the fields that docs/powers.md names for this act; times as in 2026-11-22T09:30:00Z.")
				return
			}
		}
		answer, err := do(r, a.Auth.Desk(actor), &body)
		var wrong *auth.PersonError
		switch {
		case err == nil && answer == nil:
			w.WriteHeader(http.StatusNoContent)
		case err == nil:
			a.answer(w, r, answer)
		case errors.As(err, &wrong):
			problem(w, http.StatusUnprocessableEntity, "This cannot be taken", wrong.Field+": "+wrong.Text)
		case errors.Is(err, auth.ErrBeyond):
			problem(w, http.StatusForbidden, "Not allowed", err.Error())
		case errors.Is(err, auth.ErrOwn), errors.Is(err, auth.ErrLastManager):
			problem(w, http.StatusConflict, "Nothing was changed", err.Error())
		case errors.Is(err, catalog.ErrConflict):
			problem(w, http.StatusConflict, "It is not in a state that allows this", "Somebody may have been faster: read it again.")
		case errors.Is(err, catalog.ErrNotFound):
			problem(w, http.StatusNotFound, "Not found", "There is no such person, role, group, grant or item here.")
		default:
			a.fail(w, r, err)
		}
	})
}

// powerShape is the body of all these acts; each uses its own fields.
type powerShape struct {
	Login     string    `json:"login"`
	Name      string    `json:"name"`
	OfficerID string    `json:"officer_id"`
	Role      string    `json:"role"`
	About     string    `json:"about"`
	Actions   []string  `json:"actions"`
	Holder    string    `json:"holder"`
	HolderID  string    `json:"holder_id"`
	Scope     string    `json:"scope"`
	Value     string    `json:"value"`
	Until     time.Time `json:"until"`
	ViewOnly  bool      `json:"view_only"`
	Networks  []string  `json:"networks"`
	Clients   []string  `json:"clients"`
	Reason    string    `json:"reason"`
}

type someoneShape struct {
	ID           string     `json:"id"`
	Login        string     `json:"login"`
	Name         string     `json:"name"`
	OfficerID    string     `json:"officer_id,omitempty"`
	Role         string     `json:"role"`
	RoleName     string     `json:"role_name"`
	State        string     `json:"state"`
	Dormant      bool       `json:"dormant"`
	Groups       []string   `json:"groups"`
	CreatedAt    time.Time  `json:"created_at"`
	LastSignInAt *time.Time `json:"last_sign_in_at,omitempty"`
}

func someoneOf(v auth.Someone) someoneShape {
	s := someoneShape{ID: v.ID, Login: v.Login, Name: v.Name, OfficerID: v.OfficerID, Role: v.Role, RoleName: v.RoleName, State: string(v.Standing), Dormant: v.Dormant, Groups: []string{}, CreatedAt: v.CreatedAt}
	if !v.LastSignInAt.IsZero() {
		s.LastSignInAt = &v.LastSignInAt
	}
	for _, g := range v.Groups {
		s.Groups = append(s.Groups, g.ID)
	}
	return s
}

type abilityShape struct {
	Action string   `json:"action"`
	Words  string   `json:"words"`
	On     []string `json:"on"`
}

type knownShape struct {
	someoneShape
	Sessions int            `json:"sessions"`
	Grants   []becauseShape `json:"grants"`
	May      []abilityShape `json:"may"`
}

func knownOf(p *auth.Known) knownShape {
	s := knownShape{someoneShape: someoneOf(p.Someone), Sessions: p.Sessions, Grants: becauseOf(p.Gives)}
	for _, a := range p.May {
		s.May = append(s.May, abilityShape{string(a.Action), a.Words, append([]string{}, a.On...)})
	}
	return s
}

type becauseShape struct {
	Grant      string     `json:"grant"`
	Holder     string     `json:"holder"`
	HolderID   string     `json:"holder_id"`
	HolderName string     `json:"holder_name"`
	Role       string     `json:"role"`
	RoleName   string     `json:"role_name"`
	Scope      string     `json:"scope"`
	Value      string     `json:"value,omitempty"`
	On         string     `json:"on"`
	Through    string     `json:"through,omitempty"`
	Conditions []string   `json:"conditions"`
	Until      *time.Time `json:"until,omitempty"`
	ViewOnly   bool       `json:"view_only"`
	Networks   []string   `json:"networks,omitempty"`
	Clients    []string   `json:"clients,omitempty"`
	Missing    string     `json:"gives_nothing_because,omitempty"`
	Reason     string     `json:"reason,omitempty"`
}

func becauseOf(all []auth.Because) []becauseShape {
	shapes := []becauseShape{}
	for _, w := range all {
		s := becauseShape{Grant: w.Grant.ID, Holder: string(w.Grant.Holder), HolderID: w.Grant.HolderID, HolderName: w.To, Role: w.Grant.Role, RoleName: w.Role,
			Scope: string(w.Grant.Scope), Value: w.Grant.Value, On: w.On, Through: w.Through, Conditions: append([]string{}, w.Conditions...), ViewOnly: w.Grant.ViewOnly,
			Networks: w.Grant.Networks, Clients: w.Grant.Clients, Missing: w.Missing, Reason: w.Grant.Reason}
		if until := w.Grant.Until; !until.IsZero() {
			s.Until = &until
		}
		shapes = append(shapes, s)
	}
	return shapes
}

type roleShape struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Actions []string `json:"actions"`
	Shipped bool     `json:"shipped"`
	Holders int      `json:"holders"`
}

type actionShape struct {
	Action string `json:"action"`
	Field  string `json:"field"`
	Words  string `json:"words"`
	Looks  bool   `json:"only_looks"`
}

func actionsOf(deeds []auth.Deed) (shapes []actionShape) {
	for _, d := range deeds {
		shapes = append(shapes, actionShape{string(d.Action), d.Field, d.Words, d.Looks})
	}
	return shapes
}

type memberShape struct {
	ID    string `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

type groupShape struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	Members []memberShape `json:"members"`
}

type seerShape struct {
	someoneShape
	Because []becauseShape `json:"because"`
}
