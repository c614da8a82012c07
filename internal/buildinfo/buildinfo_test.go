package buildinfo

import (
	"crypto/fips140"
	"strings"
	"testing"
)

func TestCryptographyNamesModeAndModule(t *testing.T) {
	text := Cryptography()
	if strings.Contains(text, "mode off") == fips140.Enabled() || strings.Contains(text, "mode enforced") != fips140.Enforced() {
		t.Errorf("%q, and the module says: on %v, enforced %v", text, fips140.Enabled(), fips140.Enforced())
	}
	if certified := fips140.Version() != "latest"; certified == strings.Contains(text, "not certified") || certified && !strings.Contains(text, fips140.Version()) {
		t.Errorf("%q, and the module's version is %s", text, fips140.Version())
	}
}

func TestVersionIsWhatTheLinkerSaid(t *testing.T) {
	if got := Version("v1.2.3"); got != "v1.2.3" {
		t.Errorf("version %q", got)
	}
	if got := Version(""); got == "" {
		t.Error("a build without a version says nothing")
	}
}
