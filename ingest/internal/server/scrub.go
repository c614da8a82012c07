package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/scrub"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/telemetry"
)

func (c *Config) openScrub(secrets *secrets, db *sqldb.DB, store vault.Store, log *slog.Logger, now func() time.Time) *scrub.Service {
	return scrub.New(scrub.Config{
		Check: c.checked(secrets, db, store), Agency: c.agency(), Cycle: time.Duration(c.ScrubCycle), Most: c.ScrubMiB << 20,
		Mirror: c.mirrorOpener(db), Now: now, Logger: telemetry.Component(log, "scrub"),
	})
}

// WithScrub runs one step of the command line on re-reading. The server may be running
// or not.
func WithScrub(ctx context.Context, c Config, log *slog.Logger, now func() time.Time, step func(*scrub.Service) error) (err error) {
	secrets, err := loadSecrets(&c)
	if err != nil {
		return err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store, err := blobs.New(c.vaultDir())
	if err != nil {
		return err
	}
	return step(c.openScrub(secrets, db, store, log, now))
}

// ScrubStatus says how far re-reading has come; it opens no key.
func ScrubStatus(ctx context.Context, c Config, now func() time.Time) (is scrub.Status, err error) {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return is, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return scrub.StatusOf(ctx, db, c.agency(), time.Duration(c.ScrubCycle), now())
}
