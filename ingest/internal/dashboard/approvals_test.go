package dashboard_test

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/proto/evidence"
)

var requestLink = regexp.MustCompile(`/approvals/([0-9a-f]{16})`)

// waits sends a form that is not done, but waits, and returns the request.
func (s *site) waits(t *testing.T, client *http.Client, path string, fields url.Values) *catalog.ActRequest {
	t.Helper()
	code, page := s.sent(t, client, path, fields)
	found := requestLink.FindStringSubmatch(page)
	if code != http.StatusAccepted || found == nil || !strings.Contains(page, "waits for a second person") {
		t.Fatalf("%s: %d %s", path, code, page)
	}
	row, err := s.DB.ActRequest(t.Context(), readingtest.Agency, found[1])
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// sentTo sends a form, and returns where the answer leads.
func (s *site) sentTo(t *testing.T, client *http.Client, path string, form url.Values) (code int, to string) {
	t.Helper()
	r, err := client.PostForm(s.server.URL+path, form)
	code, _ = read(t, r, err)
	return code, r.Header.Get("Location")
}

func digestOf(row *catalog.ActRequest) url.Values { return url.Values{"digest": {row.Digest.String()}} }

// pairOf are the first administrator and another one, each at a browser of their own.
func (s *site) pairOf(t *testing.T) (boss *auth.Actor, first, second *http.Client) {
	t.Helper()
	session := s.SetUp(t)
	first = s.client(t)
	s.give(t, first, session)
	boss = s.Actor(t, session)
	_, second = s.member(t, boss, "b.lee", auth.Administrator, "")
	return boss, first, second
}

func TestAnActWaitsForASecondPersonAtThePages(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	boss, first, second := s.pairOf(t)
	victim, _ := s.member(t, boss, "j.reyes", auth.Officer, "B-17")
	_, officer := s.member(t, boss, "k.larsen", auth.Officer, "")
	s.twoPeople(t, auth.ManageAccount, auth.HoldCamera, auth.EndCameraHold)
	row := s.waits(t, first, "/people/j.reyes/disable", url.Values{"sure": {"yes"}})
	disabled := func() bool {
		u, err := s.DB.User(t.Context(), victim)
		if err != nil {
			t.Fatal(err)
		}
		return !u.DisabledAt.IsZero()
	}
	if disabled() {
		t.Fatal("it was done by one person")
	}
	at := "/approvals/" + row.ID
	for who, client := range map[string]*http.Client{"who asked": first, "the second": second} {
		code, page := s.got(t, client, at)
		if code != http.StatusOK || !strings.Contains(html.UnescapeString(page), "Alba Moreno asks to disable the account of Person j.reyes") || strings.Contains(page, "Approve:") != (client == second) || strings.Contains(page, "Withdraw it") != (client == first) {
			t.Errorf("%s sees %d %s", who, code, page)
		}
	}
	if _, page := s.got(t, second, "/approvals"); !strings.Contains(page, "Waits for you") || !strings.Contains(page, `<b>1</b><span class="hidden-text"> wait for you`) {
		t.Errorf("the list: %s", page)
	}
	if code, _ := s.got(t, officer, at); code != http.StatusNotFound {
		t.Errorf("an officer sees it: %d", code)
	}
	if code, page := s.sent(t, first, at+"/approve", digestOf(row)); code != http.StatusConflict || !strings.Contains(page, "asked for this yourself") || disabled() {
		t.Errorf("approving the own: %d %s", code, page)
	}
	if code, _ := s.sent(t, second, at+"/approve", url.Values{"digest": {evidence.SHA256(nil).String()}}); code != http.StatusConflict || disabled() {
		t.Errorf("a page that was drawn before: %d", code)
	}
	if code, _ := s.sent(t, second, at+"/approve", digestOf(row)); code != http.StatusSeeOther || !disabled() {
		t.Errorf("approving: %d", code)
	}
	if code, page := s.got(t, first, at); code != http.StatusOK || !strings.Contains(page, "Person b.lee") || !strings.Contains(page, "Done") {
		t.Errorf("afterwards: %d %s", code, page)
	}
	if code, _ := s.sent(t, second, at+"/approve", digestOf(row)); code != http.StatusConflict {
		t.Errorf("once more: %d", code)
	}

	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.CameraSeen(ctx, &catalog.Camera{Agency: readingtest.Agency, Serial: "SD-04409", LastDock: "front-desk", LastSeenAt: s.Clock.Now()})
	})
	hold := s.waits(t, first, "/cameras/hold", url.Values{"serial": {"SD-04409"}, "reason": {"Case 26-1178"}})
	if code, _ := s.sent(t, second, "/approvals/"+hold.ID+"/refuse", url.Values{"reason": {"not this one"}}); code != http.StatusSeeOther {
		t.Errorf("refusing: %d", code)
	}
	if _, page := s.got(t, first, "/approvals/"+hold.ID); !strings.Contains(page, "not this one") {
		t.Errorf("who asked reads: %s", page)
	}
	hold = s.waits(t, first, "/cameras/end-hold", url.Values{"serial": {"SD-04409"}, "reason": {"case closed"}, "sure": {"yes"}}) // it is not held
	if code, page := s.sent(t, second, "/approvals/"+hold.ID+"/approve", digestOf(hold)); code != http.StatusConflict || !strings.Contains(page, "nothing was changed") {
		t.Errorf("what cannot be done any more: %d %s", code, page)
	}
	if n := s.Events(t, evidence.EventActApproved, evidence.CameraObject("SD-04409")); n != 1 { // the refused one
		t.Errorf("%d events of an approval that did not work", n)
	}
	if code, _ := s.sent(t, first, "/approvals/"+hold.ID+"/withdraw", nil); code != http.StatusSeeOther {
		t.Errorf("withdrawing: %d", code)
	}
}

