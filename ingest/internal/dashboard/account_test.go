package dashboard_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

// withApp is a signed-in browser whose person has an authenticator app.
func (s *site) withApp(t *testing.T) (client *http.Client, secret string) {
	t.Helper()
	session := s.SetUp(t)
	client = s.client(t)
	s.give(t, client, session)
	actor, from := s.Actor(t, session), auth.Origin{Address: "192.0.2.7"}
	offer, err := s.Auth.BeginApp(t.Context(), actor, from)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Auth.FinishApp(t.Context(), actor, offer.Ceremony, s.code(t, offer.Secret), from); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Minute)
	return client, offer.Secret
}

func (s *site) code(t *testing.T, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// The promise is a second; a machine that is busy with other tests gets two.
func TestAnEndedSessionsLivePageEndsWithinASecond(t *testing.T) {
	s := newSite(t)
	mine, other := s.signedIn(t), s.client(t)
	if a := s.ask(t, other, "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}}); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, events := s.listen(t, ctx, other)
	await(t, events, func(e event) bool { return e.name == "wall" })
	page := s.get(t, mine, "/account").body
	ids := regexp.MustCompile(`name="id" value="([0-9a-f]{32})"`).FindAllStringSubmatch(page, -1)
	if len(ids) != 1 {
		t.Fatalf("the page offers to end %d sessions, want the other one", len(ids))
	}
	if a := s.ask(t, mine, "POST", "/account/sessions/end", url.Values{"id": {ids[0][1]}}); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	ended := time.Now()
	await(t, events, func(e event) bool { return e.name == "end" })
	if took := time.Since(ended); took > 2*time.Second {
		t.Errorf("the live page ended after %v", took)
	} else {
		t.Logf("the live page ended after %v", took)
	}
	if a := s.get(t, other, "/session"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the ended session: %d", a.StatusCode)
	}
	if a := s.ask(t, mine, "POST", "/account/sessions/end", url.Values{"id": {ids[0][1]}}); a.StatusCode != http.StatusNotFound {
		t.Errorf("ending it again: %d", a.StatusCode)
	}
	if n := s.Events(t, evidence.EventSessionsEnded, ""); n != 1 {
		t.Errorf("%d events", n)
	}
}

// Case 37: no address skips the second step, and nothing but the own account is
// open before a second factor where one is required.
func TestAttack37NoAddressSkipsAStep(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/SECRETNAME.MP4", Officer: "Secret Officer", Content: []byte("moving pictures")})
	_, secret := s.withApp(t)
	waiting := s.client(t)
	if a := s.ask(t, waiting, "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}, "next": {"/evidence"}}); a.Header.Get("Location") != "/sign-in/factor?next=%2Fevidence" {
		t.Fatalf("%d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	for _, route := range everyRoute(item.ID) {
		if strings.HasPrefix(route.path, "/sign-in") || strings.HasPrefix(route.path, "/setup") {
			continue
		}
		form := url.Values(nil)
		if route.method == "POST" {
			form = url.Values{}
		}
		a := s.ask(t, waiting, route.method, route.path, form)
		if a.StatusCode < 300 || strings.Contains(a.body, "SECRETNAME") || strings.Contains(a.body, "Alba Moreno") {
			t.Errorf("%s %s: %d", route.method, route.path, a.StatusCode)
		}
	}
	if a := s.ask(t, waiting, "POST", "/sign-in/factor", url.Values{"code": {"000000x"}}); a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.body, "does not fit") {
		t.Errorf("a wrong code: %d", a.StatusCode)
	}
	elsewhere := s.client(t)
	if a := s.ask(t, elsewhere, "POST", "/sign-in/factor", url.Values{"code": {s.code(t, secret)}}); a.StatusCode != http.StatusConflict {
		t.Errorf("the code from a browser that did not begin: %d", a.StatusCode)
	}
	a := s.ask(t, waiting, "POST", "/sign-in/factor", url.Values{"code": {s.code(t, secret)}, "next": {"//evil.example"}})
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" {
		t.Errorf("the right code: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	for _, set := range a.Header.Values("Set-Cookie") {
		for _, part := range []string{"__Host-sealdock", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"} {
			if !strings.Contains(set, part) {
				t.Errorf("a cookie lacks %s: %s", part, set)
			}
		}
	}
	if len(a.Header.Values("Set-Cookie")) != 4 {
		t.Errorf("cookies: %q", a.Header.Values("Set-Cookie"))
	}
}

func TestBeforeASecondFactorOnlyTheOwnAccountIsOpen(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/SECRETNAME.MP4", Officer: "Secret Officer", Content: []byte("moving pictures")})
	s.RequireFactor(t, "administrators")
	client := s.signedIn(t)
	own := []string{"/sign-in", "/setup", "/static", "/confirm", "/account", "/api/v1/me", "/session"}
	for _, route := range everyRoute(item.ID) {
		form := url.Values(nil)
		if route.method == "POST" {
			form = url.Values{}
		}
		if route.method != "GET" && route.path == "/sign-in" {
			continue
		}
		a := s.ask(t, client, route.method, route.path, form)
		mine := false
		for _, prefix := range own {
			mine = mine || strings.HasPrefix(route.path, prefix)
		}
		if strings.Contains(a.body, "SECRETNAME") || strings.Contains(a.body, "Secret Officer") || !mine && a.StatusCode < 300 {
			t.Errorf("%s %s: %d", route.method, route.path, a.StatusCode)
		}
		if !mine && route.method == "GET" && !strings.HasPrefix(route.path, "/api/") && (a.StatusCode != http.StatusSeeOther && a.StatusCode != http.StatusTemporaryRedirect && a.StatusCode != http.StatusMovedPermanently || !strings.HasPrefix(a.Header.Get("Location"), "/account/factor")) && !strings.Contains(route.path, "..") {
			t.Errorf("%s leads to %q (%d)", route.path, a.Header.Get("Location"), a.StatusCode)
		}
	}
	if a := s.get(t, client, "/account"); a.Header.Get("Location") != "/account/factor" {
		t.Errorf("the account leads to %q", a.Header.Get("Location"))
	}
	if a := s.get(t, client, "/account/factor"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "Your role needs one") || strings.Contains(a.body, `href="/evidence"`) {
		t.Errorf("setting one up: %d", a.StatusCode)
	}
}

func TestWhatIsAskedForAgainLeadsBackAndNowhereElse(t *testing.T) {
	s := newSite(t)
	client, secret := s.withApp(t)
	s.Clock.Advance(auth.FreshFor)
	if a := s.get(t, client, "/account/password"); a.Header.Get("Location") != "/confirm?next=%2Faccount%2Fpassword" {
		t.Errorf("a page: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	for _, path := range []string{"/account/app", "/account/factor/remove", "/account/recovery", "/account/password"} {
		if a := s.ask(t, client, "POST", path, url.Values{"back": {"https://evil.example/"}}); a.Header.Get("Location") != "/confirm?next=%2Faccount" {
			t.Errorf("POST %s: %d to %q", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if a := s.ask(t, client, "POST", "/account/passkey/begin", url.Values{}); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, `"to":"/confirm`) {
		t.Errorf("a new passkey: %d %s", a.StatusCode, a.body)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "", "/account/password"} {
		s.Clock.Advance(time.Minute)
		want := "/account"
		if next == "/account/password" {
			want = next
		}
		if a := s.ask(t, client, "POST", "/confirm", url.Values{"code": {s.code(t, secret)}, "next": {next}}); a.Header.Get("Location") != want {
			t.Errorf("next %q: %d to %q", next, a.StatusCode, a.Header.Get("Location"))
		}
	}
	s.Clock.Advance(time.Minute)
	if a := s.ask(t, client, "POST", "/confirm", url.Values{"password": {readingtest.Password}}); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a password in place of the factor: %d", a.StatusCode)
	}
}

func TestRecoveryCodesComeAsAFileAndNothingElseDoes(t *testing.T) {
	s := newSite(t)
	client, _ := s.withApp(t)
	page := s.ask(t, client, "POST", "/account/recovery", url.Values{}).body
	var codes []string
	for _, m := range regexp.MustCompile(`<code>([A-Z2-7-]{19})</code>`).FindAllStringSubmatch(page, -1) {
		codes = append(codes, m[1])
	}
	if len(codes) != auth.RecoveryCodes {
		t.Fatalf("%d codes on the page", len(codes))
	}
	a := s.ask(t, client, "POST", "/account/recovery/file", url.Values{"code": codes})
	if a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d, %v", a.StatusCode, a.Header)
	}
	for _, code := range codes {
		if !strings.Contains(a.body, code+"\r\n") {
			t.Errorf("%s is not in the file", code)
		}
	}
	for _, bad := range [][]string{nil, codes[:9], append(append([]string{}, codes[:9]...), "<script>alert(1)</script>"), append(append([]string{}, codes[:9]...), strings.ToLower(codes[9]))} {
		if a := s.ask(t, client, "POST", "/account/recovery/file", url.Values{"code": bad}); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d", bad, a.StatusCode)
		}
	}
	if page := s.get(t, client, "/account/recovery").body; strings.Contains(page, codes[0]) {
		t.Error("the codes are shown again")
	}
}

func TestWhatAScriptSendsIsBounded(t *testing.T) {
	s := newSite(t)
	client, _ := s.withApp(t)
	for _, path := range []string{"/sign-in/passkey", "/confirm/passkey", "/account/passkey"} {
		for _, form := range []url.Values{{}, {"response": {strings.Repeat("x", 100<<10)}}} {
			if a := s.ask(t, client, "POST", path, form); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `"problem"`) {
				t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
			}
		}
	}
}

func TestABrowserIsNamedAsItsOwnerKnowsIt(t *testing.T) {
	s := newSite(t)
	s.SetUp(t)
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0":               "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36":                   "Chrome on Android",
		"<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
	} {
		s.Clock.Advance(time.Minute)
		client := s.client(t)
		s.ask(t, client, "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}}, "User-Agent", agent)
		if page := s.get(t, client, "/account").body; !strings.Contains(page, want) {
			t.Errorf("%s is not called %s", agent, want)
		}
	}
}
