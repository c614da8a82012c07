package server

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// unseal makes a data folder, or a backup, what it was under a program that left the
// catalog in clear.
func (r *running) unseal(dir string) {
	r.t.Helper()
	path, key := filepath.Join(dir, "catalog.db"), filepath.Join(dir, "keys", "catalog.key")
	raw, end, err := sqldb.Raw(path, r.catalogSecret())
	r.must(err)
	_, err = raw.ExecContext(r.ctx, "VACUUM INTO ?", "file:"+path+".clear?vfs=unix")
	r.must(err)
	r.must(end())
	r.must(os.Rename(path+".clear", path))
	r.must(os.Remove(key))
}

func (r *running) inClear(dir string) bool {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "catalog.db"))
	r.must(err)
	return bytes.HasPrefix(text, []byte("SQLite format 3"))
}

// A server of an earlier program goes on, sealed and on record; its backups in clear are
// checked as they are, and sealed where they are restored.
func TestAnEarlierServersCatalogIsSealed(t *testing.T) {
	r, d := storing(t)
	made, err := MakeBackup(r.ctx, r.config, filepath.Join(t.TempDir(), "backups"), true, time.Now)
	r.must(err)
	r.end()
	secret := r.catalogSecret()
	r.unseal(made.Folder)
	keyFile := filepath.Join(r.config.keyDir(), "catalog.key")
	before, err := os.ReadFile(keyFile)
	r.must(err)
	r.unseal(r.config.DataDir)
	if !r.inClear(r.config.DataDir) || !r.inClear(made.Folder) {
		t.Fatal("nothing is in clear")
	}

	r.start()
	rec := d.Record(t, "D.MP4", footage(1<<20))
	answer, err := r.mustConnect(d).Upload(r.ctx, rec)
	r.must(err)
	checkReceipt(t, d, rec, answer)
	r.end()
	if r.inClear(r.config.DataDir) || bytes.Equal(r.catalogSecret(), secret) {
		t.Error("the catalog is in clear, or under no new key")
	}
	events, err := r.catalog().Events(r.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventCatalogSealed}, 0)
	if err != nil || len(events) != 1 {
		t.Errorf("%d events: %v", len(events), err)
	}
	if summary, problems := r.problems(); summary.Problems != 0 {
		t.Errorf("fsck: %+v\n%s", summary, problems)
	}

	kept, err := BackupConfig(made.Folder)
	r.must(err)
	if summary, err := Check(r.ctx, kept, false, time.Now, func(f fsck.Finding) { t.Log(f) }); err != nil || summary.Problems != 0 || !r.inClear(made.Folder) {
		t.Errorf("the backup in clear: %+v, %v", summary, err)
	}
	to := filepath.Join(t.TempDir(), "again")
	restored, err := Restore(r.ctx, made.Folder, to, "the disk died", nil, nil, r.logger(), time.Now)
	r.must(err)
	if r.inClear(to) || !r.inClear(made.Folder) {
		t.Error("restored in clear, or the backup was changed")
	}
	again, err := LoadConfig(restored.ConfigPath)
	r.must(err)
	if summary, err := Check(r.ctx, again, false, time.Now, func(f fsck.Finding) { t.Log(f) }); err != nil || summary.Problems != 0 {
		t.Errorf("restored: %+v, %v", summary, err)
	}

	// A key of another catalog, and none.
	r.must(os.Rename(keyFile, keyFile+".away"))
	if _, err := r.openCatalog(); err == nil || !strings.Contains(err.Error(), keyFile) {
		t.Errorf("without its key: %v", err)
	}
	r.must(os.WriteFile(keyFile, before, 0o600))
	if _, err := r.openCatalog(); err == nil || !strings.Contains(err.Error(), "not of each other") {
		t.Errorf("by the key of another catalog: %v", err)
	}
}

// Started or not, a command seals what is in clear, but never beside a server.
func TestACommandSealsBesideNoServer(t *testing.T) {
	r := newServer(t)
	r.unseal(r.config.DataDir)
	unlock, err := durable.LockDir(r.config.DataDir)
	r.must(err)
	if _, err := SetupLink(r.ctx, r.config, true, time.Now); err == nil || !strings.Contains(err.Error(), "stop the server") || !r.inClear(r.config.DataDir) {
		t.Errorf("beside a server: %v", err)
	}
	r.must(unlock())
	if _, err := SetupLink(r.ctx, r.config, true, time.Now); err != nil || r.inClear(r.config.DataDir) {
		t.Errorf("alone: %v", err)
	}
}

// What names people lies in no snapshot in clear, and a command under a passphrase wants it
// to read the catalog at all.
func TestACatalogUnderAPassphraseOpensByItAlone(t *testing.T) {
	r := newServer(t)
	raw := catalogtest.Raw(t, r.config.catalogURL(), r.catalogSecret())
	if n := 0; raw.QueryRowContext(r.ctx, "SELECT count(*) FROM events").Scan(&n) != nil {
		t.Fatal("the catalog does not open")
	}
	r.must(raw.Close())
	r.must(ProtectRoot(r.ctx, r.config, keys.Target{Protection: keys.Passphrase, Secret: []byte(phrase)}, time.Now))
	t.Setenv(credentialDirectory, "")
	r.config.ring = nil
	if _, err := SetupLink(r.ctx, r.config, true, time.Now); err == nil || !strings.Contains(err.Error(), credentialName) {
		t.Errorf("without the passphrase: %v", err)
	}
	asked := 0
	r.config.Prompt = func(string) ([]byte, error) { asked++; return []byte(phrase), nil }
	if _, err := SetupLink(r.ctx, r.config, true, time.Now); err != nil || asked != 1 {
		t.Errorf("with the passphrase, asked %d times: %v", asked, err)
	}
	if _, err := KeyStates(r.ctx, r.config, time.Now); err != nil || asked != 2 {
		t.Errorf("asked %d times for catalog and keys together: %v", asked, err)
	}
}
