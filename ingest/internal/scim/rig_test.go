package scim

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/directory"
	"github.com/sealdock/sealdock/proto/evidence"
)

// rig is the handler over a real catalog and real accounts.
type rig struct {
	t      *testing.T
	at     time.Time
	db     *sqldb.DB
	people *auth.Service
	server *httptest.Server
	token  string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, at: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)}
	now := func() time.Time { return r.at }
	var err error
	if r.db, err = sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"), now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.db.Close() })
	r.people, err = auth.New(auth.Config{Catalog: r.db, Agency: "metro-pd", Pepper: make([]byte, auth.PepperSize), Now: now, Directory: &auth.Directory{
		Recheck: 10 * time.Minute, Appointments: []directory.Appointment{{Group: "evidence-admins", Role: "administrator"}, {Group: "evidence-operators", Role: "operator"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewTLSServer(New(Config{Auth: r.people, Base: "https://evidence.example.org" + Prefix, Now: now, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}))
	t.Cleanup(r.server.Close)
	r.token = r.client("entra")
	return r
}

func local() (evidence.Actor, auth.Origin) {
	return evidence.Actor{Kind: "server", ID: "local"}, auth.Origin{Address: "local"}
}

// client makes a provisioner and returns its token.
func (r *rig) client(name string, networks ...string) string {
	r.t.Helper()
	by, from := local()
	token, err := r.people.MakeProvisioner(r.t.Context(), auth.NewProvisioner{Name: name, Life: 24 * time.Hour, Networks: networks}, by, from)
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

type answer struct {
	code   int
	header http.Header
	body   any
}

// call sends a request; body is text, or is marshalled.
func (r *rig) call(method, path string, body any, headers ...string) answer {
	r.t.Helper()
	var content []byte
	switch body := body.(type) {
	case nil:
	case string:
		content = []byte(body)
	default:
		var err error
		if content, err = json.Marshal(body); err != nil {
			r.t.Fatal(err)
		}
	}
	path, query, _ := strings.Cut(path, "?")
	if query != "" {
		query = "?" + strings.NewReplacer(" ", "%20", `"`, "%22", "[", "%5B", "]", "%5D").Replace(query)
	}
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+Prefix+path+query, bytes.NewReader(content))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	request.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := r.server.Client().Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := answer{code: response.StatusCode, header: response.Header}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			r.t.Fatalf("%s %s answered %d with %q", method, path, a.code, text)
		}
		if got := response.Header.Get("Content-Type"); got != contentType {
			r.t.Errorf("%s %s: content type %q", method, path, got)
		}
	}
	return a
}

// want calls and requires a status.
func (r *rig) want(code int, method, path string, body any, headers ...string) answer {
	r.t.Helper()
	a := r.call(method, path, body, headers...)
	if a.code != code {
		r.t.Fatalf("%s %s: %d %v, not %d", method, path, a.code, a.body, code)
	}
	return a
}

func (a answer) id() string { return a.body.(map[string]any)["id"].(string) }

// made makes a person and returns their id.
func (r *rig) made(login string) string {
	r.t.Helper()
	return r.want(201, "POST", "/Users", map[string]any{"userName": login, "externalId": "x-" + login, "displayName": login}).id()
}

// grouped makes a group with members and returns its id.
func (r *rig) grouped(name string, members ...string) string {
	r.t.Helper()
	list := []any{}
	for _, m := range members {
		list = append(list, map[string]any{"value": m})
	}
	return r.want(201, "POST", "/Groups", map[string]any{"displayName": name, "members": list}).id()
}

func patch(op, path string, value any) map[string]any {
	return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{map[string]any{"op": op, "path": path, "value": value}}}
}

func (r *rig) account(id string) *catalog.User {
	r.t.Helper()
	u, err := r.db.User(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return u
}

// events returns the events of a kind, as JSON, the newest first.
func (r *rig) events(kind evidence.EventType) []string {
	r.t.Helper()
	rows, err := r.db.Events(r.t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: kind}, 200)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, row := range rows {
		all = append(all, string(row.JSON))
	}
	return all
}
