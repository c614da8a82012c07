package dashboard_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// post sends a form and returns where it leads, or the page of the answer.
func (s *site) post(t *testing.T, client *http.Client, path string, want int, form url.Values) (to, page string) {
	t.Helper()
	a := s.ask(t, client, "POST", path, form)
	if a.StatusCode != want {
		t.Fatalf("%s: %d, want %d: %s", path, a.StatusCode, want, a.body)
	}
	return a.Header.Get("Location"), a.body
}

var fieldItem = regexp.MustCompile(`name="item" value="([0-9a-f]{32})"`)

func TestCasesAreKeptOnPages(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	admin := s.signedIn(t)
	boss := s.Actor(t, s.again(t))
	one := s.Keep(t, readingtest.Recording{Path: "DCIM/ONE.MP4", Content: []byte("one")}).ID.String()
	two := s.Keep(t, readingtest.Recording{Path: "DCIM/TWO.MP4", Content: []byte("two")}).ID.String()
	three := s.Keep(t, readingtest.Recording{Path: "DCIM/THREE.MP4", Content: []byte("three")}).ID.String()
	_, theirs := s.member(t, boss, "p.rosecutor", auth.Prosecutor, "")
	_, manager := s.member(t, boss, "e.vidence", auth.EvidenceManager, "")

	if _, page := s.got(t, admin, "/cases"); !strings.Contains(page, "No case yet") {
		t.Error("an empty room teaches nothing")
	}
	s.post(t, admin, "/cases", 422, url.Values{"number": {""}, "title": {"x"}})
	s.post(t, admin, "/cases", 422, url.Values{"number": {strings.Repeat("9", 61)}, "title": {"x"}})
	if _, page := s.post(t, admin, "/cases", 422, url.Values{"number": {"26/1184"}, "title": {"Fire"}, "lead": {"nobody"}, "note": {"kept\r\ntyped"}}); !strings.Contains(page, "26/1184") || !strings.Contains(page, "kept\r\ntyped") || !strings.Contains(page, "nobody with this sign-in name") {
		t.Error("what was typed is lost, or it is not said what is wrong")
	}
	to, _ := s.post(t, admin, "/cases", 303, url.Values{"number": {"26/1184"}, "title": {"Fire at the pier"}, "lead": {"P.Rosecutor"}, "note": {"Two\r\nlines"}})
	link := strings.Split(to, "?")[0]
	s.post(t, admin, "/cases", 422, url.Values{"number": {"26/1184"}, "title": {"Twin"}})
	for _, path := range []string{to, "/cases/26%2F1184", "/cases?q=pier", "/cases?order=title&state=open"} {
		if code, page := s.got(t, admin, path); code != 200 || !strings.Contains(page, "26/1184") || !strings.Contains(page, "Person p.rosecutor") {
			t.Errorf("%s: %d", path, code)
		}
	}
	if _, page := s.got(t, admin, "/cases?state=closed"); !strings.Contains(page, "No case fits") {
		t.Error("an open case is closed")
	}

	// Recordings, from the list: first which case, then who gets to see them, then it is done.
	if code, page := s.got(t, admin, "/cases/put"); code != 422 || !strings.Contains(page, "No recording was chosen") {
		t.Errorf("nothing chosen: %d", code)
	}
	if _, page := s.got(t, admin, "/evidence?q=one"); !strings.Contains(page, `<input type="checkbox" name="item" value="`+one+`">`) {
		t.Error("nothing can be ticked in the list")
	}
	chosen := "/cases/put?item=" + one + "&item=" + two + "&item=" + one
	if code, page := s.got(t, admin, chosen); code != 200 || !strings.Contains(page, `<option value="26/1184">`) || strings.Contains(page, "method=\"post\" action=\""+link) {
		t.Errorf("asking for the case: %d", code)
	}
	if code, page := s.got(t, admin, chosen+"&case=26%2F9999"); code != 422 || !strings.Contains(page, "26/9999") {
		t.Errorf("a case that is not there: %d", code)
	}
	give := url.Values{"holder": {"person"}, "holder_id": {"p.rosecutor"}, "back": {link}, "role": {"prosecutor"}, "on": {"case:"}, "which": {strings.TrimPrefix(link, "/cases/")}, "view_only": {"yes"}}
	if _, page := s.post(t, admin, "/grants", 422, url.Values{"holder": {"person"}, "holder_id": {"p.rosecuter"}, "back": {link}, "role": {"prosecutor"}, "on": {"case:"}, "which": {"26/1184"}}); !strings.Contains(page, "p.rosecuter") || !strings.Contains(page, "there is no such person; write the sign-in name") && !strings.Contains(page, "There is no such person; write the sign-in name") {
		t.Error("a refused grant is not told on the case's page")
	}
	if to, _ := s.post(t, admin, "/grants", 303, give); !strings.HasPrefix(to, link+"?done=granted") {
		t.Errorf("a grant leads to %s", to)
	}
	_, page := s.got(t, admin, chosen+"&case=26%2F1184")
	if !strings.Contains(page, "1 person was let into this case") || !strings.Contains(page, "Person p.rosecutor") || len(fieldItem.FindAllString(page, -1)) != 2 {
		t.Errorf("who gets to see it is not said: %s", page)
	}
	if n := s.Events(t, evidence.EventCaseItemAdded, ""); n != 0 {
		t.Error("something was done before it was asked for")
	}
	to, _ = s.post(t, admin, link+"/items", 303, url.Values{"item": {one, two}})
	_, page = s.got(t, admin, to)
	if !strings.Contains(page, "Undo: take out again") || !strings.Contains(page, "ONE.MP4") || !strings.Contains(page, "TWO.MP4") || strings.Contains(page, "THREE.MP4") {
		t.Error("the case does not show what was put in, or no way back")
	}
	if _, page := s.got(t, admin, "/evidence/"+one); !strings.Contains(page, "Put into the case") || !strings.Contains(page, ">26/1184</a>") || !strings.Contains(page, "Prosecutor on case 26/1184") {
		t.Error("the recording's page tells nothing of the case, or not who sees it by it")
	}
	if _, page := s.got(t, admin, "/evidence?case=26%2F1184"); !strings.Contains(page, "2 items") || strings.Contains(page, "THREE.MP4") {
		t.Error("the filter by case holds something else")
	}
	if _, page := s.got(t, admin, "/evidence?case=nothing"); !strings.Contains(page, "0 items") {
		t.Error("a case that is not there holds something")
	}
	if code, page := s.got(t, admin, link+"?q=three"); code != 200 || !strings.Contains(page, three) || !strings.Contains(page, "Go on with what is ticked") {
		t.Errorf("the search on the case's page: %d", code)
	}

	// The prosecutor has these two, and nothing to change.
	_, list := s.got(t, theirs, "/evidence")
	if !strings.Contains(list, "ONE.MP4") || !strings.Contains(list, "TWO.MP4") || strings.Contains(list, "THREE.MP4") || strings.Contains(list, "CLIP0038") {
		t.Error("the prosecutor's list is another one")
	}
	if code, page := s.got(t, theirs, link); code != 200 || strings.Contains(page, "Take out") || strings.Contains(page, "Let somebody in") || strings.Contains(page, "Close the case") {
		t.Errorf("the case as the prosecutor has it: %d", code)
	}
	for _, path := range []string{link, link + "/close", link + "/reopen", link + "/items", link + "/items/remove"} {
		s.post(t, theirs, path, 403, url.Values{"number": {"x"}, "title": {"x"}, "item": {one}})
	}
	s.post(t, theirs, "/cases", 403, url.Values{"number": {"x"}, "title": {"x"}})
	if code, _ := s.got(t, theirs, chosen+"&case=26%2F1184"); code != 403 {
		t.Errorf("who manages no case is shown who gets to see something: %d", code)
	}

	// Taken out and back again.
	to, _ = s.post(t, manager, link+"/items/remove", 303, url.Values{"item": {two}})
	if code, _ := s.got(t, theirs, "/evidence/"+two); code != 404 {
		t.Errorf("a recording that was taken out: %d", code)
	}
	if _, page := s.got(t, manager, to); !strings.Contains(page, "Undo: put it back") || !strings.Contains(page, fieldItem.FindString(page)) {
		t.Error("no way to put it back")
	}
	s.post(t, manager, link+"/items", 303, url.Values{"item": {two}})
	if code, _ := s.got(t, theirs, "/evidence/"+two); code != 200 {
		t.Errorf("a recording that was put back: %d", code)
	}

	// Closed: it stays as it is, and who was let in stays in.
	to, _ = s.post(t, manager, link+"/close", 303, nil)
	if _, page := s.got(t, manager, to); !strings.Contains(page, "Undo: open it again") || strings.Contains(page, "Take out") {
		t.Error("a closed case can be changed")
	}
	s.post(t, manager, link+"/close", 409, nil)
	for _, path := range []string{link + "/items", link + "/items/remove", link} {
		s.post(t, manager, path, 409, url.Values{"item": {three}, "number": {"x"}, "title": {"x"}})
	}
	if code, _ := s.got(t, theirs, "/evidence/"+one); code != 200 {
		t.Errorf("closing took a recording from who was let in: %d", code)
	}
	s.post(t, manager, link+"/reopen", 303, nil)
	s.post(t, manager, link, 303, url.Values{"number": {"26/1185"}, "title": {"Fire"}, "note": {""}})
	if code, _ := s.got(t, manager, "/cases/26%2F1184"); code != 404 {
		t.Errorf("the former number leads somewhere: %d", code)
	}
	for kind, want := range map[evidence.EventType]int64{evidence.EventCaseOpened: 2, evidence.EventCaseChanged: 3, evidence.EventCaseClosed: 2, evidence.EventCaseReopened: 2} {
		if n := s.Events(t, kind, ""); n != want {
			t.Errorf("%d events %s, want %d, the refused ones with them", n, kind, want)
		}
	}
	if n := s.Events(t, evidence.EventCaseItemAdded, "item:"+one); n != 2 {
		t.Errorf("%d events of one being put in, want one done and one refused", n)
	}
}

