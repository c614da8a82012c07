package server

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/proto/evidence"
)

const phrase = "correct horse battery staple"

// says is a person who types one passphrase.
func says(text string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(text), nil }
}

// TestAServerUnderAPassphrase: made in clear, put under a passphrase on record,
// and then started from each place that a passphrase can come from.
func TestAServerUnderAPassphrase(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	rec := d.Record(t, "A.MP4", footage(1<<20+1))
	answer, err := r.mustConnect(d).Upload(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, d, rec, answer)
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.Passphrase, Secret: []byte(phrase)}, time.Now); err != nil { // while it runs
		t.Fatal(err)
	}
	r.end()
	if log := r.log.String(); !strings.Contains(log, "in clear") {
		t.Errorf("the start does not warn of the root key in clear:\n%s", log)
	}
	r.log.Reset()

	t.Setenv(credentialDirectory, "")
	refuse := func(what, words string) {
		t.Helper()
		if err := Run(r.ctx, r.config, "test", r.logger(), time.Now, nil); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want words like %q", what, err, words)
		}
	}
	refuse("no passphrase", credentialName)
	r.config.Prompt = says("another passphrase")
	refuse("a wrong passphrase", "the passphrase is wrong")
	r.config.Prompt = says("")
	refuse("an empty line typed", credentialName) // before any work

	file := filepath.Join(t.TempDir(), credentialName)
	if err := os.WriteFile(file, []byte(phrase+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.config.PassphraseFile = file
	refuse("a file that others may read", "chmod 600")
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.end()
	r.config.PassphraseFile = ""
	given := func(from string) {
		t.Helper()
		if text, err := r.config.passphrase(); err != nil || string(text) != phrase {
			t.Errorf("from %s: %q, %v", from, text, err)
		}
	}
	r.config.Prompt = says("not asked for")
	t.Setenv(passphraseVariable, phrase)
	given("the environment")
	t.Setenv(credentialDirectory, t.TempDir()) // without the credential
	given("the environment, beside other credentials")
	t.Setenv(passphraseVariable, "not looked at")
	t.Setenv(credentialDirectory, filepath.Dir(file))
	given("a credential")
	t.Setenv(credentialDirectory, "")
	t.Setenv(passphraseVariable, "")
	r.config.Prompt = says(phrase)
	r.config.RootProtection = string(keys.Passphrase)
	var notes bytes.Buffer
	summary, err := Check(r.ctx, r.config, false, time.Now, func(f fsck.Finding) { notes.WriteString(f.String()) })
	if err != nil || summary.Problems != 0 || summary.Stored != 1 || strings.Contains(notes.String(), "in clear") {
		t.Errorf("fsck: %+v, %v\n%s", summary, err, notes.String())
	}

	// Back in clear: the configuration has the last word.
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.None}, time.Now); err != nil {
		t.Fatal(err)
	}
	refuse("a root key in clear", "root_protection")
	r.config.RootProtection = string(keys.None)
	if _, err = Check(r.ctx, r.config, false, time.Now, func(f fsck.Finding) { notes.WriteString(f.String()) }); err != nil || !strings.Contains(notes.String(), "in clear") {
		t.Errorf("fsck does not tell of the root key in clear: %v\n%s", err, notes.String())
	}
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.Passphrase, Secret: []byte("short")}, time.Now); err == nil {
		t.Error("a short passphrase was taken")
	}
	events, err := r.catalog().Events(r.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventRootProtected}, 0)
	if err != nil || len(events) != 2 || events[0].Object != "key:root" {
		t.Errorf("%d events, want 2: %v", len(events), err)
	}
}

// TestAPassphraseIsNotChangedWithoutARecord: what cannot be recorded is not done, and
// what fails is on record as failed.
func TestAPassphraseIsNotChangedWithoutARecord(t *testing.T) {
	r := newServer(t)
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.Passphrase, Secret: []byte(phrase)}, time.Now); err != nil {
		t.Fatal(err)
	}
	r.config.Prompt = says("not the passphrase")
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.None}, time.Now); err == nil {
		t.Fatal("changed with a wrong passphrase") // which opens no catalog to record it in
	}
	r.config.Prompt = says(phrase)
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: "a dragon"}, time.Now); err == nil {
		t.Fatal("put under what there is not")
	}
	events, err := r.catalog().Events(r.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventRootProtected}, 0)
	if err != nil || len(events) != 3 || !bytes.Contains(events[0].JSON, []byte(`"outcome":"failed"`)) || bytes.Contains(events[0].JSON, []byte(phrase)) {
		t.Errorf("%d events, want one that tells of the failure: %v", len(events), err)
	}
	catalogFile := filepath.Join(r.config.DataDir, "catalog.db")
	if err := os.Rename(catalogFile, catalogFile+".away"); err != nil {
		t.Fatal(err)
	}
	if err := ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.None}, time.Now); err == nil {
		t.Error("changed without a catalog to record it")
	}
	if p, err := keys.ProtectionOf(r.config.keyDir()); err != nil || p != keys.Passphrase {
		t.Errorf("the root key is %s, %v", p, err)
	}
}
