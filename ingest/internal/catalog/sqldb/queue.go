package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// maxBatch bounds how many updates wait for one commit.
const maxBatch = 128

// queue joins the updates that wait for SQLite's one writer into one
// transaction, each in a savepoint of its own: one commit, and one flush of the
// medium, serves all of them. Each update runs in its caller's goroutine, one
// after the other; nobody returns before the commit.
type queue struct {
	writes  *sql.DB
	waiting atomic.Int64 // updates that want mu
	mu      sync.Mutex   // held while an update runs; guards batch
	batch   *batch       // nil: no transaction is open
}

// batch is one open transaction and those who wait for it.
type batch struct {
	tx      *sql.Tx
	members int
	err     error         // set before done is closed
	done    chan struct{} // closed after the commit
}

func newQueue(writes *sql.DB) *queue { return &queue{writes: writes} }

func (q *queue) update(ctx context.Context, fn func(querier) error) error {
	b, err := q.join(ctx, fn)
	if err != nil {
		return err
	}
	<-b.done
	return b.err
}

// join runs fn within the open batch. The last one to run commits: it is the
// one behind whom nobody waits.
func (q *queue) join(ctx context.Context, fn func(querier) error) (*batch, error) {
	q.waiting.Add(1)
	q.mu.Lock()
	q.waiting.Add(-1)
	defer q.mu.Unlock()
	defer func() {
		if q.batch != nil && (q.waiting.Load() == 0 || q.batch.members >= maxBatch) {
			q.finish()
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if q.batch == nil {
		// Not the caller's context: its end must not undo what others did.
		tx, err := q.writes.BeginTx(context.Background(), nil)
		if err != nil {
			return nil, fmt.Errorf("beginning to change the catalog: %w", err)
		}
		q.batch = &batch{tx: tx, done: make(chan struct{})}
	}
	b := q.batch
	b.members++
	return b, b.run(fn)
}

// finish commits the batch, or reports why not, to all who wait.
func (q *queue) finish() {
	b := q.batch
	q.batch = nil
	if b.err == nil {
		if err := b.tx.Commit(); err != nil {
			b.err = fmt.Errorf("committing to the catalog: %w", err)
		}
	} else {
		b.tx.Rollback() // the error that led here is the one to tell
	}
	close(b.done)
}

// run runs fn between savepoints. A transaction that cannot go back to its
// savepoint is lost as a whole.
func (b *batch) run(fn func(querier) error) (err error) {
	if b.err != nil {
		return b.err
	}
	if _, err := b.tx.Exec("SAVEPOINT one"); err != nil {
		b.err = fmt.Errorf("changing the catalog: %w", err)
		return b.err
	}
	kept := false
	defer func() { // in a panic too
		if kept {
			return
		}
		_, undo := b.tx.Exec("ROLLBACK TO one")
		_, release := b.tx.Exec("RELEASE one")
		if failed := errors.Join(undo, release); failed != nil {
			b.err = fmt.Errorf("changing the catalog: an update joined with this one broke the transaction: %w", failed)
		}
	}()
	if err := fn(detached{b.tx}); err != nil {
		return err
	}
	if _, err := b.tx.Exec("RELEASE one"); err != nil {
		return fmt.Errorf("changing the catalog: %w", err)
	}
	kept = true
	return nil
}

// detached runs queries without the caller's cancellation: SQLite undoes the
// whole transaction, the work of others too, when one statement is interrupted.
type detached struct{ tx *sql.Tx }

func (d detached) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return d.tx.ExecContext(context.WithoutCancel(ctx), query, args...)
}

func (d detached) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return d.tx.QueryContext(context.WithoutCancel(ctx), query, args...)
}

func (d detached) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return d.tx.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}
