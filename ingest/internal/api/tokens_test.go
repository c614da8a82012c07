package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/apitest"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/proto/evidence"
)

// program is what asks the API with a token, or with somebody's session.
type program struct {
	*desk
	token, session string
}

func newProgram(t *testing.T, change ...func(*api.Config)) *program {
	t.Helper()
	s := readingtest.New(t)
	s.Enrol(t, "north", "front-desk")
	decided, err := settings.New(t.Context(), settings.Config{Catalog: s.DB, Agency: readingtest.Agency, Now: s.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := api.Config{Auth: s.Auth, Reading: s.Reading, Packages: s.Packages, Fleet: s.Fleet, Cameras: s.Cameras, Cases: s.Cases, Uplink: s.Uplink, Settings: decided,
		Annotate: s.Annotate, Inspection: s.Inspection, Answers: s.DB, Now: s.Clock.Now, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&c)
	}
	return &program{desk: &desk{s, apitest.Checked(t, api.New(c)), s.SetUp(t)}}
}

type said struct {
	code   int
	header http.Header
	body   string
}

func (s said) String() string { return fmt.Sprintf("%d %s", s.code, s.body) }

// send asks with what the program has, and headers in pairs.
func (p *program) send(method, path, body string, headers ...string) said {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	if p.session != "" {
		r.AddCookie(auth.Cookie(p.session))
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Body)
	return said{w.Code, w.Header(), string(b)}
}

// made makes a token with a session and returns the program that has it.
func (p *program) made(t *testing.T, name string, scopes ...string) *program {
	t.Helper()
	list, _ := json.Marshal(scopes)
	person := &program{desk: p.desk, session: p.desk.session}
	a := person.send("POST", "/api/v1/me/tokens", fmt.Sprintf(`{"name":%q,"scopes":%s}`, name, list))
	var v struct{ Token, ID string }
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.code != http.StatusOK || !strings.HasPrefix(v.Token, "sdk_") {
		t.Fatal(a)
	}
	return &program{desk: p.desk, token: v.Token}
}

func TestAProgramAsksWithAToken(t *testing.T) {
	p := newProgram(t)
	item := p.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	looks := p.made(t, "looks", "evidence.list", "evidence.view")
	for path, want := range map[string]int{
		"/api/v1/items": 200, "/api/v1/items/" + item.ID.String(): 200, "/api/v1/token": 200,
		"/api/v1/overview": 403, "/api/v1/people": 403, "/api/v1/me": 403, "/api/v1/me/tokens": 403, "/api/v1/none": 404,
	} {
		if a := looks.send("GET", path, ""); a.code != want {
			t.Errorf("%s: %v, want %d", path, a, want)
		}
	}
	if a := looks.send("POST", "/api/v1/packages", fmt.Sprintf(`{"items":[%q]}`, item.ID)); a.code != 403 {
		t.Errorf("what is not among its scopes: %v", a)
	}
	if a := looks.send("POST", "/api/v1/me/tokens", `{"name":"child","scopes":["evidence.list"]}`); a.code != 403 || !strings.Contains(a.body, "Not with a token") {
		t.Errorf("a token that makes a token: %v", a)
	}
	if n := p.Events(t, evidence.EventTokenRefused, ""); n != 3 {
		t.Errorf("%d refusals of acts that no token does on record, want 3", n)
	}
	both := &program{desk: p.desk, token: looks.token, session: p.desk.session}
	if a := both.send("GET", "/api/v1/items", ""); a.code != 400 {
		t.Errorf("a token together with a cookie: %v", a)
	}
	wrong := &program{desk: p.desk, token: "sdk_" + strings.Repeat("a", 40)}
	if a := wrong.send("GET", "/api/v1/items", ""); a.code != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("no token: %v, %v", a, a.header)
	}
	person := &program{desk: p.desk, session: p.desk.session}
	if a := person.send("GET", "/api/v1/token", ""); a.code != 401 {
		t.Errorf("a session asks for its token: %v", a)
	}
	var v struct{ Tokens []struct{ ID string } }
	if a := person.send("GET", "/api/v1/me/tokens", ""); json.Unmarshal([]byte(a.body), &v) != nil || len(v.Tokens) != 1 || strings.Contains(a.body, looks.token) {
		t.Fatal(a)
	}
	if a := person.send("DELETE", "/api/v1/me/tokens/"+v.Tokens[0].ID, ""); a.code != 204 {
		t.Fatal(a)
	}
	if a := looks.send("GET", "/api/v1/items", ""); a.code != 401 {
		t.Errorf("revoked: %v", a)
	}
	if a := person.send("DELETE", "/api/v1/me/tokens/"+v.Tokens[0].ID, ""); a.code != 404 {
		t.Errorf("revoked again: %v", a)
	}
}

