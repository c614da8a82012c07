package api_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/apitest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/testkit/routes"
)

// whole is the API with everything that a server can have.
func whole() *api.Handler {
	return api.New(api.Config{Auth: new(auth.Service), Keys: noKeys{}, Settings: new(settings.Service), Log: slog.New(slog.DiscardHandler)})
}

type noKeys struct{ api.KeyWork }

// Others read the document, too: it holds by the schema of OpenAPI 3.1 itself.
func TestTheDocumentIsOpenAPI(t *testing.T) {
	ok, wrong := apitest.Judge(t, whole()).ValidateDocument()
	if !ok {
		for _, e := range wrong {
			t.Errorf("%s: %s", e.Message, e.Reason)
			for _, s := range e.SchemaValidationErrors {
				t.Errorf("  %s: %s", s.FieldPath, s.Reason)
			}
		}
	}
}

func TestEveryRouteIsInTheDocument(t *testing.T) {
	c := api.Config{Auth: new(auth.Service), Keys: noKeys{}, Settings: new(settings.Service)}
	document := api.New(c).Document()
	described := 0
	for _, byMethod := range document.Paths {
		described += len(byMethod)
	}
	ids := map[string]bool{}
	patterns := routes.Of(t, api.Routes(c))
	for _, pattern := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if pattern == "/api/v1/" || path == "/api/openapi.json" {
			continue
		}
		o := document.Paths[path][strings.ToLower(method)]
		if o == nil {
			t.Errorf("%s is not described", pattern)
			continue
		}
		if ids[o.ID] {
			t.Errorf("%s: %s is another route's id, too", pattern, o.ID)
		}
		ids[o.ID] = true
	}
	if described != len(ids) {
		t.Errorf("%d routes are described, and there are %d", described, len(ids))
	}
	t.Logf("%d routes, %d schemas", described, len(document.Components.Schemas))
}

// A route that nobody could learn anything about cannot be made.
func TestARouteWantsADescription(t *testing.T) {
	do := func(*api.Request, *api.Nothing) (api.Nothing, error) { return api.Nothing{}, nil }
	good := api.Description{Tag: "Things", Summary: "Do it", Asks: []auth.Action{auth.ListItems}}
	refused := func(pattern string, change func(*api.Description)) (refused bool) {
		defer func() { refused = recover() != nil }()
		d := good
		change(&d)
		api.Answer(pattern, d, do)
		return false
	}
	if refused("GET /api/v1/things/{id}", func(*api.Description) {}) {
		t.Fatal("a good one is refused")
	}
	for name, change := range map[string]func(*api.Description){
		"no summary":        func(d *api.Description) { d.Summary = "" },
		"no tag":            func(d *api.Description) { d.Tag = "" },
		"no permission":     func(d *api.Description) { d.Asks = nil },
		"two":               func(d *api.Description) { d.Account = true },
		"a mute parameter":  func(d *api.Description) { d.Query = []api.Parameter{{Name: "q", Kind: api.Text}} },
		"a full stop at it": func(d *api.Description) { d.Summary = "Do it." },
	} {
		if !refused("GET /api/v1/things", change) {
			t.Errorf("%s is taken", name)
		}
	}
	for _, pattern := range []string{"/api/v1/things", "GET /other/things", "GET /api/v1/{unheard}", "TRACE /api/v1/things"} {
		if !refused(pattern, func(*api.Description) {}) {
			t.Errorf("%s is taken", pattern)
		}
	}
}

func TestTheDocumentIsForEverybody(t *testing.T) {
	w := httptest.NewRecorder()
	whole().ServeHTTP(w, httptest.NewRequest("GET", "/api/openapi.json", nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}
