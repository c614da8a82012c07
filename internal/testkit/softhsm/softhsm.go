package softhsm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What the token is reached by.
const (
	Token = "sealdock-test"
	PIN   = "648219"
)

// Start makes an empty token and returns the path of the PKCS#11 library.
func Start(t *testing.T) (module string) {
	t.Helper()
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			module = path
			break
		}
	}
	tool, err := exec.LookPath("softhsm2-util")
	if err != nil || module == "" {
		t.Fatal("SoftHSM is missing: apt-get install softhsm2, or scripts/setup")
	}
	dir := t.TempDir()
	tokens, config := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", config)
	if out, err := exec.Command(tool, "--init-token", "--free", "--label", Token, "--pin", PIN, "--so-pin", "11223344").CombinedOutput(); err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
	return module
}
