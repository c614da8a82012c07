package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/scrub"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/proto/evidence"
)

// mirrored is a store with a mirror that has everything.
func mirrored(t *testing.T, lengths ...int) *store {
	t.Helper()
	s := newStore(t, lengths...)
	s.config.MirrorDir = t.TempDir()
	s.mirror()
	return s
}

// mirror keeps the mirror once, as the server does each minute.
func (s *store) mirror() {
	s.t.Helper()
	secrets, err := loadSecrets(&s.config)
	s.must(err)
	held, err := blobs.New(s.config.vaultDir())
	s.must(err)
	prover := s.config.openScrub(secrets, s.db, held, s.logger(), s.now)
	s.must(s.config.openMirroring(secrets, s.db, held, prover, s.logger(), s.now).Pass(s.ctx))
}

// copyOf is where the mirror has an item's blob.
func (s *store) copyOf(n int) string {
	return blobs.Path(s.config.MirrorDir, vault.Committed, vault.Key{Agency: "springfield", ID: s.items[n].ID, Attempt: 1})
}

func (s *store) same(a, b string) {
	s.t.Helper()
	one, err := os.ReadFile(a)
	s.must(err)
	other, err := os.ReadFile(b)
	s.must(err)
	if string(one) != string(other) {
		s.t.Errorf("%s and %s differ", a, b)
	}
}

func (s *store) events(kind evidence.EventType) int64 {
	s.t.Helper()
	n, err := s.db.CountEvents(s.ctx, catalog.EventFilter{Agency: "springfield", Type: kind})
	s.must(err)
	return n
}

func TestWhatIsDamagedIsHealedFromTheMirror(t *testing.T) {
	s := mirrored(t, 3<<20, 3<<20, 1000, 1000, 0, 50_000)
	for n := range s.items {
		s.same(s.blob(n), s.copyOf(n))
		if s.row(n).MirroredAt.IsZero() {
			t.Errorf("item %d: the catalog knows of no copy", n)
		}
	}
	s.flip(s.blob(0), 10)              // its header
	s.flip(s.blob(1), 2<<20)           // in the middle
	s.must(os.Truncate(s.blob(2), 40)) // cut off
	s.must(os.Remove(s.blob(3)))       // gone
	s.flip(s.blob(4), -1)              // of an empty recording
	s.ahead = 90 * time.Hour
	s.pass()
	for n := range s.items {
		row := s.row(n)
		if row.State != catalog.StateStored || row.Reason != "" || row.ProvenAt.Sub(s.items[n].ProvenAt) < 89*time.Hour {
			t.Errorf("item %d is %s (%s), proven at %s", n, row.State, row.Reason, row.ProvenAt)
		}
		s.same(s.blob(n), s.copyOf(n))
	}
	if damaged, healed := s.events(evidence.EventQuarantined), s.events(evidence.EventHealed); damaged != 5 || healed != 5 {
		t.Errorf("%d events of damage, %d of healing", damaged, healed)
	}
	if open, told := len(s.alerts(catalog.AlertDamaged)), len(s.alerts(catalog.AlertHealed)); open != 0 || told != 5 {
		t.Errorf("%d alerts of damage stand, %d tell of healing", open, told)
	}
	aside := 0
	s.must(filepath.WalkDir(filepath.Join(s.config.vaultDir(), "quarantine"), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			aside++
		}
		return err
	}))
	if aside != 4 {
		t.Errorf("%d damaged blobs were kept, want 4", aside)
	}
	s.flip(s.blob(1), 3) // and once more
	s.ahead += 90 * time.Hour
	s.pass()
	s.same(s.blob(1), s.copyOf(1))
	s.db.Close()
	s.start() // signs what is pending
	s.end()
	sound(t, s.config)
}

func TestACopyThatHasChangedIsMadeAnew(t *testing.T) {
	s := mirrored(t, 3<<20, 1000, 1000)
	s.flip(s.copyOf(0), 1<<20)
	s.must(os.Remove(s.copyOf(1)))
	s.ahead = 90 * time.Hour
	s.mirror()
	for n := range s.items {
		s.same(s.blob(n), s.copyOf(n))
		if at := s.row(n).MirroredAt; at.Sub(s.items[n].StoredAt) < 89*time.Hour {
			t.Errorf("the copy of item %d was last proven at %s", n, at)
		}
	}
	if told := len(s.alerts(catalog.AlertHealed)); told != 2 {
		t.Errorf("%d alerts", told)
	}
	if s.events(evidence.EventQuarantined) != 0 || s.events(evidence.EventMirrored) != 2 {
		t.Error("the record does not tell what was done")
	}
}

// A copy of damaged bytes does not count, and is how the damage is found.
func TestDamageIsNotMirrored(t *testing.T) {
	s := newStore(t, 3<<20, 1000)
	s.config.MirrorDir = t.TempDir()
	s.flip(s.blob(0), 1<<20)
	s.mirror()
	if _, err := os.Stat(s.copyOf(0)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the damaged copy is among the good ones: %v", err)
	}
	if row := s.row(0); row.State != catalog.StateQuarantined || !row.MirroredAt.IsZero() {
		t.Errorf("it is %s, mirrored at %s", row.State, row.MirroredAt)
	}
	s.same(s.blob(1), s.copyOf(1))
	if all := s.alerts(catalog.AlertMirror); len(all) != 1 || !strings.Contains(all[0].Message, "does not hold") {
		t.Errorf("alerts: %+v", all)
	}
	s.mirror()
	if n := len(s.alerts(catalog.AlertMirror)); n != 0 {
		t.Errorf("%d alerts stand of a mirror that has all that it is to have", n)
	}
}