// A download that was approved is done by who asked, once, within 15 minutes.
func TestAnApprovedDownloadIsForWhoAskedOnce(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/TAKEN.MP4", Content: []byte("taken")})
	_, first, second := s.pairOf(t)
	s.twoPeople(t, auth.DownloadItem)
	path := "/evidence/" + item.ID.String() + "/original"
	row := s.waits(t, first, path, nil)
	if _, page := s.got(t, second, "/evidence/"+item.ID.String()); !strings.Contains(html.UnescapeString(page), "Alba Moreno asked to download the original of TAKEN.MP4") {
		t.Errorf("the recording's page does not say it: %s", page)
	}
	if code, _ := s.sent(t, second, "/approvals/"+row.ID+"/approve", digestOf(row)); code != http.StatusSeeOther {
		t.Fatalf("approving: %d", code)
	}
	if n := s.Events(t, evidence.EventDownloaded, evidence.ItemObject(item.ID)); n != 0 {
		t.Errorf("%d downloads by who approved", n)
	}
	if _, page := s.got(t, first, "/approvals/"+row.ID); !strings.Contains(page, "Do it now") || !strings.Contains(page, `action="`+path+`"`) {
		t.Errorf("who asked sees: %s", page)
	}
	s.waits(t, second, path, nil) // it is not for the approver
	if code, got := s.sent(t, first, path, nil); code != http.StatusOK || got != "taken" {
		t.Errorf("the download: %d %q", code, got)
	}
	s.waits(t, first, path, nil)
	rows, err := s.DB.Events(t.Context(), catalog.EventFilter{Agency: readingtest.Agency, Type: evidence.EventDownloaded}, 1)
	if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0].JSON), `"approved_by_name":"Person b.lee"`) {
		t.Errorf("the record: %s %v", rows[0].JSON, err)
	}
}

