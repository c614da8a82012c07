package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/apitest"
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

type desk struct {
	*readingtest.Store
	handler http.Handler
	session string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s := readingtest.New(t)
	s.Enrol(t, "north", "front-desk")
	return &desk{s, apitest.Checked(t, api.New(api.Config{Auth: s.Auth, Reading: s.Reading, Packages: s.Packages, Fleet: s.Fleet, Cameras: s.Cameras, Cases: s.Cases, Uplink: s.Uplink, Annotate: s.Annotate, Inspection: s.Inspection, Settings: s.Settings, Webhooks: s.Webhooks, Freezes: s.Freezes, Log: slog.New(slog.DiscardHandler)})), s.SetUp(t)}
}

// ask sends a request and reads the JSON answer.
func (d *desk) ask(t *testing.T, method, path, session string) (int, http.Header, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	if session != "" {
		r.AddCookie(auth.Cookie(session))
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s %s: %d, %v: %q", method, path, w.Code, err, w.Body)
	}
	return w.Code, w.Header(), v
}

func (d *desk) get(t *testing.T, path string) map[string]any {
	t.Helper()
	code, header, v := d.ask(t, "GET", path, d.session)
	if code != http.StatusOK || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d, %v", path, code, v)
	}
	return v
}

func TestTheAPITellsWhatThePagesShow(t *testing.T) {
	d := newDesk(t)
	clip := d.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Officer: "Ines Okafor", Content: []byte("one"), Began: d.Clock.Now().Add(-time.Hour)})
	d.Clock.Advance(time.Second)
	d.Hold(t, readingtest.Recording{Path: "DCIM/2.MP4", Content: []byte("two")}, "its manifest carries no valid signature of dock front-desk")
	d.Live.Set(reading.Live{
		Docks: []reading.LiveDock{
			{Agency: string(readingtest.Agency), Station: "north", Dock: "front-desk", Connected: true, LastSeen: d.Clock.Now(), Bays: []reading.Bay{{Port: "1-1", State: "copying", CameraSerial: "SD-1", Battery: -1}}},
			{Agency: "another-agency", Dock: "their-dock"},
		},
		Transfers: []reading.Transfer{{Agency: string(readingtest.Agency), Dock: "front-desk", Path: "DCIM/3.MP4", Length: 10, Durable: 4}},
	})
	overview := d.get(t, "/api/v1/overview")
	if stored := overview["stored"].(map[string]any); stored["items"] != 1.0 || len(overview["docks"].([]any)) != 1 || len(overview["transfers"].([]any)) != 1 || overview["free_bytes"] != float64(5<<40) {
		t.Errorf("overview: %v", overview)
	}
	bay := d.get(t, "/api/v1/docks")["docks"].([]any)[0].(map[string]any)["bays"].([]any)[0].(map[string]any)
	if bay["battery_percent"] != nil || bay["camera"] != "SD-1" {
		t.Errorf("bay: %v", bay)
	}
	list := d.get(t, "/api/v1/items?limit=1")
	next, _ := list["next"].(string)
	if len(list["items"].([]any)) != 1 || next == "" {
		t.Fatalf("first page: %v", list)
	}
	second := d.get(t, "/api/v1/items?limit=1&cursor="+next)["items"].([]any)[0].(map[string]any)
	if second["id"] != clip.ID.String() || second["claimed_officer"] != "Ines Okafor" || second["state"] != "stored" {
		t.Errorf("second page: %v", second)
	}
	item := d.get(t, "/api/v1/items/"+clip.ID.String())
	if len(item["checks"].([]any)) != 4 || item["manifest_signature_holds"] != true || item["receipt_signature_holds"] != true || item["sha256"] != clip.SHA256.String() {
		t.Errorf("item: %v", item)
	}
	began := item["times"].(map[string]any)["began"].(map[string]any)
	if item["corrected_at"] != nil || began["raw"] == nil || began["corrected"] != nil || item["confirmed"] != "reread" {
		t.Errorf("of a clock that nobody measured it says %v, %v", item["corrected_at"], began)
	}
	raw := d.Clock.Now().Add(readingtest.Ahead)
	wrong := d.Keep(t, readingtest.Recording{Path: "DCIM/3.MP4", Content: []byte("three"), Began: raw, Adjust: readingtest.WrongClock})
	item = d.get(t, "/api/v1/items/"+wrong.ID.String())
	began = item["times"].(map[string]any)["began"].(map[string]any)
	if item["started_at"] != raw.Format(time.RFC3339Nano) || began["raw"] != item["started_at"] || began["corrected"] == nil || began["basis"] == "" ||
		began["uncertainty_us"].(float64) <= 0 || item["uncertainty_us"] != began["uncertainty_us"] || item["sequence"] != 1284.0 || item["confirmed"] != "camera" {
		t.Errorf("of a wrong clock it says %v beside %v", began, item)
	}
	events := d.get(t, "/api/v1/items/"+clip.ID.String()+"/events")["events"].([]any)
	if newest := events[0].(map[string]any)["event"].(map[string]any); newest["type"] != string(evidence.EventEvidenceViewed) {
		t.Errorf("the newest event: %v", newest)
	}
	if receipt := d.get(t, "/api/v1/items/"+clip.ID.String()+"/receipt"); receipt["payloadType"] != evidence.TypeReceipt {
		t.Errorf("receipt: %v", receipt)
	}
	if n := d.Events(t, evidence.EventReceiptOpened, ""); n != 1 {
		t.Errorf("%d receipts opened on record", n)
	}
}

