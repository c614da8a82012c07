package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// links returns the addresses of the cameras that a list shows, in its order.
func links(body string) (all []string) {
	for _, row := range strings.Split(body, `<th scope="row"><a href="`)[1:] {
		link, _, _ := strings.Cut(row, `"`)
		all = append(all, html.UnescapeString(link))
	}
	return all
}

func TestCamerasThatNeedAPersonComeFirstAndSayWhy(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	if a := s.get(t, client, "/cameras"); !strings.Contains(a.body, "No camera yet") {
		t.Error("an agency without cameras is taught nothing")
	}
	s.garage(t)
	s.Clock.Advance(2 * time.Minute) // the survey of before is old
	a := s.get(t, client, "/cameras")
	got := links(a.body)
	want := []string{"/cameras/SD-04401", "/cameras/SD-04409", "/cameras/SD-04433", "/cameras/SD-04412", "/cameras/MC-7781", "/cameras/SD-04418", "/cameras/SD-04420", "/cameras/SD-04421", "/cameras/0000A8F2"}
	if !slices.Equal(got, want) {
		t.Errorf("the list shows %v, want %v", got, want)
	}
	for _, phrase := range []string{"3 need a person", "5 recordings missing", "Another key than before", "New key, waits for approval", "Another agency’s", "No key", "Key approved", "On hold",
		"1 h 17 min behind", "not measured", "not assigned", "Ines Okafor", "B-2210", "Needs a person: not complete, 2 open alerts", "Needs a person: key waits for approval, 1 open alert", "Complete</span>"} {
		if !strings.Contains(a.body, phrase) {
			t.Errorf("the list does not say %q", phrase)
		}
	}
	for query, want := range map[string]int{"q=okafor": 1, "q=b-2210": 1, "q=sd-0440": 2, "q=clip-on": 1, "which=needs": 3, "which=unassigned": 6, "which=held": 1, "which=unassigned&q=sim": 4, "q=nothing": 0, "q=%00%ff": 9, "which=nonsense": 9} {
		if got := len(links(s.get(t, client, "/cameras?"+query).body)); got != want {
			t.Errorf("%s finds %d, want %d", query, got, want)
		}
	}
}

func TestTheListOfCamerasIsPaged(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	for i := range 120 {
		s.show(t, seen{serial: fmt.Sprintf("C-%03d", i), standing: catalog.StandingKeyless, dock: "front-desk", station: "north", bay: "1-1", at: s.Clock.Now()})
		s.Clock.Advance(time.Second)
	}
	found, path := map[string]bool{}, "/cameras?q=c-"
	for pages := 0; path != "" && pages < 10; pages++ {
		a := s.get(t, client, path)
		for _, link := range links(a.body) {
			if found[link] {
				t.Errorf("%s is on two pages", link)
			}
			found[link] = true
		}
		_, rest, more := strings.Cut(a.body, `rel="next" href="`)
		if path = ""; more {
			path, _, _ = strings.Cut(rest, `"`)
			path = strings.ReplaceAll(path, "&amp;", "&")
		}
	}
	if len(found) != 120 {
		t.Errorf("paging shows %d of 120", len(found))
	}
	for _, from := range []string{"-1", "x", "99999999999999999999", "500"} {
		if a := s.get(t, client, "/cameras?from="+from); a.StatusCode != http.StatusOK {
			t.Errorf("from=%s: %d", from, a.StatusCode)
		}
	}
}

func TestACamerasPageNamesWhatIsMissing(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	s.garage(t)
	a := s.get(t, client, "/cameras/SD-04409")
	for _, phrase := range []string{"5 recordings missing", "DCIM/100SEALD/CLIP0003.MP4", "Not arrived", "DCIM/100SEALD/CLIP0004.MP4", "DCIM/100SEALD/CLIP0005.MP4", "Vanished between two dockings",
		"Numbers 6 to 7", "Counted, never shown", "What to do", "front-desk", "1 h 17 min behind", "17 %", "Tomasz Brandt", "Ines Okafor", "Last brought to", "Recordings vanished from a camera",
		evidence.KeyID(keyOf("SD-04409")).String()[:8], "CLIP0002.MP4"} {
		if !strings.Contains(a.body, phrase) {
			t.Errorf("the page does not say %q", phrase)
		}
	}
	if a := s.get(t, client, "/cameras/SD-04412"); !strings.Contains(a.body, "no number is missing") || strings.Contains(a.body, "This camera needs a person") {
		t.Error("a complete camera is not shown as complete")
	}
	if a := s.get(t, client, "/cameras/nobody"); a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, "no such camera") {
		t.Errorf("an unknown camera: %d", a.StatusCode)
	}
}

