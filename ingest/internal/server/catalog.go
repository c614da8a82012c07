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
)

// openCatalog opens the catalog of a server that exists. It makes none: a wrong
// address is an error and never an empty store.
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
	return sqldb.Open(ctx, c.catalogURL(), now)
}

// newCatalog opens the catalog of a server that is being made, and makes it
// where it is a file. One that a server has used is refused.
func (c *Config) newCatalog(ctx context.Context, now func() time.Time) (*sqldb.DB, error) {
	db, err := sqldb.Open(ctx, c.catalogURL(), now)
	if err != nil {
		return nil, err
	}
	if err := unused(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

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
		return errors.New("this catalog belongs to another server; make a new database and name it with --catalog")
	}
	return nil
}
