package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

func TestACameraPulledInMidReadLosesNothing(t *testing.T) {
	s := open(t, station.Options{}, "--unplugged", "--cameras", "1", "--files", "4", "--file-size", "8MiB")
	for _, at := range []string{"1", "5MiB", "8MiB", "20MiB"} {
		control(t, s, "fault", "1-1", "unplug-at", at)
		control(t, s, "plug", "1-1")
		began := time.Now()
		check(t, station.Wait(within(t), func() (bool, string) {
			o, err := s.Oracle()
			return err == nil && !o.Cameras[0].Plugged, "the camera is still docked"
		}))
		// Noticed within a scan and read at once: earlier pulls slow nothing down.
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the camera was read to byte %s only after %v", at, took)
		}
		sound(t, s)
	}
	control(t, s, "fault", "1-1", "clear")
	control(t, s, "plug", "1-1")
	drained(t, s)

	// Out, filled, and back between two scans: the dock does not take it for done.
	content(t, s, "1-1")
	control(t, s, "unplug", "1-1")
	control(t, s, "record", "1-1")
	control(t, s, "plug", "1-1")
	began := time.Now()
	drained(t, s)
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("new footage was noticed, copied and erased only after %v", took)
	}
	settled(t, s)
}

func TestAFlippedBitInTheFirstReadIsCaught(t *testing.T) {
	s := open(t, station.Options{}, "--unplugged", "--cameras", "1", "--files", "2", "--file-size", "3MiB")
	o, err := s.Oracle()
	check(t, err)
	lied := o.Cameras[0].Recordings[0]
	control(t, s, "fault", "1-1", "flip-bit", "1234567", "--path", lied.Path, "--read", "1")
	control(t, s, "plug", "1-1")
	drained(t, s)
	rows, err := s.Rows(t.Context())
	check(t, err)
	for _, r := range rows {
		if r.Recording.Path == lied.Path && (r.Item == nil || r.Item.Attempt < 2) {
			t.Errorf("%s was taken at the first attempt: the wrong bit was not noticed, or never sent", lied.Path)
		}
	}
	settled(t, s)
}

func TestAFlippedBitInTheSpoolIsCaught(t *testing.T) {
	s := open(t, station.Options{}, "--unplugged", "--cameras", "1", "--files", "2", "--file-size", "3MiB")
	s.Ingest.Kill() // so that copies stay in the spool
	control(t, s, "plug", "1-1")
	copies := spooled(t, s, 2)
	flip(t, copies[0], 2_000_000)
	check(t, s.StartIngest(within(t)))
	drained(t, s)
	settled(t, s)
}

func TestAFlippedBitInTheVaultIsFoundByFsck(t *testing.T) {
	s := open(t, station.Options{}, "--cameras", "1", "--files", "2", "--file-size", "3MiB")
	drained(t, s)
	settled(t, s)
	var blobs []string
	check(t, filepath.Walk(filepath.Join(s.Options.IngestDir, "evidence"), func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.HasSuffix(path, ".floe") {
			blobs = append(blobs, path)
		}
		return err
	}))
	if len(blobs) != 2 {
		t.Fatalf("the vault holds %q, want two blobs", blobs)
	}
	flip(t, blobs[0], 2_000_000)
	report, err := s.Fsck(within(t))
	id, _, _ := strings.Cut(filepath.Base(blobs[0]), "-")
	if err == nil || !strings.Contains(report+err.Error(), id) {
		t.Errorf("fsck does not name item %s: %v\n%s", id, err, report)
	}
}

// spooled waits until so many copies wait in the spool and returns their files.
func spooled(t *testing.T, s *station.Station, want int) (copies []string) {
	t.Helper()
	check(t, station.Wait(within(t), func() (bool, string) {
		text, err := s.Status(t.Context())
		if err != nil {
			return false, err.Error()
		}
		var status struct {
			Spool struct {
				Recordings map[string]int `json:"recordings"`
			} `json:"spool"`
		}
		check(t, json.Unmarshal([]byte(text), &status))
		copies, err = filepath.Glob(filepath.Join(s.AgentDir(), "recordings", "*.floe"))
		check(t, err)
		return status.Spool.Recordings["spooled"]+status.Spool.Recordings["uploading"] == want && len(copies) == want, text
	}))
	return copies
}

// flip turns one bit of a file.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	check(t, err)
	b[0] ^= 0x10
	_, err = f.WriteAt(b, at)
	check(t, err)
}
