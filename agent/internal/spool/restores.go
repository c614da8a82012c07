package spool

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// restoreNames begins the names under which restores of the server are counted.
const restoreNames = "restore-"

// Restored holds, for each time that the server was restored from a backup and this
// dock heard of it, how many entries of the custody log it was left with.
func (s *Spool) Restored() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.restored)
}

func (s *Spool) readRestores(ctx context.Context) (err error) {
	s.restored, err = readRestores(ctx, s.db)
	return err
}

func readRestores(ctx context.Context, db *sql.DB) (restored []int64, err error) {
	rows, err := db.QueryContext(ctx, "SELECT value FROM counter WHERE name GLOB ? ORDER BY name", restoreNames+"*")
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var entries int64
		if err := rows.Scan(&entries); err != nil {
			return nil, fmt.Errorf("reading the journal: %w", err)
		}
		restored = append(restored, entries)
	}
	return restored, rows.Err()
}

// ServerRestored takes in that the server was restored from a backup: these many
// entries it was left with at each restore so far, and this is its newest checkpoint.
// Every receipt is taken back. What cameras still have is read again and offered, and a
// server that has it after all gives another receipt at once.
func (s *Spool) ServerRestored(ctx context.Context, restored []int64, size int64, text []byte) (taken int64, err error) {
	err = s.submit(ctx, "taking back receipts", &change{checkpoint: &checkpoint{size, text}, restarts: true, apply: func(p *pen) error {
		for i, entries := range restored {
			if _, err := p.exec("INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", fmt.Sprintf("%s%03d", restoreNames, i+1), entries); err != nil {
				return err
			}
		}
		taken, err = p.takeBack("the server was restored from a backup: the receipt is asked for again", s.opt.Now())
		return err
	}, then: func() { s.restored = slices.Clone(restored) }})
	return taken, err
}

// EachErased calls fn with every recording that a camera has erased.
func (s *Spool) EachErased(ctx context.Context, fn func(*Recording) error) error {
	rows, err := s.db.QueryContext(ctx, "SELECT "+columns+" FROM recording WHERE state = 'erased' ORDER BY seq")
	if err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return fmt.Errorf("listing the journal: %w", err)
		}
		if err := fn(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}
