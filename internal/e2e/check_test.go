package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// verdicts is what firmware-sim check writes for programs.
type verdicts struct {
	Rows []struct {
		Name    string   `json:"name"`
		Verdict string   `json:"verdict"`
		Why     []string `json:"why"`
	} `json:"rows"`
}

// conformance runs the conformance kit against an agent.
func conformance(t *testing.T, agent string, args ...string) (verdicts, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	dir := t.TempDir()
	file := filepath.Join(dir, "verdicts.json")
	args = append([]string{"check", "--agent", agent, "--ingest", built.Ingest, "--json", file, "--keep", filepath.Join(dir, "kit")}, args...)
	cmd := exec.CommandContext(ctx, built.Simulator, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends what it started
	cmd.WaitDelay = 30 * time.Second
	out, failed := cmd.CombinedOutput()
	text, err := os.ReadFile(file)
	var v verdicts
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatalf("the kit gave no verdicts: %v, %v\n%s", err, failed, out)
	}
	if failed != nil {
		failed = fmt.Errorf("%w\n%s", failed, out)
	}
	return v, failed
}

func TestEveryPromiseOfTheShortSetIsKept(t *testing.T) {
	v, err := conformance(t, built.Agent, "--short")
	if err != nil {
		t.Error(err)
	}
	if len(v.Rows) < 15 {
		t.Errorf("%d rows were played", len(v.Rows))
	}
	for _, r := range v.Rows {
		if r.Verdict != "kept" {
			t.Errorf("%s: %s %q", r.Verdict, r.Name, r.Why)
		}
	}
}

// The kit itself is checked with agents that break a promise: one that tells nobody
// anything, and one that leaves recordings on the camera.
func TestTheConformanceKitFindsBrokenPromises(t *testing.T) {
	const quiet = `#!/bin/sh
case "$1" in
status) echo '{"bays":[]}' ;;
run) exec %q "$@" >/dev/null 2>&1 ;;
*) exec %q "$@" ;;
esac
`
	const hoarding = `#!/bin/sh
if [ "$1" = run ]; then sed -i 's/^erase = true/erase = false/' "$3/agent.toml"; fi
exec %q "$@"
`
	for verdict, script := range map[string]string{"silent": fmt.Sprintf(quiet, built.Agent, built.Agent), "slow": fmt.Sprintf(hoarding, built.Agent)} {
		agent := filepath.Join(t.TempDir(), "agent")
		check(t, os.WriteFile(agent, []byte(script), 0o700))
		v, err := conformance(t, agent, "--only", "^(a read-only card|a full card) ", "--patience", "5s")
		if err == nil {
			t.Errorf("an agent that is %s passes", verdict)
		}
		found := false
		for _, r := range v.Rows {
			found = found || r.Verdict == verdict
		}
		if !found {
			t.Errorf("no row says %s: %+v", verdict, v)
		}
	}
}