func TestARequestWithAKeyIsDoneOnce(t *testing.T) {
	p := newProgram(t)
	person := &program{desk: p.desk, session: p.desk.session}
	group := func(key, name string) said {
		return person.send("POST", "/api/v1/groups", fmt.Sprintf(`{"name":%q}`, name), "Idempotency-Key", key)
	}
	first := group(`"8e03978e-40d5"`, "Night")
	if first.code != 200 || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatal(first)
	}
	for _, key := range []string{`"8e03978e-40d5"`, "8e03978e-40d5"} {
		if a := group(key, "Night"); a.body != first.body || a.code != 200 || a.header.Get("Idempotency-Replayed") != "true" || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("again: %v, first it was %v", a, first)
		}
	}
	if n := p.Events(t, evidence.EventGroupChanged, ""); n != 1 {
		t.Errorf("it was done %d times", n)
	}
	if a := group(`"8e03978e-40d5"`, "Day"); a.code != 422 {
		t.Errorf("another body under the same key: %v", a)
	}
	if a := person.send("POST", "/api/v1/roles", `{"name":"Night"}`, "Idempotency-Key", "8e03978e-40d5"); a.code != 422 {
		t.Errorf("another address under the same key: %v", a)
	}
	for _, key := range []string{"", `"`, "a b", strings.Repeat("x", 256), "é"} {
		if a := group(key, "Other"); a.code != 400 {
			t.Errorf("the key %.20q: %v", key, a)
		}
	}
	p.Clock.Advance(24*time.Hour + time.Second)
	if session, err := p.Auth.SignIn(t.Context(), "a.moreno", readingtest.Password, "", auth.Origin{Address: "192.0.2.9"}); err != nil {
		t.Fatal(err)
	} else {
		person.session = session
	}
	if a := group("8e03978e-40d5", "Morning"); a.code != 200 || a.body == first.body {
		t.Errorf("a day later: %v", a)
	}
}

// However many come at once, it is done once; the others hear the same, or that it is
// under way.
func TestRequestsWithAKeyAtOnceAreOne(t *testing.T) {
	p := newProgram(t)
	person := &program{desk: p.desk, session: p.desk.session}
	var all sync.WaitGroup
	answers := make([]said, 24)
	for i := range answers {
		all.Go(func() {
			answers[i] = person.send("POST", "/api/v1/groups", `{"name":"Night"}`, "Idempotency-Key", "k")
		})
	}
	all.Wait()
	done := ""
	for _, a := range answers {
		switch {
		case a.code == 200 && (done == "" || done == a.body):
			done = a.body
		case a.code != 409:
			t.Errorf("%v, beside %s", a, done)
		}
	}
	if n := p.Events(t, evidence.EventGroupChanged, ""); n != 1 || done == "" {
		t.Errorf("it was done %d times", n)
	}
}

// The answer that holds a secret is kept nowhere, and the act is done once all the same.
func TestASecretAnswerIsNotKept(t *testing.T) {
	p := newProgram(t)
	person := &program{desk: p.desk, session: p.desk.session}
	make := func() said {
		return person.send("POST", "/api/v1/me/tokens", `{"name":"x","scopes":["evidence.list"]}`, "Idempotency-Key", "k")
	}
	if a := make(); a.code != 200 {
		t.Fatal(a)
	}
	if a := make(); a.code != 409 || strings.Contains(a.body, "sdk_") {
		t.Errorf("again: %v", a)
	}
	if n := p.Events(t, evidence.EventTokenMade, ""); n != 1 {
		t.Errorf("%d tokens were made", n)
	}
}

