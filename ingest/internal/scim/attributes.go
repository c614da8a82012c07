package scim

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// object is a JSON object by its attributes in lower case, which SCIM does not tell
// apart (RFC 7643 section 2.1).
type object map[string]any

// maxAttributes bounds an object.
const maxAttributes = 500

func objectOf(v any) (object, error) {
	raw, ok := v.(map[string]any)
	if !ok {
		return nil, bad("invalidSyntax", "an object is needed here")
	}
	if len(raw) > maxAttributes {
		return nil, bad("invalidSyntax", "an object with %d attributes, %d are taken", len(raw), maxAttributes)
	}
	o := object{}
	for name, value := range raw {
		name = strings.ToLower(name)
		if _, twice := o[name]; twice {
			return nil, bad("invalidSyntax", "the attribute %.60q is there twice", name)
		}
		o[name] = value
	}
	return o, nil
}

// names are those of the attributes, always in one order.
func (o object) names() []string { return slices.Sorted(maps.Keys(o)) }

// decode reads the body of a request.
func (q *request) decode() (object, error) {
	var v any
	if err := json.Unmarshal(q.body, &v); err != nil {
		return nil, bad("invalidSyntax", "the body is no JSON")
	}
	return objectOf(v)
}

// target is which attribute is meant, in lower case.
type target struct {
	attribute, sub string
	where          filter.Expression // nil: all values
	foreign        bool              // of a schema that is not kept
}

// parsePath reads a path (RFC 7644 section 3.5.2, figure 7).
func parsePath(text, schema string) (target, error) {
	if len(text) > maxFilter {
		return target{}, bad("invalidPath", "the path has %d bytes, %d are taken", len(text), maxFilter)
	}
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, schema) || strings.HasPrefix(strings.ToLower(text), "urn:") && !strings.HasPrefix(strings.ToLower(text), strings.ToLower(schema)+":") {
		return target{attribute: text, foreign: true}, nil
	}
	p, err := filter.ParsePath([]byte(text))
	if err != nil {
		return target{}, bad("invalidPath", "the path %.60q cannot be read", text)
	}
	sub := p.AttributePath.SubAttributeName()
	if p.SubAttribute != nil {
		sub = *p.SubAttribute
	}
	return target{strings.ToLower(p.AttributePath.AttributeName), strings.ToLower(sub), p.ValueExpression, false}, nil
}

// text reads a text; null is none.
func text(name string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []any: // Entra ID wraps single values at times
		if len(v) == 1 {
			if o, err := objectOf(v[0]); err == nil {
				return text(name, o["value"])
			}
			return text(name, v[0])
		}
	}
	return "", bad("invalidValue", "%s must be a text", name)
}

// truth reads a truth value, which Entra ID writes as "True" and "False" at times.
func truth(name string, v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(v) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	case []any:
		if len(v) == 1 {
			if o, err := objectOf(v[0]); err == nil {
				return truth(name, o["value"])
			}
		}
	}
	return false, bad("invalidValue", "%s must be true or false", name)
}

// items reads the values of an attribute that has several; one alone counts too.
func items(name string, v any, most int) ([]object, error) {
	var raw []any
	switch v := v.(type) {
	case nil:
	case []any:
		raw = v
	default:
		raw = []any{v}
	}
	if len(raw) > most {
		return nil, bad("invalidValue", "%d %s, %d are taken", len(raw), name, most)
	}
	var all []object
	for _, one := range raw {
		if s, ok := one.(string); ok {
			one = map[string]any{"value": s}
		}
		o, err := objectOf(one)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// fits reports whether a value of an attribute with several is meant by what stands in
// brackets; of those only eq, and and or are understood.
func fits(e filter.Expression, value func(sub string) string) (bool, error) {
	switch e := e.(type) {
	case nil:
		return true, nil
	case *filter.LogicalExpression:
		left, err := fits(e.Left, value)
		if err != nil {
			return false, err
		}
		right, err := fits(e.Right, value)
		if e.Operator == filter.AND {
			return left && right, err
		}
		return left || right, err
	case *filter.AttributeExpression:
		if e.Operator == filter.EQ {
			wanted := ""
			switch v := e.CompareValue.(type) {
			case string:
				wanted = v
			case bool:
				wanted = map[bool]string{true: "true", false: "false"}[v]
			default:
				return false, bad("invalidPath", "what stands in brackets must compare with a text")
			}
			return strings.EqualFold(value(strings.ToLower(e.AttributePath.String())), wanted), nil
		}
	}
	return false, bad("invalidPath", "in brackets eq, and and or are supported")
}

// operation is one of a PATCH.
type operation struct {
	op    string // add, replace or remove
	path  string
	value any
}

const maxOperations = 1000

// operations reads the body of a PATCH (RFC 7644 section 3.5.2).
func (q *request) operations() ([]operation, error) {
	body, err := q.decode()
	if err != nil {
		return nil, err
	}
	raw, err := items("Operations", body["operations"], maxOperations)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, bad("invalidSyntax", "there are no Operations")
	}
	var all []operation
	for _, o := range raw {
		op, err := text("op", o["op"])
		if err != nil {
			return nil, err
		}
		path, err := text("path", o["path"])
		if err != nil {
			return nil, err
		}
		op = strings.ToLower(op)
		switch {
		case op != "add" && op != "replace" && op != "remove":
			return nil, bad("invalidSyntax", "op is %.60q: add, replace and remove are taken", op)
		case op == "remove" && path == "":
			return nil, bad("noTarget", "remove needs a path")
		}
		all = append(all, operation{op, path, o["value"]})
	}
	return all, nil
}

// each calls set for what an operation names: its path, or the attributes of its value.
func (o operation) each(schema string, set func(op string, at target, value any) error) error {
	if o.path != "" {
		at, err := parsePath(o.path, schema)
		if err != nil || at.foreign {
			return err
		}
		return set(o.op, at, o.value)
	}
	value, err := objectOf(o.value)
	if err != nil {
		return bad("invalidValue", "without a path the value must be an object")
	}
	for _, name := range value.names() {
		v := value[name]
		if name == "schemas" || name == "id" || name == "meta" || name == "groups" {
			continue // Okta sends the id along; it says nothing new
		}
		at, err := parsePath(name, schema)
		if err != nil {
			return err
		}
		if at.foreign {
			continue
		}
		if err := set(o.op, at, v); err != nil {
			return err
		}
	}
	return nil
}