func TestProblemsAreSaidAsTheStandardWants(t *testing.T) {
	d := newDesk(t)
	held := d.Hold(t, readingtest.Recording{Path: "DCIM/2.MP4", Content: []byte("two")}, "x")
	unknown := evidence.EvidenceID{1}.String()
	for _, c := range []struct {
		method, path, session string
		code                  int
	}{
		{"GET", "/api/v1/overview", "", 401},
		{"GET", "/api/v1/items", strings.Repeat("A", 43), 401},
		{"GET", "/api/v1/none", "", 401},
		{"GET", "/api/v1/none", d.session, 404},
		{"POST", "/api/v1/items", d.session, 405},
		{"DELETE", "/api/v1/items/" + unknown, d.session, 405},
		{"GET", "/api/v1/items/" + unknown, d.session, 404},
		{"GET", "/api/v1/items/" + strings.ToUpper(held.ID.String()), d.session, 404},
		{"GET", "/api/v1/items/" + unknown + "/events", d.session, 404},
		{"GET", "/api/v1/items/" + unknown + "/receipt", d.session, 404},
		{"GET", "/api/v1/items/" + held.ID.String() + "/receipt", d.session, 404},
		{"GET", "/api/v1/items?limit=0", d.session, 400},
		{"GET", "/api/v1/items?limit=1e3", d.session, 400},
		{"GET", "/api/v1/items?limit=99999999999999999999", d.session, 400},
		{"GET", "/api/v1/items?q=a&q=b", d.session, 400},
		{"GET", "/api/v1/items?agency=another-agency", d.session, 400},
		{"GET", "/api/v1/items?q=%00", d.session, 400},
		{"GET", "/api/v1/items?q=%ff", d.session, 400},
		{"GET", "/api/v1/items?cursor=nonsense", d.session, 400},
	} {
		code, header, v := d.ask(t, c.method, c.path, c.session)
		if code != c.code || header.Get("Content-Type") != "application/problem+json" || v["status"] != float64(c.code) || v["title"] == "" || v["detail"] == "" {
			t.Errorf("%s %s: %d %v, want %d", c.method, c.path, code, v, c.code)
		}
	}
}

func TestSearchWordsOfTheDatabaseMeanNothing(t *testing.T) {
	d := newDesk(t)
	d.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	for _, q := range []string{"%27%20OR%201%3D1%20--", "%25", "_", "%5C", "%22%3B%20DROP%20TABLE%20items%3B", "*", "%24%7B%7D"} {
		for _, name := range []string{"q", "camera", "dock", "state", "kind", "station"} {
			if items := d.get(t, "/api/v1/items?"+name+"="+q)["items"].([]any); len(items) != 0 {
				t.Errorf("%s=%s finds %d items", name, q, len(items))
			}
		}
	}
}
