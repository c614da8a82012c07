package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Reader looks at a spool and changes nothing in it, beside the agent that owns
// it or without one. It needs no lock of the folder: what the agent removes
// meanwhile is found missing. Safe for concurrent use.
type Reader struct{ s *Spool }

// ReadOnly opens the spool in dir for looking.
func ReadOnly(ctx context.Context, dir string) (*Reader, error) {
	absolute, err := filepath.Abs(filepath.Join(dir, "journal.db"))
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	if _, err := os.Stat(absolute); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no spool in %s: no camera was ever docked with this data folder, or --data names another one", dir)
	}
	source := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute), RawQuery: "mode=ro&_busy_timeout=10000&_query_only=on"}
	db, err := sql.Open("sqlite3", source.String())
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	var version int
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	if err == nil && version != journalVersion {
		err = fmt.Errorf("its journal has version %d and this program knows version %d: use the program that the agent runs", version, journalVersion)
	}
	if err == nil {
		var whole bool
		if whole, err = hasColumn(ctx, db, "recording", "encoded"); err == nil && !whole {
			err = errors.New("its journal is of an older program: use that one, or start the agent once")
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the spool in %s: %w", dir, explain(err)), db.Close())
	}
	return &Reader{&Spool{opt: Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}, db: db, records: filepath.Join(dir, "recordings")}}, nil
}

// Close releases the journal. Copies must be closed.
func (r *Reader) Close() error { return r.s.db.Close() }

// Restored is Spool.Restored.
func (r *Reader) Restored(ctx context.Context) ([]int64, error) { return readRestores(ctx, r.s.db) }

// Waiting returns all recordings that wait to be handed over, oldest first, as
// far as Spool.Waiting tells of them, without claims and urgency.
func (r *Reader) Waiting(ctx context.Context) ([]Recording, error) {
	rows, err := r.s.db.QueryContext(ctx, "SELECT seq, evidence, attempt, state, serial, path, bay, length, encoded FROM recording WHERE state IN ('spooled', 'uploading') ORDER BY seq")
	if err != nil {
		return nil, fmt.Errorf("listing the journal: %w", err)
	}
	defer rows.Close()
	var all []Recording
	for rows.Next() {
		var rec Recording
		var id []byte
		var length, encoded int64
		if err := rows.Scan(&rec.Sequence, &id, &rec.Attempt, &rec.State, &rec.Source.Serial, &rec.Source.Path, &rec.Bay, &length, &encoded); err != nil {
			return nil, fmt.Errorf("listing the journal: %w", err)
		}
		copy(rec.Evidence[:], id)
		rec.Length, rec.Encoded = uint64(length), uint64(encoded)
		all = append(all, rec)
	}
	return all, rows.Err()
}

// Get returns one recording; it wraps sql.ErrNoRows when there is none.
func (r *Reader) Get(ctx context.Context, id evidence.EvidenceID) (Recording, error) {
	return r.s.Get(ctx, id)
}

// OpenCopy is Spool.OpenCopy. A copy that the agent removes while it is read
// stays readable where the system allows it.
func (r *Reader) OpenCopy(ctx context.Context, id evidence.EvidenceID) (*Copy, error) {
	return r.s.OpenCopy(ctx, id)
}

// Statements is Spool.Statements.
func (r *Reader) Statements(ctx context.Context, after int64, limit int) ([]Statement, error) {
	return r.s.Statements(ctx, after, limit)
}