// act posts a form of a camera's page.
func (s *site) act(t *testing.T, client *http.Client, name, serial string, fields ...string) answer {
	t.Helper()
	form := url.Values{"serial": {serial}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return s.ask(t, client, "POST", "/cameras/"+name, form)
}

func (s *site) camera(t *testing.T, serial string) *catalog.Camera {
	t.Helper()
	camera, err := s.DB.Camera(t.Context(), readingtest.Agency, serial)
	if err != nil {
		t.Fatal(err)
	}
	return camera
}

func TestActsOnCamerasTakeEffectAndAreRecorded(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	s.garage(t)
	key := evidence.KeyID(keyOf("SD-04433")).String()
	for _, c := range []struct {
		act    string
		fields []string
		event  evidence.EventType
		holds  func(*catalog.Camera) bool
		says   string
	}{
		{"approve", []string{"key", key, "sure", "yes", "reason", "bought in May"}, evidence.EventCameraApproved, func(c *catalog.Camera) bool { return c.Standing == catalog.StandingApproved }, "The key is approved"},
		{"block", []string{"key", key, "sure", "yes"}, evidence.EventCameraBlocked, func(c *catalog.Camera) bool { return c.Standing == catalog.StandingBlocked }, "The key is blocked"},
		{"hold", []string{"reason", "Case 7"}, evidence.EventCameraHeld, func(c *catalog.Camera) bool { return c.HoldReason == "Case 7" }, "is on hold"},
		{"end-hold", []string{"reason", "Case 7 is closed", "sure", "yes"}, evidence.EventCameraHoldEnded, func(c *catalog.Camera) bool { return c.HeldAt.IsZero() }, "The hold has ended"},
		{"assign", []string{"officer", "Ines Okafor", "officer_id", "B-2210", "from", "2026-11-20T06:00"}, evidence.EventCameraAssigned, func(c *catalog.Camera) bool { return c.Wearer == "Ines Okafor" && c.WearerID == "B-2210" }, "is assigned"},
		{"assign", []string{"officer", "Tomasz Brandt", "replace", "yes", "from", "2026-11-21T06:00"}, evidence.EventCameraAssigned, func(c *catalog.Camera) bool { return c.Wearer == "Tomasz Brandt" }, "is assigned"},
		{"unassign", nil, evidence.EventCameraUnassigned, func(c *catalog.Camera) bool { return c.Wearer == "" }, "The assignment has ended"},
	} {
		before := s.Events(t, c.event, evidence.CameraObject("SD-04433"))
		a := s.act(t, client, c.act, "SD-04433", c.fields...)
		if want := "/cameras/SD-04433?done=" + c.act; a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", c.act, a.StatusCode, a.Header.Get("Location"), want)
			continue
		}
		if !c.holds(s.camera(t, "SD-04433")) {
			t.Errorf("%s took no effect: %+v", c.act, s.camera(t, "SD-04433"))
		}
		if n := s.Events(t, c.event, evidence.CameraObject("SD-04433")) - before; n != 1 {
			t.Errorf("%s left %d events", c.act, n)
		}
		if page := s.get(t, client, a.Header.Get("Location")); !strings.Contains(page.body, c.says) {
			t.Errorf("%s: the page does not say %q", c.act, c.says)
		}
	}
	first, err := s.DB.AssignmentAt(t.Context(), readingtest.Agency, "SD-04433", time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC))
	if err != nil || first.Officer != "Ines Okafor" {
		t.Errorf("06:00 in New York is not 11:00 UTC: %+v, %v", first, err)
	}
}

