package dashboard_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

// sent posts a form and returns the answer with its page.
func (s *site) sent(t *testing.T, client *http.Client, path string, form url.Values) (int, string) {
	t.Helper()
	r, err := client.PostForm(s.server.URL+path, form)
	return read(t, r, err)
}

func (s *site) got(t *testing.T, client *http.Client, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", s.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	r, err := client.Do(request)
	return read(t, r, err)
}

func read(t *testing.T, r *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// member invites somebody, who joins and signs in; it returns their id and browser.
func (s *site) member(t *testing.T, boss *auth.Actor, login string, role auth.Role, officer string) (id string, client *http.Client) {
	t.Helper()
	id, token, err := s.Auth.Desk(boss).Invite(t.Context(), auth.NewPerson{Login: login, Name: "Person " + login, Role: role, OfficerID: officer})
	if err == nil {
		err = s.Auth.Join(t.Context(), token, readingtest.Password, auth.Origin{Address: "192.0.2.8"})
	}
	var session string
	if err == nil {
		s.Clock.Advance(3e9)
		session, err = s.Auth.SignIn(t.Context(), login, readingtest.Password, "", auth.Origin{Address: "192.0.2.8"})
	}
	if err != nil {
		t.Fatal(err)
	}
	client = s.client(t)
	s.give(t, client, session)
	return id, client
}

func TestAnInvitedPersonSeesTheirOwnRecordingsOnly(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	mine := s.Keep(t, readingtest.Recording{Path: "DCIM/MINE.MP4", Badge: "B-17", Content: []byte("mine")})
	other := s.Keep(t, readingtest.Recording{Path: "DCIM/OTHER.MP4", Content: []byte("another's")})
	admin := s.signedIn(t)

	code, page := s.sent(t, admin, "/people", url.Values{"name": {"Jonah Reyes"}, "login": {"j.reyes"}, "role": {"officer"}, "officer_id": {"B-17"}})
	link := regexp.MustCompile(`https://[^<]*/join\?token=([\w.-]+)`).FindStringSubmatch(page)
	if code != 200 || link == nil {
		t.Fatalf("%d %s", code, page)
	}
	stranger := s.client(t)
	if code, page := s.got(t, stranger, "/join?token="+link[1]); code != 200 || !strings.Contains(page, "Jonah Reyes") {
		t.Errorf("the invitation: %d", code)
	}
	if code, page := s.sent(t, stranger, "/join", url.Values{"token": {link[1]}, "password": {"paper lamp ocean nine"}, "again": {"paper lamp ocean nine"}}); code != 200 || !strings.Contains(page, "Welcome, Jonah Reyes") {
		t.Fatalf("joining: %d %s", code, page)
	}
	if code, _ := s.got(t, stranger, "/join?token="+link[1]); code != http.StatusGone {
		t.Errorf("the link works twice: %d", code)
	}
	if code, _ := s.sent(t, stranger, "/sign-in", url.Values{"login": {"j.reyes"}, "password": {"paper lamp ocean nine"}}); code != http.StatusSeeOther {
		t.Fatalf("signing in: %d", code)
	}
	_, list := s.got(t, stranger, "/evidence")
	if !strings.Contains(list, "MINE.MP4") || strings.Contains(list, "OTHER.MP4") || strings.Contains(list, "CLIP0038") || strings.Contains(list, `href="/people"`) {
		t.Error("the list holds the wrong recordings, or a room that is shut")
	}
	for path, want := range map[string]int{
		"/": 200, "/evidence/" + mine.ID.String(): 200, "/evidence/" + other.ID.String(): 404, "/evidence/" + evidence.EvidenceID{9}.String(): 404,
		"/evidence/" + other.ID.String() + "/play": 404, "/evidence/" + other.ID.String() + "/receipt": 404,
		"/people": 403, "/people/a.moreno": 403, "/people/nobody": 403, "/roles": 403, "/groups": 403, "/alerts": 403, "/cameras": 403, "/uplinks": 403,
	} {
		if code, _ := s.got(t, stranger, path); code != want {
			t.Errorf("%s answers %d, want %d", path, code, want)
		}
	}
	if code, _ := s.sent(t, stranger, "/evidence/"+mine.ID.String()+"/original", nil); code != 403 {
		t.Errorf("an officer takes a recording away: %d", code)
	}
	// What is out of reach answers as what is not there, byte for byte.
	for _, path := range []string{"/evidence/%s", "/evidence/%s/play", "/evidence/%s/receipt", "/api/v1/items/%s", "/api/v1/items/%s/events", "/api/v1/items/%s/receipt"} {
		hidden, missing := strings.ReplaceAll(path, "%s", other.ID.String()), strings.ReplaceAll(path, "%s", evidence.EvidenceID{9}.String())
		codeA, a := s.got(t, stranger, hidden)
		codeB, b := s.got(t, stranger, missing)
		if codeA != 404 || codeB != 404 || a != b {
			t.Errorf("%s: %d and %d, the same bytes: %v", path, codeA, codeB, a == b)
		}
	}
	if code, page := s.got(t, admin, "/evidence/"+mine.ID.String()); code != 200 || !strings.Contains(page, "Officer on their own recordings, through the role Officer") {
		t.Error("the item's page does not say who sees it")
	}
}

func TestPeopleRolesGroupsAndGrantsAreChangedOnPages(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	admin := s.signedIn(t)
	boss := s.Actor(t, s.again(t))
	id, theirs := s.member(t, boss, "p.rosecutor", auth.Prosecutor, "")
	sees := func(want bool) {
		t.Helper()
		if code, _ := s.got(t, theirs, "/evidence/"+item.ID.String()); (code == 200) != want {
			t.Errorf("their answer is %d", code)
		}
	}
	post := func(path string, want int, form url.Values) string {
		t.Helper()
		r, err := admin.PostForm(s.server.URL+path, form)
		code, page := read(t, r, err)
		if code != want {
			t.Fatalf("%s: %d, want %d: %s", path, code, want, page)
		}
		return r.Header.Get("Location")
	}
	sees(false)
	give := url.Values{"holder": {"person"}, "holder_id": {"p.rosecutor"}, "back": {"/people/p.rosecutor"}, "role": {"prosecutor"}, "on": {"item:"}, "which": {item.ID.String()}, "reason": {"case 17"}}
	if to := post("/grants", 303, give); !strings.HasPrefix(to, "/people/p.rosecutor?done=granted") {
		t.Errorf("led to %s", to)
	}
	sees(true)
	_, page := s.got(t, admin, "/people/p.rosecutor?done=granted")
	grant := regexp.MustCompile(`/grants/([0-9a-f]{16})/end`).FindStringSubmatch(page)
	if grant == nil || !strings.Contains(page, "case 17") || !strings.Contains(page, "The grant stands") {
		t.Fatalf("the page of the person: %s", page)
	}
	to := post("/grants/"+grant[1]+"/end", 303, url.Values{"back": {"/people/p.rosecutor"}})
	sees(false)
	if _, page := s.got(t, admin, to); !strings.Contains(page, "Undo") {
		t.Error("no way to undo")
	}
	post("/grants/"+grant[1]+"/restore", 303, url.Values{"back": {"//evil.example"}})
	sees(true)

	// The same from the page of the recording.
	give = url.Values{"holder": {"person"}, "holder_id": {"p.rosecuter"}, "back": {"/evidence/" + item.ID.String()}, "role": {"prosecutor"}, "on": {"item:"}, "which": {item.ID.String()}, "reason": {"case 18"}}
	post("/grants", 422, give)
	give.Set("holder_id", "p.rosecutor")
	to = post("/grants", 303, give)
	if _, page := s.got(t, admin, to); !strings.HasPrefix(to, "/evidence/"+item.ID.String()+"?done=granted") || !strings.Contains(page, "The grant stands") || !strings.Contains(page, "Undo: take this grant back") {
		t.Errorf("the recording's page after a grant, %s", to)
	}

	role := post("/roles/new", 303, url.Values{"name": {"Clerk"}, "about": {"Looks"}, "action": {"evidence.list", "accounts.list"}})
	role = strings.TrimPrefix(strings.Split(role, "?")[0], "/roles/")
	post("/roles/new", 422, url.Values{"name": {"clerk"}})
	post("/roles/new", 422, url.Values{"name": {"Odd"}, "action": {"evidence.delete"}})
	post("/groups", 303, url.Values{"name": {"Court"}})
	post("/groups", 422, url.Values{"name": {"COURT"}})
	_, page = s.got(t, admin, "/groups")
	group := regexp.MustCompile(`action="/groups/([0-9a-f]{16})/members"`).FindStringSubmatch(page)[1]
	to = post("/groups/"+group+"/members", 303, url.Values{"person": {"p.rosecutor"}, "in": {"yes"}})
	if _, page := s.got(t, admin, to); !strings.Contains(page, "Undo: take p.rosecutor out again") {
		t.Error("no way to take a person out again")
	}
	to = post("/groups/"+group+"/members", 303, url.Values{"person": {"p.rosecutor"}, "in": {"no"}})
	if _, page := s.got(t, admin, to); !strings.Contains(page, "Undo: put p.rosecutor back") || !strings.Contains(page, "Nobody yet") {
		t.Error("no way to put a person back")
	}
	post("/groups/"+group+"/members", 303, url.Values{"person": {"p.rosecutor"}, "in": {"yes"}})
	post("/groups/"+group+"/members", 422, url.Values{"person": {"nobody"}, "in": {"yes"}})
	post("/grants", 303, url.Values{"holder": {"group"}, "holder_id": {group}, "back": {"/groups"}, "role": {role}, "on": {"agency:"}})
	if code, page := s.got(t, theirs, "/people"); code != 200 || strings.Contains(page, "Invite a person") {
		t.Errorf("the group's grant does not count: %d", code)
	}
	post("/groups/"+group+"/remove", 422, nil)
	post("/roles/"+role+"/remove", 422, nil)

	post("/people/p.rosecutor/change", 303, url.Values{"role": {"investigator"}, "officer_id": {"B-2"}})
	post("/people/p.rosecutor/disable", 422, nil)
	sees(true)
	post("/people/p.rosecutor/disable", 303, url.Values{"sure": {"yes"}})
	sees(false)
	post("/people/p.rosecutor/disable", 409, url.Values{"sure": {"yes"}})
	post("/people/p.rosecutor/enable", 303, nil)
	post("/people/a.moreno/disable", 409, url.Values{"sure": {"yes"}})
	post("/people/nobody/disable", 404, url.Values{"sure": {"yes"}})
	if u, err := s.DB.User(context.Background(), id); err != nil || u.Role != "investigator" || u.OfficerID != "B-2" {
		t.Errorf("%+v %v", u, err)
	}
	if n := s.Events(t, evidence.EventUserDisabled, ""); n != 2 {
		t.Errorf("%d events of disabling, want one done and one refused", n)
	}
	for _, path := range []string{"/people", "/people?q=rosec", "/people/p.rosecutor", "/roles", "/roles/new", "/roles/administrator", "/groups"} {
		if code, page := s.got(t, admin, path); code != 200 || !strings.Contains(page, "</html>") {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// again signs the first administrator in once more.
func (s *site) again(t *testing.T) string {
	t.Helper()
	session, err := s.Auth.SignIn(t.Context(), "a.moreno", readingtest.Password, "", auth.Origin{Address: "192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	return session
}