// Whoever puts a recording into a case gives others no more of it than they have.
func TestNobodyGivesByACaseWhatTheyHaveNot(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	boss := s.Actor(t, s.SetUp(t))
	own := s.Keep(t, readingtest.Recording{Path: "DCIM/OWN.MP4", Badge: "B-17", Content: []byte("own")}).ID.String()
	other := s.Keep(t, readingtest.Recording{Path: "DCIM/OTHER.MP4", Badge: "B-99", Content: []byte("other")}).ID.String()
	officer, client := s.member(t, boss, "o.fficer", auth.Officer, "B-17")
	id, err := s.Cases.For(boss).Open(t.Context(), casesDraft("26-1"))
	if err != nil {
		t.Fatal(err)
	}
	desk := s.Auth.Desk(boss)
	clerk, err := desk.PutRole(t.Context(), "", "Case clerk", "", []string{string(auth.ListCases), string(auth.ManageCases)})
	if err == nil {
		_, err = desk.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: officer, Role: clerk, Scope: catalog.OnCase, Value: "26-1"})
	}
	var strong string
	if err == nil {
		s.member(t, boss, "p.rosecutor", auth.Prosecutor, "")
		strong, err = desk.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "p.rosecutor", Role: string(auth.Prosecutor), Scope: catalog.OnCase, Value: id})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, page := s.post(t, client, "/cases/"+id+"/items", 403, url.Values{"item": {own}}); !strings.Contains(page, "Others would get more of this recording than you have") {
		t.Error("it is not said why")
	}
	s.post(t, client, "/cases/"+id+"/items", 404, url.Values{"item": {other}}) // not even seen
	if err := desk.EndGrant(t.Context(), strong); err != nil {
		t.Fatal(err)
	}
	if _, err := desk.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "p.rosecutor", Role: string(auth.Prosecutor), Scope: catalog.OnCase, Value: id, ViewOnly: true}); err != nil {
		t.Fatal(err)
	}
	s.post(t, client, "/cases/"+id+"/items", 404, url.Values{"item": {own, other}}) // all or none
	if n := s.Events(t, evidence.EventCaseItemAdded, "item:"+own); n != 1 {
		t.Errorf("%d events, want the refused one", n)
	}
	s.post(t, client, "/cases/"+id+"/items", 303, url.Values{"item": {own}})
	for object, want := range map[string]int64{"item:" + own: 2, "item:" + other: 2} {
		if n := s.Events(t, evidence.EventCaseItemAdded, object); n != want {
			t.Errorf("%s: %d events, want %d", object, n, want)
		}
	}
	if _, err := s.Cases.For(boss).Open(t.Context(), casesDraft("26-2")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/cases/26-2", "/cases/26-3"} { // another case is as one that is not there
		if code, _ := s.got(t, client, path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
		s.post(t, client, path+"/items", 404, url.Values{"item": {own}})
	}
}