func TestWhatCannotBeDoneIsRefusedInPlainWords(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	s.garage(t)
	key := evidence.KeyID(keyOf("SD-04433")).String()
	for _, c := range []struct {
		act, serial string
		fields      []string
		code        int
		says        string
	}{
		{"approve", "SD-04433", []string{"key", key}, 422, "tick the box"},
		{"approve", "SD-04433", []string{"sure", "yes"}, 422, "does not name a key"},
		{"approve", "SD-04433", []string{"sure", "yes", "key", evidence.KeyID(keyOf("SD-04409")).String()}, 409, "no such key"},
		{"approve", "nobody", []string{"sure", "yes", "key", key}, 404, "no such camera"},
		{"hold", "SD-04433", nil, 422, "Say why"},
		{"hold", "SD-04433", []string{"reason", strings.Repeat("ü", 400)}, 422, "the reason has"},
		{"end-hold", "SD-04433", []string{"reason", "over", "sure", "yes"}, 409, "Somebody may have been faster"},
		{"end-hold", "SD-04420", []string{"reason", "over"}, 422, "tick the box"},
		{"assign", "SD-04433", nil, 422, "Say who"},
		{"assign", "SD-04433", []string{"officer", "Ines", "from", "yesterday"}, 422, "cannot be read"},
		{"assign", "SD-04433", []string{"officer", "Ines", "from", "2026-11-20T06:00", "until", "2026-11-19T06:00"}, 422, "end before it begins"},
		{"assign", "SD-04409", []string{"officer", "Mirela Santos"}, 409, "Another assignment covers"},
		{"unassign", "SD-04433", nil, 409, "nobody’s at that moment"},
		{"hold", "nobody", []string{"reason", "x"}, 404, "no such camera"},
		{"erase", "SD-04433", nil, 404, "no such page"},
	} {
		a := s.act(t, client, c.act, c.serial, c.fields...)
		if a.StatusCode != c.code || !strings.Contains(strings.ToLower(a.body), strings.ToLower(c.says)) {
			t.Errorf("%s %v of %s: %d, and the page does not say %q", c.act, c.fields, c.serial, a.StatusCode, c.says)
		}
	}
	if a := s.act(t, client, "assign", "SD-04409", "officer", "Mirela Santos", "officer_id", "B-77"); !containsAll(a.body, `value="Mirela Santos"`, `value="B-77"`) {
		t.Error("what was typed is lost when it is refused")
	}
	for _, kind := range []evidence.EventType{evidence.EventCameraApproved, evidence.EventCameraHeld, evidence.EventCameraHoldEnded, evidence.EventCameraAssigned, evidence.EventCameraUnassigned} {
		if n := s.Events(t, kind, ""); n != 0 {
			t.Errorf("what was not done is recorded as %s", kind)
		}
	}
}

func TestAnOperatorDecidesNoKeysAndEndsNoHolds(t *testing.T) {
	s := newSite(t)
	s.SetUp(t)
	client := s.operator(t)
	s.garage(t)
	for _, page := range []string{"/cameras/SD-04433", "/cameras/SD-04420"} {
		if a := s.get(t, client, page); containsAll(a.body, `action="/cameras/approve"`) || containsAll(a.body, `action="/cameras/block"`) || containsAll(a.body, `action="/cameras/end-hold"`) || containsAll(a.body, `action="/cameras/begin"`) || !containsAll(a.body, "An administrator") {
			t.Errorf("%s offers what an operator may not do, or does not say who may", page)
		}
	}
	key := evidence.KeyID(keyOf("SD-04433")).String()
	for act, kind := range map[string]evidence.EventType{"approve": evidence.EventCameraApproved, "block": evidence.EventCameraBlocked, "end-hold": evidence.EventCameraHoldEnded, "begin": evidence.EventCameraBegun} {
		serial := "SD-04433"
		if act == "end-hold" {
			serial = "SD-04420"
		}
		before := *s.camera(t, serial)
		a := s.act(t, client, act, serial, "key", key, "sure", "yes", "reason", "because", "number", "1")
		after := s.camera(t, serial)
		if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "Not allowed") || after.Standing != before.Standing || !after.HeldAt.Equal(before.HeldAt) {
			t.Errorf("%s by an operator: %d", act, a.StatusCode)
		}
		if n := s.Events(t, kind, evidence.CameraObject(serial)); n != 1 {
			t.Errorf("a refused %s is %d events", act, n)
		}
	}
	if a := s.act(t, client, "hold", "SD-04433", "reason", "Case 7"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("an operator may hold: %d", a.StatusCode)
	}
}

