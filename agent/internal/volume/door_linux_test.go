package volume

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

func doorTo(t *testing.T, sysfs, mounts string) (*Door, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	d := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	d.sysfs, d.dev = sysfs, filepath.Join(t.TempDir(), "none")
	d.proc = tree(t, t.TempDir(), map[string]string{"self/mountinfo": mounts, "swaps": "", "4711/mountinfo": mounts, "4711/comm": "gvfs\n"})
	return d, &log
}

func TestDevicesNamesTheBays(t *testing.T) {
	d, log := doorTo(t, machine(t), "1 2 8:16 / /home rw - ext4 x rw\n")
	want := []camera.Location{{Source: Source, Port: "1-2.3"}, {Source: Source, Port: "2-1"}}
	for range 3 {
		if got, err := d.Devices(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if n := strings.Count(log.String(), "mounted at /home"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
	if _, err := d.Open(t.Context(), camera.Location{Source: Source, Port: "1-2.4"}); err == nil || !strings.Contains(err.Error(), "machine's own") {
		t.Errorf("opening a disk of the machine: %v", err)
	}
	if _, err := d.Open(t.Context(), camera.Location{Source: Source, Port: "9-9"}); !errors.Is(err, camera.ErrGone) {
		t.Errorf("opening an empty bay: %v", err)
	}
}

func TestADeviceWithBothDoorsIsTakenOnce(t *testing.T) {
	sysfs := machine(t)
	still := "\x09\x04\x01\x00\x03\x06\x01\x01\x00\x07\x05\x83\x02\x00\x02\x00\x07\x05\x04\x02\x00\x02\x00"
	tree(t, sysfs, map[string]string{usb123 + "/descriptors": still})
	d, _ := doorTo(t, sysfs, "")
	both := camera.Location{Source: Source, Port: "1-2.3"}
	if got, err := d.Devices(t.Context()); err != nil || slices.Contains(got, both) {
		t.Errorf("%v, %v", got, err)
	}
	d.options.Imaging = true // an agent without the other door
	if got, err := d.Devices(t.Context()); err != nil || !slices.Contains(got, both) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestADeviceWithoutACardIsToldUnlessItIsBuiltIn(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sda := usb12 + "/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sda"
	tree(t, top, map[string]string{"block/sda": "->../" + sda, sda + "/dev": "8:0", sda + "/size": "0"})
	d, _ := doorTo(t, top, "")
	list, err := d.Devices(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if _, err := d.Open(t.Context(), list[0]); err == nil || !strings.Contains(err.Error(), "shows no card") {
		t.Errorf("%v", err)
	}
	tree(t, top, map[string]string{usb12 + "/removable": "fixed"})
	if list, err := d.Devices(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestIdentityIsWhatTheDeviceSaysMadeSafe(t *testing.T) {
	devices, err := scan(machine(t))
	if err != nil {
		t.Fatal(err)
	}
	id := identityOf(&devices[0])
	if id.Serial != "ABC%01123" || id.Vendor != "USB vendor 1209" || id.Model != "Body Cam" || id.Firmware != "0102" || id.Battery != -1 || id.ClockKnown {
		t.Errorf("%+v", id)
	}
	if id := identityOf(&devices[1]); id.Serial != "" {
		t.Errorf("a device without a serial number has %q", id.Serial)
	}
	if long := plain(strings.Repeat("x", 1000)); len(long) > maxText {
		t.Errorf("%d bytes", len(long))
	}
}

func TestWhoElseHasACardMountedIsNamed(t *testing.T) {
	d, _ := doorTo(t, t.TempDir(), "1 2 8:1 / /media/me/CARD rw - vfat x rw\n")
	if who := d.others("8:1"); !strings.Contains(who, "/media/me/CARD") || !strings.Contains(who, "4711, gvfs") {
		t.Errorf("%q", who)
	}
	if who := d.others("8:2"); who != "" {
		t.Errorf("%q", who)
	}
}
