package scim

import (
	"net/http"
	"strings"

	filter "github.com/scim2/filter-parser/v2"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// maxFilter bounds a filter and a path, in bytes.
const maxFilter = 1024

const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"
)

// parseFilter reads a filter (RFC 7644 section 3.4.2.2): comparisons by eq of texts, and
// of several of them all. What it does not understand it refuses, and never widens.
func parseFilter(text, schema string) (f catalog.ProvisionedFilter, err error) {
	if text == "" {
		return f, nil
	}
	if len(text) > maxFilter {
		return f, bad("invalidFilter", "the filter has %d bytes, %d are taken", len(text), maxFilter)
	}
	parsed, err := filter.ParseFilter([]byte(strings.TrimSpace(text)))
	if err != nil {
		return f, bad("invalidFilter", "the filter cannot be read: write it as userName eq \"name\"")
	}
	return f, narrow(&f, parsed, schema)
}

func narrow(f *catalog.ProvisionedFilter, e filter.Expression, schema string) error {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		if e.Operator != filter.AND {
			return bad("invalidFilter", "filters with %q are not supported: eq and and are", e.Operator)
		}
		if err := narrow(f, e.Left, schema); err != nil {
			return err
		}
		return narrow(f, e.Right, schema)
	case *filter.ValuePath: // members[value eq "…"]
		inner, ok := e.ValueFilter.(*filter.AttributeExpression)
		if !ok || !strings.EqualFold(e.AttributePath.AttributeName, "members") || !strings.EqualFold(inner.AttributePath.String(), "value") {
			return bad("invalidFilter", "of filters with brackets only members[value eq \"id\"] is supported")
		}
		return compare(f, "members", schema, inner)
	case *filter.AttributeExpression:
		name := strings.ToLower(e.AttributePath.String())
		if uri := e.AttributePath.URI(); strings.EqualFold(uri, schema) {
			name = name[len(uri)+1:]
		}
		return compare(f, name, schema, e)
	}
	return bad("invalidFilter", "filters with not are not supported: eq and and are")
}

func compare(f *catalog.ProvisionedFilter, name, schema string, e *filter.AttributeExpression) error {
	value, text := e.CompareValue.(string)
	if e.Operator != filter.EQ || !text {
		return bad("invalidFilter", "only comparisons by eq with a text in quotes are supported")
	}
	into, ok := map[string]*string{"id": &f.ID, "externalid": &f.ExternalID, "displayname": &f.DisplayName, "username": &f.UserName, "members": &f.Member, "members.value": &f.Member}[name]
	if !ok || (name == "username") != (schema == userSchema) && (name == "username" || strings.HasPrefix(name, "members") && schema == userSchema) {
		return bad("invalidFilter", "%.60q cannot be filtered by: id, externalId, displayName, and userName of users or members of groups can", name)
	}
	if value == "" || *into != "" && *into != value {
		value = impossible // an empty text fits nobody, and nothing is two things at once
	}
	*into = value
	return nil
}

// impossible is what no id and no name is: a control character is never kept.
const impossible = "\x01"

// where reads the filter of a request.
func (q *request) where(schema string) (catalog.ProvisionedFilter, error) {
	if q.Method != http.MethodGet {
		return catalog.ProvisionedFilter{}, nil
	}
	return parseFilter(q.query.Get("filter"), schema)
}
