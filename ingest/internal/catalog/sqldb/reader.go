package sqldb

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// querier is a pool, a transaction, or one update of a batch.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Reader holds the questions that can be asked of a DB and within a Tx.
type Reader struct {
	q      querier
	engine dialect
	now    func() time.Time
}

// scanner is a row, or the current one of several.
type scanner interface{ Scan(dst ...any) error }

// one asks for one row. No row is catalog.ErrNotFound.
func (r *Reader) one(ctx context.Context, what string, scan func(scanner) error, query string, args ...any) error {
	err := scan(r.q.QueryRowContext(ctx, r.engine.rebind(query), args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = catalog.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("looking up %s: %w", what, err)
	}
	return nil
}

// each asks for any number of rows.
func (r *Reader) each(ctx context.Context, what string, scan func(scanner) error, query string, args ...any) error {
	rows, err := r.q.QueryContext(ctx, r.engine.rebind(query), args...)
	if err != nil {
		return fmt.Errorf("listing %s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("listing %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("listing %s: %w", what, err)
	}
	return nil
}

// list asks for rows and scans each into a value.
func list[T any](ctx context.Context, r *Reader, what string, scan func(scanner, *T) error, query string, args ...any) ([]T, error) {
	var all []T
	err := r.each(ctx, what, func(s scanner) error {
		var v T
		if err := scan(s, &v); err != nil {
			return err
		}
		all = append(all, v)
		return nil
	}, query, args...)
	return all, err
}

// get asks for one row and scans it into a value.
func get[T any](ctx context.Context, r *Reader, what string, scan func(scanner, *T) error, query string, args ...any) (*T, error) {
	var v T
	if err := r.one(ctx, what, func(s scanner) error { return scan(s, &v) }, query, args...); err != nil {
		return nil, err
	}
	return &v, nil
}

// page bounds a caller's limit.
func page(limit int) int {
	if limit <= 0 || limit > catalog.MaxPage {
		return catalog.MaxPage
	}
	return limit
}

// micros is a time as it is kept: microseconds since 1970, 0 for "not yet".
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// timeInto scans a kept time.
type timeInto struct{ t *time.Time }

func (c timeInto) Scan(v any) error {
	us, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is kept as %T, want an integer", v)
	}
	*c.t = time.Time{}
	if us != 0 {
		*c.t = time.UnixMicro(us).UTC()
	}
	return nil
}

// hexInto scans an id or a digest.
type hexInto []byte

func (c hexInto) Scan(v any) error {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return fmt.Errorf("an id or digest is kept as %T, want text", v)
	}
	if len(text) != 2*len(c) {
		return fmt.Errorf("an id or digest has %d digits, want %d: the row was changed by other hands", len(text), 2*len(c))
	}
	if _, err := hex.Decode(c, []byte(text)); err != nil {
		return fmt.Errorf("an id or digest cannot be read, the row was changed by other hands: %w", err)
	}
	return nil
}

// flag is a truth as it is kept.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// number is a count as it is kept. What a camera or dock counts may be beyond
// what a column takes; it is kept as the highest.
func number(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// clean makes text fit for both engines: PostgreSQL refuses NUL and broken UTF-8.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}
