package simulator_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/oracle"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
	"github.com/sealdock/sealdock/proto/camera"
)

func breaks(t *testing.T, r *rig, bay string, f fault.Fault) {
	t.Helper()
	if err := r.Break(bay, f); err != nil {
		t.Fatal(err)
	}
}

// becomes waits until a bay is as wanted.
func becomes(t *testing.T, r *rig, name string, as func(simulator.Bay) bool) simulator.Bay {
	t.Helper()
	patience := time.After(30 * time.Second)
	for {
		if b := r.bay(name); as(b) {
			return b
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-patience:
			t.Fatalf("bay %s stays %+v", name, r.bay(name))
		}
	}
}

func TestARebootedCameraComesBackInAnotherBay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	if err := r.Unplug("1-2"); err != nil {
		t.Fatal(err)
	}
	serial, other := r.bay("1-1").Serial, r.bay("1-2").Serial
	breaks(t, r, "1-1", fault.Fault{Kind: fault.Reboot, At: 3000, For: time.Millisecond, Bay: "1-2"})
	h := r.session("1-1")
	for _, handle := range handles(t, h) {
		if _, err := h.Do(camera.OpGetObject, handle); err != nil {
			break
		}
	}
	<-h.Gone()
	becomes(t, r, "1-2", func(b simulator.Bay) bool { return b.Plugged && b.Serial == serial })
	if b := r.bay("1-1"); b.Plugged || b.Serial != other {
		t.Errorf("its old bay: %+v", b)
	}
	if got := objects(t, r.session("1-2")); len(got) != 3 {
		t.Errorf("%d recordings are left on it", len(got))
	}
	r.stop()
	truth, err := oracle.Read(path)
	if err != nil || truth.Cameras[0].BusID != "1-2" || truth.Cameras[1].BusID != "1-1" {
		t.Errorf("the oracle: %+v, %v", truth, err)
	}
}

func handles(t *testing.T, h interface{ Handles() ([]uint32, error) }) []uint32 {
	t.Helper()
	list, err := h.Handles()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAStormEndsWithTheCameraInItsBay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	breaks(t, r, "1-1", fault.Fault{Kind: fault.Storm, Rate: 60_000, For: 50 * time.Millisecond})
	breaks(t, r, "1-2", fault.Fault{Kind: fault.Storm, Rate: 60_000})
	becomes(t, r, "1-1", func(simulator.Bay) bool {
		truth, err := oracle.Read(path)
		return err == nil && len(truth.Cameras[0].Log) > 2 && len(truth.Cameras[1].Log) > 10
	})
	if err := r.Clear("1-2"); err != nil {
		t.Fatal(err)
	}
	for _, bay := range []string{"1-1", "1-2"} {
		becomes(t, r, bay, func(b simulator.Bay) bool { return b.Plugged })
	}
}

func TestADuplicateSerialIsSeenByHostsAndKnownToTheOracle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	serial := r.bay("1-1").Serial
	breaks(t, r, "1-2", fault.Fault{Kind: fault.Serial, Bay: "1-1"})
	info, err := camera.ParseDeviceInfo(ask(t, r, "1-2"))
	if err != nil || info.SerialNumber.String() != serial {
		t.Errorf("%q, %v", info.SerialNumber.String(), err)
	}
	truth, err := oracle.Read(path)
	if err != nil || len(truth.Cameras) != 2 || len(truth.Cameras[1].Claims) != 1 || truth.Cameras[1].Claims[0] != serial {
		t.Errorf("the oracle: %+v, %v", truth, err)
	}
	if err := r.Clear("1-2"); err != nil {
		t.Fatal(err)
	}
	if info, err := camera.ParseDeviceInfo(ask(t, r, "1-2")); err != nil || info.SerialNumber.String() == serial {
		t.Errorf("after clearing: %q, %v", info.SerialNumber.String(), err)
	}
}

func ask(t *testing.T, r *rig, bay string) []byte {
	t.Helper()
	h := r.session(bay)
	defer h.Close()
	a, err := h.Do(camera.OpGetDeviceInfo)
	if err != nil {
		t.Fatal(err)
	}
	return a.Data
}