// The same over the API, with a token's program.
func TestCasesOverTheAPI(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	admin := s.signedIn(t)
	boss := s.Actor(t, s.again(t))
	one := s.Keep(t, readingtest.Recording{Path: "DCIM/ONE.MP4", Content: []byte("one")}).ID.String()
	_, manager := s.member(t, boss, "e.vidence", auth.EvidenceManager, "")
	program := s.program(t, manager, auth.API)
	ask := func(method, path, body string, want int) map[string]any {
		t.Helper()
		a := s.send(t, program, method, "/api/v1"+path, body)
		if a.StatusCode != want {
			t.Fatalf("%s %s: %d, want %d: %s", method, path, a.StatusCode, want, a.body)
		}
		var v map[string]any
		if a.body != "" {
			if err := json.Unmarshal([]byte(a.body), &v); err != nil {
				t.Fatal(err)
			}
		}
		return v
	}
	id := ask("POST", "/cases", `{"number":"26-7","title":"Seven","lead":"e.vidence"}`, 200)["id"].(string)
	ask("POST", "/cases", `{"number":"26-7","title":"Again"}`, 422)
	ask("POST", "/cases", `{"number":"26-8","title":"Eight"}`, 200)
	if c := ask("GET", "/cases/26-7", "", 200); c["id"] != id || c["state"] != "open" || c["lead_name"] != "Person e.vidence" || c["items"] != 0.0 {
		t.Errorf("%v", c)
	}
	page := ask("GET", "/cases?limit=1&sort=number", "", 200)
	if next := page["next"].(string); len(page["cases"].([]any)) != 1 || next == "" || ask("GET", "/cases?limit=1&sort=number&cursor="+url.QueryEscape(next), "", 200)["cases"].([]any)[0].(map[string]any)["number"] != "26-8" {
		t.Errorf("paging: %v", page)
	}
	ask("GET", "/cases?cursor=x", "", 400)
	if v := ask("POST", "/cases/26-7/items", `{"items":["`+one+`"]}`, 200); len(v["changed"].([]any)) != 1 {
		t.Errorf("%v", v)
	}
	if v := ask("POST", "/cases/26-7/items", `{"items":["`+one+`"]}`, 200); len(v["changed"].([]any)) != 0 {
		t.Errorf("twice: %v", v)
	}
	ask("POST", "/cases/26-7/items", `{"items":[]}`, 422)
	ask("POST", "/cases/nothing/items", `{"items":["`+one+`"]}`, 404)
	if v := ask("GET", "/items?case=26-7", "", 200); v["found"] != 1.0 {
		t.Errorf("%v", v)
	}
	if v := ask("GET", "/items?case=26-99", "", 200); v["found"] != 0.0 {
		t.Errorf("%v", v)
	}
	if v := ask("GET", "/items/"+one+"/cases", "", 200)["cases"].([]any); len(v) != 1 {
		t.Errorf("%v", v)
	}
	grant := s.send(t, admin, "POST", "/api/v1/grants", `{"holder":"role","holder_id":"prosecutor","role":"prosecutor","scope":"case","value":"26-7","view_only":true}`)
	if grant.StatusCode != 200 {
		t.Fatal(grant.body)
	}
	s.member(t, boss, "p.rosecutor", auth.Prosecutor, "")
	if v := ask("GET", "/cases/26-7/seers", "", 200)["seers"].([]any); len(v) != 1 || v[0].(map[string]any)["because"].([]any)[0].(map[string]any)["through"] != "the role Prosecutor" {
		t.Errorf("%v", v)
	}
	if a := s.send(t, admin, "GET", "/api/v1/items/"+one+"/seers?person=p.rosecutor", ""); !strings.Contains(a.body, "case 26-7") {
		t.Errorf("why: %s", a.body)
	}
	ask("DELETE", "/cases/26-7/items/"+one, "", 204)
	ask("PUT", "/cases/26-7/items/"+one, "", 204)
	ask("PUT", "/cases/26-7", `{"number":"26-9","title":"Nine"}`, 204)
	ask("POST", "/cases/26-9/close", "", 204)
	ask("POST", "/cases/26-9/close", "", 409)
	ask("DELETE", "/cases/26-9/items/"+one, "", 409)
	ask("POST", "/cases/26-9/reopen", "", 204)
}

func casesDraft(number string) cases.Draft {
	return cases.Draft{Number: number, Title: "Case " + number}
}
