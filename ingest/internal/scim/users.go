package scim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

type meta struct {
	Type     string    `json:"resourceType"`
	Created  time.Time `json:"created"`
	Changed  time.Time `json:"lastModified"`
	Location string    `json:"location"`
	Version  string    `json:"version"`
}

type nameShape struct {
	Formatted string `json:"formatted,omitempty"`
	Given     string `json:"givenName,omitempty"`
	Family    string `json:"familyName,omitempty"`
}

type emailShape struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary"`
}

type reference struct {
	Value   string `json:"value"`
	Ref     string `json:"$ref"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
}

type userShape struct {
	Schemas  []string     `json:"schemas"`
	ID       string       `json:"id"`
	External string       `json:"externalId,omitempty"`
	UserName string       `json:"userName"`
	Display  string       `json:"displayName,omitempty"`
	Name     *nameShape   `json:"name,omitempty"`
	Emails   []emailShape `json:"emails,omitempty"`
	Active   bool         `json:"active"`
	Groups   []reference  `json:"groups,omitempty"`
	Meta     meta         `json:"meta"`
}

func (h *handler) place(kind, id string) string { return h.Base + "/" + kind + "/" + id }

func (h *handler) userShape(v *auth.ProvisionedPerson) userShape {
	u := userShape{
		Schemas: []string{userSchema}, ID: v.ID, External: v.ExternalID, UserName: v.UserName, Display: v.DisplayName, Active: v.Active,
		Meta: meta{"User", v.MadeAt, v.ChangedAt, h.place("Users", v.ID), versionTag(v.Version)},
	}
	if n := (nameShape{v.Formatted, v.GivenName, v.FamilyName}); n != (nameShape{}) {
		u.Name = &n
	}
	for _, e := range v.Emails {
		u.Emails = append(u.Emails, emailShape(e))
	}
	for _, g := range v.Groups {
		u.Groups = append(u.Groups, reference{g.ID, h.place("Groups", g.ID), g.Name, "direct"})
	}
	return u
}

func (h *handler) userReply(code int, v *auth.ProvisionedPerson) *reply {
	made := &reply{code: code, body: h.userShape(v), version: v.Version, resource: true}
	if code == http.StatusCreated {
		made.location = h.place("Users", v.ID)
	}
	return made
}

func (h *handler) users(q *request) (*reply, error) {
	f, err := q.where(userSchema)
	if err != nil {
		return nil, err
	}
	skip, count, err := q.window()
	if err != nil {
		return nil, err
	}
	some, all, err := q.by.People(q.ctx, f, skip, count)
	if err != nil {
		return nil, err
	}
	var shapes []any
	for _, v := range some {
		shape, err := q.project(h.userShape(v))
		if err != nil {
			return nil, err
		}
		shapes = append(shapes, shape)
	}
	return listed(all, skip, shapes), nil
}

func (h *handler) user(q *request) (*reply, error) {
	v, err := q.by.Person(q.ctx, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return h.userReply(http.StatusOK, v), nil
}

func (h *handler) createUser(q *request) (*reply, error) {
	body, err := q.decode()
	if err != nil {
		return nil, err
	}
	v := auth.ProvisionedPerson{Active: true}
	if err := setUser(&v, body); err != nil {
		return nil, err
	}
	made, err := q.by.Create(q.ctx, v)
	if err != nil {
		return nil, err
	}
	return h.userReply(http.StatusCreated, made), nil
}

// replaceUser is PUT: what is not named is taken away, but active, so that nobody is let
// in again by an omission.
func (h *handler) replaceUser(q *request) (*reply, error) {
	body, err := q.decode()
	if err != nil {
		return nil, err
	}
	return h.changeUser(q, func(v *auth.ProvisionedPerson) error {
		v.UserName, v.ExternalID, v.DisplayName, v.ProvisionedProfile = "", "", "", auth.ProvisionedProfile{}
		return setUser(v, body)
	})
}

func (h *handler) patchUser(q *request) (*reply, error) {
	operations, err := q.operations()
	if err != nil {
		return nil, err
	}
	return h.changeUser(q, func(v *auth.ProvisionedPerson) error {
		for _, o := range operations {
			if err := o.each(userSchema, func(op string, at target, value any) error { return setAttribute(v, op, at, value) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *handler) changeUser(q *request, change func(*auth.ProvisionedPerson) error) (*reply, error) {
	match, err := q.match()
	if err != nil {
		return nil, err
	}
	now, err := q.by.Change(q.ctx, q.PathValue("id"), match, change)
	if err != nil {
		return nil, err
	}
	return h.userReply(http.StatusOK, now), nil
}

func (h *handler) removeUser(q *request) (*reply, error) {
	match, err := q.match()
	if err != nil {
		return nil, err
	}
	if err := q.by.Remove(q.ctx, q.PathValue("id"), match); err != nil {
		return nil, err
	}
	return &reply{code: http.StatusNoContent}, nil
}

// setUser takes a whole person in.
func setUser(v *auth.ProvisionedPerson, body object) error {
	for _, name := range body.names() {
		value := body[name]
		if name == "id" || name == "meta" || name == "schemas" || name == "groups" || strings.HasPrefix(name, "urn:") {
			continue
		}
		if name == "active" && value == nil {
			continue
		}
		if err := setAttribute(v, "replace", target{attribute: name}, value); err != nil {
			return err
		}
	}
	if v.UserName == "" {
		return bad("invalidValue", "userName is needed")
	}
	return nil
}

// setAttribute does one thing to one attribute. Those that are not kept are ignored:
// directories send all that they map.
func setAttribute(v *auth.ProvisionedPerson, op string, at target, value any) error {
	if op == "remove" {
		value = nil
	}
	into := map[string]*string{
		"username": &v.UserName, "externalid": &v.ExternalID, "displayname": &v.DisplayName,
		"name.formatted": &v.Formatted, "name.givenname": &v.GivenName, "name.familyname": &v.FamilyName,
	}[strings.Trim(at.attribute+"."+at.sub, ".")]
	switch {
	case into != nil && at.where != nil:
		return bad("invalidPath", "%s has one value, and no brackets", at.attribute)
	case into != nil:
		s, err := text(at.attribute, value)
		if err == nil && s == "" && into == &v.UserName {
			err = bad("mutability", "userName cannot be taken away")
		}
		*into = s
		return err
	case at.attribute == "active" && at.sub == "":
		if op == "remove" {
			return bad("mutability", "active cannot be taken away: set it to false")
		}
		on, err := truth("active", value)
		v.Active = on
		return err
	case at.attribute == "name" && at.sub == "":
		return setName(v, op, value)
	case at.attribute == "emails":
		return setEmails(v, op, at, value)
	case at.attribute == "id" || at.attribute == "groups" || at.attribute == "meta" || at.attribute == "schemas":
		return bad("mutability", "%s is read only", at.attribute)
	}
	return nil
}

func setName(v *auth.ProvisionedPerson, op string, value any) error {
	if op == "remove" || value == nil {
		v.Formatted, v.GivenName, v.FamilyName = "", "", ""
		return nil
	}
	parts, err := objectOf(value)
	if err != nil {
		return err
	}
	for _, sub := range parts.names() {
		if err := setAttribute(v, "replace", target{attribute: "name", sub: sub}, parts[sub]); err != nil {
			return err
		}
	}
	return nil
}

func setEmails(v *auth.ProvisionedPerson, op string, at target, value any) error {
	hit := func(e auth.ProvisionedEmail) (bool, error) {
		return fits(at.where, func(sub string) string {
			return map[string]string{"value": e.Value, "type": e.Type, "primary": strconv.FormatBool(e.Primary)}[sub]
		})
	}
	var meant []int
	for i, e := range v.Emails {
		ok, err := hit(e)
		if err != nil {
			return err
		}
		if ok {
			meant = append(meant, i)
		}
	}
	if op == "remove" {
		var kept []auth.ProvisionedEmail
		for i, e := range v.Emails {
			if !slices.Contains(meant, i) {
				kept = append(kept, e)
			}
		}
		v.Emails = kept
		return nil
	}
	if at.sub != "" {
		if len(meant) == 0 { // Entra ID writes emails[type eq "work"].value of who has none yet
			v.Emails = append(v.Emails, auth.ProvisionedEmail{Type: equals(at.where, "type")})
			meant = []int{len(v.Emails) - 1}
		}
		for _, i := range meant {
			if err := setEmail(&v.Emails[i], object{at.sub: value}); err != nil {
				return err
			}
		}
		return nil
	}
	given, err := items("emails", value, 100)
	if err != nil {
		return err
	}
	if op == "replace" {
		var kept []auth.ProvisionedEmail
		for i, e := range v.Emails {
			if !slices.Contains(meant, i) {
				kept = append(kept, e)
			}
		}
		v.Emails = kept
	}
	for _, o := range given {
		var e auth.ProvisionedEmail
		if err := setEmail(&e, o); err != nil {
			return err
		}
		if e.Value != "" && !slices.ContainsFunc(v.Emails, func(other auth.ProvisionedEmail) bool { return other.Value == e.Value && other.Type == e.Type }) {
			v.Emails = append(v.Emails, e)
		}
	}
	return nil
}

func setEmail(e *auth.ProvisionedEmail, o object) (err error) {
	for sub, value := range o {
		switch sub {
		case "value":
			e.Value, err = text("emails.value", value)
		case "type":
			e.Type, err = text("emails.type", value)
		case "primary":
			e.Primary, err = truth("emails.primary", value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
