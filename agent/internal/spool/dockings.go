package spool

import (
	"context"
	"fmt"
	"time"
)

const dockings = "dockings" // name of the counter of dockings

// NextDocking counts a docking and returns its number, which this journal never
// gave before. A server that has seen a higher one knows that this journal is
// older than it should be.
func (s *Spool) NextDocking(ctx context.Context) (n uint64, err error) {
	err = s.update(ctx, "counting a docking", func(p *pen) error {
		if _, err := p.exec("INSERT INTO counter (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1", dockings); err != nil {
			return err
		}
		statement, err := p.statement("SELECT value FROM counter WHERE name = ?")
		if err != nil {
			return err
		}
		return statement.QueryRow(dockings).Scan(&n)
	})
	return n, err
}

// Dockings is the highest number that NextDocking gave.
func (s *Spool) Dockings(ctx context.Context) (n uint64, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT coalesce(max(value), 0) FROM counter WHERE name = ?", dockings).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("reading the journal: %w", err)
	}
	return n, nil
}

// Distrust is for a journal that turned out to be older than what the server has
// seen of it: a restored copy. It counts on from the server's number, and takes
// back every receipt that the journal holds: those recordings are read from their
// cameras again, as far as they are still there, and offered anew, so that nothing
// is erased for what an old journal remembers.
func (s *Spool) Distrust(ctx context.Context, seen uint64) (taken int64, err error) {
	err = s.update(ctx, "taking back receipts", func(p *pen) error {
		if _, err := p.exec("INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)", dockings, int64(seen)); err != nil {
			return err
		}
		taken, err = p.takeBack("the dock's journal was older than what the server had seen of it: the receipt is asked for again", s.opt.Now())
		return err
	})
	return taken, err
}

// takeBack lets no receipt count any more. What a camera has erased stays erased.
func (p *pen) takeBack(why string, at time.Time) (taken int64, err error) {
	result, err := p.exec(`UPDATE recording SET state = 'failed', reason = ?, changed_us = ? WHERE state IN ('received', 'erasing', 'kept')`, why, at.UnixMicro())
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
