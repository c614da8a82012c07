package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/durable"
)

// ErrNoSnapshot means that the catalog is on PostgreSQL, whose own tools back it up.
var ErrNoSnapshot = errors.New("the catalog is on PostgreSQL: back it up with its own tools, for example pg_dump")

// Snapshot writes the catalog as of one moment into a new file at path, durably, while
// others write. The file is a catalog that Open opens.
func (db *DB) Snapshot(ctx context.Context, path string) error {
	if db.file == "" {
		return ErrNoSnapshot
	}
	if err := db.snapshot(ctx, path); err != nil {
		return fmt.Errorf("copying the catalog to %s: %w", path, err)
	}
	return nil
}

func (db *DB) snapshot(ctx context.Context, path string) error {
	file, err := durable.CreateFile(path, 0o600) // SQLite fills an empty file; by itself it would make one for all to read
	if err != nil {
		return err
	}
	own, err := sql.Open(driver(), address(db.file, db.seal)) // the pools' connections may not write elsewhere, or are needed
	if err == nil {
		_, err = own.ExecContext(ctx, "VACUUM INTO ?", address(path, db.seal))
		err = errors.Join(err, own.Close())
	}
	if err == nil && db.seal != nil {
		err = db.seal.key.ToWAL(path)
	}
	if err == nil {
		err = errors.Join(file.Sync(), durable.SyncDir(filepath.Dir(path)))
	}
	return errors.Join(err, file.Close())
}
