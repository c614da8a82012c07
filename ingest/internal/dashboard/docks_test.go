package dashboard_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

// An administrator makes a token for a new dock, sees the command, withdraws the token;
// shuts a stolen dock out with one click and lets it in again; removes a dock that was
// never used; and orders the table by keyboard, which the browser remembers.
func TestDocksAreEnrolledShutOutAndRemovedOnTheirPages(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	s.Enrol(t, "harbour", "spare")
	s.Live.Set(liveDay(s.Clock.Now()))
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
		chromedp.Click(chromedp.CSS(`a[href="/docks"]`)), chromedp.WaitVisible(chromedp.ID("enrol")))
	first := func() string { return ask[string](b, `document.querySelector("tbody th").innerText.trim()`) }
	if got := first(); got != "front-desk" {
		t.Errorf("the first dock is %q", got)
	}
	b.tabTo(focused(`.sort-key[href="/docks?sort=state"]`))
	b.press(kb.Enter)
	b.arrive(`location.search === "?sort=state" && document.querySelector('[aria-sort="ascending"]') !== null`)
	b.do(chromedp.Navigate(b.origin + "/docks"))
	if got := first(); got != "pier-4" || ask[string](b, `document.querySelector("[aria-sort]").innerText.slice(0, 5)`) != "State" {
		t.Errorf("the order was not remembered: the first dock is %q", got)
	}

	b.do(chromedp.SendKeys(chromedp.ID("dock"), "Lobby"), chromedp.SendKeys(chromedp.ID("station"), "north"), chromedp.Submit(chromedp.ID("dock")), chromedp.WaitVisible(chromedp.ID("problem")))
	if ask[string](b, `document.getElementById("dock").value`) != "Lobby" {
		t.Error("what was typed is gone")
	}
	ask[string](b, `document.getElementById("dock").value = ""`)
	b.do(chromedp.SendKeys(chromedp.ID("dock"), "lobby"), chromedp.Submit(chromedp.ID("dock")), chromedp.WaitVisible(chromedp.ID("secret")))
	b.pictures("dock-token")
	text, command := ask[string](b, `document.getElementById("secret").value`), ask[string](b, `document.getElementById("command").value`)
	secret, _, err := identity.ParseEnrolmentToken(text)
	if want := "sudo sealdock-agent enrol --server " + b.origin + " --dock lobby --station north --token -"; err != nil || command != want {
		t.Errorf("token %q, %v; command %q", text, err, command)
	}
	b.do(chromedp.Navigate(b.origin+"/docks"), chromedp.WaitVisible(chromedp.ID("tokens")))
	b.pictures("docks")
	if page := ask[string](b, `document.documentElement.outerHTML`); strings.Contains(page, text) || !strings.Contains(page, "Alba Moreno") {
		t.Error("the token is shown again, or nobody is named")
	}
	b.do(chromedp.Click(chromedp.CSS(`form[action="/docks/withdraw"] button`)))
	b.arrive(`document.querySelector(".notice.ok") !== null && document.getElementById("tokens") === null`)
	err = s.DB.Update(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ConsumeDockToken(t.Context(), evidence.SHA256(secret[:]), s.Clock.Now())
		return err
	})
	if err == nil {
		t.Error("the withdrawn token enrols")
	}

	b.do(chromedp.Navigate(b.origin+"/docks/front-desk"), chromedp.Click(chromedp.CSS(`form:has([name=stolen]) button`)))
	b.arrive(`document.querySelector(".notice.ok") !== null && document.querySelector(".room-head .status.bad") !== null`)
	b.pictures("dock-stolen")
	if dock, err := s.DB.Dock(t.Context(), readingtest.Agency, "front-desk"); err != nil || dock.Enabled {
		t.Errorf("the dock is %+v, %v", dock, err)
	}
	if !strings.Contains(ask[string](b, `document.querySelector(".timeline").innerText`), "stolen") {
		t.Error("the page does not tell why")
	}
	ask[bool](b, `(document.querySelector('form[action$="/enable"]').closest("details").open = true)`)
	b.do(chromedp.Click(chromedp.CSS(`form[action$="/enable"] button`)))
	b.arrive(`document.querySelector(".room-head .status.ok") !== null`)

	b.do(chromedp.Navigate(b.origin + "/docks/spare"))
	remove := func(name, wait string) {
		t.Helper()
		ask[bool](b, `(document.querySelector('form[action$="/remove"]').closest("details").open = true)`)
		b.do(chromedp.SendKeys(chromedp.ID("sure"), name), chromedp.Click(chromedp.CSS(`form[action$="/remove"] button`)))
		b.arrive(wait)
	}
	remove("another", `document.querySelector(".notice.bad") !== null`)
	remove("spare", `location.pathname === "/docks" && document.querySelector(".notice.ok") !== null`)
	if ask[bool](b, `document.querySelector('a[href="/docks/spare"]') !== null`) {
		t.Error("the removed dock is listed")
	}

	// Without a fresh factor the page says so, and nothing is made.
	s.Clock.Advance(6 * time.Minute)
	b.do(chromedp.Navigate(b.origin+"/docks"), chromedp.WaitVisible(chromedp.CSS(`a[href^="/confirm?next="]`)))
	b.do(chromedp.SendKeys(chromedp.ID("dock"), "late"), chromedp.SendKeys(chromedp.ID("station"), "north"), chromedp.Submit(chromedp.ID("dock")), chromedp.WaitReady(chromedp.CSS(`[name=next]`)))
	if at := ask[string](b, `location.pathname + location.search`); at != "/confirm?next=%2Fdocks" {
		t.Errorf("led to %s", at)
	}
}

