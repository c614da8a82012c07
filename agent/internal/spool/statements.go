package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// StatementKind says what a queued statement is.
type StatementKind string

// The statements that a dock makes besides manifests.
const (
	KindInventory StatementKind = "inventory"
	KindRelease   StatementKind = "release"
)

// Statement is a signed statement that waits to be acknowledged by the server.
type Statement struct {
	Sequence int64
	Kind     StatementKind
	Envelope []byte // JSON
}

// Queue keeps a signed statement until the server has acknowledged it.
func (s *Spool) Queue(ctx context.Context, kind StatementKind, envelopes ...[]byte) error {
	return s.update(ctx, "queueing a signed "+string(kind), func(tx *sql.Tx) error {
		for _, envelope := range envelopes {
			if _, err := tx.ExecContext(ctx, "INSERT INTO statement (kind, envelope) VALUES (?, ?)", kind, envelope); err != nil {
				return err
			}
		}
		return nil
	})
}

// NextStatement returns the oldest queued statement after the given sequence
// number, if there is any.
func (s *Spool) NextStatement(ctx context.Context, after int64) (st Statement, found bool, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT seq, kind, envelope FROM statement WHERE seq > ? ORDER BY seq LIMIT 1", after).Scan(&st.Sequence, &st.Kind, &st.Envelope)
	if errors.Is(err, sql.ErrNoRows) {
		return st, false, nil
	}
	if err != nil {
		return st, false, fmt.Errorf("reading queued statements: %w", err)
	}
	return st, true, nil
}

// Acknowledged removes a statement that the server has made durable.
func (s *Spool) Acknowledged(ctx context.Context, sequence int64) error {
	return s.update(ctx, "removing an acknowledged statement", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM statement WHERE seq = ?", sequence)
		return err
	})
}
