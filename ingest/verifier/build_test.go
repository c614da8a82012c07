package verifier_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever builds the verifier from this source, wherever that lies, gets the program
// that everybody else gets (X13).
func TestTheVerifierIsTheSameFromWhateverFolderItIsBuilt(t *testing.T) {
	elsewhere := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	copySources(t, root, elsewhere)
	for _, target := range []struct{ system, machine, program string }{
		{"linux", "amd64", "./ingest/verifier/sealdock-verify"},
		{"js", "wasm", "./ingest/verifier/page"},
	} {
		first, second := build(t, root, target.system, target.machine, target.program), build(t, elsewhere, target.system, target.machine, target.program)
		if !bytes.Equal(first, second) {
			t.Errorf("%s for %s/%s: two builds in two folders differ", target.program, target.system, target.machine)
		}
		if bytes.Contains(first, []byte(root)) {
			t.Errorf("%s names the folder that it was built in", target.program)
		}
	}
}

// copySources copies the module's files that the verifier is made of.
func copySources(t *testing.T, root, to string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if and .Module .Module.Main}}{{.Dir}}{{end}}", "./ingest/verifier/sealdock-verify", "./ingest/verifier/page")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := append(strings.Fields(string(out)), root)
	for _, folder := range folders {
		below, err := filepath.Rel(root, folder)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(to, below), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() || folder == root && e.Name() != "go.mod" && e.Name() != "go.sum" {
				continue
			}
			b, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err == nil {
				err = os.WriteFile(filepath.Join(to, below, e.Name()), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func build(t *testing.T, dir, system, machine, program string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=test", "-o", out, program)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOOS="+system, "GOARCH="+machine, "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", program, err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