// Who manages the docks of one station decides about those alone, and is not told of
// others.
func TestDocksAreManagedByStation(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	s.Enrol(t, "north", "spare")
	boss := s.Actor(t, s.SetUp(t))
	role, err := s.Auth.Desk(boss).PutRole(t.Context(), "", "Station technician", "Docks of a station", []string{string(auth.ListDocks), string(auth.ManageDocks)})
	if err != nil {
		t.Fatal(err)
	}
	id, client := s.member(t, boss, "t.ech", auth.Prosecutor, "")
	if _, err := s.Auth.Desk(boss).Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: id, Role: role, Scope: catalog.OnStation, Value: "north"}); err != nil {
		t.Fatal(err)
	}
	do := func(method, path, body string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for _, try := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/v1/docks/garage", "", http.StatusOK},
		{"GET", "/api/v1/docks/pier-4", "", http.StatusNotFound},
		{"POST", "/api/v1/enrolment-tokens", `{"dock":"lobby","station":"north"}`, http.StatusOK},
		{"POST", "/api/v1/enrolment-tokens", `{"dock":"lobby","station":"harbour"}`, http.StatusForbidden},
		{"POST", "/api/v1/enrolment-tokens", `{"dock":"garage","station":"harbour"}`, http.StatusForbidden}, // not moved out of reach
		{"POST", "/api/v1/enrolment-tokens", `{"dock":"pier-4","station":"north"}`, http.StatusForbidden},   // nor taken from elsewhere
		{"POST", "/api/v1/enrolment-tokens", `{"dock":"Lobby","station":"north"}`, http.StatusUnprocessableEntity},
		{"POST", "/api/v1/enrolment-tokens", `{"dock":"lobby","station":"north","hours":721}`, http.StatusUnprocessableEntity},
		{"POST", "/api/v1/docks/pier-4/disable", `{"reason":"x"}`, http.StatusNotFound},
		{"POST", "/api/v1/docks/garage/disable", `{"reason":"stolen"}`, http.StatusNoContent},
		{"POST", "/api/v1/docks/garage/enable", `{}`, http.StatusNoContent},
		{"DELETE", "/api/v1/docks/pier-4", "", http.StatusNotFound},
		{"DELETE", "/api/v1/docks/garage", "", http.StatusConflict}, // it brought recordings
		{"DELETE", "/api/v1/docks/spare", "", http.StatusNoContent}, // it did nothing but enrol
		{"DELETE", "/api/v1/enrolment-tokens/" + evidence.SHA256(nil).String(), "", http.StatusNotFound},
	} {
		if got := do(try.method, try.path, try.body); got != try.want {
			t.Errorf("%s %s %s: %d, want %d", try.method, try.path, try.body, got, try.want)
		}
	}
	_, token, err := s.Fleet.DocksFor(boss).MakeToken(t.Context(), "harbour", "quay", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if got := do("DELETE", "/api/v1/enrolment-tokens/"+token.Hash.String(), ""); got != http.StatusNotFound {
		t.Errorf("the token of another station is withdrawn: %d", got)
	}
	open, err := s.DB.DockTokens(context.Background(), readingtest.Agency)
	if err != nil || len(open) != 2 {
		t.Fatalf("%d tokens are open, %v", len(open), err)
	}
	for _, one := range open {
		if want := map[bool]int{true: http.StatusNoContent, false: http.StatusNotFound}[one.Station == "north"]; do("DELETE", "/api/v1/enrolment-tokens/"+one.Hash.String(), "") != want {
			t.Errorf("withdrawing the token of %s", one.Dock)
		}
	}
}
