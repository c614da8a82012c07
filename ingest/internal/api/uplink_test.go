package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func clip(n byte) evidence.EvidenceID { return evidence.EvidenceID{15: n} }

// reporting lets the dock front-desk at station north report.
func (d *desk) reporting(t *testing.T) (clear time.Time) {
	t.Helper()
	d.Enrol(t, "north", "garage")
	clear = d.Clock.Now().Add(2 * time.Hour).Truncate(time.Second)
	queue := &upload.Queue{Recordings: 3, Bytes: 3 << 30}
	for n := byte(1); n <= 3; n++ {
		queue.Waiting = append(queue.Waiting, &upload.Waiting{EvidenceId: clip(n).String(), Path: fmt.Sprintf("CLIP%d.MP4", n), Length: 1 << 30, Bay: "1-1", CameraSerial: "SD-1"})
	}
	d.Docks.Set(uplink.Dock{
		Agency: readingtest.Agency, Station: "north", Dock: "front-desk", Connected: true, LastSeen: d.Clock.Now(), Queue: queue, Busy: 2,
		Status: &upload.Status{
			WaitingBytes: 3 << 30, RecordingsWaiting: 3, BytesPerSecond: 250_000, ClearAtUs: clear.UnixMicro(), SpoolBytes: 50, SpoolQuota: 100,
			Transport: &upload.Transport{Over: "tcp", Connections: 2, Why: "UDP is blocked on the way.", RttUs: 21_000, LostPpm: 400},
			Bays:      []*upload.Bay{{Port: "1-1", CameraSerial: "SD-1", WaitingBytes: 3 << 30, ClearAtUs: clear.UnixMicro()}},
		},
	})
	d.Uplink.Direction("north", "front-desk")
	return clear
}

// send sends a decision and returns the status.
func (d *desk) send(t *testing.T, method, path, session, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if session != "" {
		r.AddCookie(auth.Cookie(session))
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: %d without a problem: %q", method, path, w.Code, w.Body)
	}
	return w.Code, w.Body.String()
}

// operator returns the session of somebody who is no administrator.
func (d *desk) operator(t *testing.T) string {
	t.Helper()
	if _, err := d.Auth.AddUser(t.Context(), auth.Person{Login: "j.doe", Name: "Jun Doe", Password: "harbour bridge candle nine"}, auth.Operator,
		evidence.Actor{Kind: "server", ID: "local"}, auth.Origin{Address: "192.0.2.8"}); err != nil {
		t.Fatal(err)
	}
	token, err := d.Auth.SignIn(t.Context(), "j.doe", "harbour bridge candle nine", "", auth.Origin{Address: "192.0.2.8"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestUplinksTellHowDocksSend(t *testing.T) {
	d := newDesk(t)
	clear := d.reporting(t)
	station := d.get(t, "/api/v1/uplinks")["stations"].([]any)[0].(map[string]any)
	docks := station["docks"].([]any)
	front := docks[0].(map[string]any)
	over := front["transport"].(map[string]any)
	forecast := front["forecast"].(map[string]any)
	bay := front["bays"].([]any)[0].(map[string]any)
	if station["station"] != "north" || len(docks) != 2 || station["limit_bytes_per_second"] != nil || front["dock"] != "front-desk" || front["connected"] != true ||
		over["over"] != "tcp" || over["why"] != "UDP is blocked on the way." || over["connections"] != 2.0 || forecast["waiting_bytes"] != float64(3<<30) || forecast["known"] != true ||
		forecast["clear_at"] != clear.Format(time.RFC3339) || bay["forecast"].(map[string]any)["clear_at"] != clear.Format(time.RFC3339) || front["told_to_come_later"] != 2.0 {
		t.Errorf("told is %v", station)
	}
	if garage := docks[1].(map[string]any); garage["connected"] != false || garage["transport"] != nil || garage["forecast"].(map[string]any)["known"] != false {
		t.Errorf("a dock that has not connected: %v", garage)
	}
}

func TestTheQueueIsPutInOrder(t *testing.T) {
	d := newDesk(t)
	d.reporting(t)
	session := d.operator(t)
	const queue = "/api/v1/docks/front-desk/queue"
	shown := func(want ...byte) {
		t.Helper()
		var got []byte
		for _, w := range d.get(t, queue)["waiting"].([]any) {
			id, err := evidence.ParseEvidenceID(w.(map[string]any)["evidence_id"].(string))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, id[15])
		}
		if string(got) != string(want) {
			t.Errorf("queue %v, want %v", got, want)
		}
	}
	done := func(method, path, body string) {
		t.Helper()
		if code, answer := d.send(t, method, queue+path, session, body); code != http.StatusNoContent {
			t.Errorf("%s %s: %d %s", path, body, code, answer)
		}
	}
	shown(1, 2, 3)
	done("POST", "/move", fmt.Sprintf(`{"evidence_id":%q,"to":"first"}`, clip(3)))
	shown(3, 1, 2)
	done("POST", "/urgent", fmt.Sprintf(`{"evidence_id":%q,"urgent":true}`, clip(2)))
	shown(2, 3, 1)
	done("PUT", "/order", fmt.Sprintf(`{"order":[%q]}`, clip(1)))
	shown(2, 1, 3)
	done("POST", "/urgent", fmt.Sprintf(`{"evidence_id":%q,"urgent":false}`, clip(2)))
	done("PUT", "/order", `{"order":[]}`)
	shown(1, 2, 3)
	for kind, want := range map[evidence.EventType]int64{evidence.EventQueueOrdered: 3, evidence.EventQueueUrgent: 2} {
		if n := d.Events(t, kind, ""); n != want {
			t.Errorf("%d of %s on record, want %d", n, kind, want)
		}
	}
	for _, c := range []struct {
		method, path, session, body string
		want                        int
	}{
		{"POST", "/move", "", `{}`, 401},
		{"POST", "/move", session, `{"evidence_id":"nonsense","to":"up"}`, 400},
		{"POST", "/move", session, fmt.Sprintf(`{"evidence_id":%q,"to":"up"}`, clip(9)), 404},
		{"POST", "/urgent", session, fmt.Sprintf(`{"evidence_id":%q,"urgent":true,"more":1}`, clip(1)), 400},
		{"PUT", "/order", session, fmt.Sprintf(`{"order":[%q,%q]}`, clip(1), clip(1)), 400},
		{"PUT", "/order", session, `[]`, 400},
		{"PUT", "/order", session, ``, 400},
	} {
		if code, answer := d.send(t, c.method, queue+c.path, c.session, c.body); code != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.path, c.body, code, answer, c.want)
		}
	}
	if code, _ := d.send(t, "GET", "/api/v1/docks/nowhere/queue", session, ""); code != 404 {
		t.Errorf("a dock that is not there: %d", code)
	}
}