func TestClocksJumpAndRecordingsFollow(t *testing.T) {
	for variant, want := range map[string]time.Time{
		fault.Variant1970: time.Unix(0, 0).UTC(), fault.VariantTenYears: now().AddDate(10, 0, 0),
		fault.VariantDST: now().Add(time.Hour), fault.VariantBackwards: now().Add(-time.Hour),
	} {
		r := start(t, synthetic(""))
		breaks(t, r, "1-1", fault.Fault{Kind: fault.ClockJump, Variant: variant})
		h := r.session("1-1")
		a, err := h.Do(camera.OpGetDevicePropValue, uint32(camera.DevPropDateTime))
		if err != nil {
			t.Fatal(err)
		}
		v, err := camera.ParseValue(camera.TypeText, a.Data)
		if err != nil {
			t.Fatal(err)
		}
		if at, err := camera.ParseDateTime(v.Text.String()); err != nil || !at.Time.Equal(want) {
			t.Errorf("%s: the clock says %v, %v; want %v", variant, at.Time, err, want)
		}
		made, err := r.Record(t.Context(), "1-1")
		if err != nil || len(made) != 1 {
			t.Fatal(made, err)
		}
		found := false
		for _, handle := range handles(t, h) {
			info, err := h.Info(handle)
			if err != nil {
				t.Fatal(err)
			}
			date, err := camera.ParseDateTime(info.CaptureDate.String())
			found = found || err == nil && date.Time.Year() == want.Add(4*time.Minute).Year() && date.Time.Sub(now().Add(4*time.Minute)) == want.Sub(now())
		}
		if !found {
			t.Errorf("%s: no recording has the clock's date", variant)
		}
	}
}

func TestHostileContentAndDoublesAreRealRecordings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	first := r.bay("1-1").Recordings[0]
	breaks(t, r, "1-1", fault.Fault{Kind: fault.Content, Variant: fault.VariantAll})
	breaks(t, r, "1-1", fault.Fault{Kind: fault.Again, Path: first.Path})
	list := r.bay("1-1").Recordings
	if len(list) != 3+8+1 || list[len(list)-1].SHA256 != first.SHA256 || list[len(list)-1].Path == first.Path {
		t.Errorf("%d recordings, the last %+v", len(list), list[len(list)-1])
	}
	seen := objects(t, r.session("1-1"))
	for _, rec := range list {
		if _, ok := seen[rec.SHA256]; !ok {
			t.Errorf("the host does not see %s", rec.Path)
		}
	}
	if err := start(t, synthetic("")).Break("1-1", fault.Fault{Kind: fault.Content, Variant: fault.VariantAll}); !errors.Is(err, fault.ErrScript) {
		t.Errorf("without an oracle: %v", err)
	}
}

func TestTwoHundredNamesAreTwoHundredRecordings(t *testing.T) {
	r := start(t, synthetic(""))
	breaks(t, r, "1-1", fault.Fault{Kind: fault.Names, Variant: fault.VariantMany})
	if n := len(objects(t, r.session("1-1"))); n != 3+200 {
		t.Errorf("the host sees %d recordings", n)
	}
}

func TestTheFirstCamerasAreWithoutTheExtension(t *testing.T) {
	config := synthetic("")
	config.PlainFirst = 1
	r := start(t, config)
	if err := r.Break("1-1", fault.Fault{Kind: fault.WrongKey}); !errors.Is(err, simulator.ErrNoExtension) {
		t.Errorf("the first camera: %v", err)
	}
	breaks(t, r, "1-2", fault.Fault{Kind: fault.WrongKey})
}

func TestAFullCardTakesNoRecording(t *testing.T) {
	r := start(t, synthetic(""))
	breaks(t, r, "1-1", fault.Fault{Kind: fault.Full})
	if made, err := r.Record(t.Context(), "1-1"); err == nil {
		t.Errorf("made %v", made)
	}
}

func TestFaultsOfTheExtensionNeedOne(t *testing.T) {
	config := synthetic("")
	config.Plain = true
	r := start(t, config)
	if err := r.Break("1-1", fault.Fault{Kind: fault.WrongKey}); !errors.Is(err, simulator.ErrNoExtension) {
		t.Errorf("%v", err)
	}
}
