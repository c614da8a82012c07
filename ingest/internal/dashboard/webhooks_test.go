package dashboard_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	foreign "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
)

// An administrator makes a webhook, copies its secret, tests it, sees a delivery that was
// not taken, rotates, disables, enables and deletes; and the receiver verifies what came.
func TestAWebhookIsMadeTestedAndDeletedOnItsPages(t *testing.T) {
	type message struct {
		header http.Header
		body   []byte
	}
	got := make(chan message, 10)
	answer := make(chan int, 10)
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- message{r.Header.Clone(), body}
		w.WriteHeader(<-answer)
	}))
	t.Cleanup(receiver.Close)
	roots := x509.NewCertPool()
	roots.AddCert(receiver.Certificate())
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
	s.fill(t)
	token, err := s.Auth.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s.server.URL)
	b.do(
		chromedp.Navigate(b.origin+"/setup?token="+token),
		chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"),
		chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.SendKeys(chromedp.ID("again"), readingtest.Password),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".figures")),
		chromedp.Click(chromedp.CSS(`a[href="/webhooks"]`)), chromedp.WaitVisible(chromedp.ID("hook-url")))
	b.pictures("webhooks-none")
	b.do(chromedp.SendKeys(chromedp.ID("hook-name"), "Records system"), chromedp.SendKeys(chromedp.ID("hook-url"), receiver.URL+"/sealdock"), chromedp.Submit(chromedp.ID("hook-url")), chromedp.WaitVisible(chromedp.ID("problem")))
	if text := ask[string](b, `document.getElementById("problem").innerText`); !strings.Contains(text, "choose at least one") || ask[string](b, `document.getElementById("hook-name").value`) != "Records system" {
		t.Errorf("%q", text)
	}
	b.do(chromedp.Click(chromedp.CSS(`#make details:nth-of-type(4) summary`)), chromedp.Click(chromedp.CSS(`[name=type][value="evidence.stored"]`)))
	b.pictures("webhook-new")
	b.do(chromedp.Submit(chromedp.ID("hook-url")), chromedp.WaitVisible(chromedp.ID("secret")))
	b.pictures("webhook-secret")
	secret := ask[string](b, `document.getElementById("secret").value`)
	judge, err := foreign.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	open := func(act, wait string, typed ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		form := `form[action$="/` + act + `"]`
		ask[bool](b, `(window.before = true, document.querySelector('`+form+`').closest("details").open = true)`)
		b.do(typed...)
		b.do(chromedp.Click(chromedp.CSS(form + " button")))
		b.arrive(`!window.before && document.readyState === "complete" && document.querySelector("` + wait + `") !== null`) // the former page may have it too
	}
	b.do(chromedp.Click(chromedp.CSS(`.button[href^="/webhooks/"]`)), chromedp.WaitVisible(chromedp.CSS(".item-deck")))
	answer <- 200
	open("test", ".notice.ok")
	m := <-got
	if err := judge.VerifyIgnoringTimestamp(m.body, m.header); err != nil {
		t.Error(err)
	}
	answer <- 500
	open("test", ".notice.bad")
	<-got
	b.pictures("webhook")
	open("rotate", "#secret")
	if ask[string](b, `document.getElementById("secret").value`) == secret {
		t.Error("the secret stayed")
	}
	b.do(chromedp.Click(chromedp.CSS(`.button[href^="/webhooks/"]`)), chromedp.WaitVisible(chromedp.CSS(".item-deck")))
	open("disable", ".notice.ok")
	open("enable", ".notice.ok")
	open("delete", ".notice.bad", chromedp.SendKeys(chromedp.ID("sure"), "another"))
	open("delete", ".teach", chromedp.SendKeys(chromedp.ID("sure"), "Records system"))

	// Without a fresh factor the page says so, nothing is made, and what was typed waits.
	s.Clock.Advance(6 * time.Minute)
	b.do(chromedp.Navigate(b.origin+"/webhooks"), chromedp.WaitVisible(chromedp.CSS(`a[href^="/confirm?next="]`)))
	b.do(chromedp.SendKeys(chromedp.ID("hook-name"), "Late"), chromedp.SendKeys(chromedp.ID("hook-url"), "https://example.org/"), chromedp.Click(chromedp.CSS(`[name=all]`)), chromedp.Submit(chromedp.ID("hook-url")), chromedp.WaitReady(chromedp.CSS(`[name=next]`)))
	if at := ask[string](b, `location.pathname + location.search`); !strings.HasPrefix(at, "/confirm?next=%2Fagain%3Fform%3D") {
		t.Errorf("led to %s", at)
	}
	if all, err := s.DB.Webhooks(t.Context(), readingtest.Agency); err != nil || len(all) != 0 {
		t.Errorf("%+v %v", all, err)
	}
	// With one, what was typed is there again, and is sent by one click.
	b.do(chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.Submit(chromedp.ID("password")), chromedp.WaitVisible(chromedp.CSS(`form[action="/webhooks"] button[autofocus]`)),
		chromedp.Click(chromedp.CSS(`form[action="/webhooks"] button[autofocus]`)), chromedp.WaitVisible(chromedp.CSS(`.button[href^="/webhooks/"]`)))
	if all, err := s.DB.Webhooks(t.Context(), readingtest.Agency); err != nil || len(all) != 1 || all[0].Name != "Late" {
		t.Errorf("%+v %v", all, err)
	}
}
