package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// small mounts a file system of so many bytes and returns where.
func small(t *testing.T, size string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "small")
	check(t, os.Mkdir(dir, 0o700))
	if err := unix.Mount("small", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skipf("SKIPPED: a full disk cannot be made without the right to mount one (run as root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// The disk keeps 64 MiB in reserve and has room for two recordings beside; the
// camera has six.
func TestAFullDiskAtTheDockLosesNothing(t *testing.T) {
	s := open(t, station.Options{AgentDir: small(t, "108m")}, "--unplugged", "--cameras", "1", "--files", "6", "--file-size", "14MiB")
	s.Ingest.Kill() // so that the spool fills up
	control(t, s, "plug", "1-1")
	said(t, s, "full")
	sound(t, s)
	check(t, s.StartIngest(within(t)))
	drained(t, s)
	settled(t, s)
}

// The vault keeps 64 MiB of its disk in reserve, and beside that it is full before
// the last recordings arrive; then somebody makes room.
func TestAFullDiskAtTheServerLosesNothing(t *testing.T) {
	disk := small(t, "224m")
	s := open(t, station.Options{IngestDir: filepath.Join(disk, "ingest")}, "--unplugged", "--cameras", "1", "--files", "4", "--file-size", "9MiB")
	check(t, os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 130<<20), 0o600))
	control(t, s, "plug", "1-1")
	said(t, s, "full")
	sound(t, s)
	if log := s.Ingest.Tail(1000); strings.Contains(log, "disk is full") {
		t.Errorf("recordings took the room of the catalog:\n%s", log)
	}
	check(t, os.Remove(filepath.Join(disk, "ballast")))
	drained(t, s)
	settled(t, s)
}

// said waits until the dock's status says a word.
func said(t *testing.T, s *station.Station, word string) {
	t.Helper()
	check(t, station.Wait(within(t), func() (bool, string) {
		status, err := s.Status(t.Context())
		return err == nil && strings.Contains(status, word), "the dock says " + status
	}))
}
