//go:build cgo && linux

package usb

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gousb"
)

const testNode = "/dev/bus/usb/001/004"

// machine is a Bus over a proc and a sysfs of the test's own.
func machine(t *testing.T) *Bus {
	t.Helper()
	b := New(slog.New(slog.DiscardHandler))
	b.proc, b.sysfs = t.TempDir(), t.TempDir()
	return b
}

func link(t *testing.T, target, at string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
}

// running adds a program that has a file open.
func running(t *testing.T, b *Bus, pid int, program, file string) {
	t.Helper()
	folder := filepath.Join(b.proc, fmt.Sprint(pid))
	link(t, "socket:[17]", filepath.Join(folder, "fd", "0"))
	link(t, file, filepath.Join(folder, "fd", "9"))
	if err := os.WriteFile(filepath.Join(folder, "comm"), []byte(program+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheHolderOfABusyCameraIsNamed(t *testing.T) {
	where := spot{node: testNode, port: "1-2", configuration: 1, number: 0}
	for name, c := range map[string]struct {
		prepare func(b *Bus)
		want    []string
	}{
		"a desktop": {
			func(b *Bus) { running(t, b, 812, "gvfsd-mtp", testNode) },
			[]string{"gvfsd-mtp (pid 812) holds the camera", "sealdock-agent install"},
		},
		"two programs": {
			func(b *Bus) { running(t, b, 7, "gphoto2", testNode); running(t, b, 8, "mtp-files", testNode) },
			[]string{"gphoto2 (pid 7), mtp-files (pid 8) hold the camera", "end it"},
		},
		"another camera's program": {
			func(b *Bus) { running(t, b, 9, "gphoto2", "/dev/bus/usb/001/005") },
			[]string{"may not see", "fuser -v " + testNode},
		},
		"the kernel": {
			func(b *Bus) {
				link(t, "../../../../bus/usb/drivers/usb-storage", filepath.Join(b.sysfs, "1-2:1.0", "driver"))
			},
			[]string{"the kernel's driver usb-storage holds the camera", "echo 1-2:1.0 > /sys/bus/usb/drivers/usb-storage/unbind"},
		},
		"a program through the kernel": {
			func(b *Bus) {
				link(t, "../../../../bus/usb/drivers/usbfs", filepath.Join(b.sysfs, "1-2:1.0", "driver"))
				running(t, b, 55, "VirtualBoxVM", testNode)
			},
			[]string{"VirtualBoxVM (pid 55) holds the camera"},
		},
		"a hostile name": {
			func(b *Bus) { running(t, b, 10, "a\x1b[2J\n\x00"+strings.Repeat("x", 400), testNode) },
			[]string{`a\x1b[2J\n\x00xxxx`, "(pid 10)"},
		},
		"no proc": {func(b *Bus) { b.proc = filepath.Join(b.proc, "none") }, []string{"may not see"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := machine(t)
			c.prepare(b)
			err := b.explain(where, translate(fmt.Errorf("failed to claim interface 0: %v", gousb.ErrorBusy)))
			if !errors.Is(err, gousb.ErrorBusy) || len(err.Error()) > 700 {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

func TestMissingRightsAreTold(t *testing.T) {
	b := machine(t)
	node := filepath.Join(t.TempDir(), "004")
	if err := os.WriteFile(node, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	running(t, b, 812, "gvfsd-gphoto2", node)
	err := b.explain(spot{node: node, port: "1-2"}, gousb.ErrorAccess)
	for _, want := range []string{node, "mode 0640", fmt.Sprintf("user %d", os.Geteuid()), "sealdock-agent install", "gvfsd-gphoto2 (pid 812)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if !errors.Is(err, gousb.ErrorAccess) {
		t.Error("the cause is lost")
	}
}

func TestOtherErrorsAreNotExplained(t *testing.T) {
	b := machine(t)
	running(t, b, 812, "gvfsd-mtp", testNode)
	if err := b.explain(spot{node: testNode}, gousb.ErrorIO); err != error(gousb.ErrorIO) {
		t.Error(err)
	}
	if err := b.explain(spot{}, gousb.ErrorBusy); err != error(gousb.ErrorBusy) {
		t.Error(err)
	}
	if err := b.explain(spot{node: testNode}, nil); err != nil {
		t.Error(err)
	}
}