// The same over the API, with a token that asks, and a session that approves.
func TestAnActWaitsForASecondPersonOverTheAPI(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	boss, first, second := s.pairOf(t)
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.CameraSeen(ctx, &catalog.Camera{Agency: readingtest.Agency, Serial: "SD-1", LastDock: "front-desk", LastSeenAt: s.Clock.Now()})
	})
	program := s.program(t, first, auth.API)
	s.twoPeople(t, auth.HoldCamera, auth.ManageAccount)
	ask := func(client *http.Client, method, path, body string, into any) (int, http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if into != nil {
			if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
				t.Fatal(err)
			}
		}
		return answer.StatusCode, answer.Header
	}
	var waiting struct{ Request string }
	code, header := ask(program, "POST", "/api/v1/cameras/SD-1/hold", `{ "reason" : "case 4711" }`, &waiting)
	if code != http.StatusAccepted || header.Get("Location") != "/api/v1/approvals/"+waiting.Request || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", code, header)
	}
	var again struct{ Request string }
	if ask(program, "POST", "/api/v1/cameras/SD-1/hold", `{"reason":"case 4711"}`, &again); again != waiting {
		t.Errorf("the same in other spaces is %v, and was %v", again, waiting)
	}
	var v struct {
		State, Digest, Asked string
		MayDecide            bool `json:"may_decide"`
		Mine                 bool
	}
	at := "/api/v1/approvals/" + waiting.Request
	if code, _ := ask(second, "GET", at, "", &v); code != 200 || v.State != "waiting" || !v.MayDecide || v.Mine || !strings.Contains(v.Asked, `case 4711`) {
		t.Fatalf("%d %+v", code, v)
	}
	approval := `{"digest":"` + v.Digest + `"}`
	if code, _ := ask(s.program(t, second, auth.API), "POST", at+"/approve", approval, nil); code != http.StatusForbidden {
		t.Errorf("a token approves: %d", code)
	}
	if code, _ := ask(first, "POST", at+"/approve", approval, nil); code != http.StatusConflict {
		t.Errorf("the person of the token approves: %d", code)
	}
	if code, _ := ask(second, "POST", at+"/approve", approval, &v); code != 200 || v.State != "done" {
		t.Errorf("approving: %d %+v", code, v)
	}
	camera, err := s.DB.Camera(t.Context(), readingtest.Agency, "SD-1")
	if err != nil || camera.HoldReason != "case 4711" || camera.HeldBy != boss.User {
		t.Errorf("%+v %v", camera, err)
	}

	// A token that is revoked has nothing done any more.
	ask(program, "POST", "/api/v1/cameras/SD-1/hold", `{"reason":"case 4712"}`, &waiting)
	at = "/api/v1/approvals/" + waiting.Request
	ask(second, "GET", at, "", &v)
	tokens, err := s.Auth.Tokens(t.Context(), boss)
	if err == nil {
		err = s.Auth.RevokeToken(t.Context(), boss, tokens[0].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := ask(second, "POST", at+"/approve", `{"digest":"`+v.Digest+`"}`, nil); code != http.StatusConflict {
		t.Errorf("what a revoked token asked for: %d", code)
	}
	var list struct{ Approvals []struct{ ID string } }
	if code, _ := ask(first, "GET", "/api/v1/approvals", "", &list); code != 200 || len(list.Approvals) != 1 {
		t.Errorf("%d %+v", code, list)
	}
	if code, _ := ask(first, "POST", at+"/withdraw", "", &v); code != 200 || v.State != "withdrawn" {
		t.Errorf("withdrawing: %d %+v", code, v)
	}
	if code, _ := ask(first, "GET", "/api/v1/approvals?state=past", "", &list); code != 200 || len(list.Approvals) != 2 {
		t.Errorf("%d %+v", code, list)
	}
	s.Clock.Advance(auth.FreshFor)
	if code, _ := ask(second, "POST", at+"/refuse", "{}", nil); code != http.StatusForbidden {
		t.Errorf("refusing without a fresh factor: %d", code)
	}
}

// One person does not take the rule off and go on alone.
func TestAttack55TheRuleItselfTakesTwo(t *testing.T) {
	s := newSite(t)
	_, first, second := s.pairOf(t)
	now := func() string { return s.Settings.Value(t.Context(), settings.TwoPeople) }
	send := func(client *http.Client, was string, acts ...string) (int, string) {
		return s.sent(t, client, "/approvals/rule", url.Values{"was": {was}, "act": acts, "reason": {"we are too few"}})
	}
	if code, _ := send(first, "", "evidence.download"); code != http.StatusSeeOther || now() != "evidence.download" {
		t.Fatalf("putting one on: %d %q", code, now())
	}
	if code, page := s.sent(t, first, "/approvals/rule", url.Values{"was": {"evidence.download"}, "reason": {""}}); code != http.StatusUnprocessableEntity || !strings.Contains(page, "say why") {
		t.Errorf("taking it off without a reason: %d", code)
	}
	if code, _ := send(first, "evidence.download"); code != http.StatusAccepted || now() == "" {
		t.Errorf("taking it off alone: %d %q", code, now())
	}
	for path, fields := range map[string]url.Values{
		"/settings": {"name": {settings.TwoPeople}, "was": {"evidence.download"}, "value": {""}, "reason": {"x"}},
	} {
		if code, _ := s.sent(t, first, path, fields); code != http.StatusAccepted || now() == "" {
			t.Errorf("taking it off at %s: %d %q", path, code, now())
		}
		fields.Set("act", "unset")
		if code, _ := s.sent(t, first, path, fields); code != http.StatusAccepted || now() == "" {
			t.Errorf("unsetting it at %s: %d %q", path, code, now())
		}
	}
	if code, _ := send(first, "evidence.download", "evidence.download", "accounts.manage"); code != http.StatusSeeOther {
		t.Errorf("putting another on: %d", code)
	}
	if code, _ := send(first, now(), append(strings.Fields(now()), "cameras.hold")...); code != http.StatusAccepted {
		t.Errorf("while people are under it, any change takes two: %d", code)
	}
	row := s.waits(t, first, "/approvals/rule", url.Values{"was": {now()}, "reason": {"we are too few"}})
	if code, page := s.sent(t, second, "/approvals/"+row.ID+"/approve", digestOf(row)); code != http.StatusSeeOther {
		t.Errorf("the second person: %d %s", code, page)
	}
	s.Clock.Advance(time.Second)
	if now() != "" {
		t.Errorf("the rule is %q", now())
	}
	s.Clock.Advance(auth.FreshFor)
	if code, _ := send(first, "", "evidence.download"); code != http.StatusSeeOther || now() != "" {
		t.Errorf("without a fresh factor: %d %q", code, now())
	}
}

// What was sent without a fresh factor is kept, and goes on behind the page that asks.
func TestWhatWasSentGoesOnBehindAFreshFactor(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/TAKEN.MP4", Content: []byte("taken")})
	boss, first, second := s.pairOf(t)
	id, _ := s.member(t, boss, "j.reyes", auth.Officer, "B-17")
	for _, act := range []struct {
		path, words string
		fields      url.Values
	}{
		{"/people/j.reyes/disable", "disable the account of Person j.reyes", url.Values{"sure": {"yes"}}},
		{"/evidence/" + item.ID.String() + "/original", "download the original of TAKEN.MP4", nil},
		{"/evidence/" + item.ID.String() + "/package", "make a custody package of TAKEN.MP4", nil},
		{"/approvals/rule", "change a setting of the agency", url.Values{"was": {""}, "act": {"cameras.hold"}}},
		{"/audit/export", "export a part of the custody log", url.Values{"format": {"csv"}}},
	} {
		s.Clock.Advance(auth.FreshFor)
		events := s.Events(t, evidence.EventUserDisabled, "") + s.Events(t, evidence.EventDownloaded, "")
		code, to := s.sentTo(t, first, act.path, act.fields)
		next, err := url.Parse(to)
		if err != nil || code != http.StatusSeeOther || next.Path != "/confirm" {
			t.Fatalf("%s: %d %s", act.path, code, to)
		}
		if got := s.Events(t, evidence.EventUserDisabled, "") + s.Events(t, evidence.EventDownloaded, ""); got > events+1 {
			t.Errorf("%s: %d events more", act.path, got-events)
		}
		again := next.Query().Get("next")
		if code, to := s.sentTo(t, first, "/confirm", url.Values{"next": {again}, "password": {readingtest.Password}}); code != http.StatusSeeOther || to != again {
			t.Fatalf("confirming: %d %s", code, to)
		}
		code, page := s.got(t, first, again)
		if code != http.StatusOK || !strings.Contains(html.UnescapeString(page), "Go on: "+act.words) || !strings.Contains(page, `action="`+act.path+`"`) {
			t.Fatalf("%s: %d %s", act.path, code, page)
		}
		if code, _ := s.got(t, second, again); code != http.StatusNotFound {
			t.Errorf("somebody else sees the form: %d", code)
		}
		if code, page := s.sent(t, first, act.path, act.fields); code >= 400 && !strings.HasSuffix(act.path, "/package") {
			t.Errorf("going on with %s: %d %s", act.path, code, page)
		}
	}
	if u, err := s.DB.User(t.Context(), id); err != nil || u.DisabledAt.IsZero() {
		t.Errorf("it was not done: %v", err)
	}
	s.Clock.Advance(auth.FreshFor - time.Minute)
	if code, got := s.sent(t, first, "/evidence/"+item.ID.String()+"/original", nil); code != 200 || got != "taken" {
		t.Errorf("within 5 minutes it is asked again: %d", code)
	}
}

// An agency can let exports go without, and can keep tokens from them.
func TestExportsFollowTheAgencysRule(t *testing.T) {
	s := newSite(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/TAKEN.MP4", Content: []byte("taken")})
	_, first, _ := s.pairOf(t)
	actor := s.Actor(t, s.again(t))
	program := *actor
	program.Token = &auth.TokenInfo{ID: "0123456789abcdef", Scopes: []auth.Action{auth.DownloadItem}}
	export := s.program(t, first, auth.API)
	taken := func(a *auth.Actor) error {
		f, err := s.Reading.Download(t.Context(), a, item.ID)
		if err == nil {
			err = f.Close()
		}
		return err
	}
	code := func() int {
		answer, err := export.Post(s.server.URL+"/api/v1/events/export?format=csv", "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	s.Clock.Advance(auth.FreshFor)
	for _, c := range []struct {
		value         string
		person, token error
		export        int
	}{
		{auth.ExportPeople, auth.ErrFreshFactor, nil, http.StatusOK},
		{auth.ExportFree, nil, nil, http.StatusOK},
		{auth.ExportNoTokens, auth.ErrFreshFactor, auth.ErrTokenAct, http.StatusForbidden},
	} {
		s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.SetSetting(ctx, &catalog.Setting{Agency: readingtest.Agency, Name: settings.ExportFactor, Value: c.value, UpdatedAt: s.Clock.Now(), UpdatedBy: "local"})
		})
		s.Clock.Advance(time.Second)
		before := s.Events(t, evidence.EventDownloaded, "")
		if err := taken(actor); !errors.Is(err, c.person) {
			t.Errorf("%s: a person: %v", c.value, err)
		}
		if err := taken(&program); !errors.Is(err, c.token) {
			t.Errorf("%s: a token: %v", c.value, err)
		}
		if got := s.Events(t, evidence.EventDownloaded, "") - before; got != 2 { // done or refused, each is on record
			t.Errorf("%s: %d events", c.value, got)
		}
		if got := code(); got != c.export {
			t.Errorf("%s: an export by token: %d", c.value, got)
		}
	}
}

// What is told to docks is told when the approval is durable, and not what was before.
func TestWhatIsKeptInMemoryFollowsAnApproval(t *testing.T) {
	s := newSite(t)
	_, first, second := s.pairOf(t)
	s.twoPeople(t, auth.ManageSending)
	urgent := func() []string {
		policy, err := s.Uplink.For(s.Actor(t, s.again(t))).Sending()
		if err != nil {
			t.Fatal(err)
		}
		return policy.UrgentOfficers
	}
	row := s.waits(t, first, "/uplinks/sending", url.Values{"officers": {"B-17"}})
	if got := urgent(); len(got) != 0 {
		t.Fatalf("it was done: %v", got)
	}
	if code, page := s.sent(t, second, "/approvals/"+row.ID+"/approve", digestOf(row)); code != http.StatusSeeOther {
		t.Fatalf("approving: %d %s", code, page)
	}
	if got := urgent(); !slices.Equal(got, []string{"B-17"}) {
		t.Errorf("the docks are told %v", got)
	}
}
