package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// WrappedKeys returns keys of attempts at items that are wrapped to one of an
// agency's keys, by id and attempt, after the given one (nil: from the first).
func (r *Reader) WrappedKeys(ctx context.Context, agency evidence.AgencyID, agencyKey string, after *catalog.WrappedKey, limit int) ([]catalog.WrappedKey, error) {
	if after == nil {
		after = &catalog.WrappedKey{}
	}
	return list(ctx, r, "wrapped keys", func(s scanner, w *catalog.WrappedKey) error {
		w.Agency, w.AgencyKey = agency, agencyKey
		return s.Scan(hexInto(w.ID[:]), &w.Attempt, &w.Wrapped)
	}, `SELECT id, attempt, wrapped_key FROM offers WHERE agency = $1 AND agency_key = $2 AND (id, attempt) > ($3, $4)
		ORDER BY id, attempt LIMIT $5`, agency, agencyKey, after.ID.String(), after.Attempt, limit)
}

// KeyUses returns what stands on each of an agency's keys, by key.
func (r *Reader) KeyUses(ctx context.Context, agency evidence.AgencyID) ([]catalog.KeyUse, error) {
	return list(ctx, r, "the use of keys", func(s scanner, u *catalog.KeyUse) error {
		return s.Scan(&u.AgencyKey, &u.Wrapped, &u.Docks)
	}, `SELECT agency_key, CAST(sum(wrapped) AS BIGINT), CAST(sum(docks) AS BIGINT) FROM (
		SELECT agency_key, count(*) AS wrapped, 0 AS docks FROM offers WHERE agency = $1 AND agency_key <> $2 GROUP BY agency_key
		UNION ALL SELECT agency_key, 0, count(*) FROM docks WHERE agency = $1 AND enabled = 1 GROUP BY agency_key
		) AS uses GROUP BY agency_key ORDER BY agency_key`, agency, catalog.Destroyed)
}

// StandsOnKey reports whether a recording's key is wrapped to one of an agency's keys,
// or a dock that is let in wraps to it. noted are the names that it may have.
func (r *Reader) StandsOnKey(ctx context.Context, agency evidence.AgencyID, noted []string) (bool, error) {
	for _, key := range noted {
		var n int64
		err := r.one(ctx, "what stands on a key", func(s scanner) error { return s.Scan(&n) }, `SELECT (SELECT count(*) FROM (SELECT 1 FROM offers WHERE agency = $1 AND agency_key = $2 LIMIT 1) AS wrapped)
			+ (SELECT count(*) FROM (SELECT 1 FROM docks WHERE agency = $1 AND agency_key = $2 AND enabled = 1 LIMIT 1) AS told)`, agency, key)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// notRetired refuses to keep something under a key whose end is on record.
func (tx *Tx) notRetired(ctx context.Context, agency evidence.AgencyID, agencyKey string) error {
	var n int64
	err := tx.one(ctx, "the end of a key", func(s scanner) error { return s.Scan(&n) },
		"SELECT count(*) FROM events WHERE agency = $1 AND object = $2 AND type = $3", agency, evidence.KeyObject(agencyKey), evidence.EventKeyRetired)
	if err == nil && n > 0 {
		err = fmt.Errorf("key %s of agency %s: %w", agencyKey, agency, catalog.ErrRetired)
	}
	return err
}

// Rewrap replaces a wrapped key by the same key wrapped to another of the agency's
// keys. It says false, and changes nothing, where the key is not kept any more as
// it was read, or the other one is retired: somebody was faster.
func (tx *Tx) Rewrap(ctx context.Context, was *catalog.WrappedKey, agencyKey string, wrapped []byte) (bool, error) {
	n, err := tx.change(ctx, fmt.Sprintf("wrapping the key of item %s anew", was.ID),
		`UPDATE offers SET wrapped_key = $5, agency_key = $6 WHERE agency = $1 AND id = $2 AND attempt = $3 AND wrapped_key = $4
		AND NOT EXISTS (SELECT 1 FROM events WHERE agency = $1 AND object = $7 AND type = $8)`,
		was.Agency, was.ID.String(), was.Attempt, was.Wrapped, wrapped, agencyKey, evidence.KeyObject(agencyKey), evidence.EventKeyRetired)
	return n == 1, err
}

// DestroyKeys overwrites the keys of all attempts at a stored item with zero bytes:
// nobody can open it any more. catalog.ErrFrozen; catalog.ErrConflict when it is not
// stored, has no receipt yet, or was destroyed already. See DB.Forget.
func (tx *Tx) DestroyKeys(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, at time.Time) error {
	what := fmt.Sprintf("destroying the key of item %s", id)
	if err := tx.mayDelete(ctx, agency, id); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if overwriting := tx.engine.overwriting(); overwriting != "" {
		if _, err := tx.q.ExecContext(ctx, overwriting); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	err := tx.exec(ctx, what, catalog.ErrConflict, `UPDATE items SET destroyed_at = $3
		WHERE agency = $1 AND id = $2 AND state = 'stored' AND event_index >= 0 AND destroyed_at = 0`, agency, id.String(), micros(at))
	if err != nil {
		return err
	}
	keys, err := list(ctx, &tx.Reader, "the keys of an item", func(s scanner, w *catalog.WrappedKey) error { return s.Scan(&w.Attempt, &w.Wrapped) },
		"SELECT attempt, wrapped_key FROM offers WHERE agency = $1 AND id = $2", agency, id.String())
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := tx.exec(ctx, what, catalog.ErrConflict, "UPDATE offers SET wrapped_key = $4, agency_key = $5 WHERE agency = $1 AND id = $2 AND attempt = $3",
			agency, id.String(), key.Attempt, make([]byte, len(key.Wrapped)), catalog.Destroyed); err != nil {
			return err
		}
	}
	return nil
}

// Forget drops what SQLite's write-ahead file still holds of former rows, and says
// whether it could: not while another process reads. PostgreSQL keeps former rows
// until it needs the space, and in its own log; there it answers false.
func (db *DB) Forget(ctx context.Context) (bool, error) {
	if db.queue == nil {
		return false, nil
	}
	var busy, pages, done int64
	if err := db.writes.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &done); err != nil {
		return false, fmt.Errorf("emptying the catalog's write-ahead file: %w", err)
	}
	return busy == 0, nil
}
