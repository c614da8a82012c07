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
	return s.update(ctx, "queueing a signed "+string(kind), func(p *pen) error {
		for _, envelope := range envelopes {
			if _, err := p.exec("INSERT INTO statement (kind, envelope) VALUES (?, ?)", kind, envelope); err != nil {
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

// Statements returns up to limit queued statements after the given sequence
// number, oldest first.
func (s *Spool) Statements(ctx context.Context, after int64, limit int) ([]Statement, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT seq, kind, envelope FROM statement WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading queued statements: %w", err)
	}
	defer rows.Close()
	var all []Statement
	for rows.Next() {
		var st Statement
		if err := rows.Scan(&st.Sequence, &st.Kind, &st.Envelope); err != nil {
			return nil, fmt.Errorf("reading queued statements: %w", err)
		}
		all = append(all, st)
	}
	return all, rows.Err()
}

// Acknowledged removes statements that the server has made durable.
func (s *Spool) Acknowledged(ctx context.Context, sequences ...int64) error {
	return s.update(ctx, "removing acknowledged statements", func(p *pen) error {
		for _, sequence := range sequences {
			if _, err := p.exec("DELETE FROM statement WHERE seq = ?", sequence); err != nil {
				return err
			}
		}
		return nil
	})
}