func TestTablesAndSendingAreTheAdministrators(t *testing.T) {
	d := newDesk(t)
	d.reporting(t)
	operator := d.operator(t)
	table := `{"zone":"America/New_York","windows":[{"days":"mon-fri","from":"08:00","until":"18:00","bytes_per_second":250000},{"days":"daily","from":"22:00","until":"06:00","bytes_per_second":null}]}`
	policy := `{"urgent_officers":["4711"],"categories":[{"category":"use of force","weight":40,"urgent":true}]}`
	for _, path := range []string{"/api/v1/stations/north/bandwidth", "/api/v1/docks/front-desk/bandwidth"} {
		for _, c := range []struct {
			session, body string
			want          int
		}{
			{operator, table, 403}, {"", table, 401}, {d.session, strings.Replace(table, "mon-fri", "weekdays", 1), 400},
			{d.session, strings.Replace(table, "America/New_York", "EST or so", 1), 400}, {d.session, strings.Replace(table, "18:00", "25:00", 1), 400},
			{d.session, strings.Replace(table, "250000", "-1", 1), 400}, {d.session, strings.Replace(table, "250000", "99999999999999", 1), 400}, {d.session, table, 204},
		} {
			if code, answer := d.send(t, "PUT", path, c.session, c.body); code != c.want {
				t.Errorf("%s %.90s: %d %s, want %d", path, c.body, code, answer, c.want)
			}
		}
		got := d.get(t, path)
		windows := got["windows"].([]any)
		if first := windows[0].(map[string]any); got["zone"] != "America/New_York" || len(windows) != 2 || first["days"] != "mon-fri" || first["bytes_per_second"] != 250000.0 ||
			windows[1].(map[string]any)["bytes_per_second"] != nil {
			t.Errorf("%s: %v", path, got)
		}
		if code, _ := d.send(t, "PUT", path, d.session, `{"zone":"","windows":[]}`); code != 204 || len(d.get(t, path)["windows"].([]any)) != 0 {
			t.Errorf("%s: taken away: %d", path, code)
		}
	}
	for _, c := range []struct {
		session, body string
		want          int
	}{
		{operator, policy, 403}, {"", policy, 401}, {d.session, strings.Replace(policy, "40", "0", 1), 400}, {d.session, policy, 204},
	} {
		if code, answer := d.send(t, "PUT", "/api/v1/sending", c.session, c.body); code != c.want {
			t.Errorf("%s: %d %s, want %d", c.body, code, answer, c.want)
		}
	}
	if got := d.get(t, "/api/v1/sending"); got["urgent_officers"].([]any)[0] != "4711" || got["categories"].([]any)[0].(map[string]any)["weight"] != 40.0 {
		t.Errorf("policy %v", got)
	}
	if code, _ := d.send(t, "PUT", "/api/v1/stations/mars/bandwidth", d.session, table); code != 404 {
		t.Errorf("a station that is not there: %d", code)
	}
}
