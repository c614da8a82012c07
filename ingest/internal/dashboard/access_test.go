package dashboard_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/testkit/routes"
	"github.com/sealdock/sealdock/proto/evidence"
)

var writeAccess = flag.Bool("write-access", false, "write testdata/access.txt anew, to be read line by line before it is kept")

const accessFile = "testdata/access.txt"

const accessHead = `# How every route answers: + let in (whatever became of it), - refused (403), 0 not found (404), o turned
# away to sign in. Three signs: about what is within everybody's grants, about another station's or person's,
# about another agency's. Behind a | the same with a token that has every scope that the person can give one,
# behind another | with such a token for a phone, where phones may only look; for routes of the API.
`

// thing is what a request is about: what is within everybody's grants, what is of
// another station, or what is of another agency. file is a case.
type thing struct{ item, serial, dock, station, person, power, file, request string }

// The roles in the order of the table's columns. Administrators come last: what they
// change does not disturb the others.
var accessRoles = []auth.Role{auth.Officer, auth.Supervisor, auth.Investigator, auth.Prosecutor, auth.Auditor, auth.Operator, auth.EvidenceManager, auth.Administrator}

// TestEveryRouteAnswersEveryRoleAsTheTableSays asks every route that is registered, as
// every shipped role and as nobody, about each thing. A route that the table does not
// have fails.
func TestEveryRouteAnswersEveryRoleAsTheTableSays(t *testing.T) {
	s := newSite(t, func(c *dashboard.Config) {
		c.Derive = derive.New(derive.Config{Catalog: c.Cameras.Catalog, Originals: c.Packages, Agency: readingtest.Agency, Now: c.Now, Logger: slog.New(slog.DiscardHandler)})
	})
	s.fill(t)
	boss := s.Actor(t, s.SetUp(t))
	things := s.things(t, boss)
	clients, tokens := map[auth.Role]*http.Client{"nobody": s.client(t)}, map[auth.Role][]*http.Client{}
	for _, role := range accessRoles {
		_, clients[role] = s.member(t, boss, "r."+string(role), role, map[bool]string{true: "B-17"}[role == auth.Officer])
		if role == auth.Supervisor || role == auth.Investigator || role == auth.Prosecutor {
			if _, err := s.Auth.Desk(boss).Grant(t.Context(), catalog.Grant{Holder: catalog.ToRole, HolderID: string(role), Role: string(role), Scope: catalog.OnStation, Value: "north"}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Auth.Desk(boss).Grant(t.Context(), catalog.Grant{Holder: catalog.ToRole, HolderID: string(role), Role: string(role), Scope: catalog.OnCase, Value: "26-1184"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, role := range accessRoles {
		tokens[role] = []*http.Client{s.program(t, clients[role], auth.API), s.program(t, clients[role], auth.Mobile)}
	}
	if _, err := s.Settings.For(boss).Set(t.Context(), settings.Change{Name: "access.role_clients", Value: "* mobile look", Reason: "asked by a test"}); err != nil {
		t.Fatal(err)
	}
	patterns := slices.Concat(routes.Of(t, dashboard.Routes(dashboard.Config{Settings: s.Settings, Webhooks: s.Webhooks, Freezes: s.Freezes})), routes.Of(t, api.Routes(api.Config{Settings: s.Settings, Webhooks: s.Webhooks, Freezes: s.Freezes})))
	patterns = slices.DeleteFunc(patterns, func(p string) bool {
		return p == "/" || p == "/api/v1/" || p == "GET /api/openapi.json" || p == "POST /sign-out" // the rest; and what would end the sessions
	})
	var lines []string
	requests := 0
	for _, pattern := range patterns {
		s.Clock.Advance(2 * time.Minute) // nobody is told to wait, and no session ends
		s.confirmed(t)
		line := pattern
		for _, role := range append([]auth.Role{"nobody"}, accessRoles...) {
			line += " " + string(role) + "="
			for i, about := range things {
				if i > 0 && !strings.Contains(pattern, "{") && !strings.HasPrefix(pattern, "POST /cameras/") && pattern != "POST /api/v1/packages" {
					break
				}
				line += s.class(t, clients[role], pattern, about)
				requests++
			}
			if !strings.Contains(pattern, " /api/v1/") {
				continue
			}
			for _, token := range tokens[role] {
				line += "|"
				for i, about := range things {
					if i > 0 && !strings.Contains(pattern, "{") && pattern != "POST /api/v1/packages" {
						break
					}
					line += s.class(t, token, pattern, about)
					requests++
				}
			}
		}
		lines = append(lines, line)
	}
	got := strings.Join(lines, "\n") + "\n"
	if *writeAccess {
		if err := os.WriteFile(accessFile, []byte(accessHead+got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(accessFile)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			want[routeOf(line)] = line
		}
	}
	unexpected := 0
	for _, line := range lines {
		if want[routeOf(line)] != line {
			unexpected++
			t.Errorf("this route answers\n  %s\nand the table says\n  %s", line, want[routeOf(line)])
		}
		delete(want, routeOf(line))
	}
	for route := range want {
		t.Errorf("the table has %s, which is no route", route)
	}
	t.Logf("%d routes, %d roles and nobody, %d requests, %d unexpected answers", len(lines), len(accessRoles), requests, unexpected)
}

func routeOf(line string) string {
	before, _, _ := strings.Cut(line, " nobody=")
	return before
}

// program is a client that asks with a token, for a kind of program, of whoever uses
// another one.
func (s *site) program(t *testing.T, of *http.Client, kind auth.Client) *http.Client {
	t.Helper()
	u, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range of.Jar.Cookies(u) {
		if c.Name != auth.CookieName {
			continue
		}
		actor, err := s.Auth.Actor(t.Context(), c.Value, auth.Origin{Address: "192.0.2.8"})
		if err != nil {
			t.Fatal(err)
		}
		want := auth.NewToken{Name: "everything on " + string(kind), Client: kind}
		for _, deed := range auth.TokenScopes(actor) {
			want.Scopes = append(want.Scopes, deed.Action)
		}
		text, _, err := s.Auth.MakeToken(t.Context(), actor, want)
		if err != nil {
			t.Fatal(err)
		}
		client := *s.server.Client()
		client.Transport = bearer{text, client.Transport}
		return &client
	}
	t.Fatal("nobody is signed in with this client")
	return nil
}

// bearer sends a token with each request.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// things makes what requests are about.
func (s *site) things(t *testing.T, boss *auth.Actor) []thing {
	t.Helper()
	own := s.Keep(t, readingtest.Recording{Path: "DCIM/OWN.MP4", Badge: "B-17", Content: []byte("own")})
	other := s.Keep(t, readingtest.Recording{Path: "DCIM/OTHER.MP4", Badge: "B-99", Dock: "pier-4", Station: "harbour", Content: []byte("other")})
	foreign := catalogtest.NewItem(7, s.Clock.Now())
	foreign.Agency, foreign.Station, foreign.WearerID = "other-pd", "north", "B-17"
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		seen := func(agency evidence.AgencyID, serial string, dock evidence.DockID) error {
			return tx.CameraSeen(ctx, &catalog.Camera{Agency: agency, Serial: serial, LastDock: dock, LastSeenAt: s.Clock.Now()})
		}
		return errors.Join(tx.InsertItem(ctx, foreign), seen(readingtest.Agency, "NORTH-1", "front-desk"), seen(readingtest.Agency, "HARBOUR-1", "pier-4"), seen("other-pd", "FOREIGN-1", "front-desk"),
			tx.PutCase(ctx, &catalog.Case{Agency: readingtest.Agency, ID: "case-granted", Number: "26-1184", Title: "Fire", OpenedAt: s.Clock.Now()}),
			tx.PutCase(ctx, &catalog.Case{Agency: readingtest.Agency, ID: "case-other", Number: "26-1185", Title: "Theft", OpenedAt: s.Clock.Now()}),
			tx.PutCase(ctx, &catalog.Case{Agency: "other-pd", ID: "case-foreign", Number: "26-1186", Title: "Theirs", OpenedAt: s.Clock.Now()}),
			tx.InsertWebhook(ctx, &catalog.Webhook{Agency: readingtest.Agency, ID: "0123456789abcdef", Name: "records", URL: "https://records.example.org/"}),
			tx.InsertUser(ctx, &catalog.User{ID: "feed", Agency: "other-pd", Login: "f.oreign", Name: "Foreign", Password: "x", Role: string(auth.Administrator), CreatedAt: s.Clock.Now()}))
	})
	s.member(t, boss, "t.arget", auth.Officer, "")
	s.member(t, boss, "t.wo", auth.Officer, "")
	return []thing{
		{own.ID.String(), "NORTH-1", "front-desk", "north", "t.arget", "officer", "case-granted", ""},
		{other.ID.String(), "HARBOUR-1", "pier-4", "harbour", "t.wo", "auditor", "case-other", ""},
		{foreign.ID.String(), "FOREIGN-1", "their-dock", "theirs", "feed", "0123456789abcdef", "case-foreign", ""},
	}
}

var wild = regexp.MustCompile(`\{[^}]*\}`)

// path is a pattern's path, about the thing.
func (about thing) path(path string) string {
	return wild.ReplaceAllStringFunc(path, func(name string) string {
		switch {
		case name == "{$}":
			return ""
		case strings.Contains(path, "/docks/"):
			return about.dock
		case name == "{station}":
			return about.station
		case name == "{serial}":
			return about.serial
		case name == "{item}":
			return about.item
		case strings.Contains(path, "/cases/"):
			return about.file
		case name == "{name}", name == "{person}", strings.Contains(path, "/people/"):
			return about.person
		case strings.Contains(path, "/approvals/") && about.request != "":
			return about.request
		case strings.Contains(path, "/roles/"):
			return about.power
		case strings.Contains(path, "/evidence/"), strings.Contains(path, "/items/"):
			return about.item
		}
		return "0123456789abcdef" // of a group, a grant, an alert: there is none
	})
}

// class asks a route and says how it answered: + it was let in (whatever became of it),
// - refused, 0 not found, o turned away to sign in.
func (s *site) class(t *testing.T, client *http.Client, pattern string, about thing) string {
	t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	path = about.path(path)
	kind, body := about.body(pattern)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept", "text/html")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	defer answer.Body.Close() // a stream's never ends by itself
	switch to := answer.Header.Get("Location"); {
	case answer.StatusCode == http.StatusUnauthorized, strings.HasPrefix(to, "/sign-in"):
		return "o"
	case answer.StatusCode == http.StatusForbidden:
		return "-"
	case answer.StatusCode == http.StatusNotFound:
		return "0"
	}
	return "+"
}

// body is one that a route takes, so that nothing but the right to it is judged.
func (about thing) body(pattern string) (kind, text string) {
	if strings.Contains(pattern, " /cameras/") {
		return "application/x-www-form-urlencoded", url.Values{"serial": {about.serial}, "reason": {"asked by a test"}, "sure": {"yes"}, "officer": {"Ann"}, "number": {"1"}, "key": {evidence.SHA256(nil).String()}}.Encode()
	}
	if !strings.Contains(pattern, "/api/") {
		return "application/x-www-form-urlencoded", url.Values{
			"reason": {"asked by a test"}, "sure": {"yes"}, "id": {"0123456789abcdef"},
			"from": {"0:01"}, "to": {"0:02"}, "act": {"reset"}, "item": {about.item}, "person": {about.person}, "in": {"yes"}, "was": {"none"}, "dock": {about.dock}, "station": {about.station}, "version": {"99"},
		}.Encode()
	}
	if strings.HasSuffix(pattern, "/approvals/{id}/approve") {
		return "application/json", `{"digest":"` + evidence.SHA256(nil).String() + `"}`
	}
	switch pattern {
	case "POST /api/v1/freezes/{id}/end":
		return "application/json", `{"reason":"x"}`
	case "POST /api/v1/cases", "PUT /api/v1/cases/{id}":
		return "application/json", `{"number":"","title":"x"}`
	case "POST /api/v1/cases/{id}/items":
		return "application/json", fmt.Sprintf(`{"items":[%q]}`, about.item)
	}
	texts := map[string]string{
		"packages": `{"items":[{"id":"%s"}]}`, "clips": `{"from_us":0,"to_us":1000,"reason":"x"}`, "queue/order": `{"order":[]}`, "bandwidth": `{"windows":[]}`, "/sending": `{}`,
		"queue/move": `{"evidence_id":"%s","to":"first"}`, "queue/urgent": `{"evidence_id":"%s","urgent":true}`, "withdraw": `{"model":"X","counter":1}`, "acknowledge": `{}`, "v1/freezes": `{"scope":"item","value":"%s","reason":"x"}`,
		"enrolment-tokens": fmt.Sprintf(`{"dock":%q,"station":%q}`, about.dock, about.station), "annotation": `{"version":99}`, "/disable": `{}`, "/enable": `{}`,
		"v1/settings/": `{"value":"20","reason":"x"}`,
		"/approve":     `{"reason":"x"}`, "/block": `{"reason":"x"}`, "/hold": `{"reason":"x"}`, "/end-hold": `{"reason":"x"}`, "/assign": `{"officer":"Ann"}`,
		"/begin":  `{"number":1,"reason":"x"}`,
		"/settle": `{"number":1,"reason":"x"}`, "me/password": `{"old":"x","new":"y"}`, "people/{id}/change": `{"role":"auditor"}`,
	}
	for part, body := range texts {
		if strings.Contains(pattern, part) {
			if strings.Contains(body, "%s") {
				body = fmt.Sprintf(body, about.item)
			}
			if part == "packages" {
				body = fmt.Sprintf(`{"items":[%q]}`, about.item)
			}
			return "application/json", body
		}
	}
	return "application/json", "{}"
}
