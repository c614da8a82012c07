package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// built are the programs under test, made once for all tests.
var built station.Programs

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	bin, err := os.MkdirTemp("", "sealdock-e2e-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	for program, dir := range map[string]string{"sealdock-agent": "agent", "sealdock-ingest": "ingest", "firmware-sim": "firmware-sim", "sealdock-verify": "ingest/verifier/sealdock-verify"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, program), "./"+dir)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", program, err, out)
			return 1
		}
	}
	if built, err = station.In(bin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// within is the time that a test's waiting may take: all is done at most 60 s
// after a fault has ended, with no hands (I7).
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// open starts a station whose simulator runs with args; the dock is enrolled
// and its agent runs. Logs are shown when the test fails.
func open(t *testing.T, options station.Options, args ...string) *station.Station {
	t.Helper()
	ctx := within(t)
	s, err := station.New(ctx, t.TempDir(), built, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(grace); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, p := range []*station.Process{s.Agent, s.Ingest, s.Simulator} {
				if p != nil {
					t.Logf("--- %s\n%s", p.Name, p.Tail(30))
				}
			}
		}
	})
	check(t, s.StartSimulator(ctx, args...))
	check(t, s.StartIngest(ctx))
	check(t, s.Enrol(ctx))
	check(t, s.StartAgent(ctx))
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func control(t *testing.T, s *station.Station, args ...string) {
	t.Helper()
	_, err := s.Control(within(t), args...)
	check(t, err)
}

// drained waits until every camera is empty.
func drained(t *testing.T, s *station.Station) {
	t.Helper()
	if err := station.Wait(within(t), s.Drained); err != nil {
		status, _ := s.Status(t.Context())
		t.Fatalf("%v\nthe dock says: %s", err, status)
	}
}

// sound checks every promise that can be checked while all runs.
func sound(t *testing.T, s *station.Station) {
	t.Helper()
	broken, err := s.Violations(t.Context())
	check(t, err)
	for _, b := range broken {
		t.Error(b)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// settled checks that all is stored and sound once everything has stopped.
func settled(t *testing.T, s *station.Station) {
	t.Helper()
	sound(t, s)
	rows, err := s.Rows(t.Context())
	check(t, err)
	if len(rows) == 0 {
		t.Fatal("no camera made anything: nothing was tested")
	}
	for _, r := range rows {
		if r.Receipt == nil {
			t.Errorf("%s %s has no receipt", r.Camera.Serial, r.Recording.Path)
		}
	}
	check(t, s.Stop(within(t)))
	if report, err := s.Fsck(within(t)); err != nil {
		t.Errorf("fsck: %v\n%s", err, report)
	}
}
