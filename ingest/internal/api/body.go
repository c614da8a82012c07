package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/proto/evidence"
)

// readBody is how every body is read: one JSON object with the fields of v and no
// others, each once, those with the tag required:"true" not missing. No body at all is
// an empty object, but of a deliberate one. It returns a *Problem.
func readBody(r *http.Request, v any) error {
	b, err := io.ReadAll(r.Body)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return refuse(http.StatusRequestEntityTooLarge, "Too long", fmt.Sprintf("This address takes a body of up to %d bytes.", long.Limit))
	case err != nil:
		return err
	case len(strings.TrimSpace(string(b))) == 0:
		if _, must := v.(deliberate); must {
			return unreadable("Send " + sketch(reflect.TypeOf(v).Elem()) + ".")
		}
		b = []byte("{}")
	}
	var there map[string]any
	if err := evidence.DecodeStrict(b, &there); err != nil || there == nil {
		return unreadable("Send one JSON object, each name once, as UTF-8" + because(err))
	}
	if err := evidence.DecodeStrict(b, v); err != nil {
		return unreadable("Send " + sketch(reflect.TypeOf(v).Elem()) + because(err))
	}
	for _, f := range fieldsOf(reflect.TypeOf(v).Elem()) {
		if f.required && there[f.name] == nil {
			return unreadable(f.name + " is missing. Send " + sketch(reflect.TypeOf(v).Elem()) + ".")
		}
	}
	return nil
}

// deliberate is a body that must be sent, even if it is {}: what it asks for must not
// come of a request that lost it.
type deliberate interface{ deliberate() }

func because(err error) string {
	if err == nil {
		return "."
	}
	text := err.Error()
	if len(text) > 200 {
		text = text[:200]
	}
	return ": " + strings.ToValidUTF8(text, "") + "."
}

// field is one of a body's, as JSON names it.
type field struct {
	name     string
	required bool
}

func fieldsOf(t reflect.Type) (all []field) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "" || name == "-" {
			continue
		}
		all = append(all, field{name, f.Tag.Get("required") == "true"})
	}
	return all
}

// sketch says what fields a body has.
func sketch(t reflect.Type) string {
	var names []string
	for _, f := range fieldsOf(t) {
		name := strconv.Quote(f.name)
		if !f.required {
			name += " (optional)"
		}
		names = append(names, name)
	}
	return "a JSON object with " + strings.Join(names, ", ")
}

// query are the parameters that a request gave, checked.
type query map[string]string

// readQuery refuses parameters that a route does not have, twice the same, and values
// that cannot be. It returns a *Problem.
func (r *Route) readQuery(q url.Values) (query, error) {
	given, known := query{}, r.parameters()
	for name, values := range q {
		i := slices.IndexFunc(known, func(p Parameter) bool { return p.Name == name })
		if i < 0 {
			return nil, wrongQuery(clip(name) + ": not a parameter; " + named(known))
		}
		if len(values) != 1 || !utf8.ValidString(values[0]) || len(values[0]) > 1024 || strings.ContainsFunc(values[0], func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return nil, wrongQuery(name + ": once, as text of at most 1024 bytes")
		}
		if why := known[i].wrong(values[0]); why != "" {
			return nil, wrongQuery(name + ": " + why)
		}
		given[name] = values[0]
	}
	return given, nil
}

func named(all []Parameter) string {
	if len(all) == 0 {
		return "there are none here"
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	return "there are " + strings.Join(names, ", ")
}

func wrongQuery(detail string) *Problem {
	return refuse(http.StatusBadRequest, "The search cannot be read", detail)
}

// wrong says why a value cannot be.
func (p *Parameter) wrong(value string) string {
	switch p.Kind {
	case Time:
		if at, err := time.Parse(time.RFC3339Nano, value); err != nil || at.Year() < 1970 || at.Year() > 9999 {
			return "a time as RFC 3339 writes it: 2026-11-22T14:03:07Z"
		}
	case Number:
		if n, err := strconv.Atoi(value); err != nil || n < p.Min || n > p.Max {
			return fmt.Sprintf("%d to %d", p.Min, p.Max)
		}
	case True:
		if value != "true" {
			return "true, or left out"
		}
	case Text:
		if len(p.Enum) > 0 && !slices.Contains(p.Enum, value) {
			return "one of " + strings.Join(p.Enum, ", ")
		}
	}
	return ""
}

// Text is the value of a parameter, "" where it was left out.
func (r *Request) Text(name string) string { return r.values[name] }

// Time is the value of a parameter, zero where it was left out.
func (r *Request) Time(name string) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, r.values[name]) // checked
	return at
}

// Number is the value of a parameter, or other where it was left out.
func (r *Request) Number(name string, other int) int {
	if n, err := strconv.Atoi(r.values[name]); err == nil {
		return n
	}
	return other
}

// maxLimit is the longest page of a list, and defaultLimit how long one is.
const (
	maxLimit     = 200
	defaultLimit = 50
)
