package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// Document is what the API answers, as OpenAPI 3.1.1 writes it. It is made of the
// descriptions of the routes and the types that they read and write.
type Document struct {
	OpenAPI    string                           `json:"openapi"`
	Info       Info                             `json:"info"`
	Servers    []Server                         `json:"servers"`
	Security   []map[string][]string            `json:"security"`
	Tags       []Tag                            `json:"tags"`
	Paths      map[string]map[string]*Operation `json:"paths"` // by path and method in lower case
	Components Components                       `json:"components"`

	text []byte
}

// Info is what the document is about.
type Info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

// Server is where the API is.
type Server struct {
	URL string `json:"url"`
}

// Tag is a heading.
type Tag struct {
	Name string `json:"name"`
}

// Operation is a route.
type Operation struct {
	ID          string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Parameters  []*Field              `json:"parameters,omitempty"`
	Body        *Content              `json:"requestBody,omitempty"`
	Responses   map[string]*Content   `json:"responses"` // by status
	Security    []map[string][]string `json:"security"`
	Asks        []string              `json:"x-permissions,omitempty"` // any one of these
	Fresh       bool                  `json:"x-fresh-factor,omitempty"`
	Idempotent  bool                  `json:"x-idempotent"` // asked twice, it does no more than once
}

// Field is a parameter.
type Field struct {
	Name        string             `json:"name"`
	In          string             `json:"in"`
	Required    bool               `json:"required,omitempty"`
	Description string             `json:"description"`
	Schema      *jsonschema.Schema `json:"schema"`
}

// Content is a body or an answer.
type Content struct {
	Description string             `json:"description,omitempty"`
	Required    bool               `json:"required,omitempty"` // of a body
	Headers     map[string]*Field  `json:"headers,omitempty"`
	Content     map[string]Encoded `json:"content,omitempty"` // by media type
}

// Encoded is something in a media type.
type Encoded struct {
	Schema *jsonschema.Schema `json:"schema,omitempty"`
}

// Components are what the rest refers to.
type Components struct {
	Schemas         map[string]*jsonschema.Schema `json:"schemas"`
	SecuritySchemes map[string]SecurityScheme     `json:"securitySchemes"`
}

// SecurityScheme is a way to show who asks.
type SecurityScheme struct {
	Type        string `json:"type"`
	Name        string `json:"name,omitempty"`
	In          string `json:"in,omitempty"`
	Scheme      string `json:"scheme,omitempty"`
	Description string `json:"description"`
}

const aboutAll = `Every answer holds what the person who asks may see, and every act is on record in the custody log, as on the pages.
Errors are problem details (RFC 9457). Times are RFC 3339 in UTC, sizes bytes, hashes and ids lower-case hex. Within a version, fields are added and never changed or removed.
What a person may not see answers 404 like what is not there.`

// documentOf describes routes.
func documentOf(all []Route) *Document {
	s := &shapes{map[string]*jsonschema.Schema{}, map[string]reflect.Type{}}
	d := &Document{
		OpenAPI: "3.1.1", Info: Info{"Sealdock", "1", aboutAll}, Servers: []Server{{"/"}}, Tags: []Tag{},
		Security: []map[string][]string{{"session": {}}, {"token": {}}}, Paths: map[string]map[string]*Operation{},
		Components: Components{Schemas: s.named, SecuritySchemes: map[string]SecurityScheme{
			"session": {Type: "apiKey", In: "cookie", Name: auth.CookieName, Description: "The cookie of somebody who signed in at /sign-in."},
			"token":   {Type: "http", Scheme: "bearer", Description: "A token that somebody made on their account. It does what its scopes and its person's rights both allow, at the moment of asking. Not together with a cookie."},
		}},
	}
	for i := range all {
		route := &all[i]
		method, path, _ := strings.Cut(route.pattern, " ")
		if d.Paths[path] == nil {
			d.Paths[path] = map[string]*Operation{}
		}
		d.Paths[path][strings.ToLower(method)] = route.operation(s)
		if !slices.Contains(d.Tags, Tag{route.Tag}) {
			d.Tags = append(d.Tags, Tag{route.Tag})
		}
	}
	d.text, _ = json.Marshal(d) // made of schemas that were just derived
	return d
}

func (d *Document) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(d.text)))
	w.Write(d.text)
}

