package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// An operator's way with one camera: its key, its officer, a hold, and a
// recording that is missing.
func TestAnOperatorsWayWithCameras(t *testing.T) {
	config := agency(t)
	ctx := t.Context()
	says := func(words string, args ...string) string {
		t.Helper()
		out, log, err := run(t, append(args, "--config", config)...)
		if err != nil || !strings.Contains(out+log, words) {
			t.Errorf("%v: %v, want words like %q:\n%s%s", args, err, words, out, log)
		}
		return out
	}
	refused := func(words string, args ...string) string {
		t.Helper()
		out, _, err := run(t, append(args, "--config", config)...)
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: got %v, want words like %q", args, err, words)
		}
		return out
	}
	says("No camera was docked", "cameras")
	says("No camera was docked", "completeness")
	says("No alert waits", "alerts")
	refused("not found", "completeness", "--camera", "CAM-1")

	now := time.Now()
	key := make([]byte, 32)
	alert := &catalog.Alert{Agency: "springfield", Code: catalog.AlertCode(evidence.FoundKeyUnknown), Severity: catalog.SeverityWarning, Object: evidence.CameraObject("CAM-1"), Message: "a key waits", LastAt: now}
	gap := &catalog.Alert{Agency: "springfield", Code: catalog.AlertGap, Severity: catalog.SeverityUrgent, Object: evidence.CameraObject("CAM-1"), Message: "number 1 is missing", LastAt: now}
	db := opened(t, filepath.Dir(config))
	err := db.Update(ctx, func(tx *sqldb.Tx) error {
		steps := []func() error{
			func() error {
				return tx.CameraSeen(ctx, &catalog.Camera{Agency: "springfield", Serial: "CAM-1", Model: "X3", LastSeenAt: now, LastDock: "front-desk", LastBay: "1-1"})
			},
			func() error {
				_, err := tx.CameraKeySeen(ctx, &catalog.CameraKey{Agency: "springfield", Camera: "CAM-1", Key: key, LastSeenAt: now, Standing: catalog.StandingPending})
				return err
			},
			func() error { return tx.SetCameraStanding(ctx, "springfield", "CAM-1", catalog.StandingPending, key) },
			func() error { _, err := tx.RaiseAlert(ctx, alert); return err },
			func() error { _, err := tx.RaiseAlert(ctx, gap); return err },
			func() error {
				return tx.PutDocking(ctx, &catalog.Docking{Agency: "springfield", ID: evidence.DockingID{1}, Dock: "front-desk", Bay: "1-1", Camera: "CAM-1", At: now, TakenAt: now, LastAt: now, ReceivedAt: now, Next: 2, Parts: 1, PartsSeen: 1})
			},
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	says("pending", "cameras", "list")
	says(evidence.KeyID(key).String(), "cameras", "keys", "CAM-1")
	refused("flag --key", "cameras", "approve", "CAM-1", "--key", "abc")
	refused("no key of camera CAM-9", "cameras", "approve", "CAM-9")
	says("is approved", "cameras", "approve", "CAM-1", "--reason", "bought in May")
	says("bought in May", "cameras", "keys", "CAM-1")
	says("approved", "cameras")
	says("is blocked", "cameras", "block", "CAM-1", "--key", evidence.KeyID(key).String())
	refused("--reason", "cameras", "hold", "CAM-1")
	says("until the hold ends", "cameras", "hold", "CAM-1", "--reason", "case 7")
	says("case 7", "cameras")
	says("has ended", "cameras", "release", "CAM-1", "--reason", "closed")
	refused("allows this", "cameras", "release", "CAM-1", "--reason", "closed")
	says("assigned to Ada (B1)", "cameras", "assign", "CAM-1", "--officer", "Ada", "--officer-id", "B1", "--from", "2026-03-01T06:00:00Z")
	refused("another assignment", "cameras", "assign", "CAM-1", "--officer", "Bob")
	says("assigned to Bob", "cameras", "assign", "CAM-1", "--officer", "Bob", "--from", "2026-03-02T06:00:00Z", "--replace")
	says("Bob", "cameras")
	says("nobody's", "cameras", "unassign", "CAM-1", "--at", "2026-03-03T06:00:00Z")

	says("number 1 is missing", "alerts")
	says(`"code":"sequence_gap"`, "alerts", "list", "--json", "--camera", "CAM-1")
	says("acknowledged", "alerts", "acknowledge", gap.ID, "--note", "asked the officer")
	refused("allows this", "alerts", "acknowledge", gap.ID)
	says("No alert waits", "alerts")
	says("acknowledged by local", "alerts", "list", "--all")

	if out := refused("1 findings", "completeness"); !strings.Contains(out, "never_shown: number 1: recorded, by the camera's own count") {
		t.Errorf("report:\n%s", out)
	}
	if out := refused("1 findings", "completeness", "--camera", "CAM-1", "--json"); !strings.Contains(out, `"complete":false`) || !strings.Contains(out, `"first_number":1`) {
		t.Errorf("report:\n%s", out)
	}
	refused("--at", "cameras", "begin", "CAM-1", "--reason", "used before")
	refused("--reason", "cameras", "begin", "CAM-1", "--at", "2")
	refused("Choose 2, or a lower number", "cameras", "begin", "CAM-1", "--at", "3", "--reason", "used before")
	says("count from 2 on. It is on record", "cameras", "begin", "CAM-1", "--at", "2", "--reason", "used at the academy")
	if out := says("Camera CAM-1: complete.", "completeness"); !strings.Contains(out, "\n  numbers below 2 are not counted, by the server's command line on ") || !strings.Contains(out, " UTC: used at the academy.\n") || strings.Contains(out, "never_shown") {
		t.Errorf("report:\n%s", out)
	}
	says(`"not_counted":{"below":2,"by":"local",`, "completeness", "--json")
	says("count from 1 on", "cameras", "begin", "CAM-1", "--at", "1", "--reason", "that was the other camera")
	if out := refused("1 findings", "completeness"); strings.Contains(out, "not counted") {
		t.Errorf("taken back:\n%s", out)
	}
	refused("name the entry", "cameras", "settle", "CAM-1", "--reason", "examined")
	refused("flag --item", "cameras", "settle", "CAM-1", "--item", "x", "--reason", "examined")
	refused("--reason", "cameras", "settle", "CAM-1", "--number", "1")
	refused("no such entry", "cameras", "settle", "CAM-1", "--number", "2", "--reason", "examined")
	says("Settled: never_shown: number 1: recorded", "cameras", "settle", "CAM-1", "--number", "1", "--reason", "the card broke")
	if out := says("Camera CAM-1: complete, 1 settled.", "completeness"); !strings.Contains(out, "\n  settled, never_shown: number 1: recorded") || !strings.Contains(out, "settled by the server's command line on ") || !strings.Contains(out, ": the card broke.\n") {
		t.Errorf("report:\n%s", out)
	}
	says(`"settled_because":"the card broke"`, "completeness", "--json")
	refused("--grace", "completeness", "--grace", "-1s")
}
