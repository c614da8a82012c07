package dashboard_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (s *site) decide(t *testing.T, name, value string) {
	t.Helper()
	if _, err := s.Settings.CommandLine().Set(t.Context(), settings.Change{Name: name, Value: value, Reason: "for a test"}); err != nil {
		t.Fatal(err)
	}
}

func TestASettingIsChangedRefusedAndSetBackOnItsPage(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	if page := s.get(t, client, "/settings"); page.StatusCode != http.StatusOK || !containsAll(page.body, "Shortest password", "8 to 64 characters", "As default") {
		t.Fatalf("%d", page.StatusCode)
	}
	if page := s.get(t, client, "/settings?q=lock+minutes"); !strings.Contains(page.body, "Length of the lock") || strings.Contains(page.body, "Shortest password") {
		t.Error("the search finds something else")
	}
	post := func(want int, fields ...string) answer {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		got := s.ask(t, client, http.MethodPost, "/settings", form)
		if got.StatusCode != want {
			t.Fatalf("%v: %d, want %d", fields, got.StatusCode, want)
		}
		return got
	}
	weaker := post(http.StatusUnprocessableEntity, "name", settings.SignInFailures, "was", "5", "value", "8")
	if !containsAll(weaker.body, "say why, for the record", `value="8"`) {
		t.Error("a weaker value without a reason is not explained, or what was typed is gone")
	}
	post(http.StatusConflict, "name", settings.SignInFailures, "was", "7", "value", "4")
	post(http.StatusUnprocessableEntity, "name", settings.PasswordLength, "was", "15", "value", "8")
	post(http.StatusUnprocessableEntity, "name", settings.Networks, "was", "", "value", "192.0.2.0/24") // the browser is at 127.0.0.1
	post(http.StatusNotFound, "name", "role", "was", "", "value", "administrator")
	post(http.StatusSeeOther, "name", settings.SignInFailures, "was", "5", "value", "8", "reason", "officers type with gloves")
	if page := s.get(t, client, "/settings?done="+settings.SignInFailures); !containsAll(page.body, "Set it back", "was 5 tries and is now 8 tries") {
		t.Error("the change cannot be set back")
	}
	if page := s.get(t, client, "/posture"); !containsAll(page.body, "8 tries", "Weaker", "Set it back to 5 tries") {
		t.Error("the posture does not name it")
	}
	post(http.StatusSeeOther, "name", settings.SignInFailures, "was", "8", "value", "5", "reason", "set back")
	if s.Settings.Value(t.Context(), settings.SignInFailures) != "5" {
		t.Error("it was not set back")
	}
	if n := s.Events(t, evidence.EventSettingChanged, "setting:"+settings.SignInFailures); n != 4 {
		t.Errorf("%d events, want 2 changes and 2 refusals", n)
	}
}

// Case 34: only administrators see and change settings, over pages and API.
func TestSettingsAreForAdministratorsAlone(t *testing.T) {
	s := newSite(t)
	administrator, operator := s.signedIn(t), s.operator(t)
	for _, path := range []string{"/settings", "/posture", "/api/v1/settings", "/api/v1/posture"} {
		if got := s.get(t, operator, path); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d for an operator", path, got.StatusCode)
		}
		if got := s.get(t, s.client(t), path); got.StatusCode != http.StatusUnauthorized && got.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d for nobody", path, got.StatusCode)
		}
		if got := s.get(t, administrator, path); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d for an administrator", path, got.StatusCode)
		}
	}
	before := s.Events(t, evidence.EventSettingChanged, "setting:"+settings.PasswordLength)
	if got := s.ask(t, operator, http.MethodPost, "/settings", url.Values{"name": {settings.PasswordLength}, "was": {"15"}, "value": {"20"}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("an operator's change: %d", got.StatusCode)
	}
	if s.Events(t, evidence.EventSettingChanged, "setting:"+settings.PasswordLength) != before+1 || s.Settings.Value(t.Context(), settings.PasswordLength) != "15" {
		t.Error("it has no event, or changed something")
	}
}

