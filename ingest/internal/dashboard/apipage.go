package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// documented is an API that says what it answers.
type documented interface{ Document() *api.Document }

// apiView is the document of the API for people.
type apiView struct {
	base
	About  []string
	Groups []apiGroup
	Shapes []apiShape
}

type apiGroup struct {
	Name, ID string
	Routes   []apiRoute
}

type apiRoute struct {
	ID, Method, Path string
	Summary, About   string
	Asks             []string
	ByToken, Keyed   bool
	Parameters       []apiField
	Body, Answer     apiType
	Files            []string // media types of an answer that is a file
	Refusals         []string // codes
}

type apiShape struct {
	Name   string
	Fields []apiField
}

type apiField struct {
	Name, In, About string
	Required        bool
	Type            apiType
}

// apiType is a type in words, with the shape that it leads to.
type apiType struct{ Before, Shape, After string }

func (d *Dashboard) apiPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	of, ok := d.API.(documented)
	if !ok {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such page", "This server has no API.")
		return
	}
	document := of.Document()
	v := &apiView{base: d.roomBase(r.Context(), actor, "API", "account"), About: strings.Split(document.Info.Description, "\n")}
	for _, tag := range document.Tags {
		g := apiGroup{Name: tag.Name, ID: "tag-" + strings.ReplaceAll(strings.ToLower(tag.Name), " ", "-")}
		for path, byMethod := range document.Paths {
			for method, o := range byMethod {
				if slices.Contains(o.Tags, tag.Name) {
					g.Routes = append(g.Routes, apiRouteOf(strings.ToUpper(method), path, o))
				}
			}
		}
		slices.SortFunc(g.Routes, func(a, b apiRoute) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
		v.Groups = append(v.Groups, g)
	}
	for name, schema := range document.Components.Schemas {
		v.Shapes = append(v.Shapes, apiShape{name, apiFields(schema)})
	}
	slices.SortFunc(v.Shapes, func(a, b apiShape) int { return strings.Compare(a.Name, b.Name) })
	d.show(w, r, http.StatusOK, "api", v)
}

func apiRouteOf(method, path string, o *api.Operation) apiRoute {
	v := apiRoute{ID: o.ID, Method: method, Path: path, Summary: o.Summary, About: o.Description, Asks: o.Asks}
	for _, way := range o.Security {
		_, byToken := way["token"]
		v.ByToken = v.ByToken || byToken
	}
	for _, p := range o.Parameters {
		if p.In == "header" {
			v.Keyed = true
			continue
		}
		v.Parameters = append(v.Parameters, apiField{Name: p.Name, In: p.In, About: p.Description, Required: p.Required, Type: apiTypeOf(p.Schema)})
	}
	if o.Body != nil {
		v.Body = apiTypeOf(o.Body.Content["application/json"].Schema)
	}
	for code, answer := range o.Responses {
		if code >= "400" {
			v.Refusals = append(v.Refusals, code)
			continue
		}
		for media, content := range answer.Content {
			if v.Answer = apiTypeOf(content.Schema); content.Schema == nil {
				v.Files = append(v.Files, media)
			}
		}
	}
	slices.Sort(v.Refusals)
	slices.Sort(v.Files)
	return v
}

func apiFields(schema *jsonschema.Schema) (all []apiField) {
	for _, name := range schema.PropertyOrder {
		p := schema.Properties[name]
		all = append(all, apiField{Name: name, About: p.Description, Required: slices.Contains(schema.Required, name), Type: apiTypeOf(p)})
	}
	return all
}

// apiTypeOf puts a schema into words.
func apiTypeOf(s *jsonschema.Schema) apiType {
	if s == nil {
		return apiType{}
	}
	words := slices.DeleteFunc(append([]string{s.Type}, s.Types...), func(t string) bool { return t == "" || t == "null" })
	null := ""
	if slices.Contains(s.Types, "null") {
		null = " or null"
	}
	switch {
	case s.Ref != "":
		return apiType{Shape: s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]}
	case len(s.AnyOf) > 0:
		t := apiTypeOf(s.AnyOf[0])
		t.After += " or null"
		return t
	case s.Items != nil:
		t := apiTypeOf(s.Items)
		t.Before, t.After = "list of "+t.Before, t.After+null
		return t
	case s.AdditionalProperties != nil && len(words) == 1 && words[0] == "object":
		t := apiTypeOf(s.AdditionalProperties)
		t.Before = "object of " + t.Before
		return t
	case len(words) == 0:
		return apiType{Before: "anything"}
	case len(s.Enum) > 0:
		var values []string
		for _, value := range s.Enum {
			if text, ok := value.(string); ok {
				values = append(values, text)
			}
		}
		return apiType{Before: strings.Join(values, ", ")}
	case s.Format == "date-time":
		return apiType{Before: "time" + null}
	case s.ContentEncoding != "":
		return apiType{Before: s.ContentEncoding + null}
	}
	return apiType{Before: words[0] + null}
}
