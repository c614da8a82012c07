package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/proto/evidence"
)

// change is one change of the journal that waits for the commit it shares with
// others.
type change struct {
	apply      func(*pen) error
	checkpoint *checkpoint // to be durable before the commit, or nil
	restarts   bool        // the checkpoint is the first that came after a restore of the log: it may be of fewer entries
	then       func()      // what it means for fields that Spool.mu guards; called with it held, in the order of commits, after success only. nil: nothing
	err        error
	done       chan struct{} // closed when err is final
}

// update makes a change durable and wakes those who wait for changes. Changes
// that wait at the same time share one commit, and with it one flush of the
// medium; none of them sees another one's failure.
func (s *Spool) update(ctx context.Context, doing string, apply func(*pen) error) error {
	return s.submit(ctx, doing, &change{apply: apply})
}

func (s *Spool) submit(ctx context.Context, doing string, c *change) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s in the journal: %w", doing, err)
	}
	c.done = make(chan struct{})
	s.mu.Lock()
	s.queue = append(s.queue, c)
	s.mu.Unlock()
	select {
	case <-c.done:
	case s.turn <- struct{}{}: // nobody commits: do it, for all who wait by now
		s.commitWaiting()
		<-s.turn
		<-c.done
	}
	if c.err != nil {
		return fmt.Errorf("%s in the journal: %w", doing, explain(c.err))
	}
	return nil
}

// commitWaiting commits every change that waits. Its caller has the turn.
func (s *Spool) commitWaiting() {
	s.mu.Lock()
	batch := s.queue
	s.queue = nil
	s.mu.Unlock()
	s.keepCheckpoints(batch)
	var good []*change
	for _, c := range batch {
		if c.err == nil {
			good = append(good, c)
		}
	}
	if err := s.pen.commit(good); err != nil {
		// What one of them broke, or a full disk, is not the others' fault.
		for _, c := range good {
			c.err = s.pen.commit([]*change{c})
		}
	}
	s.mu.Lock()
	for _, c := range good {
		if c.err == nil && c.then != nil {
			c.then()
		}
	}
	s.mu.Unlock()
	s.announce()
	for _, c := range batch {
		close(c.done)
	}
}

// pen writes the journal: one connection with its prepared statements. Used by
// who has the turn.
type pen struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt // by their text, which is literal
}

// commit applies all changes in one transaction. A single one that fails is the
// transaction's error; of several, each keeps its own.
func (p *pen) commit(batch []*change) (err error) {
	if len(batch) == 0 {
		return nil
	}
	if _, err := p.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			p.exec("ROLLBACK") // SQLite may have done it already
		}
	}()
	if len(batch) == 1 {
		err = batch[0].apply(p)
	} else {
		err = p.applyEach(batch)
	}
	if err != nil {
		return err
	}
	_, err = p.exec("COMMIT")
	return err
}

func (p *pen) applyEach(batch []*change) error {
	for _, c := range batch {
		if _, err := p.exec("SAVEPOINT change"); err != nil {
			return err
		}
		if c.err = c.apply(p); c.err != nil {
			if _, err := p.exec("ROLLBACK TO change"); err != nil {
				return errors.Join(c.err, err)
			}
		}
		if _, err := p.exec("RELEASE change"); err != nil {
			return err
		}
	}
	return nil
}

func (p *pen) statement(query string) (*sql.Stmt, error) {
	if known := p.prepared[query]; known != nil {
		return known, nil
	}
	made, err := p.conn.PrepareContext(context.Background(), query)
	if err == nil {
		p.prepared[query] = made
	}
	return made, err
}

func (p *pen) exec(query string, args ...any) (sql.Result, error) {
	statement, err := p.statement(query)
	if err != nil {
		return nil, err
	}
	return statement.Exec(args...)
}

// one is exec for exactly one row: no such row in such a state is ErrState.
func (p *pen) one(query string, args ...any) error {
	result, err := p.exec(query, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = ErrState
	}
	return err
}

// each executes statements that take an item's id.
func (p *pen) each(id evidence.EvidenceID, queries ...string) error {
	for _, query := range queries {
		if _, err := p.exec(query, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// recording reads a row as the changes so far have left it.
func (p *pen) recording(id []byte) (Recording, error) {
	statement, err := p.statement("SELECT " + columns + " FROM recording WHERE evidence = ?")
	if err != nil {
		return Recording{}, err
	}
	return scan(statement.QueryRow(id))
}

func (p *pen) close() error {
	if p.conn == nil {
		return nil
	}
	var failed []error
	for _, statement := range p.prepared {
		failed = append(failed, statement.Close())
	}
	return errors.Join(append(failed, p.conn.Close())...)
}
