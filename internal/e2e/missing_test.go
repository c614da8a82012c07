package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/internal/testkit/station"
	"github.com/sealdock/sealdock/proto/evidence"
)

// finding is what sealdock-ingest completeness --json says of one recording.
type finding struct {
	Reason string              `json:"reason"`
	Path   string              `json:"path"`
	First  uint64              `json:"first_number"`
	Item   evidence.EvidenceID `json:"item"`
	Dock   string              `json:"dock"`
	Text   string              `json:"text"`
}

// completeness asks for the report; findings are by camera, shown counts what
// each has shown.
func completeness(t *testing.T, s *station.Station) (findings map[string][]finding, shown map[string]int, err error) {
	t.Helper()
	cmd := exec.CommandContext(within(t), built.Ingest, "completeness", "--config", filepath.Join(s.Options.IngestDir, "ingest.toml"), "--json", "--grace", "0s")
	out, err := cmd.Output()
	findings, shown = map[string][]finding{}, map[string]int{}
	for line := range strings.Lines(string(out)) {
		var r struct {
			Camera  string    `json:"camera"`
			Shown   int       `json:"shown"`
			Missing []finding `json:"missing"`
		}
		check(t, json.Unmarshal([]byte(line), &r))
		findings[r.Camera], shown[r.Camera] = r.Missing, r.Shown
	}
	return findings, shown, err
}

// stored waits until so many recordings of a camera are stored, and returns them
// by path.
func stored(t *testing.T, s *station.Station, camera string, want int) map[string]station.Item {
	t.Helper()
	found := map[string]station.Item{}
	check(t, station.Wait(within(t), func() (bool, string) {
		items, err := s.Items(t.Context())
		if err != nil {
			return false, err.Error()
		}
		clear(found)
		for _, i := range items {
			if i.Camera == camera && i.State == "stored" && i.Receipt != nil {
				found[i.Path] = i
			}
		}
		return len(found) == want, fmt.Sprintf("%d of %d recordings of %s are stored", len(found), want, camera)
	}))
	return found
}

// One recording is taken out by hand at each of five places between camera and
// store, by one camera each: the report of completeness names it each time.
func TestOneRecordingTakenOutAtEachOfFivePlacesIsNamed(t *testing.T) {
	t.Parallel()
	database := postgres.Start(t)
	address := database.Database(t)
	s := open(t, station.Options{Catalog: address}, "--extension", "--unplugged", "--cameras", "5", "--files", "3", "--file-size", "1MiB")
	oracle, err := s.Oracle()
	check(t, err)
	serial, victim := map[string]string{}, map[string]string{} // by bay; the victim is the second recording
	for _, c := range oracle.Cameras {
		serial[c.Bay], victim[c.Bay] = c.Serial, c.Recordings[1].Path
	}

	// 1: on the camera, before it is docked.
	control(t, s, "remove", "1-1", victim["1-1"])
	control(t, s, "plug", "1-1")
	stored(t, s, serial["1-1"], 2)

	// 2: on the camera, between two dockings: it was pulled out too early.
	control(t, s, "fault", "1-2", "unplug-at", "100KiB")
	control(t, s, "plug", "1-2")
	check(t, station.Wait(within(t), func() (bool, string) {
		_, shown, _ := completeness(t, s)
		o, err := s.Oracle()
		out := err == nil
		for _, c := range o.Cameras {
			out = out && (c.Bay != "1-2" || !c.Plugged)
		}
		return out && shown[serial["1-2"]] == 3, fmt.Sprintf("it has shown %d recordings", shown[serial["1-2"]])
	}))
	control(t, s, "remove", "1-2", victim["1-2"])
	control(t, s, "plug", "1-2")
	stored(t, s, serial["1-2"], 2)

	// 4: its row, from the catalog.
	control(t, s, "plug", "1-4")
	row := stored(t, s, serial["1-4"], 3)[victim["1-4"]]
	database.Exec(t, address, "DELETE FROM items WHERE id = $1", row.ID.String())

	// 5: its bytes, from the vault.
	control(t, s, "plug", "1-5")
	bytes := stored(t, s, serial["1-5"], 3)[victim["1-5"]]
	removed := 0
	check(t, filepath.WalkDir(s.Options.IngestDir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.Contains(filepath.Base(path), bytes.ID.String()) {
			removed++
			return os.Remove(path)
		}
		return err
	}))
	if removed == 0 {
		t.Fatal("the blob was not found")
	}

	// 3: from the dock's spool, the camera gone: the server was away meanwhile.
	check(t, s.Ingest.Stop(within(t)))
	control(t, s, "plug", "1-3")
	check(t, station.Wait(within(t), func() (bool, string) {
		status, err := s.Status(t.Context())
		return err == nil && strings.Contains(status, `"waiting":3`), status
	}))
	control(t, s, "unplug", "1-3")
	check(t, s.Agent.Stop(within(t)))
	spooled, err := filepath.Glob(filepath.Join(s.AgentDir(), "recordings", "*.floe"))
	check(t, err)
	if len(spooled) != 3 {
		t.Fatalf("the spool holds %q", spooled)
	}
	check(t, os.Remove(spooled[1]))
	check(t, s.StartIngest(within(t)))
	check(t, s.StartAgent(within(t)))
	arrived := stored(t, s, serial["1-3"], 2)

	findings, _, err := completeness(t, s)
	if err == nil {
		t.Error("the command ended well although recordings are missing")
	}
	one := func(bay, reason string) finding {
		found := findings[serial[bay]]
		if len(found) != 1 || found[0].Reason != reason || found[0].Text == "" {
			t.Errorf("camera in bay %s: %+v, want one %s", bay, found, reason)
			return finding{}
		}
		t.Logf("%s: %s", reason, found[0].Text)
		return found[0]
	}
	if f := one("1-1", "never_shown"); f.First != 2 {
		t.Errorf("place 1: %+v", f)
	}
	if f := one("1-2", "vanished"); f.Path != victim["1-2"] || f.Dock != station.DockName {
		t.Errorf("place 2: %+v", f)
	}
	if f := one("1-3", "waiting"); f.Dock != station.DockName || f.Path == "" || arrived[f.Path].State != "" {
		t.Errorf("place 3: %+v, arrived are %v", f, arrived)
	}
	if f := one("1-4", "row_missing"); f.Path != victim["1-4"] || f.Item != row.ID {
		t.Errorf("place 4: %+v", f)
	}
	if f := one("1-5", "blob_missing"); f.Path != victim["1-5"] || f.Item != bytes.ID {
		t.Errorf("place 5: %+v", f)
	}
}
