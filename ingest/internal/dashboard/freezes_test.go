package dashboard_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// posted posts a form and returns where it led and the page that came.
func (s *site) posted(t *testing.T, client *http.Client, path string, form url.Values) (to, page string) {
	t.Helper()
	answer, err := client.PostForm(s.server.URL+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if to := answer.Header.Get("Location"); to != "" {
		return to, s.get(t, client, to).body
	}
	return path, string(text)
}

// A freeze is begun on a recording's page and ended on the page of freezes, both by one
// form.
func TestARecordingIsFrozenWithOneForm(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/CLIP0007.MP4", Content: []byte("seven")})
	page := s.get(t, client, "/evidence/"+item.ID.String()).body
	if !strings.Contains(page, "Not frozen") || !strings.Contains(page, "Freeze this recording") {
		t.Fatal("the recording’s page has no form that freezes it")
	}
	to, page := s.posted(t, client, "/freezes", url.Values{"scope": {"item"}, "value": {item.ID.String()}, "reason": {"case 4711"}})
	if to != "/freezes?done=begin" || !strings.Contains(page, "Recording CLIP0007.MP4") || !strings.Contains(page, "Case 4711.") || !strings.Contains(page, "It is frozen") {
		t.Fatalf("%s: %s", to, page)
	}
	if page := s.get(t, client, "/evidence/"+item.ID.String()).body; !strings.Contains(page, ">Frozen<") || !strings.Contains(page, "Case 4711.") {
		t.Error("the recording’s page does not say that it is frozen")
	}
	over, err := s.DB.FreezesOver(t.Context(), readingtest.Agency, item.ID)
	if err != nil || len(over) != 1 {
		t.Fatalf("%d freezes stand, %v", len(over), err)
	}
	end := "/freezes/" + over[0].ID + "/end"
	if _, page := s.posted(t, client, end, url.Values{"reason": {"closed"}}); !strings.Contains(page, "tick the box") {
		t.Error("it ends without being sure")
	}
	s.Clock.Advance(auth.FreshFor + time.Minute)
	if to, _ := s.posted(t, client, end, url.Values{"reason": {"closed"}, "sure": {"yes"}, "back": {"/freezes"}}); !strings.HasPrefix(to, "/confirm") {
		t.Errorf("without a fresh factor it leads to %s", to)
	}
	s.posted(t, client, "/confirm", url.Values{"next": {"/freezes"}, "password": {readingtest.Password}})
	if to, page := s.posted(t, client, end, url.Values{"reason": {"closed"}, "sure": {"yes"}}); to != "/freezes?done=end" || !strings.Contains(page, "Nothing is frozen") || !strings.Contains(page, "Past") {
		t.Errorf("%s: %s", to, page)
	}
	if n := s.Events(t, evidence.EventFrozen, ""); n != 1 {
		t.Errorf("%d freezes are on record", n)
	}
	for form, want := range map[string]string{"scope=station&value=nowhere&reason=x": "There is no station", "scope=camera&value=X&reason=": "Say why it is frozen", "scope=&value=&reason=x": "cannot be frozen"} {
		v, _ := url.ParseQuery(form)
		if _, page := s.posted(t, client, "/freezes", v); !strings.Contains(page, want) {
			t.Errorf("%s: %q is not said", form, want)
		}
	}
}

// All sessions of a person end with one click, and they may sign in anew.
func TestAllSessionsOfAPersonEndWithOneClick(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	boss := s.Actor(t, s.again(t))
	_, theirs := s.member(t, boss, "j.reyes", auth.Operator, "")
	if page := s.get(t, client, "/people/j.reyes").body; !strings.Contains(page, "End all sessions of ") {
		t.Fatal("the page of somebody who is signed in has no such button")
	}
	to, page := s.posted(t, client, "/people/j.reyes/end-sessions", nil)
	if to != "/people/j.reyes?done=end-sessions" || strings.Contains(page, `action="/people/j.reyes/end-sessions"`) || !strings.Contains(page, ">Active<") {
		t.Errorf("%s: %s", to, page)
	}
	if a := s.get(t, theirs, "/cameras"); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/sign-in") {
		t.Errorf("a session goes on: %d", a.StatusCode)
	}
	if n := s.Events(t, evidence.EventUserSessionsEnded, ""); n != 1 {
		t.Errorf("%d such acts are on record", n)
	}
	if _, page := s.posted(t, client, "/people/a.moreno/end-sessions", nil); !strings.Contains(page, "own account") {
		t.Error("an administrator signs themself out by this page")
	}
}

// A supervisor of a station sees its alerts, and no others, on the page, in the rail and
// on the overview.
func TestASupervisorSeesTheAlertsOfTheStation(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	boss := s.Actor(t, s.SetUp(t))
	for _, object := range []string{"dock:front-desk", "dock:pier-4", "server:store"} {
		s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.RaiseAlert(ctx, &catalog.Alert{Agency: readingtest.Agency, Code: catalog.AlertSpoolFilling, Severity: catalog.SeverityWarning, Object: object, Message: "look at " + object, LastAt: s.Clock.Now()})
			return err
		})
	}
	_, client := s.member(t, boss, "s.uper", auth.Supervisor, "")
	if page := s.get(t, client, "/account").body; strings.Contains(page, `href="/alerts"`) {
		t.Error("the rail leads to alerts without a grant")
	}
	if _, err := s.Auth.Desk(boss).Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "s.uper", Role: string(auth.Supervisor), Scope: catalog.OnStation, Value: "north"}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/alerts", "/", "/api/v1/alerts"} {
		page := s.get(t, client, path).body
		if !strings.Contains(page, "ook at dock:front-desk") || strings.Contains(page, "pier-4") || strings.Contains(page, "server:store") {
			t.Errorf("%s: %s", path, page)
		}
		if path != "/api/v1/alerts" && !strings.Contains(page, `data-live-alerts><b>1</b>`) {
			t.Errorf("%s: the rail does not count one alert", path)
		}
		if strings.Contains(page, "Acknowledge this alert") {
			t.Errorf("%s offers what the role does not allow", path)
		}
	}
}