// Case 51: a header that claims another address does not get past the list; R13.
func TestOutsideOfTheAllowedNetworksNothingIsAnswered(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	s.decide(t, settings.Networks, "192.0.2.0/24")
	for _, path := range []string{"/", "/sign-in", "/settings", "/api/v1/items", "/evidence"} {
		got := s.get(t, client, path, "X-Forwarded-For", "192.0.2.7", "Forwarded", "for=192.0.2.7", "X-Real-IP", "192.0.2.7")
		if got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	if n := s.Events(t, evidence.EventPlaceRefused, ""); n != 1 {
		t.Errorf("%d events of a flood from one place, want 1", n)
	}
	s.Clock.Advance(11 * time.Minute)
	s.get(t, client, "/")
	if n := s.Events(t, evidence.EventPlaceRefused, ""); n != 2 {
		t.Errorf("%d events, want another one after ten minutes", n)
	}
	s.decide(t, settings.Networks, "127.0.0.0/8\n::1")
	if got := s.get(t, client, "/evidence"); got.StatusCode != http.StatusOK {
		t.Errorf("from inside: %d", got.StatusCode)
	}
	s.decide(t, settings.RoleNetworks, "administrator 192.0.2.0/24")
	if got := s.get(t, client, "/evidence"); got.StatusCode != http.StatusForbidden {
		t.Errorf("a role from outside of its own: %d", got.StatusCode)
	}
	if got := s.get(t, s.client(t), "/sign-in"); got.StatusCode != http.StatusOK {
		t.Errorf("the sign-in page, for roles without a list: %d", got.StatusCode)
	}
}

func TestWhoAsksTooOftenIsToldHowLongToWait(t *testing.T) {
	s := newSite(t, func(c *dashboard.Config) { c.Slow = true })
	client := s.signedIn(t)
	s.decide(t, settings.SessionRate, "60") // 12 at once
	for n := range 12 {
		if got := s.get(t, client, "/api/v1/docks"); got.StatusCode != http.StatusOK {
			t.Fatalf("request %d: %d", n, got.StatusCode)
		}
	}
	got := s.get(t, client, "/api/v1/docks")
	wait, err := strconv.Atoi(got.Header.Get("Retry-After"))
	if got.StatusCode != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 2 || got.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d, Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
	}
	if page := s.get(t, client, "/evidence"); page.StatusCode != http.StatusTooManyRequests || !strings.Contains(page.body, "Too many requests") {
		t.Errorf("a page: %d", page.StatusCode)
	}
	if other := s.get(t, s.client(t), "/sign-in"); other.StatusCode != http.StatusOK {
		t.Errorf("somebody else at the same address: %d", other.StatusCode)
	}
	s.Clock.Advance(time.Duration(wait) * time.Second)
	if got := s.get(t, client, "/api/v1/docks"); got.StatusCode != http.StatusOK {
		t.Errorf("after the wait: %d", got.StatusCode)
	}
}

func TestTheUseNoticeIsAcceptedBeforeSignIn(t *testing.T) {
	s := newSite(t)
	s.SetUp(t)
	s.decide(t, settings.UseNotice, "This system belongs to Harbour City. <script>alert(1)</script>")
	client := s.client(t)
	page := s.get(t, client, "/sign-in")
	if !containsAll(page.body, "This system belongs to Harbour City.", "&lt;script&gt;", "I have read this and accept it") {
		t.Fatal("the notice is not shown as text")
	}
	_, rest, _ := strings.Cut(page.body, `name="notice" value="`)
	hash, _, _ := strings.Cut(rest, `"`)
	form := url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}}
	if got := s.ask(t, client, http.MethodPost, "/sign-in", form); got.StatusCode != http.StatusForbidden {
		t.Errorf("without acceptance: %d", got.StatusCode)
	}
	form.Set("notice", hash)
	if got := s.ask(t, client, http.MethodPost, "/sign-in", form); got.StatusCode != http.StatusSeeOther {
		t.Errorf("with acceptance: %d", got.StatusCode)
	}
	s.decide(t, settings.UseNotice, "Another notice.")
	if got := s.ask(t, client, http.MethodPost, "/sign-in", form); got.StatusCode != http.StatusForbidden {
		t.Errorf("with acceptance of another notice: %d", got.StatusCode)
	}
}

func TestTheSecurityContactIsServedAndLinked(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	if got := s.get(t, client, "/.well-known/security.txt"); got.StatusCode != http.StatusNotFound {
		t.Errorf("without a contact: %d", got.StatusCode)
	}
	s.decide(t, settings.SecurityContact, "mailto:security@harbour.example\ntel:+1-201-555-0123")
	s.decide(t, settings.Networks, "192.0.2.0/24") // whoever found a hole may be anywhere
	got := s.get(t, s.client(t), "/.well-known/security.txt")
	want := "Contact: mailto:security@harbour.example\nContact: tel:+1-201-555-0123\nExpires: 2027-05-21T00:00:00Z\nPreferred-Languages: en\n"
	if got.StatusCode != http.StatusOK || got.body != want || got.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d %q %q", got.StatusCode, got.Header.Get("Content-Type"), got.body)
	}
	s.decide(t, settings.Networks, "127.0.0.1")
	if page := s.get(t, client, "/evidence"); !strings.Contains(page.body, `href="mailto:security@harbour.example"`) {
		t.Error("no link in the pages")
	}
}

