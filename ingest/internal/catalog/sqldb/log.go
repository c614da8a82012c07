package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// logUpdate is a transaction of the log's writer. It locks the one row of
// log_state instead of being serialisable, so that it collides with nobody who
// appends events meanwhile.
func (db *DB) logUpdate(ctx context.Context, fn func(tx *Tx, state *catalog.LogState) error) error {
	locked := func(tx *Tx) error {
		state, err := tx.logState(ctx, tx.engine.forUpdate())
		if err != nil {
			return err
		}
		return fn(tx, state)
	}
	if db.queue != nil {
		return db.Update(ctx, locked)
	}
	return db.retry(ctx, sql.LevelReadCommitted, locked)
}

// AssignIndices takes or renews the writer's lease for holder and gives the
// next log indices to up to limit pending events, in the order of their rows.
// It returns the state afterwards. A holder is "node#instance": an instance may
// take over from another one of its own node at once, for there can be only one
// alive. catalog.ErrLease when the lease of another node has not run out.
func (db *DB) AssignIndices(ctx context.Context, holder string, lease time.Duration, limit int) (*catalog.LogState, error) {
	var after catalog.LogState
	err := db.logUpdate(ctx, func(tx *Tx, state *catalog.LogState) error {
		now := db.now()
		if state.Holder != holder {
			if now.Before(state.LeaseUntil) && node(state.Holder) != node(holder) {
				return fmt.Errorf("writing the custody log: %w: %q until %s", catalog.ErrLease, state.Holder, state.LeaseUntil.Format(time.RFC3339))
			}
			state.Holder = holder
			state.Fence++
		}
		state.LeaseUntil = now.Add(lease).UTC().Truncate(time.Microsecond)
		n, err := tx.change(ctx, "giving events their log index", `UPDATE events SET log_index = $1 + pending.place - 1
			FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM events WHERE log_index IS NULL ORDER BY id LIMIT $2) AS pending
			WHERE events.id = pending.id`, state.Assigned, limit)
		if err != nil {
			return err
		}
		state.Assigned += n
		after = *state
		return tx.exec(ctx, "keeping the custody log's lease", catalog.ErrNotFound,
			"UPDATE log_state SET assigned = $1, holder = $2, fence = $3, lease_until = $4 WHERE id = 1",
			state.Assigned, clean(state.Holder), state.Fence, micros(state.LeaseUntil))
	})
	if err != nil {
		return nil, err
	}
	return &after, nil
}

func node(holder string) string {
	name, _, _ := strings.Cut(holder, "#")
	return name
}

// SaveCheckpoint keeps a signed checkpoint. catalog.ErrLease when fence is not
// the newest, catalog.ErrConflict when size is below the kept one, above
// Assigned, or equal with another root.
func (db *DB) SaveCheckpoint(ctx context.Context, fence, size int64, root [32]byte, checkpoint []byte) error {
	return db.logUpdate(ctx, func(tx *Tx, state *catalog.LogState) error {
		switch {
		case state.Fence != fence:
			return fmt.Errorf("keeping a checkpoint: %w", catalog.ErrLease)
		case size < state.Size || size > state.Assigned || size == state.Size && state.Checkpoint != nil && root != state.Root:
			return fmt.Errorf("keeping a checkpoint of size %d: the log, of size %d with %d indices given, %w", size, state.Size, state.Assigned, catalog.ErrConflict)
		}
		return tx.exec(ctx, "keeping a checkpoint", catalog.ErrNotFound,
			"UPDATE log_state SET size = $1, root = $2, checkpoint = $3 WHERE id = 1", size, root[:], checkpoint)
	})
}

// ReleaseLease gives the lease back early; an older fence gives nothing back.
func (db *DB) ReleaseLease(ctx context.Context, fence int64) error {
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.change(ctx, "giving the custody log's lease back", "UPDATE log_state SET lease_until = 0 WHERE id = 1 AND fence = $1", fence)
		return err
	})
}
