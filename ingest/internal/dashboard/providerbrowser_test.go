package dashboard_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/directory"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/testkit/provider"
	"github.com/sealdock/sealdock/proto/evidence"
)

// withProvider is the site where people sign in at a provider, which is another
// site to the browser.
func withProvider(t *testing.T) (*site, *provider.Provider) {
	t.Helper()
	var config dashboard.Config
	s := newSite(t, func(c *dashboard.Config) { config = *c })
	p := provider.Start(t, s.Clock.Now)
	server := httptest.NewUnstartedServer(nil)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	o, err := directory.NewOIDC(directory.OIDCConfig{
		Issuer: p.Issuer, Authority: p.Authority, ClientID: provider.Client, ClientSecretFile: p.SecretFile, Redirect: "https://localhost:" + port + "/sign-in/oidc/back",
		LoginClaim: "preferred_username", NameClaim: "name", GroupsClaim: "groups", FactorAMR: []string{"mfa"}, Now: s.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	config.Auth, err = auth.New(auth.Config{
		Catalog: s.DB, Agency: readingtest.Agency, Pepper: make([]byte, auth.PepperSize), Hosts: []string{"localhost"}, Now: s.Clock.Now,
		Directory: &auth.Directory{Provider: o, ProviderName: "your Metro account", Recheck: 10 * time.Minute, Appointments: []directory.Appointment{{Group: "evidence-admins", Role: "administrator"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if server.Config.Handler, err = dashboard.New(config); err != nil {
		t.Fatal(err)
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	s.server = server
	return s, p
}

// Cookies are SameSite=Strict, and yet a browser that comes from the provider's
// site is signed in, known again, and can show once more who is there.
func TestABrowserComesBackFromTheProviderSignedIn(t *testing.T) {
	s, p := withProvider(t)
	s.fill(t)
	p.There(map[string]any{"sub": "7", "preferred_username": "a.moreno", "name": "Alba Moreno", "groups": []any{"evidence-admins"}, "amr": []any{"mfa"}})
	b := newBrowser(t, s.named())
	b.do(chromedp.Navigate(b.origin + "/evidence"))
	b.at("/sign-in")
	b.pictures("signin-provider")
	b.tabTo(focused(`a[href^="/sign-in/oidc"]`))
	b.press(kb.Enter)
	b.at("/evidence")

	b.do(chromedp.Navigate(b.origin + "/account"))
	b.at("/account")
	if text := ask[string](b, `document.querySelector("main").textContent`); !strings.Contains(text, "agency’s directory") || !strings.Contains(text, "with a second factor") || strings.Contains(text, "Changed") {
		t.Errorf("the account page says %s", text)
	}
	b.pictures("account-provider")

	s.Clock.Advance(auth.FreshFor)
	b.do(chromedp.Navigate(b.origin + "/account/factor"))
	b.at("/confirm")
	b.pictures("confirm-provider")
	b.tabTo(focused(`a[href^="/sign-in/oidc?anew"]`))
	b.press(kb.Enter)
	b.at("/account/factor")

	p.There(map[string]any{"sub": "8", "preferred_username": "z", "name": "Zed", "groups": []any{"choir"}})
	b.do(chromedp.Navigate(b.origin + "/sign-in/oidc?next=/evidence"))
	b.at("/sign-in/oidc/end")
	if text := ask[string](b, `document.querySelector("[role=alert]").textContent`); !strings.Contains(text, "in no group of the directory") {
		t.Errorf("who has no role reads %s", text)
	}
	b.pictures("signin-provider-refused")
}

func TestTheUseNoticeIsAcceptedBeforeTheProvider(t *testing.T) {
	s, p := withProvider(t)
	s.decide(t, settings.UseNotice, "This system belongs to Harbour City.")
	p.There(map[string]any{"sub": "7", "preferred_username": "a.moreno", "name": "Alba Moreno", "groups": []any{"evidence-admins"}, "amr": []any{"mfa"}})
	client := s.client(t)
	for _, path := range []string{"/sign-in/oidc", "/sign-in/oidc?anew=1&next=/", "/sign-in/oidc?accepted=0123456789"} {
		if got := s.get(t, client, path); got.StatusCode != http.StatusForbidden || !strings.Contains(got.body, "accept it: without that nobody is let in") {
			t.Errorf("%s without acceptance: %d", path, got.StatusCode)
		}
	}
	b := newBrowser(t, s.named())
	b.do(chromedp.Navigate(b.origin + "/sign-in?next=/account"))
	b.at("/sign-in")
	b.pictures("signin-provider-notice")
	b.tabTo(focused(`input[name=accepted]`))
	b.press(" ")
	b.tabTo(focused(`form[action="/sign-in/oidc"] button`))
	b.press(kb.Enter)
	b.at("/account")
	rows, err := s.DB.Events(t.Context(), catalog.EventFilter{Agency: readingtest.Agency, Type: evidence.EventSignedIn}, 1)
	if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0].JSON), `"notice_sha256":"`+evidence.SHA256([]byte("This system belongs to Harbour City.")).String()) {
		t.Errorf("on record: %v, %v", rows, err)
	}
}
