package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// inFile says whether the catalog is a file, which the server seals. How a database
// server keeps it is for that one's administrators.
func (c *Config) inFile() bool { return strings.HasPrefix(c.catalogURL(), "sqlite:") }

// catalogKey is the key that the catalog is sealed under; nil where it is none of ours.
func (c *Config) catalogKey() ([]byte, error) {
	if !c.inFile() {
		return nil, nil
	}
	ring, err := c.openRing()
	if err != nil {
		return nil, err
	}
	return ring.CatalogKey()
}

// openSealed opens the catalog. One in clear, of an earlier program, is sealed first,
// except in a backup, which stays as it is.
func (c *Config) openSealed(ctx context.Context, now func() time.Time) (*sqldb.DB, error) {
	key, err := c.catalogKey()
	if err != nil && !errors.Is(err, keys.ErrNoCatalogKey) {
		return nil, fmt.Errorf("opening the catalog's key: %w", err)
	}
	if key == nil && c.inFile() {
		return c.openClear(ctx, now)
	}
	db, err := sqldb.Open(ctx, c.catalogURL(), now, sqldb.Sealed(key))
	if errors.Is(err, sqldb.ErrClear) {
		if err := c.sealCatalog(ctx, key, now); err != nil {
			return nil, err
		}
		db, err = sqldb.Open(ctx, c.catalogURL(), now, sqldb.Sealed(key))
	}
	if errors.Is(err, sqldb.ErrKey) {
		return nil, fmt.Errorf("%w. %s and the catalog are not of each other, or the file is damaged: restore both from one backup", err, filepath.Join(c.keyDir(), "catalog.key"))
	}
	return db, err
}

// openClear opens a catalog that has no key yet.
func (c *Config) openClear(ctx context.Context, now func() time.Time) (*sqldb.DB, error) {
	if c.refuseBackup() != nil || c.keysGone() { // a backup stays as it is, and keys.Restore comes first
		db, err := sqldb.Open(ctx, c.catalogURL(), now)
		if err != nil {
			err = fmt.Errorf("%w. If it is sealed, its key is missing: %s", err, filepath.Join(c.keyDir(), "catalog.key"))
		}
		return db, err
	}
	// Opened once before a key is made: a sealed one whose key was lost must not get another.
	db, err := sqldb.Open(ctx, c.catalogURL(), now)
	if err != nil {
		return nil, fmt.Errorf("%w. If it is sealed, its key is missing: restore %s from your backup", err, filepath.Join(c.keyDir(), "catalog.key"))
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	ring, err := c.openRing()
	if err != nil {
		return nil, err
	}
	key := keys.NewCatalogKey()
	if err := ring.KeepCatalogKey(key); err != nil {
		return nil, err
	}
	if err := c.sealCatalog(ctx, key, now); err != nil {
		return nil, err
	}
	return sqldb.Open(ctx, c.catalogURL(), now, sqldb.Sealed(key))
}

// keysGone says whether there is no key folder: while keys come back from an escrow.
func (c *Config) keysGone() bool {
	_, err := os.Lstat(filepath.Join(c.keyDir(), "root.key"))
	return err != nil
}

// sealCatalog encrypts a catalog in clear, on record, while nobody else uses it.
func (c *Config) sealCatalog(ctx context.Context, key []byte, now func() time.Time) (err error) {
	if err := c.refuseBackup(); err != nil {
		return fmt.Errorf("the catalog is in clear, but there is a key for it: %w", err)
	}
	if !c.locked {
		unlock, locked := durable.LockDir(c.DataDir)
		if errors.Is(locked, durable.ErrLocked) {
			return errors.New("the catalog is in clear, and a server or another command is at work on it: stop the server, and start it again with this program, which seals it")
		}
		if locked != nil {
			return locked
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	path := strings.TrimPrefix(c.catalogURL(), "sqlite:")
	event := c.keyEvent(evidence.EventCatalogSealed, evidence.KeyObject("catalog"), nil)
	return sqldb.Seal(ctx, path, key, now, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, event)
		return err
	})
}
