package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// docked is what firmware-sim ctl list --json says, as far as it is used here.
type docked struct {
	Serial string
	Camera struct {
		Agency   string
		Light    string
		Firmware string
		Settings uint64
		Boot     uint64
		Update   struct{ State, Release string }
		Wearer   struct {
			OfficerID string `json:"officer_id"`
		}
	}
}

func cameraIn(t *testing.T, s *station.Station) docked {
	t.Helper()
	out, err := s.Control(within(t), "list", "--json")
	check(t, err)
	var bays []docked
	check(t, json.Unmarshal([]byte(out), &bays))
	return bays[0]
}

func becomes(t *testing.T, s *station.Station, what string, is func(docked) bool) {
	t.Helper()
	err := station.Wait(within(t), func() (bool, string) {
		return is(cameraIn(t, s)), what
	})
	if err != nil {
		status, _ := s.Status(t.Context())
		t.Fatalf("%v\nthe camera: %+v\nthe dock says: %s", err, cameraIn(t, s), status)
	}
}

func operate(t *testing.T, s *station.Station, args ...string) string {
	t.Helper()
	out, err := s.Operate(within(t), args...)
	check(t, err)
	return out
}

// bundle makes a signed firmware bundle.
func bundle(t *testing.T, s *station.Station, release, counter string, more ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), release)
	_, err := s.Sim(within(t), append([]string{"firmware", "make", "--release", release, "--counter", counter, "--out", dir}, more...)...)
	check(t, err)
	return dir
}

// A camera is approved, adopted, told its wearer and settings, and brought new
// firmware; of five ways to bring it other firmware none changes its version, and no
// recording is touched.
func TestACameraOfOursIsCaredForAndTakesOnlyTheFirmwareThatIsMeantForIt(t *testing.T) {
	t.Parallel()
	s := open(t, station.Options{}, "--extension", "--cameras", "1", "--files", "2", "--file-size", "3MiB")
	serial := cameraIn(t, s).Serial
	if err := station.Wait(within(t), func() (bool, string) {
		out, err := s.Operate(t.Context(), "cameras", "list")
		return err == nil && strings.Contains(out, "pending"), "the camera waits for approval"
	}); err != nil {
		t.Fatal(err)
	}
	sound(t, s)
	operate(t, s, "cameras", "approve", serial, "--reason", "delivered today")
	drained(t, s) // in the same docking
	if c := cameraIn(t, s).Camera; c.Agency != station.Agency {
		t.Errorf("the camera was not adopted: %+v", c)
	}
	operate(t, s, "cameras", "assign", serial, "--officer", "Ines Okafor", "--officer-id", "4711")
	operate(t, s, "settings", "publish", "--every-model", "volume=2", "pre_record_seconds=30")
	becomes(t, s, "the camera knows its wearer and settings", func(b docked) bool { return b.Camera.Wearer.OfficerID == "4711" && b.Camera.Settings > 0 })

	// Only the maker's firmware, for this model, newer than what was published, is taken.
	good := bundle(t, s, "2.0.0", "11")
	refuse := func(why, dir string) {
		t.Helper()
		if out, err := s.Operate(within(t), "firmware", "publish", dir); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("published, or refused for another reason than %q: %s, %v", why, out, err)
		}
	}
	refuse("maker", good)
	operate(t, s, "firmware", "trust-maker", "acme", filepath.Join(good, "maker.pem"))
	refuse("maker", bundle(t, s, "2.0.1", "12", "--seed", "77"))
	cut := bundle(t, s, "2.0.2", "12")
	check(t, os.Truncate(filepath.Join(cut, "firmware.bin"), 1000))
	refuse("bytes", cut)
	before := cameraIn(t, s).Camera
	operate(t, s, "firmware", "publish", bundle(t, s, "9.9.9", "12", "--model", "Another Camera"))
	control(t, s, "record", "1-1") // something to lose
	operate(t, s, "firmware", "publish", good)
	becomes(t, s, "the camera runs 2.0.0, confirmed", func(b docked) bool { return b.Camera.Firmware == "2.0.0" && b.Camera.Update.State == "idle" })
	if c := cameraIn(t, s).Camera; c.Boot != before.Boot+1 {
		t.Errorf("it started %d times", c.Boot-before.Boot)
	}
	refuse("counter", bundle(t, s, "1.9.0", "9"))

	// An update that is cut off by the cable goes on where it stopped.
	operate(t, s, "firmware", "publish", bundle(t, s, "3.0.0", "20", "--size", "64MiB"))
	becomes(t, s, "the image is on its way", func(b docked) bool { return b.Camera.Update.Release == "3.0.0" || b.Camera.Firmware == "3.0.0" })
	control(t, s, "unplug", "1-1")
	control(t, s, "record", "1-1")
	cutOff := cameraIn(t, s).Camera
	t.Logf("pulled with firmware %s, update %+v", cutOff.Firmware, cutOff.Update)
	control(t, s, "plug", "1-1")
	becomes(t, s, "the camera runs 3.0.0, confirmed", func(b docked) bool { return b.Camera.Firmware == "3.0.0" && b.Camera.Update.State == "idle" })

	// One that does not start goes back, once, and people are told.
	operate(t, s, "firmware", "publish", bundle(t, s, "4.0.0", "30", "--broken-start"))
	becomes(t, s, "the camera went back to 3.0.0", func(b docked) bool { return b.Camera.Firmware == "3.0.0" && b.Camera.Update.State == "failed" })
	if err := station.Wait(within(t), func() (bool, string) {
		out, err := s.Operate(t.Context(), "alerts", "list")
		return err == nil && strings.Contains(out, "firmware"), "the server has an alert"
	}); err != nil {
		t.Error(err)
	}
	drained(t, s)
	settled(t, s)
}
