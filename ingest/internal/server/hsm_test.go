package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/internal/testkit/softhsm"
	"github.com/sealdock/sealdock/proto/evidence"
)

// TestARootKeyMovesIntoAnHSMAndOut: a server with a recording, its root key in
// clear, then under a key of the HSM, then under a passphrase.
func TestARootKeyMovesIntoAnHSMAndOut(t *testing.T) {
	r, _ := storing(t)
	r.end()
	t.Setenv(credentialDirectory, "")
	toHSM := keys.Target{Protection: keys.PKCS11, Secret: []byte(softhsm.PIN), Key: "sealdock-root"}
	if err := ProtectRoot(r.ctx, r.config, toHSM, time.Now); err == nil || !strings.Contains(err.Error(), "pkcs11_module") {
		t.Errorf("without an HSM: %v", err)
	}
	r.config.PKCS11Module, r.config.PKCS11Token = softhsm.Start(t), softhsm.Token
	wrong := toHSM
	wrong.Secret = []byte("000000")
	if err := ProtectRoot(r.ctx, r.config, wrong, time.Now); err == nil {
		t.Error("moved with a wrong PIN")
	}
	r.clean(3) // nothing has changed yet
	if err := ProtectRoot(r.ctx, r.config, toHSM, time.Now); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(r.config.keyDir(), "root.key"))
	if err != nil || !strings.HasPrefix(string(file), "sealdock/root-key/pkcs11/v1\n{\"key\":\"sealdock-root\"}\n") {
		t.Errorf("the root key's file: %v\n%.80q", err, file)
	}
	r.config.RootProtection = string(keys.PKCS11)
	refuse := func(what, words string, config Config) {
		t.Helper()
		if err := Run(r.ctx, config, "test", r.logger(), time.Now, nil); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want words like %q", what, err, words)
		}
	}
	refuse("no PIN", credentialName, r.config)
	r.config.Prompt = says("000000")
	refuse("a wrong PIN", "PIN", r.config)
	r.config.Prompt = says(softhsm.PIN)
	without := r.config
	without.PKCS11Module, without.PKCS11Token, without.RootProtection = "", "", string(keys.None)
	refuse("no HSM in the configuration", "pkcs11_module", without)
	other := r.config
	other.RootProtection = string(keys.Passphrase)
	refuse("under an HSM where a passphrase is wanted", "root_protection", other)
	r.clean(3)
	if _, err := RotateKeys(r.ctx, r.config, false, r.logger(), time.Now, nil); err != nil {
		t.Fatal(err)
	}
	r.clean(3)
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.Passphrase, Secret: []byte(phrase)}, time.Now); err != nil {
		t.Fatal(err)
	}
	r.config.RootProtection, r.config.Prompt = string(keys.Passphrase), says(phrase)
	r.clean(3)
	if got := len(r.events(evidence.EventRootProtected)); got != 2+2*2 { // two that failed have an event of that
		t.Errorf("%d events, want 6", got)
	}
}
