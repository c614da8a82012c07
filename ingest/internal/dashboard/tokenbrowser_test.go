package dashboard_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
)

// Somebody reads what the API can, and makes a token for it.
func TestAPersonReadsOfTheAPIAndMakesAToken(t *testing.T) {
	s := newSite(t)
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
		chromedp.Navigate(b.origin+"/account"), chromedp.WaitVisible(chromedp.CSS(`a[href="/api/"]`)), chromedp.Click(chromedp.CSS(`a[href="/api/"]`)), chromedp.WaitVisible(chromedp.ID("shapes")),
		chromedp.Click(chromedp.CSS("#getItems summary")), chromedp.WaitVisible(chromedp.CSS("#getItems table")))
	b.pictures("api")
	b.do(chromedp.Navigate(b.origin+"/account/token"), chromedp.WaitVisible(chromedp.ID("days")))
	b.pictures("token-new")
	b.do(chromedp.SendKeys(chromedp.ID("name"), "Reports"), chromedp.Click(chromedp.CSS(`[value="evidence.list"]`)),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".token-text")))
	b.pictures("token-made")
	b.do(chromedp.Click(chromedp.CSS(`a.button[href="/account#tokens"]`)), chromedp.WaitVisible(chromedp.CSS(`form[action="/account/token/revoke"]`)))
	b.pictures("tokens")
	b.do(chromedp.Submit(chromedp.CSS(`form[action="/account/token/revoke"] button`)), chromedp.WaitVisible(chromedp.CSS(".notice.ok")))
	b.said.mu.Lock()
	defer b.said.mu.Unlock()
	if len(b.said.all) > 0 {
		t.Errorf("the browser complains: %q", b.said.all)
	}
}
