package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// A dock that the network does not reach: its recordings go to the server on a
// drive, and the receipts come back on it. Then the network is there.
func TestWhatGoesByDriveArrivesOnceAndItsReceiptsComeBack(t *testing.T) {
	ctx := within(t)
	s, err := station.New(ctx, t.TempDir(), built, station.Options{})
	check(t, err)
	t.Cleanup(func() {
		grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		check(t, s.Stop(grace))
	})
	const recordings = 6
	check(t, s.StartSimulator(ctx, "--no-extension", "--cameras", "2", "--recordings", "0", "--files", "3", "--file-size", "3MiB"))
	check(t, s.StartIngest(ctx))
	check(t, s.Enrol(ctx))
	check(t, s.Ingest.Stop(ctx))
	check(t, s.StartAgent(ctx))
	waits := func(want uint64) {
		t.Helper()
		var status struct {
			Spool struct{ Bytes, Waiting uint64 }
		}
		check(t, station.Wait(ctx, func() (bool, string) {
			text, err := s.Status(ctx)
			if err == nil {
				err = json.Unmarshal([]byte(text), &status)
			}
			return err == nil && status.Spool.Waiting == want && (want > 0 || status.Spool.Bytes == 0), text
		}))
	}
	waits(recordings)

	drive := t.TempDir()
	agent := func(args ...string) (string, error) {
		t.Helper()
		out, err := exec.CommandContext(ctx, built.Agent, append(args, "--data", s.AgentDir())...).CombinedOutput()
		return string(out), err
	}
	out, err := agent("export-spool", drive)
	if err != nil || !strings.Contains(out, "6 recordings") {
		t.Fatalf("%v\n%s", err, out)
	}
	waits(recordings)

	// Without a running server, then beside one.
	check(t, s.Agent.Stop(ctx))
	said, err := s.Operate(ctx, "import-spool", drive)
	if err != nil || !strings.Contains(said, "6 now stored, 0 were stored already") || !strings.Contains(said, "6 receipts written") {
		t.Fatalf("%v\n%s", err, said)
	}
	check(t, s.StartIngest(ctx))
	if said, err = s.Operate(ctx, "import-spool", drive); err != nil || !strings.Contains(said, "0 now stored, 6 were stored already") {
		t.Fatalf("%v\n%s", err, said)
	}
	check(t, s.Ingest.Stop(ctx))

	// A receipt that was tampered with is not believed, the others are.
	check(t, s.StartAgent(ctx))
	receipts, err := filepath.Glob(filepath.Join(drive, "*", "receipts", "*.json"))
	if err != nil || len(receipts) != recordings {
		t.Fatalf("%d receipts on the drive, %v", len(receipts), err)
	}
	whole, err := os.ReadFile(receipts[0])
	check(t, err)
	other, err := os.ReadFile(receipts[1])
	check(t, err)
	check(t, os.WriteFile(receipts[0], other, 0o600))
	if out, err = agent("import-receipts", drive); err == nil || !strings.Contains(out, "1 receipts do not hold") {
		t.Fatalf("%v\n%s", err, out)
	}
	waits(1)
	forged := filepath.Join(s.AgentDir(), "receipts", filepath.Base(receipts[0]))
	check(t, os.WriteFile(forged, other, 0o600)) // past the command, straight to the agent
	check(t, station.Wait(ctx, func() (bool, string) {
		_, err := os.Stat(forged)
		return os.IsNotExist(err), "the agent has not looked at the forged receipt"
	}))
	waits(1)
	check(t, os.WriteFile(receipts[0], whole, 0o600))
	if out, err = agent("import-receipts", drive); err != nil || !strings.Contains(out, "have taken them in") && !strings.Contains(out, "has taken them in") {
		t.Fatalf("%v\n%s", err, out)
	}
	waits(0)

	// With the network back, cameras are emptied by what the dock knows.
	check(t, s.StartIngest(ctx))
	check(t, station.Wait(ctx, s.Drained))
	broken, err := s.Violations(ctx)
	check(t, err)
	if len(broken) > 0 {
		t.Errorf("broken: %v", broken)
	}
	if items, err := s.Items(ctx); err != nil || len(items) != recordings {
		t.Errorf("%d items, %v", len(items), err)
	}
	if text, err := s.Fsck(ctx); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
