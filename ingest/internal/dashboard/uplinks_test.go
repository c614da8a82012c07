package dashboard_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
)

// uplinkSite is the filled store with docks that report.
func uplinkSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	s.Enrol(t, "north", "garage")
	s.Enrol(t, "harbour", "pier-4")
	s.uplinkDay(t)
	return s
}

func TestTheRoomOfUplinksSaysHowDocksSend(t *testing.T) {
	s := uplinkSite(t)
	body := s.get(t, s.signedIn(t), "/uplinks").body
	for _, want := range []string{
		"QUIC", "A second connection carries more, because packets are lost on the way.", "TCP", "UDP to this server is blocked on the way; QUIC is tried again every 10 minutes.",
		"2 connections · 21.4 ms there and back · 0.03 % of packets lost", "of 20 Mbit/s allowed", "40 Mbit/s allowed until Sun 20:00 EST", "61.0 GiB", "131 recordings", "16:21 EST",
		"73 % full", "Not connected", "96 % full", "told it 3 times to come back later", "Not known yet", "by its bandwidth table. It is shared by 2 docks",
		`href="/uplinks/docks/front-desk"`, `href="/uplinks/stations/north"`, "All through", `data-live="/uplinks/live"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(body, "their-dock") {
		t.Error("the page shows another agency’s dock")
	}
}

func TestAQueueIsChangedWithoutScripts(t *testing.T) {
	s := uplinkSite(t)
	client := s.operator(t)
	change := func(act string, n byte) answer {
		return s.ask(t, client, http.MethodPost, "/uplinks/docks/front-desk/queue", url.Values{"act": {act}, "item": {waitingClip(n).String()}})
	}
	order := func() (places string) {
		for _, m := range regexp.MustCompile(`data-key="item-c1[0-9a-f]{28}([0-9a-f]{2})"`).FindAllStringSubmatch(s.get(t, client, "/uplinks/docks/front-desk").body, -1) {
			places += strings.TrimPrefix(m[1], "0")
		}
		return strings.ReplaceAll(places, "00", "0")
	}
	if a := change("first", 3); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/uplinks/docks/front-desk#item-") {
		t.Errorf("first: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	for _, act := range []struct {
		name string
		n    byte
	}{{"down", 3}, {"urgent", 5}} {
		if a := change(act.name, act.n); a.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d", act.name, a.StatusCode)
		}
	}
	if got := order(); got != "051324" {
		t.Errorf("order %s", got)
	}
	for act, n := range map[string]byte{"up": 99, "sideways": 1, "first": 0} { // gone, unknown, urgent at the dock
		if a := change(act, n); a.StatusCode != http.StatusConflict && a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("%s %d: %d", act, n, a.StatusCode)
		}
	}
	if a := s.ask(t, client, http.MethodPost, "/uplinks/docks/front-desk/queue", url.Values{"act": {"reset"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("taking the order back: %d", a.StatusCode)
	}
	if n := s.Events(t, evidence.EventQueueOrdered, ""); n != 3 {
		t.Errorf("%d orders on record, want 3", n)
	}
	if a := s.get(t, client, "/uplinks/docks/nowhere"); a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, "no such dock") {
		t.Errorf("a dock that is not there: %d", a.StatusCode)
	}
}

func TestATableIsEditedWindowByWindow(t *testing.T) {
	s := uplinkSite(t)
	client := s.signedIn(t)
	const page = "/uplinks/stations/harbour"
	was := func() string {
		m := regexp.MustCompile(`name="was" value="([0-9a-f]+)"`).FindStringSubmatch(s.get(t, client, page).body)
		if m == nil {
			t.Fatal("the page has no editor")
		}
		return m[1]
	}
	add := func(change url.Values) answer {
		form := url.Values{"act": {"add"}, "was": {was()}, "day": {"0", "1"}, "from": {"22:00"}, "until": {"06:00"}, "what": {"limit"}, "rate": {"2.5"}, "unit": {"Mbit/s"}, "zone": {"Europe/Berlin"}}
		for name, value := range change {
			form[name] = value
		}
		return s.ask(t, client, http.MethodPost, page+"/bandwidth", form)
	}
	table := func() string {
		got, err := s.Uplink.CommandLine().StationBandwidth(t.Context(), "harbour")
		if err != nil {
			t.Fatal(err)
		}
		text := got.Zone()
		for _, w := range got.Windows() {
			text += "; " + w.String()
		}
		return text
	}
	if a := add(nil); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("adding: %d %s", a.StatusCode, a.body)
	}
	if a := add(url.Values{"day": {"6"}, "what": {"stop"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("adding another: %d", a.StatusCode)
	}
	if got := table(); got != "Europe/Berlin; mon,tue 22:00-06:00 2.5 Mbit/s; sun 22:00-06:00 stop" {
		t.Errorf("table %s", got)
	}
	if body := s.get(t, client, page).body; !containsAll(body, "mon,tue", "22:00 to 06:00 of the next day", "at most 2.5 Mbit/s", "nothing is sent", "By the clock of Europe/Berlin") {
		t.Error("the page does not show the table")
	}
	for name, c := range map[string]struct {
		form url.Values
		says string
	}{
		"no day":    {url.Values{"day": nil}, "Tick at least one day"},
		"hour":      {url.Values{"from": {"25:00"}}, "00:00 to 24:00"},
		"no rate":   {url.Values{"rate": {""}}, "Say how much may be sent"},
		"odd rate":  {url.Values{"rate": {"<b>lots</b>"}}, "is no rate"},
		"zone":      {url.Values{"zone": {"Mars"}}, "no time zone"},
		"nonsense":  {url.Values{"what": {"maybe"}}, "what is allowed"},
		"old table": {url.Values{"was": {"0123456789abcdef"}}, "Somebody else has changed this table"},
	} {
		a := add(c.form)
		if a.StatusCode != http.StatusUnprocessableEntity && a.StatusCode != http.StatusConflict || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: %d, want words like %q", name, a.StatusCode, c.says)
		}
		if strings.Contains(a.body, "<b>lots") {
			t.Errorf("%s: markup was taken over", name)
		}
	}
	for _, act := range []string{"up", "remove"} {
		if a := s.ask(t, client, http.MethodPost, page+"/bandwidth", url.Values{"act": {act}, "was": {was()}, "window": {"1"}}); a.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d", act, a.StatusCode)
		}
	}
	if got := table(); got != "Europe/Berlin; sun 22:00-06:00 stop" {
		t.Errorf("table %s", got)
	}
	if a := s.ask(t, client, http.MethodPost, page+"/bandwidth", url.Values{"act": {"remove"}, "was": {was()}, "window": {"0"}}); a.StatusCode != http.StatusSeeOther || table() != "" {
		t.Errorf("the last: %d, %q", a.StatusCode, table())
	}
	if n := s.Events(t, evidence.EventBandwidthSet, "station:harbour"); n != 5 {
		t.Errorf("%d changes on record, want 5", n)
	}
}

func TestAnOperatorSeesTablesAndChangesNone(t *testing.T) {
	s := uplinkSite(t)
	client := s.operator(t)
	for _, page := range []string{"/uplinks/stations/north", "/uplinks/docks/front-desk", "/uplinks/sending"} {
		if body := s.get(t, client, page).body; !strings.Contains(body, "An administrator changes this") || strings.Contains(body, `value="add"`) || strings.Contains(body, "Save what goes first") {
			t.Errorf("%s offers what is refused", page)
		}
	}
	table, err := schedule.ParseTable("UTC", []string{"daily 00:00-24:00 stop"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Uplink.CommandLine().SetDockBandwidth(t.Context(), "garage", table); err != nil {
		t.Fatal(err)
	}
	for path, form := range map[string]url.Values{
		"/uplinks/stations/harbour/bandwidth": {"act": {"add"}, "was": {"e3b0c44298fc1c14"}, "day": {"0"}, "from": {"00:00"}, "until": {"24:00"}, "what": {"stop"}, "zone": {"UTC"}},
		"/uplinks/sending":                    {"officers": {"4711"}},
	} {
		if a := s.ask(t, client, http.MethodPost, path, form); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	if n := s.Events(t, evidence.EventBandwidthSet, ""); n != 3 { // two done by the command line, one refused
		t.Errorf("%d on record, want 3", n)
	}
}

func TestWhatGoesFirstIsSavedAsAWhole(t *testing.T) {
	s := uplinkSite(t)
	client := s.signedIn(t)
	form := url.Values{"officers": {" 4711 \r\n\r\nB-12\r\n"}, "category": {"use of force", "", "traffic"}, "weight": {"40", "", ""}, "urgent": {"0"}}
	if a := s.ask(t, client, http.MethodPost, "/uplinks/sending", form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	policy, err := s.Uplink.CommandLine().Sending()
	if err != nil || strings.Join(policy.UrgentOfficers, ",") != "4711,B-12" || len(policy.Categories) != 2 || !policy.Categories[0].Urgent || policy.Categories[1].Weight != 10 {
		t.Errorf("policy %+v, %v", policy, err)
	}
	for name, c := range map[string]struct {
		form url.Values
		says string
	}{
		"weight":  {url.Values{"category": {"traffic"}, "weight": {"heavy"}}, "must be a number"},
		"range":   {url.Values{"category": {"traffic"}, "weight": {"101"}}, "want 1 to 100"},
		"twice":   {url.Values{"officers": {"4711\n4711"}}, "listed twice"},
		"no name": {url.Values{"category": {""}, "weight": {"5"}, "urgent": {"0"}}, "name is missing"},
	} {
		if a := s.ask(t, client, http.MethodPost, "/uplinks/sending", c.form); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: %d, want words like %q", name, a.StatusCode, c.says)
		}
	}
	if body := s.get(t, client, "/uplinks").body; !strings.Contains(body, "Recordings of 2 officers are urgent, and 2 categories have a weight of its own") {
		t.Error("the room does not tell of it")
	}
}

func TestAnItemTellsHowItCame(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	item := s.Keep(t, readingtest.Recording{Path: "CLIP.MP4", Content: []byte("x"), Camera: "SD-1", Stored: map[string]string{"transport": "tcp", "key_exchange": "X25519MLKEM768", "cipher_suite": "TLS_AES_128_GCM_SHA256"}})
	if body := s.get(t, client, "/evidence/"+item.ID.String()).body; !containsAll(body, "On the way here", "TCP, TLS 1.3", "X25519MLKEM768", "TLS_AES_128_GCM_SHA256") {
		t.Error("the page does not say how it came")
	}
	before := s.Keep(t, readingtest.Recording{Path: "OLD.MP4", Content: []byte("y"), Camera: "SD-1"})
	if body := s.get(t, client, "/evidence/"+before.ID.String()).body; strings.Contains(body, "On the way here") {
		t.Error("an item of before tells what is not known")
	}
}
