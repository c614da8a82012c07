package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/internal/tlog"
)

// openCatalog opens the catalog of a server that exists. It makes none: a wrong
// address is an error and never an empty store. logOrigin counts from here on.
func (c *Config) openCatalog(ctx context.Context, now func() time.Time) (*sqldb.DB, error) {
	if path, ok := strings.CutPrefix(c.catalogURL(), "sqlite:"); ok {
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no catalog at %s: correct catalog in the configuration, or restore the file from your backup", path)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the catalog: %w", err)
		}
	}
	db, err := c.openSealed(ctx, now)
	if err != nil {
		return nil, err
	}
	restores, err := db.LogRestores(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c.restored = nil
	for _, r := range restores {
		c.restored = append(c.restored, r.Size)
	}
	return db, nil
}

// giveSlots keeps searches fast until ctx ends: items that have arrived get slots. Lists
// hold the same without them, so a fault is told and it is tried again.
func (p *parts) giveSlots(ctx context.Context) error {
	log := telemetry.Component(p.log, "catalog")
	for {
		given, err := p.catalog.GiveSlots(ctx)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "items could not be prepared for searches; these take longer until they are", "error", err)
		}
		wait := slotsEvery
		if given {
			wait = slotsPause
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

const (
	slotsEvery = time.Minute
	slotsPause = 200 * time.Millisecond // for those who wait to write
)

// logOrigin is the name of the custody log by now: after restores it is another one
// than in the configuration.
func (c *Config) logOrigin() string { return tlog.Continued(c.LogOrigin, len(c.restored)) }

// newCatalog opens the catalog of a server that is being made, and makes it
// where it is a file. One that a server has used is refused.
func (c *Config) newCatalog(ctx context.Context, key []byte, now func() time.Time) (*sqldb.DB, error) {
	db, err := sqldb.Open(ctx, c.catalogURL(), now, sqldb.Sealed(key))
	if errors.Is(err, sqldb.ErrKey) || errors.Is(err, sqldb.ErrClear) {
		return nil, fmt.Errorf("%w (%w)", errUsed, err)
	}
	if err != nil {
		return nil, err
	}
	if err := unused(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

var errUsed = errors.New("this catalog belongs to another server; make a new database and name it with --catalog")

// unused reports what another server left. A new server signs its custody log
// before anything else happens.
func unused(ctx context.Context, db *sqldb.DB) error {
	people, err := db.CountUsers(ctx)
	if err != nil {
		return err
	}
	state, err := db.LogState(ctx)
	if err != nil {
		return err
	}
	if people > 0 || state.Assigned > 0 || state.Checkpoint != nil {
		return errUsed
	}
	return nil
}
