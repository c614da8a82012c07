package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/backup"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// backupMark stands in a data folder that is a backup: it says so, and keeps a server
// from running on it.
const backupMark = "THIS-IS-A-BACKUP"

// errBackup refuses to run a server on a backup.
var errBackup = errors.New("this data folder is a backup, and two servers that sign with one key fork the custody log: make a server of it with sealdock-ingest restore")

func (c *Config) refuseBackup() error {
	if _, err := os.Lstat(filepath.Join(c.DataDir, backupMark)); err == nil {
		return fmt.Errorf("%s: %w", c.DataDir, errBackup)
	}
	return nil
}

// Backup is what was made or found.
type Backup struct {
	Folder  string
	Entries int64 // of the custody log, signed
	Copied  backup.Copier
}

// MakeBackup copies the data folder into a new folder below dir, named by the time: a
// data folder of its own, which fsck reads. Recordings that the newest backup there has
// are linked to and not written again; without evidence none are in it. The server may be
// running. What a crash leaves begins with "." and counts for nothing.
func MakeBackup(ctx context.Context, c Config, dir string, withEvidence bool, now func() time.Time) (b *Backup, err error) {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if below, err := filepath.Rel(c.DataDir, dir); err == nil && !strings.HasPrefix(below, "..") {
		return nil, fmt.Errorf("%s lies in the data folder itself: name one on another disk", dir)
	}
	before, err := newestBackup(dir)
	if err != nil {
		return nil, err
	}
	name := now().UTC().Format("20060102T150405Z")
	b = &Backup{Folder: filepath.Join(dir, name), Copied: backup.Copier{From: c.DataDir, To: filepath.Join(dir, "."+name), Before: before}}
	if err := durable.MkdirAll(b.Copied.To, 0o700); err != nil {
		return nil, err
	}
	if err := c.copyTo(ctx, db, b, withEvidence, now); err != nil {
		return nil, fmt.Errorf("making a backup in %s: %w", b.Copied.To, err)
	}
	if err := durable.Rename(b.Copied.To, b.Folder); err != nil {
		return nil, err
	}
	by, _ := local()
	return b, db.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: c.agency(), Type: evidence.EventBackupMade, At: now().UTC().Truncate(time.Microsecond), Actor: by, Source: "local",
			Object: evidence.LogObject(c.logOrigin()), Outcome: evidence.OutcomeDone,
			Details: map[string]string{"folder": b.Folder, "entries": fmt.Sprint(b.Entries), "evidence": fmt.Sprint(withEvidence)},
		})
		return err
	})
}

// newestBackup is the newest folder that MakeBackup has finished in dir; "" for none.
func newestBackup(dir string) (newest string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	for _, e := range entries {
		at := filepath.Join(dir, e.Name())
		if _, err := os.Lstat(filepath.Join(at, backupMark)); err == nil && e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			newest = at
		}
	}
	return newest, err
}

