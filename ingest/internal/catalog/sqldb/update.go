package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// attempts is how often a transaction is done again after a collision.
const attempts = 40

// Tx is one write transaction; it reads what it wrote. It belongs to the
// function that it was given to and ends with it.
type Tx struct {
	Reader
}

// Update runs fn in one serialisable write transaction and returns when that
// is durable. When fn returns an error, nothing of it stays and Update returns
// that error. fn may run several times and must not call Update itself, but through
// Tx.Within.
// catalog.ErrFull.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) (err error) {
	if joined, err := db.join(ctx, fn); joined {
		return err
	}
	if db.queue != nil {
		err = db.queue.update(ctx, func(q querier) error { return fn(db.tx(q)) })
	} else {
		err = db.retry(ctx, sql.LevelSerializable, fn)
	}
	if err != nil && db.engine.full(err) {
		return fmt.Errorf("%w: %w", catalog.ErrFull, err)
	}
	return err
}

func (db *DB) tx(q querier) *Tx {
	return &Tx{Reader{q: q, engine: db.engine, now: db.now}}
}

// retry runs fn in a transaction of its own, again after each collision.
func (db *DB) retry(ctx context.Context, level sql.IsolationLevel, fn func(tx *Tx) error) error {
	for n := 1; ; n++ {
		err := db.once(ctx, level, fn)
		if err == nil || !db.engine.collided(err) {
			return err
		}
		if n == attempts {
			return fmt.Errorf("changing the catalog: collided with others %d times, try again later: %w", n, err)
		}
		wait := time.NewTimer(rand.N(time.Millisecond << min(n, 8)))
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
	}
}

func (db *DB) once(ctx context.Context, level sql.IsolationLevel, fn func(tx *Tx) error) error {
	tx, err := db.writes.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return fmt.Errorf("beginning to change the catalog: %w", err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := fn(db.tx(tx)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing to the catalog: %w", err)
	}
	return nil
}

// exec runs a statement that must change exactly one row; if it changes none,
// the error is otherwise.
func (tx *Tx) exec(ctx context.Context, what string, otherwise error, query string, args ...any) error {
	n, err := tx.change(ctx, what, query, args...)
	if err == nil && n == 0 {
		return fmt.Errorf("%s: %w", what, otherwise)
	}
	return err
}

// change runs a statement and returns how many rows it changed.
func (tx *Tx) change(ctx context.Context, what, query string, args ...any) (int64, error) {
	result, err := tx.q.ExecContext(ctx, tx.engine.rebind(query), args...)
	if err != nil {
		if tx.engine.unique(err) {
			return 0, fmt.Errorf("%s: %w", what, errors.Join(catalog.ErrExists, err))
		}
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return result.RowsAffected()
}
