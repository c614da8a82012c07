package api

import (
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

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

func actionsOf(deeds []auth.Deed) []actionShape {
	shapes := []actionShape{}
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
