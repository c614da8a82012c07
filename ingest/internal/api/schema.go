package api

import (
	"encoding"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/sealdock/sealdock/proto/evidence"
)

// shapes derives schemas (JSON Schema 2020-12, as OpenAPI 3.1 wants) from the types
// that are encoded and decoded, each named type once.
type shapes struct {
	named map[string]*jsonschema.Schema // components
	types map[string]reflect.Type       // of which types they are
}

const componentPath = "#/components/schemas/"

// written are the types whose JSON is not what their fields are.
func written() map[reflect.Type]*jsonschema.Schema {
	text := func(format, pattern string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Format: format, Pattern: pattern}
	}
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[time.Time]():           text("date-time", ""),
		reflect.TypeFor[[]byte]():              {Types: []string{"null", "string"}, ContentEncoding: "base64"},
		reflect.TypeFor[json.RawMessage]():     {},
		reflect.TypeFor[evidence.Digest]():     text("", "^[0-9a-f]{64}$"),
		reflect.TypeFor[evidence.EvidenceID](): text("", "^[0-9a-f]{32}$"),
		reflect.TypeFor[evidence.DockingID]():  text("", "^[0-9a-f]{32}$"),
	}
}

// of is the schema of a type: a reference where it has a name. Bodies are apart from
// answers: nothing else is taken in them, while answers may get more fields.
func (s *shapes) of(t reflect.Type, body bool) *jsonschema.Schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s.add(t, body)
	return &jsonschema.Schema{Ref: componentPath + componentName(t, body)}
}

// add derives the component of a struct, and those of the structs in it.
func (s *shapes) add(t reflect.Type, body bool) {
	name := componentName(t, body)
	if other, there := s.types[name]; there {
		if other != t {
			panic(fmt.Sprintf("api: %s and %s would both be %s in the document", other, t, name))
		}
		return
	}
	s.types[name] = t
	known := written()
	for _, inner := range structsIn(t) {
		s.add(inner, body)
		known[inner] = &jsonschema.Schema{Ref: componentPath + componentName(inner, body)}
	}
	for _, embedded := range embeddedIn(t) { // their fields are the struct's own
		delete(known, embedded)
	}
	schema, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		panic(fmt.Sprintf("api: %s cannot be described: %v", t, err)) // a type that no route can have
	}
	tidy(schema, body)
	if body {
		schema.Required = nil
		for _, f := range fieldsOf(t) {
			if f.required {
				schema.Required = append(schema.Required, f.name)
			}
		}
	}
	s.named[name] = schema
}

// tidy says what the derivation cannot: where a reference may be null, and that
// answers may have more fields one day.
func tidy(s *jsonschema.Schema, body bool) {
	if s == nil {
		return
	}
	if s.Ref != "" && slices.Contains(s.Types, "null") {
		s.AnyOf, s.Ref, s.Types = []*jsonschema.Schema{{Ref: s.Ref}, {Type: "null"}}, "", nil
	}
	if !body && len(s.Properties) > 0 {
		s.AdditionalProperties = nil
	}
	for _, p := range s.Properties {
		tidy(p, body)
	}
	tidy(s.Items, body)
	tidy(s.AdditionalProperties, body)
}

// structsIn are the named structs that the fields of t lead to, those in them not.
func structsIn(t reflect.Type) (all []reflect.Type) {
	known := written()
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		if known[t] != nil || slices.Contains(all, t) {
			return
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			if t.Kind() != reflect.Pointer && writesItself(t) {
				panic(fmt.Sprintf("api: nobody says how %s is written: see written", t))
			}
			visit(t.Elem())
		case reflect.Struct:
			if writesItself(t) {
				panic(fmt.Sprintf("api: nobody says how %s is written: see written", t))
			}
			all = append(all, t)
		}
	}
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && f.Tag.Get("json") != "-" && !f.Anonymous {
			visit(f.Type)
		}
	}
	return all
}

// writesItself reports whether encoding/json leaves it to the type.
func writesItself(t reflect.Type) bool {
	for _, t := range []reflect.Type{t, reflect.PointerTo(t)} {
		if t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
			return true
		}
	}
	return false
}

func embeddedIn(t reflect.Type) (all []reflect.Type) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			all = append(all, f.Type)
		}
	}
	return all
}

// componentName is a type's name for others: itemShape is Item, and one of another
// package has that before it.
func componentName(t reflect.Type, body bool) string {
	name := t.Name()
	if t.PkgPath() != reflect.TypeFor[Nothing]().PkgPath() {
		name = path.Base(t.PkgPath()) + name
	}
	for _, suffix := range []string{"Shape", "Answer", "Body"} {
		if short, ok := strings.CutSuffix(name, suffix); ok && short != "" {
			if name = short; suffix == "Answer" {
				name += "Answer"
			}
		}
	}
	if body {
		name += "Body"
	}
	r := []rune(name)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}
