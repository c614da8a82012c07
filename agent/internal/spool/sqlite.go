//go:build cgo

package spool

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"github.com/sealdock/sealdock/internal/durable"
)

func damaged(err error) bool {
	var e sqlite3.Error
	if errors.As(err, &e) {
		return e.Code == sqlite3.ErrCorrupt || e.Code == sqlite3.ErrNotADB
	}
	return errors.Is(err, errDamaged)
}

// explain gives a full disk its name.
func explain(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrFull || durable.IsFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
