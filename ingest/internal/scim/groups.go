package scim

import (
	"net/http"
	"slices"
	"strings"

	filter "github.com/scim2/filter-parser/v2"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

type groupShape struct {
	Schemas  []string     `json:"schemas"`
	ID       string       `json:"id"`
	External string       `json:"externalId,omitempty"`
	Display  string       `json:"displayName"`
	Members  *[]reference `json:"members,omitempty"` // nil: not wanted
	Meta     meta         `json:"meta"`
}

func (h *handler) groupShape(q *request, g *auth.ProvisionedGroup) groupShape {
	v := groupShape{Schemas: []string{groupSchema}, ID: g.ID, External: g.ExternalID, Display: g.Name,
		Meta: meta{"Group", g.MadeAt, g.ChangedAt, h.place("Groups", g.ID), versionTag(g.Version)}}
	if !q.omits("members") {
		members := []reference{}
		for _, m := range g.Members {
			members = append(members, reference{m.ID, h.place("Users", m.ID), m.Name, "User"})
		}
		v.Members = &members
	}
	return v
}

func (h *handler) groups(q *request) (*reply, error) {
	f, err := q.where(groupSchema)
	if err != nil {
		return nil, err
	}
	skip, count, err := q.window()
	if err != nil {
		return nil, err
	}
	some, all, err := q.by.Groups(q.ctx, f, skip, count, !q.omits("members"))
	if err != nil {
		return nil, err
	}
	var shapes []any
	for _, g := range some {
		shape, err := q.project(h.groupShape(q, g))
		if err != nil {
			return nil, err
		}
		shapes = append(shapes, shape)
	}
	return listed(all, skip, shapes), nil
}

func (h *handler) group(q *request) (*reply, error) {
	g, err := q.by.Group(q.ctx, q.PathValue("id"), !q.omits("members"))
	if err != nil {
		return nil, err
	}
	return &reply{code: http.StatusOK, body: h.groupShape(q, g), version: g.Version, resource: true}, nil
}

func (h *handler) createGroup(q *request) (*reply, error) {
	body, err := q.decode()
	if err != nil {
		return nil, err
	}
	var g auth.ProvisionedGroup
	if err := setGroup(&g, body); err != nil {
		return nil, err
	}
	made, err := q.by.CreateGroup(q.ctx, g)
	if err != nil {
		return nil, err
	}
	return &reply{code: http.StatusCreated, body: h.groupShape(q, made), location: h.place("Groups", made.ID), version: made.Version, resource: true}, nil
}

func (h *handler) replaceGroup(q *request) (*reply, error) {
	body, err := q.decode()
	if err != nil {
		return nil, err
	}
	now, err := h.changeGroup(q, func(g *auth.ProvisionedGroup) error {
		g.Name, g.ExternalID, g.Members = "", "", nil
		return setGroup(g, body)
	})
	if err != nil {
		return nil, err
	}
	return &reply{code: http.StatusOK, body: h.groupShape(q, now), version: now.Version, resource: true}, nil
}

// patchGroup answers without a body, as Microsoft advises: a group may be large.
func (h *handler) patchGroup(q *request) (*reply, error) {
	operations, err := q.operations()
	if err != nil {
		return nil, err
	}
	now, err := h.changeGroup(q, func(g *auth.ProvisionedGroup) error {
		for _, o := range operations {
			if err := o.each(groupSchema, func(op string, at target, value any) error { return setGroupAttribute(g, op, at, value) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &reply{code: http.StatusNoContent, version: now.Version}, nil
}

func (h *handler) changeGroup(q *request, change func(*auth.ProvisionedGroup) error) (*auth.ProvisionedGroup, error) {
	match, err := q.match()
	if err != nil {
		return nil, err
	}
	return q.by.ChangeGroup(q.ctx, q.PathValue("id"), match, change)
}

func (h *handler) removeGroup(q *request) (*reply, error) {
	match, err := q.match()
	if err != nil {
		return nil, err
	}
	if err := q.by.RemoveGroup(q.ctx, q.PathValue("id"), match); err != nil {
		return nil, err
	}
	return &reply{code: http.StatusNoContent}, nil
}

func setGroup(g *auth.ProvisionedGroup, body object) error {
	for _, name := range []string{"displayname", "externalid", "members"} {
		if value, ok := body[name]; ok {
			if err := setGroupAttribute(g, "replace", target{attribute: name}, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func setGroupAttribute(g *auth.ProvisionedGroup, op string, at target, value any) (err error) {
	switch at.attribute {
	case "displayname", "externalid":
		into := map[string]*string{"displayname": &g.Name, "externalid": &g.ExternalID}[at.attribute]
		if op == "remove" {
			value = nil
		}
		*into, err = text(at.attribute, value)
		return err
	case "members":
		return setMembers(g, op, at, value)
	case "id", "meta", "schemas":
		return bad("mutability", "%s is read only", at.attribute)
	}
	return nil
}

// setMembers adds, replaces and removes members. Entra ID removes with a list as value
// where RFC 7644 wants a path with brackets; only who is named goes, never all.
func setMembers(g *auth.ProvisionedGroup, op string, at target, value any) error {
	if at.sub != "" {
		return bad("mutability", "members are added and removed, and not changed")
	}
	given, err := items("members", value, auth.MaxMembers)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	var wanted []auth.ProvisionedMember
	for _, o := range given {
		id, err := text("members.value", o["value"])
		if err != nil {
			return err
		}
		if id == "" {
			return bad("invalidValue", "a member without a value")
		}
		if !named[id] {
			named[id] = true
			wanted = append(wanted, auth.ProvisionedMember{ID: id})
		}
	}
	switch op {
	case "remove":
		var kept []auth.ProvisionedMember
		for _, m := range g.Members {
			out, err := fits(at.where, func(sub string) string { return map[string]string{"value": m.ID, "display": m.Name}[sub] })
			if err != nil {
				return err
			}
			if len(given) > 0 {
				out = out && named[m.ID]
			}
			if !out {
				kept = append(kept, m)
			}
		}
		g.Members = kept
	case "replace":
		if at.where != nil {
			return bad("invalidPath", "replace members without brackets")
		}
		g.Members = wanted
	default:
		for _, m := range g.Members {
			delete(named, m.ID)
		}
		for _, m := range wanted {
			if named[m.ID] {
				g.Members = append(g.Members, m)
			}
		}
	}
	return nil
}

// equals returns what a filter in brackets compares an attribute with; "" where it does not.
func equals(e filter.Expression, sub string) string {
	if a, ok := e.(*filter.AttributeExpression); ok && a.Operator == filter.EQ && strings.EqualFold(a.AttributePath.String(), sub) {
		s, _ := a.CompareValue.(string)
		return s
	}
	if l, ok := e.(*filter.LogicalExpression); ok && l.Operator == filter.AND {
		return slices.Max([]string{equals(l.Left, sub), equals(l.Right, sub)})
	}
	return ""
}
