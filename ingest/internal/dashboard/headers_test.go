package dashboard_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

// answer is an answer read whole.
type answer struct {
	*http.Response
	body string
}

func (s *site) ask(t *testing.T, client *http.Client, method, path string, form url.Values, headers ...string) answer {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(text)}
}

func (s *site) get(t *testing.T, client *http.Client, path string, headers ...string) answer {
	t.Helper()
	return s.ask(t, client, http.MethodGet, path, nil, headers...)
}

// everyRoute lists a request to each kind of answer.
func everyRoute(id evidence.EvidenceID) []struct{ method, path string } {
	return []struct{ method, path string }{
		{"GET", "/"}, {"GET", "/evidence"}, {"GET", "/evidence?q=clip&state=stored"}, {"GET", "/quarantine"},
		{"GET", "/cameras"}, {"GET", "/cameras?which=needs&q=SD"}, {"GET", "/cameras/SD-04412"}, {"GET", "/cameras?serial=.."}, {"GET", "/cameras/%2F%2Fevil"}, {"POST", "/cameras/approve"},
		{"POST", "/cameras/block"}, {"POST", "/cameras/hold"}, {"POST", "/cameras/end-hold"}, {"POST", "/cameras/assign"}, {"POST", "/cameras/unassign"},
		{"GET", "/alerts"}, {"GET", "/alerts?show=all"}, {"POST", "/alerts/acknowledge"},
		{"GET", "/uplinks"}, {"GET", "/uplinks/docks/front-desk"}, {"GET", "/uplinks/stations/north"}, {"GET", "/uplinks/sending"}, {"GET", "/uplinks/docks/%2e%2e"},
		{"POST", "/uplinks/docks/front-desk/queue"}, {"POST", "/uplinks/docks/front-desk/bandwidth"}, {"POST", "/uplinks/stations/north/bandwidth"}, {"POST", "/uplinks/sending"},
		{"PUT", "/api/v1/sending"}, {"PUT", "/api/v1/stations/north/bandwidth"}, {"POST", "/api/v1/docks/front-desk/queue/urgent"},
		{"GET", "/evidence/" + id.String()}, {"GET", "/evidence/" + id.String() + "/receipt"}, {"POST", "/evidence/" + id.String() + "/receipt"},
		{"GET", "/evidence/" + id.String() + "/play"}, {"POST", "/evidence/" + id.String() + "/original"}, {"POST", "/evidence/" + id.String() + "/package"}, {"POST", "/api/v1/packages"},
		{"GET", "/evidence/" + strings.Repeat("0", 32)}, {"GET", "/evidence/../../etc/passwd"}, {"GET", "/evidence/%2e%2e"}, {"GET", "/nothing"},
		{"GET", "/sign-in"}, {"GET", "/setup"}, {"GET", "/session"}, {"POST", "/sign-in"}, {"POST", "/setup"}, {"DELETE", "/evidence"}, {"TRACE", "/"},
		{"GET", "/sign-in/factor"}, {"POST", "/sign-in/factor"}, {"POST", "/sign-in/passkey/begin"}, {"POST", "/sign-in/passkey"},
		{"GET", "/confirm"}, {"GET", "/confirm?next=%2Faccount"}, {"POST", "/confirm"}, {"POST", "/confirm/passkey/begin"}, {"POST", "/confirm/passkey"},
		{"GET", "/account"}, {"GET", "/account/factor"}, {"GET", "/account/recovery"}, {"GET", "/account/password"}, {"POST", "/account/app"}, {"POST", "/account/app/finish"},
		{"POST", "/account/passkey/begin"}, {"POST", "/account/passkey"}, {"POST", "/account/factor/remove"}, {"POST", "/account/recovery"}, {"POST", "/account/recovery/file"},
		{"POST", "/account/password"}, {"POST", "/account/sessions/end"}, {"POST", "/account/sessions/end-others"},
		{"GET", "/account/phone"}, {"POST", "/account/phone"}, {"POST", "/account/phone/finish"}, {"POST", "/sign-in/factor/send"}, {"POST", "/confirm/send"}, {"POST", "/api/v1/me/phone"}, {"POST", "/api/v1/me/confirm/code"},
		{"GET", "/api/v1/me"}, {"GET", "/api/v1/me/sessions"}, {"DELETE", "/api/v1/me/sessions/0"}, {"DELETE", "/api/v1/me/sessions"}, {"POST", "/api/v1/me/confirm"}, {"POST", "/api/v1/me/password"},
		{"POST", "/api/v1/me/app"}, {"POST", "/api/v1/me/recovery-codes"}, {"DELETE", "/api/v1/me/factors/app"},
		{"GET", "/static/none/base.css"}, {"GET", "/api/v1/overview"}, {"GET", "/api/v1/none"}, {"POST", "/api/v1/items"},
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/A.MP4", Content: []byte("moving pictures")})
	want := map[string]string{
		"Strict-Transport-Security": "max-age=63072000; includeSubDomains", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	for who, client := range map[string]*http.Client{"nobody": s.client(t), "administrator": s.signedIn(t)} {
		for _, route := range everyRoute(item.ID) {
			form := url.Values(nil)
			if route.method == "POST" {
				form = url.Values{}
			}
			a := s.ask(t, client, route.method, route.path, form)
			for name, value := range want {
				if got := a.Header.Get(name); got != value {
					t.Errorf("%s %s for %s: %s is %q, want %q", route.method, route.path, who, name, got, value)
				}
			}
			policy := a.Header.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
				if !strings.Contains(policy, part) {
					t.Errorf("%s %s for %s: the policy lacks %s", route.method, route.path, who, part)
				}
			}
			if strings.Contains(policy, "unsafe") || a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s for %s: %v", route.method, route.path, who, a.Header)
			}
			if strings.Contains(a.body, " style=") || strings.Contains(a.body, " onclick") || strings.Contains(a.body, "<script>") {
				t.Errorf("%s %s for %s: something is inline", route.method, route.path, who)
			}
		}
	}
}