func TestAlertsAreCountedShownAndAcknowledged(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	if a := s.get(t, client, "/alerts"); !strings.Contains(a.body, "Nothing waits for a person") {
		t.Error("no alerts, and the page does not say so")
	}
	id := s.raise(t, catalog.AlertVanished, catalog.SeverityUrgent, evidence.CameraObject("SD-1"), "2 recordings that camera SD-1 had shown are gone from it")
	s.Clock.Advance(time.Minute)
	s.raise(t, catalog.AlertCode(evidence.FoundStaleJournal), catalog.SeverityUrgent, evidence.DockObject("pier-4"), "dock pier-4 counts from 12 again")
	a := s.get(t, client, "/alerts")
	if !containsAll(a.body, "Recordings vanished from a camera", "2 recordings that camera SD-1 had shown are gone from it.", "What to do", `href="/cameras/SD-1"`, `href="/uplinks/docks/pier-4"`, "<b>2</b>") {
		t.Error("the alerts are not told in full")
	}
	if strings.Index(a.body, "forgotten what it knew") > strings.Index(a.body, "Recordings vanished") {
		t.Error("the newest alert is not the first")
	}
	if a := s.get(t, client, "/"); !containsAll(a.body, "Waits for a person", "Recordings vanished from a camera", "All 2 alerts") {
		t.Error("the overview does not show the open alerts")
	}
	post := func(back string) answer {
		return s.ask(t, client, "POST", "/alerts/acknowledge", url.Values{"id": {id}, "note": {"the officer was asked"}, "back": {back}})
	}
	if a := post("https://evil.example/"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/alerts?done=acknowledge" {
		t.Errorf("acknowledging: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if n := s.Events(t, evidence.EventAlertAcknowledged, evidence.CameraObject("SD-1")); n != 1 {
		t.Errorf("one acknowledgement is %d events", n)
	}
	if a := s.get(t, client, "/alerts"); strings.Contains(a.body, "Recordings vanished") || !strings.Contains(a.body, "<b>1</b>") {
		t.Error("an acknowledged alert still waits")
	}
	if a := s.get(t, client, "/alerts?show=all"); !containsAll(a.body, "Recordings vanished", "Acknowledged by Alba Moreno") {
		t.Error("a past alert is lost")
	}
	if a := post("/alerts"); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "somebody has acknowledged it already") {
		t.Errorf("acknowledging twice: %d", a.StatusCode)
	}
}

func TestSerialsAndNamesOfCamerasAreText(t *testing.T) {
	s := newSite(t)
	serials := append([]string{".", "..", "/", "//evil", `\evil`, "%2e%2e", "a/../b", "?q=1", "#x", "a b", "..%2f", "approve", "İstanbul", "ünïcode"}, hostile...)
	for _, serial := range serials {
		id := s.show(t, seen{serial: serial, model: serial, vendor: serial, firmware: serial, standing: catalog.StandingPending, dock: "front-desk", station: "north", bay: serial, at: s.Clock.Now(),
			shows: []string{serial}, next: 3, findings: []evidence.Finding{{Code: evidence.FindingCode(serial), Message: serial}}})
		s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
			if err := tx.HoldCamera(ctx, readingtest.Agency, serial, serial, serial, s.Clock.Now()); err != nil {
				return err
			}
			return tx.InsertAssignment(ctx, &catalog.Assignment{Agency: readingtest.Agency, Camera: serial, From: s.Clock.Now(), Officer: serial, OfficerID: serial, By: serial, At: s.Clock.Now()})
		})
		s.raise(t, catalog.AlertCode(serial), catalog.Severity(serial), evidence.CameraObject(serial), serial)
		s.raise(t, catalog.AlertCode(serial), catalog.SeverityNotice, serial, serial+id.String())
		s.Clock.Advance(time.Second)
	}
	s.Clock.Advance(time.Hour) // what was shown is overdue
	client := s.signedIn(t)
	list := s.get(t, client, "/cameras")
	pages := append(links(list.body), "/cameras", "/alerts", "/alerts?show=all", "/")
	if got, want := len(pages)-4, len(serials); got != want {
		t.Errorf("the list shows %d cameras, want %d", got, want)
	}
	for _, serial := range serials {
		pages = append(pages, "/cameras?"+url.Values{"q": {serial}, "which": {serial}, "from": {serial}}.Encode(), "/cameras?"+url.Values{"serial": {serial}, "done": {serial}}.Encode())
	}
	for _, page := range pages {
		a := s.get(t, client, page)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d to %q", page, a.StatusCode, a.Header.Get("Location"))
		}
		for _, bad := range []string{"<script>", "<img", "<svg onload", "<iframe", "<style>", "<math", "<body onload", "<base", `href="javascript:`, `action="https`, "<a href=\"javascript"} {
			if strings.Contains(a.body, bad) {
				t.Errorf("%s holds %s", page, bad)
			}
		}
		if strings.Count(a.body, "<body") != 1 || strings.Count(a.body, "<title>") != 1 {
			t.Errorf("%s was broken out of", page)
		}
	}
	for _, serial := range serials {
		a := s.act(t, client, "end-hold", serial, "reason", "over", "sure", "yes")
		to := a.Header.Get("Location")
		if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/cameras") {
			t.Errorf("ending the hold of %q: %d to %q", serial, a.StatusCode, to)
			continue
		}
		if page := s.get(t, client, to); page.StatusCode != http.StatusOK || !strings.Contains(page.body, "The hold has ended") {
			t.Errorf("%q leads to %d", to, page.StatusCode)
		}
		if !s.camera(t, serial).HeldAt.IsZero() {
			t.Errorf("the hold of %q did not end", serial)
		}
	}
}

