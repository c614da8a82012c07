package scim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// attribute is one of a schema (RFC 7643 section 7).
type attribute struct {
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	Multi       bool        `json:"multiValued"`
	Description string      `json:"description"`
	Required    bool        `json:"required"`
	CaseExact   bool        `json:"caseExact"`
	Mutability  string      `json:"mutability"`
	Returned    string      `json:"returned"`
	Uniqueness  string      `json:"uniqueness"`
	References  []string    `json:"referenceTypes,omitempty"`
	Sub         []attribute `json:"subAttributes,omitempty"`
}

func simple(name, kind, description string) attribute {
	return attribute{Name: name, Type: kind, Description: description, Mutability: "readWrite", Returned: "default", Uniqueness: "none"}
}

func complexOf(name, description string, multi bool, sub ...attribute) attribute {
	a := simple(name, "complex", description)
	a.Multi, a.Sub = multi, sub
	return a
}

func (a attribute) with(change func(*attribute)) attribute {
	change(&a)
	return a
}

func readOnly(a *attribute) {
	a.Mutability = "readOnly"
	a.Sub = slices.Clone(a.Sub)
	for i := range a.Sub {
		a.Sub[i].Mutability = "readOnly"
	}
}

func userAttributes() []attribute {
	return []attribute{
		simple("userName", "string", "The sign-in name: 2 to 64 of a-z, 0-9 and . - _ @; unique among all accounts here.").with(func(a *attribute) { a.Required, a.Uniqueness = true, "server" }),
		simple("displayName", "string", "The name to show."),
		complexOf("name", "The parts of the name.", false, simple("formatted", "string", "The whole name."), simple("givenName", "string", "The given name."), simple("familyName", "string", "The family name.")),
		complexOf("emails", "Addresses, up to 10.", true, simple("value", "string", "The address."), simple("type", "string", "As work."), simple("primary", "boolean", "Whether it is the one to use.")),
		simple("active", "boolean", "False: the person is signed out at once and does not sign in."),
		complexOf("groups", "Groups that the person is in.", true, simple("value", "string", "The id of the group."),
			simple("$ref", "reference", "Its address.").with(func(a *attribute) { a.References = []string{"Group"} }), simple("display", "string", "Its name."), simple("type", "string", "Always direct.")).with(readOnly),
	}
}

func groupAttributes() []attribute {
	immutable := func(a *attribute) { a.Mutability = "immutable" }
	return []attribute{
		simple("displayName", "string", "The name; unique among the groups of the client. The configuration gives it a role.").with(func(a *attribute) { a.Required, a.Uniqueness = true, "server" }),
		complexOf("members", "Who is in it: people that the same client provisioned.", true, simple("value", "string", "The id of the person.").with(immutable),
			simple("$ref", "reference", "Their address.").with(func(a *attribute) { a.References = []string{"User"}; immutable(a) }), simple("display", "string", "Their name.").with(readOnly), simple("type", "string", "Always User.").with(immutable)),
	}
}

func (h *handler) allSchemas() []map[string]any {
	of := func(id, name, description string, attributes []attribute) map[string]any {
		return map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": id, "name": name, "description": description, "attributes": attributes,
			"meta": map[string]string{"resourceType": "Schema", "location": h.place("Schemas", id)}}
	}
	return []map[string]any{of(userSchema, "User", "A person; what else is sent is ignored.", userAttributes()), of(groupSchema, "Group", "A group of people.", groupAttributes())}
}

func (h *handler) allResourceTypes() []map[string]any {
	of := func(id, endpoint, schema string) map[string]any {
		return map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": id, "name": id, "endpoint": endpoint, "schema": schema,
			"meta": map[string]string{"resourceType": "ResourceType", "location": h.place("ResourceTypes", id)}}
	}
	return []map[string]any{of("User", "/Users", userSchema), of("Group", "/Groups", groupSchema)}
}

// described answers with one of several documents, by its id.
func describedBy(q *request, all []map[string]any) (*reply, error) {
	for _, one := range all {
		if id, ok := one["id"].(string); ok && strings.EqualFold(id, q.PathValue("id")) {
			return &reply{code: http.StatusOK, body: one}, nil
		}
	}
	return nil, catalog.ErrNotFound
}

// listedAll answers with several documents; of them none can be filtered by (RFC 7644
// section 4).
func listedAll(q *request, all []map[string]any) (*reply, error) {
	if q.query.Has("filter") {
		return nil, &problem{http.StatusForbidden, "", "this cannot be filtered"}
	}
	var some []any
	for _, one := range all {
		some = append(some, one)
	}
	return listed(int64(len(all)), 0, some), nil
}

func (h *handler) schemas(q *request) (*reply, error) { return listedAll(q, h.allSchemas()) }
func (h *handler) schema(q *request) (*reply, error)  { return describedBy(q, h.allSchemas()) }
func (h *handler) resourceTypes(q *request) (*reply, error) {
	return listedAll(q, h.allResourceTypes())
}
func (h *handler) resourceType(q *request) (*reply, error) {
	return describedBy(q, h.allResourceTypes())
}

// capabilities says what is supported (RFC 7643 section 5).
func (h *handler) capabilities(*request) (*reply, error) {
	is := func(on bool) map[string]any { return map[string]any{"supported": on} }
	return &reply{code: http.StatusOK, body: map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":   is(true), "changePassword": is(false), "sort": is(false), "etag": is(true),
		"bulk":                  map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter":                map[string]any{"supported": true, "maxResults": maxPage},
		"authenticationSchemes": []map[string]any{{"type": "oauthbearertoken", "name": "Bearer token", "description": "The token that sealdock-ingest scim add told.", "specUri": "https://www.rfc-editor.org/info/rfc6750", "primary": true}},
		"meta":                  map[string]string{"resourceType": "ServiceProviderConfig", "location": h.Base + "/ServiceProviderConfig"},
	}}, nil
}

// project leaves out of a resource what is not wanted (RFC 7644 section 3.9); id and
// schemas are always there.
func (q *request) project(resource any) (any, error) {
	if !q.query.Has("attributes") && !q.query.Has("excludedAttributes") {
		return resource, nil
	}
	text, err := json.Marshal(resource)
	if err != nil {
		return nil, err
	}
	parts := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &parts); err != nil {
		return nil, err
	}
	for name := range parts {
		if name != "id" && name != "schemas" && q.omits(name) {
			delete(parts, name)
		}
	}
	return parts, nil
}