func TestWithoutASessionNothingIsShown(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/SECRETNAME.MP4", Officer: "Secret Officer", Content: []byte("moving pictures")})
	ended := s.signedIn(t)
	token := cookie(t, s, ended)
	s.ask(t, ended, "POST", "/sign-out", url.Values{})
	s.give(t, ended, token)
	forged := s.client(t)
	s.give(t, forged, strings.Repeat("A", 43))
	for who, client := range map[string]*http.Client{"nobody": s.client(t), "after sign-out": ended, "a forged token": forged} {
		for _, route := range everyRoute(item.ID) {
			if strings.HasPrefix(route.path, "/sign-in") || strings.HasPrefix(route.path, "/setup") || strings.HasPrefix(route.path, "/static") {
				continue
			}
			var form url.Values
			if route.method == "POST" {
				form = url.Values{}
			}
			a := s.ask(t, client, route.method, route.path, form)
			if a.StatusCode < 300 || strings.Contains(a.body, "SECRETNAME") || strings.Contains(a.body, "Secret Officer") {
				t.Errorf("%s %s for %s: %d", route.method, route.path, who, a.StatusCode)
			}
		}
	}
	if a := s.get(t, s.client(t), "/evidence/"+item.ID.String()); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/sign-in?next=%2Fevidence%2F"+item.ID.String() {
		t.Errorf("a page without a session: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
}

// cookie returns a browser's session token.
func cookie(t *testing.T, s *site, client *http.Client) string {
	t.Helper()
	u, _ := url.Parse(s.server.URL)
	for _, c := range client.Jar.Cookies(u) {
		if c.Name == auth.CookieName {
			return c.Value
		}
	}
	return ""
}

func TestTheSessionCookieIsHeldTight(t *testing.T) {
	s := newSite(t)
	s.SetUp(t)
	a := s.ask(t, s.client(t), "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}})
	set := a.Header.Get("Set-Cookie")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(set, "__Host-sealdock=") {
		t.Fatalf("signing in: %d, %q", a.StatusCode, set)
	}
	for _, part := range []string{"; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"} {
		if !strings.Contains(set, part) {
			t.Errorf("the cookie lacks %s: %s", part, set)
		}
	}
	if strings.Contains(set, "Domain") {
		t.Errorf("the cookie goes to other hosts: %s", set)
	}
}

func TestWhatAnotherSiteAsksForIsRefused(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/A.MP4", Content: []byte("moving pictures")})
	client := s.signedIn(t)
	for _, path := range []string{"/sign-in", "/sign-out", "/setup", "/evidence/" + item.ID.String() + "/original", "/evidence/" + item.ID.String() + "/package", "/evidence/" + item.ID.String() + "/receipt", "/api/v1/items", "/api/v1/packages", "/cameras/approve", "/cameras/hold", "/cameras/assign", "/alerts/acknowledge",
		"/sign-in/factor", "/sign-in/passkey/begin", "/sign-in/passkey", "/confirm", "/confirm/passkey/begin", "/confirm/passkey", "/account/app", "/account/app/finish", "/account/passkey/begin", "/account/passkey",
		"/account/factor/remove", "/account/recovery", "/account/recovery/file", "/account/password", "/account/sessions/end", "/account/sessions/end-others", "/account/phone", "/account/phone/finish", "/sign-in/factor/send", "/confirm/send", "/settings/gateway-secret",
		"/api/v1/me/phone", "/api/v1/me/phone/finish", "/api/v1/me/confirm/code", "/api/v1/settings/codes.gateway/secret",
		"/api/v1/me/confirm", "/api/v1/me/password", "/api/v1/me/app", "/api/v1/me/recovery-codes"} {
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
			{"Origin", "http://" + strings.TrimPrefix(s.server.URL, "https://") + "0"},
		} {
			if a := s.ask(t, client, "POST", path, url.Values{}, headers...); a.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s with %v: %d", path, headers, a.StatusCode)
			}
		}
	}
	if a := s.get(t, client, "/session"); a.StatusCode != http.StatusNoContent {
		t.Errorf("another site signed the person out: %d", a.StatusCode)
	}
	if n := s.Events(t, "evidence.downloaded", ""); n != 0 {
		t.Errorf("another site made %d downloads", n)
	}
}