func TestEvidenceOfUnassignedCamerasIsALaneOfItsOwn(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	s.show(t, seen{serial: "SD-1", standing: catalog.StandingKeyless, dock: "front-desk", station: "north", bay: "1-1", at: s.Clock.Now()})
	for i, camera := range []string{"SD-1", "SD-2", "SD-2"} {
		s.Keep(t, readingtest.Recording{Path: fmt.Sprintf("DCIM/%d.MP4", i), Camera: camera, Began: s.Clock.Now(), Content: []byte(fmt.Sprint(i))})
	}
	if a := s.act(t, client, "assign", "SD-1", "officer", "Ines Okafor", "from", "2026-11-20T06:00"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("assigning: %d", a.StatusCode)
	}
	all, lane := s.get(t, client, "/evidence"), s.get(t, client, "/evidence?wearer=unassigned")
	if strings.Count(all.body, `<th scope="row">`) != 3 || !containsAll(all.body, "Ines Okafor", "had the camera") {
		t.Error("the officer who had the camera is not shown")
	}
	if strings.Count(lane.body, `<th scope="row">`) != 2 || strings.Contains(lane.body, "Ines Okafor") {
		t.Error("the lane of the unassigned holds others")
	}
}

// Where a camera's numbers begin: asked for, refused, decided and told of.
func TestWhereACamerasNumbersBegin(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	s.show(t, seen{serial: "SD-09001", vendor: "Sealdock", model: "Sealdock Sim 2", standing: catalog.StandingApproved, dock: "front-desk", station: "north", bay: "1-2", at: s.Clock.Now().Add(-time.Hour), next: 128})
	if a := s.get(t, client, "/cameras/SD-09001"); !containsAll(a.body, "127 recordings missing", `action="/cameras/begin"`, "Begin the numbers of SD-09001") {
		t.Error("the page does not name what is missing, or offers no decision")
	}
	for says, fields := range map[string][]string{
		"tick the box":            {"number", "128", "reason", "used at the academy"},
		"Say why":                 {"number", "128", "sure", "yes"},
		"number cannot be read":   {"number", "many", "sure", "yes", "reason", "used at the academy"},
		"came with number 128":    {"number", "129", "sure", "yes", "reason", "used at the academy"},
		"the lowest number to be": {"number", "0", "sure", "yes", "reason", "used at the academy"},
	} {
		a := s.act(t, client, "begin", "SD-09001", fields...)
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, says) {
			t.Errorf("begin %v: %d, and the page does not say %q", fields, a.StatusCode, says)
		}
	}
	if n := s.Events(t, evidence.EventCameraBegun, ""); n != 0 {
		t.Errorf("what was not done is recorded: %d", n)
	}
	a := s.act(t, client, "begin", "SD-09001", "number", "128", "sure", "yes", "reason", "used at the <b>academy</b>")
	if a.StatusCode != http.StatusSeeOther || s.Events(t, evidence.EventCameraBegun, evidence.CameraObject("SD-09001")) != 1 {
		t.Fatalf("begin: %d", a.StatusCode)
	}
	page := s.get(t, client, a.Header.Get("Location"))
	if !containsAll(page.body, "It is decided where the numbers", "Numbers below 128 are not counted, by ", "used at the &lt;b&gt;academy") || strings.Contains(page.body, "127 recordings missing") {
		t.Error("the page does not tell of the decision")
	}
	if _, err := s.Cameras.CommandLine().Settle(t.Context(), "SD-09001", cameras.Entry{Number: 1}, "x"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("settling what is not missing: %v", err)
	}
}

// What was settled is told of, and a camera with it is not called whole.
func TestWhatWasSettledIsOnTheCamerasPage(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	s.show(t, seen{serial: "SD-09001", vendor: "Sealdock", model: "Sealdock Sim 2", standing: catalog.StandingApproved, dock: "front-desk", station: "north", bay: "1-2", at: s.Clock.Now().Add(-time.Hour), next: 4})
	if _, err := s.Cameras.CommandLine().Settle(t.Context(), "SD-09001", cameras.Entry{Number: 1}, "the card <b>broke</b>"); err != nil {
		t.Fatal(err)
	}
	a := s.get(t, client, "/cameras/SD-09001")
	if !containsAll(a.body, "Complete but for 1 settled", "Nothing is missing but what was settled", "Numbers 1 to 3: recorded", "Settled by the server", "the card &lt;b&gt;broke") || strings.Contains(a.body, "Every recording that") {
		t.Error("the page does not tell of what was settled")
	}
}
