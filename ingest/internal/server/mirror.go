package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/mirror"
	"github.com/sealdock/sealdock/ingest/internal/scrub"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/internal/tlog"
)

// mirrorMark stands in a mirror and names the custody log of the server whose it is. So
// a folder under which no disk is mounted, or another server's, is not taken for it.
const mirrorMark = "THIS-IS-A-MIRROR"

// markText is what the mark holds: a restored server goes on with its mirror.
func (c *Config) markText() []byte {
	first, _ := tlog.Restores(c.logOrigin())
	return []byte("of agency " + c.Agency + ", custody log " + first + "\n")
}

func (c *Config) checkMirror() error {
	if c.MirrorDir == "" {
		return nil
	}
	if below, err := filepath.Rel(c.DataDir, c.MirrorDir); err == nil && below != ".." && !strings.HasPrefix(below, ".."+string(filepath.Separator)) {
		return fmt.Errorf("mirror_dir: %s lies in the data folder %s itself: name a folder on another disk", c.MirrorDir, c.DataDir)
	}
	return nil
}

// openMirror opens the mirror. A folder without a mark is made one while nothing is
// mirrored yet.
func (c *Config) openMirror(ctx context.Context, db *sqldb.DB) (vault.Store, error) {
	have, err := os.ReadFile(filepath.Join(c.MirrorDir, mirrorMark))
	switch {
	case err == nil && bytes.Equal(have, c.markText()):
		return blobs.New(c.MirrorDir)
	case err == nil:
		return nil, fmt.Errorf("%s is the mirror of another server: it says %q", c.MirrorDir, bytes.TrimSpace(have))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	is, err := db.MirrorTotals(ctx, c.agency())
	if err != nil {
		return nil, err
	}
	if is.Items > 0 {
		return nil, fmt.Errorf("%s is not the mirror that %d items are in: mount its disk, or begin a new one with sealdock-ingest mirror --begin", c.MirrorDir, is.Items)
	}
	return c.beginMirror()
}

// beginMirror makes a folder that exists the mirror.
func (c *Config) beginMirror() (vault.Store, error) {
	entries, err := os.ReadDir(c.MirrorDir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" {
			return nil, fmt.Errorf("%s is not empty (%s): a mirror wants a folder of its own", c.MirrorDir, e.Name())
		}
	}
	if err := durable.WriteFile(filepath.Join(c.MirrorDir, mirrorMark), c.markText(), 0o600); err != nil {
		return nil, err
	}
	return blobs.New(c.MirrorDir)
}

// mirrorOpener is how scrub gets at the mirror; nil: there is none.
func (c *Config) mirrorOpener(db *sqldb.DB) func(context.Context) (vault.Store, error) {
	if c.MirrorDir == "" {
		return nil
	}
	return func(ctx context.Context) (vault.Store, error) { return c.openMirror(ctx, db) }
}

func (c *Config) openMirroring(secrets *secrets, db *sqldb.DB, store vault.Store, prover *scrub.Service, log *slog.Logger, now func() time.Time) *mirror.Service {
	return mirror.New(mirror.Config{
		Check: c.checked(secrets, db, store), Agency: c.agency(), Open: c.mirrorOpener(db), Prove: prover.Prove,
		Cycle: time.Duration(c.ScrubCycle), Most: c.ScrubMiB << 20, Now: now, Logger: telemetry.Component(log, "mirror"),
	})
}

var errNoMirror = errors.New("no mirror is configured: set mirror_dir to a folder on another disk")

// MirrorStatus says how far the mirror has come; it opens no key.
func MirrorStatus(ctx context.Context, c Config, now func() time.Time) (is mirror.Status, err error) {
	if c.MirrorDir == "" {
		return is, errNoMirror
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return is, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if is, err = mirror.StatusOf(ctx, db, c.agency()); err != nil {
		return is, err
	}
	_, err = c.openMirror(ctx, db)
	return is, err
}

// BeginMirror makes the folder mirror_dir, which is empty, the mirror, instead of the
// one before. The server may be running.
func BeginMirror(ctx context.Context, c Config, now func() time.Time) (err error) {
	if c.MirrorDir == "" {
		return errNoMirror
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := c.beginMirror(); err != nil {
		return err
	}
	return db.Update(ctx, func(tx *sqldb.Tx) error { return tx.ForgetMirror(ctx, c.agency()) })
}

// CopiesIn is a mirror, or the recordings of a backup, as a source of good bytes.
func CopiesIn(dir string) (scrub.Source, error) {
	for _, mark := range []struct{ name, below string }{{mirrorMark, ""}, {backupMark, "evidence"}} {
		if _, err := os.Lstat(filepath.Join(dir, mark.name)); err == nil {
			store, err := blobs.New(filepath.Join(dir, mark.below))
			return scrub.Source{Store: store, Name: "copy in " + dir}, err
		}
	}
	return scrub.Source{}, fmt.Errorf("%s is neither a backup nor a mirror: neither mark is in it", dir)
}