// copyTo copies in the order in which the parts fit together at any moment: what the log
// has signed is never more than the catalog knows, the tiles are never less, and what the
// catalog names is in the vault before it names it.
func (c *Config) copyTo(ctx context.Context, db *sqldb.DB, b *Backup, withEvidence bool, now func() time.Time) error {
	k, to := &b.Copied, *c
	to.DataDir, to.Catalog = k.To, ""
	to.ringDir = to.keyDir() // which is copied as it is
	mark := "A backup of the evidence server of agency " + c.Agency + ", made " + now().UTC().Format(time.DateTime) + " UTC.\n" +
		"Check it:   sealdock-ingest verify-backup THIS-FOLDER\nRestore it: sealdock-ingest restore THIS-FOLDER --to NEW-FOLDER\nNever run a server on it.\n"
	if err := durable.WriteFile(filepath.Join(k.To, backupMark), []byte(mark), 0o600); err != nil {
		return err
	}
	log, err := filepath.Rel(c.DataDir, c.logDir())
	if err != nil {
		return err
	}
	signed := map[string]bool{filepath.Join(log, "signed-size"): true, filepath.Join(log, "checkpoint"): true, filepath.Join(log, "checkpoint.witnessed"): true}
	for name := range signed {
		if err := k.File(name, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := db.Snapshot(ctx, filepath.Join(k.To, "catalog.db")); err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Join(k.To, "catalog.db")); err == nil {
		k.Files, k.Bytes = k.Files+1, k.Bytes+info.Size()
	}
	if err := k.Tree(ctx, log, false, func(path string) bool { return signed[path] }); err != nil {
		return err
	}
	for _, folder := range []string{c.keyDir(), c.authorityDir(), c.firmwareDir()} {
		if err := k.Tree(ctx, filepath.Base(folder), false, nil); err != nil {
			return err
		}
	}
	copied, err := to.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	state, err := copied.LogState(ctx)
	if err == nil {
		b.Entries = state.Size
	}
	if err == nil && withEvidence {
		err = c.copyEvidence(ctx, copied, k)
	}
	if err = errors.Join(err, copied.Close()); err != nil {
		return err
	}
	to.DataDir = ""
	text, err := to.file()
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(k.To, ConfigName), text, 0o600)
}

// copyEvidence copies the blobs of items that the copied catalog knows.
func (c *Config) copyEvidence(ctx context.Context, copied *sqldb.DB, k *backup.Copier) error {
	store, err := blobs.New(c.vaultDir())
	if err != nil {
		return err
	}
	return store.List(ctx, func(info vault.Info) error {
		if info.Place != vault.Committed && info.Place != vault.Quarantined {
			return nil
		}
		if _, err := copied.ItemRow(ctx, info.Key.Agency, info.Key.ID); errors.Is(err, catalog.ErrNotFound) {
			return nil // came after the catalog was copied
		} else if err != nil {
			return err
		}
		path, err := filepath.Rel(c.DataDir, blobs.Path(c.vaultDir(), info.Place, info.Key))
		if err != nil {
			return err
		}
		if err := k.File(path, true); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil // quarantined meanwhile: the next backup has it there
	})
}

// Shortfall is how a backup, or a data folder, stands to a checkpoint that somebody kept.
type Shortfall struct {
	Entries int64 // of the custody log
	Shown   int64 // under the checkpoint
}

// Lacks is how many entries are under the checkpoint and not in the log.
func (s *Shortfall) Lacks() int64 { return max(0, s.Shown-s.Entries) }

// CompareLog compares the custody log of a data folder, or of a backup, with a checkpoint of
// it that somebody kept; witnessed or not. It is an error when it is of another log, or of
// another history. Nothing is signed or changed.
func CompareLog(ctx context.Context, c Config, checkpoint []byte, now func() time.Time) (s *Shortfall, err error) {
	secrets, err := loadOwnSecrets(&c)
	if err != nil {
		return nil, err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	shown, err := tlog.OpenEarlier(checkpoint, c.logOrigin(), secrets.checkpoint.Public())
	if err != nil {
		return nil, fmt.Errorf("comparing with the checkpoint: %w", err)
	}
	state, err := db.LogState(ctx)
	if err != nil {
		return nil, err
	}
	s = &Shortfall{Entries: state.Size, Shown: shown.Size}
	if most := tlog.Surviving(c.logOrigin(), shown.Origin, c.restored); most >= 0 && shown.Size > most || shown.Size > state.Size {
		return s, nil
	}
	root, err := tlog.Root(ctx, blobs.Tiles(c.logDir()), shown.Size)
	if err != nil {
		return nil, fmt.Errorf("comparing with the checkpoint: %w", err)
	}
	if root != shown.Root {
		return nil, fmt.Errorf("the first %d entries of the custody log are not those of the checkpoint: the log, or the checkpoint, is of another history", shown.Size)
	}
	return s, nil
}
