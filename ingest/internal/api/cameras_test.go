package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// dockCamera makes a camera with a key that waits, one docking, one recording
// that was shown and an alert, whose id it returns.
func (d *desk) dockCamera(t *testing.T, serial string) (alert string) {
	t.Helper()
	ctx, now, key := t.Context(), d.Clock.Now(), make([]byte, 32)
	a := &catalog.Alert{Agency: readingtest.Agency, Code: catalog.AlertVanished, Severity: catalog.SeverityUrgent, Object: evidence.CameraObject(serial), Message: "gone", LastAt: now}
	err := d.DB.Update(ctx, func(tx *sqldb.Tx) error {
		for _, step := range []func() error{
			func() error {
				return tx.CameraSeen(ctx, &catalog.Camera{Agency: readingtest.Agency, Serial: serial, Model: "X3", LastSeenAt: now, LastDock: "front-desk", LastBay: "1-1", Access: evidence.AccessExtension})
			},
			func() error {
				_, err := tx.CameraKeySeen(ctx, &catalog.CameraKey{Agency: readingtest.Agency, Camera: serial, Key: key, LastSeenAt: now, Standing: catalog.StandingPending})
				return err
			},
			func() error {
				return tx.SetCameraStanding(ctx, readingtest.Agency, serial, catalog.StandingPending, key)
			},
			func() error {
				return tx.PutDocking(ctx, &catalog.Docking{Agency: readingtest.Agency, ID: evidence.DockingID{1}, Dock: "front-desk", Station: "north", Bay: "1-1", Camera: serial, At: now, TakenAt: now, LastAt: now, ReceivedAt: now,
					Battery: 61, Clock: &evidence.Offset{At: now, Ahead: 4_620_000_000, Uncertainty: 300_000, Exchanges: 5}, Next: 1, Recordings: 1, Parts: 1, PartsSeen: 1})
			},
			func() error {
				return tx.Show(ctx, &catalog.Shown{Agency: readingtest.Agency, Camera: serial, Place: evidence.Digest{1}, Path: "DCIM/1.MP4", Kind: evidence.KindVideo, LastDocking: evidence.DockingID{1}, LastAt: now, LastSize: 5})
			},
			func() error { _, err := tx.RaiseAlert(ctx, a); return err },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.ID
}

// post sends an act and returns the code of the answer.
func (d *desk) post(t *testing.T, path, session, body string) int {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	if session != "" {
		r.AddCookie(auth.Cookie(session))
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %d without a problem: %q", path, w.Code, w.Body)
	}
	return w.Code
}

func TestACameraIsShownWhole(t *testing.T) {
	d := newDesk(t)
	d.dockCamera(t, "CAM-1")
	list := d.get(t, "/api/v1/cameras")["cameras"].([]any)
	if c := list[0].(map[string]any); len(list) != 1 || c["serial"] != "CAM-1" || c["standing"] != "pending" || c["open_alerts"] != 1.0 || c["held_at"] != nil {
		t.Errorf("cameras: %v", list)
	}
	for range 2 { // beyond the grace, without ending the session
		d.Clock.Advance(20 * time.Minute)
		d.get(t, "/api/v1/alerts")
	}
	page := d.get(t, "/api/v1/cameras/CAM-1")
	docking := page["dockings"].([]any)[0].(map[string]any)
	if docking["battery_percent"] != 61.0 || docking["camera_ahead_of_dock"].(map[string]any)["ahead_us"] != 4_620_000_000.0 || docking["complete"] != true {
		t.Errorf("docking: %v", docking)
	}
	if key := page["keys"].([]any)[0].(map[string]any); key["key_sha256"] != evidence.KeyID(make([]byte, 32)).String() || key["certified"] != false {
		t.Errorf("key: %v", key)
	}
	if page["shown_total"] != 1.0 || len(page["shown"].([]any)) != 1 || len(page["alerts"].([]any)) != 1 || len(page["assignments"].([]any)) != 0 || len(page["latest_items"].([]any)) != 0 {
		t.Errorf("page: %v", page)
	}
	missing := page["completeness"].(map[string]any)["missing"].([]any)
	if f := missing[0].(map[string]any); len(missing) != 1 || f["reason"] != "waiting" || f["dock"] != "front-desk" || f["path"] != "DCIM/1.MP4" {
		t.Errorf("missing: %v", missing)
	}
	for _, path := range []string{"/api/v1/completeness", "/api/v1/cameras/CAM-1/completeness"} {
		if r := d.get(t, path)["reports"].([]any)[0].(map[string]any); r["complete"] != false || r["shown"] != 1.0 {
			t.Errorf("%s: %v", path, r)
		}
	}
	if n := len(d.get(t, "/api/v1/items?unassigned=true")["items"].([]any)); n != 0 {
		t.Errorf("%d items without a wearer", n)
	}
	for query, want := range map[string]int{"": 1, "?open=true": 1, "?camera=CAM-1&code=vanished": 1, "?camera=CAM-2": 0, "?dock=front-desk": 0} {
		if n := len(d.get(t, "/api/v1/alerts"+query)["alerts"].([]any)); n != want {
			t.Errorf("alerts%s: %d, want %d", query, n, want)
		}
	}
	for path, want := range map[string]int{"/api/v1/cameras/CAM-2": 404, "/api/v1/cameras/CAM-2/completeness": 404, "/api/v1/alerts?open=maybe": 400, "/api/v1/items?unassigned=no": 400, "/api/v1/alerts?x=1": 400} {
		if code, _, v := d.ask(t, "GET", path, d.session); code != want {
			t.Errorf("%s: %d, want %d: %v", path, code, want, v)
		}
	}
}

func TestWhatPeopleDecideAboutACamera(t *testing.T) {
	d := newDesk(t)
	alert := d.dockCamera(t, "CAM-1")
	for _, c := range []struct {
		act, body string
		want      int
	}{
		{"cameras/CAM-1/approve", `{"reason":"bought"}`, 204},
		{"cameras/CAM-1/approve", ``, 404}, // none waits any more
		{"cameras/CAM-1/approve", `{"key_sha256":"abc"}`, 400},
		{"cameras/CAM-1/block", `{"key_sha256":"` + evidence.KeyID(make([]byte, 32)).String() + `","reason":"stolen"}`, 204},
		{"cameras/CAM-1/hold", `{}`, 400},
		{"cameras/CAM-1/hold", `{"reason":"case 7"}`, 204},
		{"cameras/CAM-2/hold", `{"reason":"case 7"}`, 404},
		{"cameras/CAM-1/end-hold", `{"reason":"closed"}`, 204},
		{"cameras/CAM-1/end-hold", `{"reason":"closed"}`, 409},
		{"cameras/CAM-1/assign", `{"officer":"Ada","officer_id":"B1","from":"2026-03-01T06:00:00Z"}`, 204},
		{"cameras/CAM-1/assign", `{"officer":"Bob"}`, 409},
		{"cameras/CAM-1/assign", `{"officer":"Bob","replace":true}`, 204},
		{"cameras/CAM-1/unassign", `{}`, 204},
		{"cameras/CAM-1/unassign", `{}`, 404},
		{"cameras/CAM-1/unassign", `{"at":"yesterday"}`, 400},
		{"cameras/CAM-1/begin", `{"number":1,"reason":"used before"}`, 204},
		{"cameras/CAM-1/begin", `{"number":999999,"reason":"used before"}`, 400},
		{"cameras/CAM-1/begin", `{"number":-1,"reason":"used before"}`, 400},
		{"cameras/CAM-1/begin", `{"number":1}`, 400},
		{"cameras/CAM-2/begin", `{"number":1,"reason":"used before"}`, 404},
		{"cameras/CAM-1/settle", `{"number":7,"reason":"examined"}`, 404},
		{"cameras/CAM-1/settle", `{"reason":"examined"}`, 400},
		{"cameras/CAM-1/settle", `{"item":"x","reason":"examined"}`, 400},
		{"cameras/CAM-1/hold", `{"reason":"x","unknown":1}`, 400},
		{"cameras/CAM-1/hold", `{"reason":"` + strings.Repeat("x", 9000) + `"}`, 400},
		{"alerts/" + alert + "/acknowledge", `{"note":"asked"}`, 204},
		{"alerts/" + alert + "/acknowledge", `{"note":"asked"}`, 409},
		{"alerts/none/acknowledge", `{}`, 404},
	} {
		if code := d.post(t, "/api/v1/"+c.act, "", c.body); code != http.StatusUnauthorized {
			t.Errorf("%s for nobody: %d", c.act, code)
		}
		if code := d.post(t, "/api/v1/"+c.act, d.session, c.body); code != c.want {
			t.Errorf("%s %.60s: %d, want %d", c.act, c.body, code, c.want)
		}
	}
	for kind, want := range map[evidence.EventType]int64{evidence.EventCameraApproved: 1, evidence.EventCameraBlocked: 1, evidence.EventCameraHeld: 1, evidence.EventCameraHoldEnded: 1,
		evidence.EventCameraAssigned: 2, evidence.EventCameraUnassigned: 2, evidence.EventAlertAcknowledged: 1, evidence.EventCameraBegun: 1} {
		if n := d.Events(t, kind, ""); n != want {
			t.Errorf("%d events %s, want %d", n, kind, want)
		}
	}
}

// Numbers that are not counted are told of in every answer.
func TestNumbersThatAreNotCountedAreTold(t *testing.T) {
	d := newDesk(t)
	d.dockCamera(t, "CAM-1")
	ctx, now := t.Context(), d.Clock.Now()
	if r := d.get(t, "/api/v1/completeness")["reports"].([]any)[0].(map[string]any); r["not_counted"] != nil {
		t.Errorf("before: %v", r)
	}
	err := d.DB.Update(ctx, func(tx *sqldb.Tx) error {
		return tx.PutDocking(ctx, &catalog.Docking{Agency: readingtest.Agency, ID: evidence.DockingID{1}, Dock: "front-desk", Station: "north", Bay: "1-1", Camera: "CAM-1", At: now, TakenAt: now, LastAt: now, ReceivedAt: now,
			Next: 128, Parts: 1, PartsSeen: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := d.post(t, "/api/v1/cameras/CAM-1/begin", d.session, `{"number":128,"reason":"used at the academy"}`); code != http.StatusNoContent {
		t.Fatalf("begin: %d", code)
	}
	for _, path := range []string{"/api/v1/completeness", "/api/v1/cameras/CAM-1/completeness"} {
		r := d.get(t, path)["reports"].([]any)[0].(map[string]any)
		u, _ := r["not_counted"].(map[string]any)
		if u == nil || u["below"] != 128.0 || u["reason"] != "used at the academy" || !strings.Contains(u["text"].(string), "numbers below 128 are not counted, by ") || len(r["missing"].([]any)) != 0 {
			t.Errorf("%s: %v", path, r)
		}
	}
	if code := d.post(t, "/api/v1/cameras/CAM-1/begin", d.session, `{"number":1,"reason":"that was the other camera"}`); code != http.StatusNoContent {
		t.Fatalf("taking it back: %d", code)
	}
	if code := d.post(t, "/api/v1/cameras/CAM-1/settle", d.session, `{"number":1,"finding":"never_shown","reason":"asked everybody"}`); code != http.StatusNoContent {
		t.Fatalf("settle: %d", code)
	}
	r := d.get(t, "/api/v1/completeness")["reports"].([]any)[0].(map[string]any)
	settled := r["settled"].([]any)
	if r["complete"] != true || len(settled) != 1 || settled[0].(map[string]any)["last_number"] != 127.0 || settled[0].(map[string]any)["settled_because"] != "asked everybody" {
		t.Errorf("settled: %v", r)
	}
}
