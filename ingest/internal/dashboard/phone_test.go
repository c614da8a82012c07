package dashboard_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	foreign "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

// An administrator gives the gateway its secret and is offered no codes; an officer sets a
// phone up in a browser, signs in with a code that came, and takes the phone away. The
// gateway is a real one, and judges what comes with a library that is not ours.
func TestAPhoneIsSetUpAndSignsInOnItsPages(t *testing.T) {
	type message struct {
		header http.Header
		body   []byte
	}
	got := make(chan message, 10)
	gateway := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- message{r.Header.Clone(), body}
	}))
	t.Cleanup(gateway.Close)
	roots := x509.NewCertPool()
	roots.AddCert(gateway.Certificate())
	var hooks *webhook.Service
	s := newSite(t, func(c *dashboard.Config) {
		key := sha256.Sum256([]byte("a pepper of a test"))
		var err error
		hooks, err = webhook.New(webhook.Config{Catalog: c.Cameras.Catalog, Agency: readingtest.Agency, Key: key[:], Node: "node", Roots: roots, Now: c.Now, Log: slog.New(slog.DiscardHandler),
			Networks: func(context.Context) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} }})
		if err != nil {
			t.Fatal(err)
		}
		c.Webhooks = hooks
	})
	s.Store.Gateway = hooks.SendCode
	admin := s.signedIn(t)
	if shown := s.get(t, admin, "/account/phone"); shown.StatusCode != http.StatusNotFound {
		t.Errorf("where no codes are sent: %d", shown.StatusCode)
	}
	s.decide(t, settings.CodeGateway, gateway.URL+"/codes")
	if shown := s.get(t, admin, "/account/phone"); shown.StatusCode != http.StatusNotFound {
		t.Errorf("offered to an administrator: %d", shown.StatusCode)
	}
	shown := s.ask(t, admin, "POST", "/settings/gateway-secret", url.Values{})
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(strings.ReplaceAll(shown.body, "&#43;", "+"))
	if shown.StatusCode != http.StatusOK || secret == "" {
		t.Fatalf("%d: no secret", shown.StatusCode)
	}
	judge, err := foreign.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	code := func() string {
		t.Helper()
		select {
		case m := <-got:
			if err := judge.VerifyIgnoringTimestamp(m.body, m.header); err != nil {
				t.Fatal(err)
			}
			var told struct{ To, Code string }
			if err := json.Unmarshal(m.body, &told); err != nil || told.To != "+12015550123" {
				t.Fatalf("%s: %v", m.body, err)
			}
			return told.Code
		case <-time.After(30 * time.Second):
			t.Fatal("the gateway was told nothing")
		}
		return ""
	}
	boss := s.Actor(t, s.again(t))
	s.member(t, boss, "j.reyes", auth.Officer, "B-17")

	rules := axeCore(t)
	b := newBrowser(t, s.server.URL)
	b.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
			return chromedp.Void{}, err
		}
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: rules})
		return chromedp.Void{}, err
	})
	l := &look{browser: b, seen: map[string]bool{}}
	says := func(text string) {
		t.Helper()
		b.comes(fmt.Sprintf("document.body !== null && document.body.innerText.includes(%q)", text))
	}
	signIn := func() {
		t.Helper()
		s.Clock.Advance(10 * time.Second)
		b.do(chromedp.Navigate(b.origin+"/sign-in"), chromedp.SendKeys(chromedp.ID("login"), "j.reyes"), chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.Submit(chromedp.ID("login")))
	}
	signIn()
	b.at("/")
	l.open("/account/factor", "phone-choice")
	l.open("/account/phone", "phone")
	b.do(chromedp.SendKeys(chromedp.ID("number"), "201 555 0123"), chromedp.Submit(chromedp.ID("number")))
	says("no telephone number")
	l.at("phone-refused")
	l.submit("/account/phone", map[string]string{"number": "+1 201 555 0123", "channel": "sms"})
	says("Type the code that comes")
	l.at("phone-code")
	b.do(chromedp.SendKeys(chromedp.ID("code"), "12345"), chromedp.Submit(chromedp.ID("code")))
	says("That does not fit")
	b.do(chromedp.SendKeys(chromedp.ID("code"), code()), chromedp.Submit(chromedp.ID("code")))
	b.at("/account/recovery")
	l.open("/account", "account-phone")
	says("can be intercepted")

	s.Clock.Advance(6 * time.Minute)
	b.do(chromedp.Navigate(b.origin + "/account/phone"))
	b.at("/confirm")
	l.at("confirm-phone")
	l.submit("/confirm/send", map[string]string{"next": "/account"})
	says("A code is on its way")
	b.do(chromedp.SendKeys(chromedp.ID("code"), code()), chromedp.Submit(chromedp.ID("code")))
	b.at("/account")

	l.submit("/sign-out", map[string]string{})
	signIn()
	b.at("/sign-in/factor")
	l.at("factor-phone")
	l.submit("/sign-in/factor/send", map[string]string{"next": "/"})
	says("A code is on its way")
	l.at("factor-phone-sent")
	b.do(chromedp.SendKeys(chromedp.ID("code"), code()), chromedp.Submit(chromedp.ID("code")))
	b.at("/")
	l.submit("/account/factor/remove", map[string]string{"id": "phone", "sure": "yes"})
	b.at("/account")
	if n := s.Events(t, evidence.EventPhoneCodeUsed, ""); n != 2 {
		t.Errorf("%d codes were used", n)
	}
	if shown := s.get(t, admin, "/posture"); !strings.Contains(shown.body, "codes by phone") {
		t.Error("the posture does not tell of codes by phone")
	}
}