func TestASignInLeadsNowhereElse(t *testing.T) {
	s := newSite(t)
	s.SetUp(t)
	for _, next := range []string{"https://evil.example/", `/\evil.example`, ""} {
		a := s.ask(t, s.client(t), "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}, "next": {next}})
		if to := a.Header.Get("Location"); to != "/" {
			t.Errorf("next %q leads to %q (%d)", next, to, a.StatusCode)
		}
		s.Clock.Advance(time.Minute)
	}
	a := s.ask(t, s.client(t), "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}, "next": {"/evidence?q=a"}})
	if to := a.Header.Get("Location"); to != "/evidence?q=a" {
		t.Errorf("a good next leads to %q", to)
	}
}

func TestTheBrowserIsGivenANewSessionAtEachSignIn(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	first := cookie(t, s, client)
	s.ask(t, client, "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}})
	second := cookie(t, s, client)
	if second == "" || second == first {
		t.Error("the token stayed the same")
	}
	old := s.client(t)
	s.give(t, old, first)
	if a := s.get(t, old, "/session"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the former session: %d", a.StatusCode)
	}
}

func TestFiveWrongPasswordsCloseTheDoor(t *testing.T) {
	s := newSite(t)
	s.SetUp(t)
	client := s.client(t)
	try := func(login, password string) answer {
		s.Clock.Advance(10 * time.Second)
		return s.ask(t, client, "POST", "/sign-in", url.Values{"login": {login}, "password": {password}})
	}
	for i := range 6 {
		known, unknown := try("a.moreno", "not the password"), try("no.such.person", "not the password")
		if known.StatusCode != http.StatusUnauthorized || strings.ReplaceAll(known.body, "a.moreno", "NAME") != strings.ReplaceAll(unknown.body, "no.such.person", "NAME") {
			t.Errorf("try %d: %d and %d, or their pages differ", i, known.StatusCode, unknown.StatusCode)
		}
	}
	if a := try("a.moreno", readingtest.Password); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the right password after five wrong ones: %d", a.StatusCode)
	}
}

func TestASourceThatIsTooFastIsToldToWait(t *testing.T) {
	s := newSite(t)
	s.SetUp(t)
	client := s.client(t)
	var last answer
	for range 11 {
		last = s.ask(t, client, "POST", "/sign-in", url.Values{"login": {"somebody"}, "password": {"not the password"}})
	}
	if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
		t.Errorf("the eleventh try: %d, Retry-After %q", last.StatusCode, last.Header.Get("Retry-After"))
	}
}

func TestALongBodyIsNotRead(t *testing.T) {
	s := newSite(t)
	a := s.ask(t, s.client(t), "POST", "/sign-in", url.Values{"login": {strings.Repeat("x", 100<<10)}})
	if a.StatusCode != http.StatusBadRequest {
		t.Errorf("a form of 100 KiB: %d", a.StatusCode)
	}
}