func TestSettingsAndPostureByKeyboard(t *testing.T) {
	s := newSite(t)
	b := newBrowser(t, s.server.URL)
	token, err := s.Auth.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(b.origin+"/setup?token="+token),
		chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"),
		chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.SendKeys(chromedp.ID("again"), readingtest.Password),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".rail")))
	s.decide(t, settings.SecurityContact, "mailto:security@harbour.example")
	b.do(chromedp.Navigate(b.origin+"/settings"), chromedp.WaitVisible(chromedp.CSS(".setting")))
	b.pictures("settings")
	b.tabTo(`document.activeElement.id === "sign-in-failures-value"`)
	b.do(chromedp.SetValue(chromedp.ID("sign-in-failures-value"), "8"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.ID("problem")))
	b.pictures("settings-refused")
	b.do(chromedp.SendKeys(chromedp.ID("sign-in-failures-reason"), "officers type with gloves"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.ID("done")))
	b.pictures("settings-done")
	b.do(chromedp.Navigate(b.origin+"/posture"), chromedp.WaitVisible(chromedp.CSS("table.posture")))
	b.pictures("posture")
	b.do(chromedp.Navigate(b.origin+"/settings?done="+settings.SignInFailures), chromedp.WaitVisible(chromedp.ID("done")))
	b.tabTo(`document.activeElement.textContent.startsWith("Set it back")`)
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(`#done[data-now="5"]`)))
	s.decide(t, settings.UseNotice, "This system belongs to Harbour City.\nIts use is watched and recorded. Misuse is a crime.")
	b.do(chromedp.Navigate(b.origin+"/sign-in"), chromedp.WaitVisible(chromedp.CSS(".use-notice")))
	b.pictures("use-notice")
	b.guarded()
}

func TestTheRuleOfSecondFactorsIsSetOnThePageOfSettings(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	page := func() string { t.Helper(); return s.get(t, client, "/settings").body }
	if text := page(); !containsAll(text, "required of nobody", "Back to the default") {
		t.Error("the rule is not shown")
	}
	set := func(want int, fields ...string) answer {
		t.Helper()
		form := url.Values{"back": {"/settings"}}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		got := s.ask(t, client, http.MethodPost, "/settings/factor-rule", form)
		if got.StatusCode != want {
			t.Fatalf("%v: %d, want %d", fields, got.StatusCode, want)
		}
		return got
	}
	set(http.StatusSeeOther, "required", "everyone", "when", "always", "grace_days", "0")
	if text := s.get(t, client, "/settings?done=factor-rule").body; !containsAll(text, "are now required of everyone", "Before, they were required of nobody", "Set it back") {
		t.Error("the change cannot be set back")
	}
	if got := set(http.StatusUnprocessableEntity, "required", "nobody", "when", "new-place", "grace_days", "3"); !containsAll(got.body, "say why", `value="nobody" selected`, `name="grace_days" value="3"`) {
		t.Error("a weaker rule without a reason is not explained, or what was typed is gone")
	}
	set(http.StatusUnprocessableEntity, "required", "everyone", "when", "always", "grace_days", "many", "reason", "x")
	set(http.StatusSeeOther, "required", "nobody", "when", "always", "grace_days", "0", "reason", "set back")
	s.Clock.Advance(6 * time.Minute)
	if got := set(http.StatusSeeOther, "act", "unset"); !strings.HasPrefix(got.Header.Get("Location"), "/confirm") {
		t.Errorf("without a fresh factor: to %s", got.Header.Get("Location"))
	}
	operator := s.operator(t)
	if got := s.ask(t, operator, http.MethodPost, "/settings/factor-rule", url.Values{"act": {"unset"}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("an operator: %d", got.StatusCode)
	}
	if n := s.Events(t, evidence.EventFactorRuleSet, "setting:auth.factor"); n != 2 {
		t.Errorf("%d changes on record", n)
	}
}
