package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/internal/buildinfo"
)

// The tests are run in the modes of Go's FIPS 140-3 module (scripts/fips): what
// they say of a mode would be worth little if the programs ran in another.
func TestProgramsAreInTheModeOfTheirTests(t *testing.T) {
	for _, program := range []string{built.Agent, built.Ingest} {
		out, err := exec.Command(program, "version").CombinedOutput()
		if err != nil {
			t.Fatalf("%s version: %v\n%s", program, err, out)
		}
		if want := buildinfo.Cryptography(); !strings.Contains(string(out), want) {
			t.Errorf("%s version says\n%swant %q", program, out, want)
		}
	}
}
