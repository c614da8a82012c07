package dashboard_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/pquerna/otp/totp"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/proto/evidence"
)

// named is the site under the name that its passkeys belong to.
func (s *site) named() string { return strings.Replace(s.server.URL, "127.0.0.1", "localhost", 1) }

// authenticator gives the browser one that a finger is always on.
func (b *browser) authenticator() {
	b.t.Helper()
	b.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		if _, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return chromedp.Void{}, err
		}
		_, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		return chromedp.Void{}, err
	})
}

// press sends keys to whatever has the focus.
func (b *browser) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// focused is whether an element has the focus.
func focused(selector string) string {
	return "document.activeElement !== null && document.activeElement.matches(`" + selector + "`)"
}

// at waits until the browser is on a page.
func (b *browser) at(path string) {
	b.t.Helper()
	b.comes(`document.readyState === "complete" && location.pathname === "` + path + `"`)
}

// comes is until for what another page will show. A page that goes takes the
// question along: then it is asked of the next one.
func (b *browser) comes(script string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingInterval(50*time.Millisecond)))
		switch {
		case err == nil:
			return
		case ctx.Err() != nil || !containsAny(err.Error(), "Cannot find context", "navigated", "Not attached"):
			b.shot("failure")
			b.t.Fatalf("waiting for %s: %v", script, err)
		}
	}
}

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

func TestANewAdministratorComesInByPasskeyWithTheKeyboardAlone(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	s.RequireFactor(t, "administrators")
	token, err := s.Auth.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s.named())
	b.authenticator()
	b.do(chromedp.Navigate(b.origin + "/setup?token=" + token))
	for _, field := range []struct{ id, text string }{{"name", "Alba Moreno"}, {"login", "a.moreno"}, {"password", readingtest.Password}, {"again", readingtest.Password}} {
		b.tabTo(focused("#" + field.id))
		b.press(field.text)
	}
	b.press(kb.Enter)

	b.at("/account/factor")
	b.do(chromedp.Navigate(b.origin + "/evidence")) // nothing else is open
	b.at("/account/factor")
	b.pictures("factor-first")
	b.tabTo(focused("#passkey-name"))
	b.tabTo(focused(".passkey button"))
	b.press(kb.Enter)
	b.until(`document.querySelector(".passkey .notice").textContent.includes("name")`)
	b.shot("factor-unnamed")
	b.tabTo(focused("#passkey-name"))
	b.press("Blue key")
	b.tabTo(focused(".passkey button"))
	b.press(kb.Enter)

	b.at("/account/recovery")
	b.pictures("recovery")
	b.tabTo(focused(`form[action="/account/recovery"] button`))
	b.press(kb.Enter)
	b.comes(`document.querySelectorAll(".recovery-codes li").length === 10`)
	b.pictures("recovery-codes")
	b.tabTo(focused(`a.button[href="/evidence"]`))
	b.press(kb.Enter)
	b.at("/evidence")

	b.tabTo(focused(".rail .me"))
	b.press(kb.Enter)
	b.at("/account")
	if text := ask[string](b, `document.querySelector("main").textContent`); !strings.Contains(text, "Blue key") || !strings.Contains(text, "10 codes left") || !strings.Contains(text, "This one") || !strings.Contains(text, "stays until there is another") {
		t.Errorf("the account page says %s", text)
	}
	b.pictures("account")
	b.tabTo(focused(`form[action="/sign-out"] button`))
	b.press(kb.Enter)

	b.at("/sign-in")
	b.pictures("signin-passkey")
	b.tabTo(focused(".passkey button"))
	b.press(kb.Enter)
	b.at("/")
	if n := s.Events(t, evidence.EventSignedIn, ""); n != 2 {
		t.Errorf("%d sign-ins on record", n)
	}

	s.Clock.Advance(6 * time.Minute)
	b.do(chromedp.Navigate(b.origin + "/account/factor"))
	b.at("/confirm")
	b.pictures("confirm")
	b.tabTo(focused(".passkey button"))
	b.press(kb.Enter)
	b.at("/account/factor")
	b.pictures("factor-another")
	b.guarded()
}

