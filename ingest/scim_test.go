package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTokensForProvisioning is the command line's whole life of one: refused without a
// directory, made and shown once, listed without its token, revoked.
func TestTokensForProvisioning(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "evidence")
	if _, _, err := run(t, "init", "--agency", "springfield", "--host", "evidence.example.org", folder); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "ingest.toml")
	if _, _, err := run(t, "scim", "add", "--config", config, "entra"); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("without a directory: %v", err)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	settled := strings.Replace(string(text), `issuer = ""`, `issuer = "https://id.example.org"`, 1)
	settled = strings.Replace(settled, `client_id = ""`, `client_id = "sealdock"`, 1) + "\n[[directory.group]]\ngroup = \"officers\"\nrole = \"officer\"\n"
	if err := os.WriteFile(config, []byte(settled), 0o600); err != nil {
		t.Fatal(err)
	}
	out, log, err := run(t, "scim", "add", "--config", config, "--network", "192.0.2.0/24", "entra")
	token := strings.TrimSuffix(out, "\n")
	if err != nil || !strings.HasPrefix(token, "sdp1.") || strings.ContainsAny(token, " \n") || !strings.Contains(log, "https://evidence.example.org:8443/scim/v2") {
		t.Fatalf("made: %v\n%q\n%s", err, out, log)
	}
	for what, args := range map[string][]string{"the same name": {"entra"}, "for ever": {"--valid", "99999h", "okta"}, "a host as network": {"--network", "192.0.2.7/24", "okta"}} {
		if _, _, err := run(t, append([]string{"scim", "add", "--config", config}, args...)...); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if out, _, err := run(t, "scim", "list", "--config", config); err != nil || !strings.Contains(out, "entra") || !strings.Contains(out, "stands") || !strings.Contains(out, "192.0.2.0/24") || strings.Contains(out, token) {
		t.Errorf("listed: %v\n%s", err, out)
	}
	if _, _, err := run(t, "scim", "revoke", "--config", config, "entra"); err != nil {
		t.Error(err)
	}
	if _, _, err := run(t, "scim", "revoke", "--config", config, "entra"); err == nil {
		t.Error("it was revoked twice")
	}
	if out, _, err := run(t, "scim", "list", "--config", config); err != nil || !strings.Contains(out, "revoked") {
		t.Errorf("listed after it: %v\n%s", err, out)
	}
}