// Where neither has good bytes, nothing is made of it.
func TestWhatIsDamagedTwiceStaysInQuarantine(t *testing.T) {
	s := mirrored(t, 3<<20, 1000)
	s.flip(s.blob(0), 1<<20)
	s.flip(s.copyOf(0), 2<<20)
	s.ahead = 90 * time.Hour
	s.pass()
	if row := s.row(0); row.State != catalog.StateQuarantined {
		t.Errorf("it is %s", row.State)
	}
	if s.events(evidence.EventQuarantined) != 1 || s.events(evidence.EventHealed) != 0 || len(s.alerts(catalog.AlertDamaged)) != 1 {
		t.Error("the record does not tell what was done")
	}
	s.flip(s.copyOf(0), 2<<20) // the disk of the mirror is repaired
	s.pass()
	if row := s.row(0); row.State != catalog.StateStored {
		t.Errorf("with a good copy again it is %s: %s", row.State, row.Reason)
	}
	s.same(s.blob(0), s.copyOf(0))
}

// A disk that is not mounted, or is another server's, is not filled.
func TestAFolderThatIsNotTheMirrorIsLeftAlone(t *testing.T) {
	s := mirrored(t, 1000, 2000)
	good := s.config.MirrorDir
	empty, foreign := t.TempDir(), t.TempDir()
	s.must(os.WriteFile(filepath.Join(foreign, mirrorMark), []byte("of agency shelbyville, custody log x\n"), 0o600))
	for dir, want := range map[string]string{empty: "mount its disk", foreign: "another server", filepath.Join(empty, "none"): "mount its disk"} {
		s.config.MirrorDir = dir
		s.ahead += time.Minute
		s.mirror()
		all := s.alerts(catalog.AlertMirror)
		if len(all) != 1 || !strings.Contains(all[0].Message, want) {
			t.Errorf("%s: %+v", dir, all)
		}
		if _, err := os.Stat(filepath.Join(dir, "blobs")); err == nil {
			t.Errorf("%s was taken for the mirror", dir)
		}
	}
	s.config.MirrorDir = good
	s.mirror()
	if n := len(s.alerts(catalog.AlertMirror)); n != 0 {
		t.Errorf("it is there again, and %d alerts stand", n)
	}
	s.config.MirrorDir = empty
	s.must(BeginMirror(s.ctx, s.config, time.Now))
	s.mirror()
	s.same(s.blob(0), s.copyOf(0))
	if err := BeginMirror(s.ctx, s.config, time.Now); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a mirror in use was begun again: %v", err)
	}
	for _, dir := range []string{s.config.DataDir, s.config.vaultDir()} {
		c := s.config
		c.MirrorDir = dir
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "mirror_dir") {
			t.Errorf("%s as the mirror: %v", dir, err)
		}
	}
}

// Without a mirror, a backup heals.
func TestABackupHealsWhatIsDamaged(t *testing.T) {
	s := newStore(t, 3<<20, 1000, 2000)
	b, err := MakeBackup(s.ctx, s.config, t.TempDir(), true, time.Now)
	s.must(err)
	s.must(os.Chmod(s.blob(0), 0o600))
	broken, err := os.ReadFile(s.blob(0)) // a file of its own: the backup has a copy of the former
	s.must(err)
	broken[1<<20] ^= 1
	s.must(os.Remove(s.blob(0)))
	s.must(os.WriteFile(s.blob(0), broken, 0o600))
	s.must(os.Remove(s.blob(1)))
	s.ahead = 90 * time.Hour
	s.pass()
	from, err := CopiesIn(b.Folder)
	s.must(err)
	s.must(WithScrub(s.ctx, s.config, s.logger(), s.now, func(service *scrub.Service) error {
		for n, want := range []bool{true, true, false} {
			if healed, err := service.Heal(s.ctx, s.items[n].ID, from); err != nil || healed != want {
				t.Errorf("item %d: %t, %v", n, healed, err)
			}
			if row := s.row(n); row.State != catalog.StateStored {
				t.Errorf("item %d is %s", n, row.State)
			}
		}
		_, err := service.Heal(s.ctx, evidence.EvidenceID{1}, from)
		if !errors.Is(err, scrub.ErrNotStored) {
			t.Errorf("an unknown item: %v", err)
		}
		return nil
	}))
	if _, err := CopiesIn(t.TempDir()); err == nil {
		t.Error("an empty folder was taken for a backup")
	}
}

// What a crash left between any two steps is gone on with, and what people decided in
// the meantime stands.
func TestHealingGoesOnWhereItWasKilled(t *testing.T) {
	s := mirrored(t, 3<<20, 3<<20, 3<<20)
	aside := func(n int) {
		s.must(s.db.Update(s.ctx, func(tx *sqldb.Tx) error {
			return tx.QuarantineItem(s.ctx, "springfield", s.items[n].ID, 1, "re-read from the medium")
		}))
	}
	for n := range 3 {
		aside(n)
	}
	s.flip(s.blob(0), 1<<20)     // not moved aside yet
	s.must(os.Remove(s.blob(1))) // moved, and half of it copied
	half, err := os.ReadFile(s.copyOf(1))
	s.must(err)
	partial := blobs.Path(s.config.vaultDir(), vault.Partial, vault.Key{Agency: "springfield", ID: s.items[1].ID, Attempt: 1})
	s.must(os.MkdirAll(filepath.Dir(partial), 0o700))
	s.must(os.WriteFile(partial, half[:2<<20], 0o600))
	s.pass() // the third was whole, and not entered
	for n := range 3 {
		if row := s.row(n); row.State != catalog.StateStored {
			t.Errorf("item %d is %s: %s", n, row.State, row.Reason)
		}
		s.same(s.blob(n), s.copyOf(n))
	}
}