// The same with an app, a second browser that is put out, and a new password.
func TestSigningInWithAnAuthenticatorApp(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	client := s.client(t)
	s.give(t, client, s.SetUp(t))
	b := newBrowser(t, s.server.URL) // by address: no passkeys there
	signIn := func() {
		t.Helper()
		s.Clock.Advance(time.Minute)
		b.do(chromedp.Navigate(b.origin+"/sign-in?next=%2Faccount"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"), chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.Submit(chromedp.ID("login")))
	}
	signIn()
	b.at("/account")
	b.pictures("account-bare")
	b.do(chromedp.Navigate(b.origin+"/account/factor"), chromedp.Submit(chromedp.CSS(`form[action="/account/app"] button`)), chromedp.WaitVisible(chromedp.CSS(".qr")))
	b.pictures("app")
	secret := ask[string](b, `document.querySelector(".secret").textContent.replace(/\s/g, "")`)
	code := func() string {
		t.Helper()
		code, err := totp.GenerateCode(secret, s.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	b.do(chromedp.SendKeys(chromedp.ID("code"), "12345x"), chromedp.Submit(chromedp.ID("code")), chromedp.WaitVisible(chromedp.CSS(".notice.bad")))
	b.shot("app-refused")
	b.do(chromedp.SendKeys(chromedp.ID("code"), code()), chromedp.Submit(chromedp.ID("code")))
	b.at("/account/recovery")
	b.do(chromedp.Navigate(b.origin+"/account"), chromedp.Submit(chromedp.CSS(`form[action="/sign-out"] button`)))
	b.at("/sign-in")

	signIn()
	b.at("/sign-in/factor")
	b.pictures("second")
	b.do(chromedp.SendKeys(chromedp.ID("code"), "123456x"), chromedp.Submit(chromedp.ID("code")), chromedp.WaitVisible(chromedp.CSS(".notice.bad")))
	b.shot("second-refused")
	b.do(chromedp.SendKeys(chromedp.ID("code"), code()), chromedp.Submit(chromedp.ID("code")))
	b.at("/account")
	if a := s.get(t, client, "/session"); a.StatusCode != 204 {
		t.Errorf("the other browser before: %d", a.StatusCode)
	}
	b.do(chromedp.Click(chromedp.CSS(`[aria-labelledby="sessions"] summary`)), chromedp.WaitVisible(chromedp.CSS(`form[action="/account/sessions/end-others"] button`)))
	b.shot("account-end-others")
	b.do(chromedp.Submit(chromedp.CSS(`form[action="/account/sessions/end-others"] button`)), chromedp.WaitVisible(chromedp.CSS(".notice.ok")))
	if a := s.get(t, client, "/session"); a.StatusCode != 401 {
		t.Errorf("the other browser afterwards: %d", a.StatusCode)
	}

	s.Clock.Advance(6 * time.Minute)
	b.do(chromedp.Navigate(b.origin + "/account/password"))
	b.at("/confirm")
	b.do(chromedp.SendKeys(chromedp.ID("code"), code()), chromedp.Submit(chromedp.ID("code")))
	b.at("/account/password")
	b.pictures("password")
	const next = "meadow copper violin 8"
	b.do(chromedp.SendKeys(chromedp.ID("old"), readingtest.Password), chromedp.SendKeys(chromedp.ID("password"), next), chromedp.SendKeys(chromedp.ID("again"), next), chromedp.Submit(chromedp.ID("old")))
	b.at("/account")
	b.comes(`document.querySelector(".notice.ok").textContent.includes("password is changed")`)
	b.do(chromedp.Click(chromedp.CSS(`.ways summary`)), chromedp.WaitVisible(chromedp.CSS(`form[action="/account/factor/remove"] button`)))
	b.pictures("account-remove")
	b.do(chromedp.Click(chromedp.CSS(`.ways input[name="sure"]`)), chromedp.Click(chromedp.CSS(`form[action="/account/factor/remove"] button`)))
	b.comes(`document.body.textContent.includes("Your password is all that keeps others out")`)
	b.guarded()
}
