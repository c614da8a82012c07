package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestThePageOfTheAPIShowsEveryRoute(t *testing.T) {
	s := newSite(t)
	browser := s.signedIn(t)
	page := s.get(t, browser, "/api/")
	if page.StatusCode != http.StatusOK {
		t.Fatal(page.StatusCode)
	}
	for _, want := range []string{"/api/v1/items/{id}/events", "evidence.list", "Idempotency-Key", `href="#shape-Item"`, `id="shape-Item"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, to := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page.body, -1) {
		if !strings.Contains(page.body, `id="`+to[1]+`"`) {
			t.Errorf("the page leads to %s, which is not there", to[1])
		}
	}
	if nobody := s.get(t, s.client(t), "/api/openapi.json"); nobody.StatusCode != http.StatusOK || !strings.Contains(nobody.body, `"openapi":"3.1.1"`) {
		t.Errorf("the document: %d", nobody.StatusCode)
	}
}

func TestATokenIsMadeAndRevokedOnThePages(t *testing.T) {
	s := newSite(t)
	browser := s.signedIn(t)
	wrong := s.ask(t, browser, "POST", "/account/token", url.Values{"name": {"Reports"}, "days": {"30"}})
	if wrong.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(wrong.body, `value="Reports"`) {
		t.Fatalf("without a scope: %d", wrong.StatusCode)
	}
	made := s.ask(t, browser, "POST", "/account/token", url.Values{"name": {"Reports"}, "days": {"30"}, "scope": {"evidence.list"}})
	token := regexp.MustCompile(`sdk_[a-z2-7]{40}`).FindString(made.body)
	if made.StatusCode != http.StatusOK || token == "" {
		t.Fatal(made.StatusCode)
	}
	program := s.client(t)
	program.Transport = bearer{token, program.Transport}
	if a := s.get(t, program, "/api/v1/items"); a.StatusCode != http.StatusOK {
		t.Errorf("the program got %d: %s", a.StatusCode, a.body)
	}
	if a := s.get(t, program, "/evidence"); a.StatusCode == http.StatusOK {
		t.Error("a token opens a page")
	}
	account := s.get(t, browser, "/account").body
	id := regexp.MustCompile(`name="id" value="([0-9a-f]{16})"`).FindStringSubmatch(account)
	if strings.Contains(account, token) || id == nil || !strings.Contains(account, "Reports") {
		t.Fatal("the account does not list the token, or shows it again")
	}
	if a := s.ask(t, browser, "POST", "/account/token/revoke", url.Values{"id": {id[1]}}); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode)
	}
	if a := s.get(t, program, "/api/v1/items"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("revoked, the program got %d", a.StatusCode)
	}
	if made, revoked := s.Events(t, evidence.EventTokenMade, ""), s.Events(t, evidence.EventTokenRevoked, ""); made != 1 || revoked != 1 {
		t.Errorf("%d made and %d revoked on record", made, revoked)
	}
	s.Clock.Advance(auth.FreshFor + time.Second)
	if a := s.get(t, browser, "/account/token"); !strings.HasPrefix(a.Header.Get("Location"), "/confirm") {
		t.Errorf("without a fresh factor: %d", a.StatusCode)
	}
}
