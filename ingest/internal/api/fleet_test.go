package api_test

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/proto/evidence"
)

// publish publishes an image for a model.
func (d *desk) publish(t *testing.T, model string, counter uint64) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Fleet.TrustMaker(t.Context(), fleet.CommandLine(), strings.ToLower(model), public); err != nil {
		t.Fatal(err)
	}
	image := []byte("image of " + model)
	payload, err := evidence.Encode(&evidence.Firmware{
		Version: 1, Model: model, Release: "2.4.1", Counter: counter, Length: uint64(len(image)), SHA256: evidence.SHA256(image), MinBattery: 30, ReleasedAt: d.Clock.Now(), Notes: "Calmer",
	})
	if err != nil {
		t.Fatal(err)
	}
	statement := evidence.Sign(evidence.TypeFirmware, payload, "maker", private).Marshal()
	if _, err := d.Fleet.Publish(t.Context(), fleet.CommandLine(), statement, bytes.NewReader(image), 120, 300); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) withdraw(t *testing.T, session, body string) int {
	t.Helper()
	r := httptest.NewRequest("POST", "/api/v1/firmware/withdraw", strings.NewReader(body))
	if session != "" {
		r.AddCookie(auth.Cookie(session))
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %d without a problem: %q", body, w.Code, w.Body)
	}
	return w.Code
}

func TestFirmwareIsListedAndWithdrawn(t *testing.T) {
	d := newDesk(t)
	d.publish(t, "X3", 7)
	d.publish(t, "A1", 2)
	v := d.get(t, "/api/v1/firmware")
	all := v["firmware"].([]any)
	first := all[0].(map[string]any)
	if len(all) != 2 || len(v["makers"].([]any)) != 2 || first["model"] != "A1" || first["state"] != "offered" || first["window_utc"] != "02:00-05:00" ||
		first["notes"] != "Calmer" || first["min_battery"] != 30.0 || first["withdrawn_at"] != nil || first["published_by"] != "local" {
		t.Errorf("listed are %v", v)
	}
	for body, want := range map[string]int{
		`{"model":"X3","counter":8}`: 404, `{"model":"X9","counter":7}`: 404, `{"model":"","counter":7}`: 400, `{"model":"X3"}`: 400, `nonsense`: 400,
		`{"model":"X3","counter":18446744073709551615}`: 400, `{"model":"X3","counter":7,"also":1}`: 400, `{"model":"X3","counter":7,"Model":"X3"}`: 400, strings.Repeat(" ", 70<<10) + `{"model":"X3","counter":7}`: 413,
	} {
		if got := d.withdraw(t, d.session, body); got != want {
			t.Errorf("%.60s: %d, want %d", body, got, want)
		}
	}
	if got := d.withdraw(t, "", `{"model":"X3","counter":7}`); got != http.StatusUnauthorized {
		t.Errorf("nobody got %d", got)
	}
	if got := d.withdraw(t, d.session, `{"model":"X3","counter":7}`); got != http.StatusNoContent {
		t.Fatalf("the withdrawal got %d", got)
	}
	second := d.get(t, "/api/v1/firmware")["firmware"].([]any)[1].(map[string]any)
	if second["state"] != "withdrawn" || second["withdrawn_at"] == nil {
		t.Errorf("afterwards it is %v", second)
	}
	if n := d.Events(t, evidence.EventFirmwareWithdrawn, ""); n != 1 {
		t.Errorf("%d withdrawals are on record, want 1", n)
	}
}

func TestCameraSettingsAreListed(t *testing.T) {
	d := newDesk(t)
	if v := d.get(t, "/api/v1/camera-settings"); v["keep_days"] != 0.0 || len(v["profiles"].([]any)) != 0 {
		t.Errorf("at first: %v", v)
	}
	if err := d.Fleet.SetKeepDays(t.Context(), fleet.CommandLine(), 14); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Fleet.PublishSettings(t.Context(), fleet.CommandLine(), "X3", map[string]string{"resolution": "1080p"}); err != nil {
		t.Fatal(err)
	}
	v := d.get(t, "/api/v1/camera-settings")
	profile := v["profiles"].([]any)[0].(map[string]any)
	if v["keep_days"] != 14.0 || profile["model"] != "X3" || profile["values"].(map[string]any)["resolution"] != "1080p" {
		t.Errorf("it says %v", v)
	}
}
