package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// Neither the dock's spool nor the server's store holds a readable piece of
// footage, whichever state it is in.
func TestNoDiskHoldsReadableFootage(t *testing.T) {
	s := open(t, station.Options{}, "--unplugged", "--cameras", "1", "--files", "2", "--file-size", "3MiB")
	o, err := s.Oracle()
	check(t, err)
	var pieces [][]byte
	for _, r := range o.Cameras[0].Recordings {
		for _, at := range []int64{0, 4096, 1 << 20, r.Size - 64} {
			piece := make([]byte, 64)
			_, err := r.Synthetic.ReadAt(piece, at)
			check(t, err)
			pieces = append(pieces, piece)
		}
	}
	planted := filepath.Join(s.AgentDir(), "planted")
	check(t, os.WriteFile(planted, append([]byte("x"), pieces[3]...), 0o600))
	if holding(t, s.AgentDir(), pieces) == "" {
		t.Fatal("the search does not find what it looks for")
	}
	check(t, os.Remove(planted))

	s.Ingest.Kill() // so that the copies stay in the spool
	control(t, s, "plug", "1-1")
	spooled(t, s, 2)
	if file := holding(t, s.AgentDir(), pieces); file != "" {
		t.Errorf("the spool holds readable footage in %s", file)
	}
	check(t, s.StartIngest(within(t)))
	drained(t, s)
	settled(t, s)
	for _, dir := range []string{s.AgentDir(), s.Options.IngestDir} {
		if file := holding(t, dir, pieces); file != "" {
			t.Errorf("%s holds readable footage", file)
		}
	}
}

// Neither the server's data folder nor a backup holds the readable name of who wears a camera, or of a
// recording, in any file, while it runs and after.
func TestNoServerDiskHoldsReadableNames(t *testing.T) {
	s := open(t, station.Options{}, "--cameras", "1", "--files", "3", "--file-size", "64KiB")
	drained(t, s)
	settled(t, s)
	o, err := s.Oracle()
	check(t, err)
	const person = "Wilhelmina Quartermaine"
	names := [][]byte{[]byte(person), []byte(o.Cameras[0].Recordings[0].Path)}
	_, err = s.Operate(within(t), "cameras", "assign", o.Cameras[0].Serial, "--officer", person, "--officer-id", "W77")
	check(t, err)
	backups := filepath.Join(t.TempDir(), "backups")
	_, err = s.Operate(within(t), "backup", backups)
	check(t, err)
	said, err := s.Operate(within(t), "cameras")
	check(t, err)
	items, err := s.Operate(within(t), "items", "--json")
	check(t, err)
	if !strings.Contains(said, person) || !strings.Contains(items, string(names[1])) {
		t.Errorf("the server does not know the names that are searched for:\n%s\n%s", said, items)
	}
	planted := filepath.Join(s.Options.IngestDir, "planted")
	check(t, os.WriteFile(planted, append([]byte("x"), names[1]...), 0o600))
	if holding(t, s.Options.IngestDir, names) != planted {
		t.Error("the search does not find what it looks for")
	}
	check(t, os.Remove(planted))
	running := holding(t, s.Options.IngestDir, names)
	check(t, s.Ingest.Stop(within(t)))
	for _, file := range []string{running, holding(t, s.Options.IngestDir, names), holding(t, backups, names)} {
		if file != "" {
			t.Errorf("%s holds a readable name", file)
		}
	}
	check(t, s.StartIngest(within(t))) // for the last checks
}

// holding returns the first file below dir with any of the pieces in it.
func holding(t *testing.T, dir string, pieces [][]byte) (found string) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, piece := range pieces {
			if bytes.Contains(text, piece) {
				found = path
			}
		}
		return err
	}))
	return found
}