// What says that it may be tried again lets the key go.
func TestARefusalThatMayPassIsNotKept(t *testing.T) {
	p := newProgram(t)
	p.Clock.Advance(6 * time.Minute) // nothing is fresh any more
	person := &program{desk: p.desk, session: p.desk.session}
	ask := func() said {
		return person.send("POST", "/api/v1/me/tokens", `{"name":"x","scopes":["evidence.list"]}`, "Idempotency-Key", "k")
	}
	if a := ask(); a.code != 403 {
		t.Fatal(a)
	}
	if a := person.send("POST", "/api/v1/me/confirm", fmt.Sprintf(`{"password":%q}`, readingtest.Password)); a.code != 204 {
		t.Fatal(a)
	}
	if a := ask(); a.code != 200 {
		t.Errorf("after a fresh factor: %v", a)
	}
}

func TestAProgramIsToldHowManyRequestsAreLeft(t *testing.T) {
	p := newProgram(t, func(c *api.Config) { c.Slow = true })
	looks := p.made(t, "looks", "evidence.list")
	first := looks.send("GET", "/api/v1/items", "")
	if first.code != 200 || first.header.Get("RateLimit-Policy") != `"token";q=120;w=12` || first.header.Get("RateLimit") != `"token";r=119;t=1` {
		t.Fatalf("%v, %v", first, first.header)
	}
	for range 119 {
		if a := looks.send("GET", "/api/v1/items", ""); a.code != 200 {
			t.Fatal(a)
		}
	}
	if a := looks.send("GET", "/api/v1/items", ""); a.code != 429 || a.header.Get("Retry-After") != "1" || a.header.Get("RateLimit") != `"token";r=0;t=12` {
		t.Errorf("one too many: %v, %v", a, a.header)
	}
	other := p.made(t, "other", "evidence.list")
	if a := other.send("GET", "/api/v1/items", ""); a.code != 200 {
		t.Errorf("another token: %v", a)
	}
	p.Clock.Advance(time.Second)
	if a := looks.send("GET", "/api/v1/items", ""); a.code != 200 {
		t.Errorf("a second later: %v", a)
	}
}

func TestEveryListHasAnEnd(t *testing.T) {
	p := newProgram(t)
	person := &program{desk: p.desk, session: p.desk.session}
	for _, login := range []string{"b.one", "c.two", "d.three", "e.four"} {
		if a := person.send("POST", "/api/v1/people", fmt.Sprintf(`{"login":%q,"name":"Somebody","role":"auditor"}`, login)); a.code != 200 {
			t.Fatal(a)
		}
	}
	var found []string
	for path := "/api/v1/people?limit=2"; path != ""; {
		var v struct {
			People []struct{ Login string }
			Next   string
		}
		a := person.send("GET", path, "")
		if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.code != 200 || len(v.People) > 2 {
			t.Fatal(a)
		}
		for _, one := range v.People {
			found = append(found, one.Login)
		}
		if path = ""; v.Next != "" {
			path = "/api/v1/people?limit=2&cursor=" + v.Next
		}
	}
	if got := strings.Join(found, " "); got != "a.moreno b.one c.two d.three e.four" {
		t.Errorf("the pages hold %s", got)
	}
	for _, path := range []string{"people", "cameras", "docks", "completeness", "alerts"} {
		if a := person.send("GET", "/api/v1/"+path+"?cursor=%3D", ""); a.code != 400 {
			t.Errorf("%s with a cursor that is none: %v", path, a)
		}
		if a := person.send("GET", "/api/v1/"+path+"?limit=201", ""); a.code != 400 {
			t.Errorf("%s with a limit too high: %v", path, a)
		}
	}
}