// operation describes one route.
func (r *Route) operation(s *shapes) *Operation {
	method, path, _ := strings.Cut(r.pattern, " ")
	o := &Operation{
		ID: operationID(method, path), Tags: []string{r.Tag}, Summary: r.Summary, Description: r.words(), Responses: map[string]*Content{},
		Security: []map[string][]string{{"session": {}}}, Fresh: r.Fresh, Idempotent: method != http.MethodPost,
	}
	switch {
	case r.Token:
		o.Security = []map[string][]string{{"token": {}}}
	case r.byToken():
		for _, scope := range r.scopes() {
			o.Security = append(o.Security, map[string][]string{"token": {scope}})
		}
	}
	for _, do := range r.Asks {
		o.Asks = append(o.Asks, string(do))
	}
	for _, name := range wildcard.FindAllStringSubmatch(path, -1) {
		o.Parameters = append(o.Parameters, &Field{Name: name[1], In: "path", Required: true, Description: pathWords[name[1]], Schema: &jsonschema.Schema{Type: "string"}})
	}
	for _, p := range r.parameters() {
		o.Parameters = append(o.Parameters, &Field{Name: p.Name, In: "query", Description: p.About, Schema: p.schema()})
	}
	if r.keyed() {
		o.Parameters = append(o.Parameters, &Field{Name: "Idempotency-Key", In: "header", Schema: &jsonschema.Schema{Type: "string", MaxLength: jsonschema.Ptr(maxKeyText + 2)},
			Description: "Of your choice, another one for each act. Asked again with the same key and body within a day, nothing is done again, and the same is answered."})
	}
	if r.body != nil {
		schema := s.of(r.body, true)
		o.Body = &Content{Required: slices.ContainsFunc(fieldsOf(r.body), func(f field) bool { return f.required }), Content: map[string]Encoded{"application/json": {schema}}}
	}
	done := &Content{Description: "Done."}
	switch {
	case r.answer != nil:
		done.Content = map[string]Encoded{"application/json": {s.of(r.answer, false)}}
	case r.media != nil:
		done.Content = map[string]Encoded{}
		for _, media := range r.media {
			done.Content[media] = Encoded{}
		}
	}
	o.Responses[strconv.Itoa(r.status)] = done
	if r.canWait() {
		o.Responses[strconv.Itoa(http.StatusAccepted)] = &Content{Description: "It is not done: it waits for a second person, at the address in Location.", Content: map[string]Encoded{"application/json": {s.of(reflect.TypeFor[waitingAnswer](), false)}}}
	}
	problem := s.of(reflect.TypeFor[Problem](), false)
	for code, words := range r.refusals() {
		o.Responses[strconv.Itoa(code)] = &Content{Description: words, Content: map[string]Encoded{"application/problem+json": {problem}}}
	}
	return o
}

// words are what the description says besides the summary.
func (r *Route) words() string {
	var all []string
	if r.About != "" {
		all = append(all, r.About)
	}
	if r.Fresh {
		all = append(all, "It wants a factor that was shown in the session within the last 5 minutes, see /api/v1/me/confirm.")
	}
	return strings.Join(all, " ")
}

// refusals are the codes of all problems that a route can answer, in words.
func (r *Route) refusals() map[int]string {
	words := map[int]string{
		http.StatusBadRequest:            "The request cannot be read.",
		http.StatusNotFound:              r.Missing,
		http.StatusConflict:              "It is not in a state that allows this, or there is one already.",
		http.StatusRequestEntityTooLarge: "The body is too long.",
		http.StatusUnprocessableEntity:   "It can be read, and cannot be taken.",
		http.StatusTooManyRequests:       "Too often: wait as long as Retry-After says.",
		http.StatusServiceUnavailable:    "Not at the moment; the detail says why.",
	}
	all := map[int]string{
		http.StatusBadRequest:          words[http.StatusBadRequest],
		http.StatusUnauthorized:        "Nobody is signed in with this, or no longer.",
		http.StatusForbidden:           "Who asks may not do this; the detail says why.",
		http.StatusTooManyRequests:     words[http.StatusTooManyRequests],
		http.StatusInternalServerError: "Something on the server failed. Nothing was changed.",
		http.StatusServiceUnavailable:  words[http.StatusServiceUnavailable],
	}
	codes := slices.Clone(r.Codes)
	if r.keyed() {
		codes = append(codes, http.StatusConflict, http.StatusUnprocessableEntity)
	}
	if r.Missing != "" {
		codes = append(codes, http.StatusNotFound)
	}
	if r.body != nil {
		codes = append(codes, http.StatusRequestEntityTooLarge)
	}
	for _, code := range codes {
		all[code] = words[code]
	}
	return all
}

func (p *Parameter) schema() *jsonschema.Schema {
	switch p.Kind {
	case Time:
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	case Number:
		return &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(float64(p.Min)), Maximum: jsonschema.Ptr(float64(p.Max))}
	case True:
		return &jsonschema.Schema{Type: "string", Enum: []any{"true"}}
	}
	schema := &jsonschema.Schema{Type: "string"}
	for _, value := range p.Enum {
		schema.Enum = append(schema.Enum, value)
	}
	return schema
}

// operationID names a route for programs: getItemsIdEvents.
func operationID(method, path string) string {
	id := strings.ToLower(method)
	for _, part := range strings.FieldsFunc(strings.TrimPrefix(path, "/api/v1/"), func(r rune) bool { return strings.ContainsRune("/{}-", r) }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}
