package sqldb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	saltSize  = 32
	maxColumn = 512 // bytes of what an index holds; PostgreSQL takes 2704
)

const eventColumns = "id, agency, type, at, actor_kind, actor_id, object, outcome, source, event, salt, log_index"

func scanEvent(s scanner, e *catalog.EventRow) error {
	return s.Scan(&e.ID, &e.Agency, &e.Type, timeInto{&e.At}, &e.ActorKind, &e.ActorID, &e.Object, &e.Outcome, &e.Source, &e.JSON, &e.Salt, &e.LogIndex)
}

// AppendEvent adds a custody event with a fresh salt and returns its row id. It
// stands or falls with the transaction that it records. A zero At is now.
func (tx *Tx) AppendEvent(ctx context.Context, e evidence.Event) (int64, error) {
	if e.At.IsZero() {
		e.At = tx.now()
	}
	if e.Version == 0 {
		e.Version = 1
	}
	mark(ctx, &e)
	e.At = e.At.UTC().Truncate(time.Microsecond)
	what := fmt.Sprintf("recording event %q", clean(string(e.Type)))
	encoded, err := e.Encode()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	for name, value := range map[string]string{"type": string(e.Type), "actor": e.Actor.ID, "object": e.Object, "kind of actor": e.Actor.Kind} {
		if len(value) > maxColumn || clean(value) != value {
			return 0, fmt.Errorf("%s: its %s is longer than %d bytes or no clean text", what, name, maxColumn)
		}
	}
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails: crypto/rand ends the program instead
	var id int64
	err = tx.q.QueryRowContext(ctx, tx.engine.rebind(`INSERT INTO events (agency, type, at, actor_kind, actor_id, object, outcome, source, event, salt)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`), e.Agency, string(e.Type), micros(e.At), e.Actor.Kind, e.Actor.ID, e.Object,
		string(e.Outcome), clean(catalog.KeptSource(e.Source)), encoded, salt).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return id, nil
}

// Event returns an event by row id. catalog.ErrNotFound.
func (r *Reader) Event(ctx context.Context, agency evidence.AgencyID, id int64) (*catalog.EventRow, error) {
	return get(ctx, r, fmt.Sprintf("event %d", id), scanEvent, "SELECT "+eventColumns+" FROM events WHERE agency = $1 AND id = $2", agency, id)
}

func eventWhere(f *catalog.EventFilter) *where {
	var w where
	w.and("agency = ?", f.Agency)
	w.andIf("object", f.Object)
	w.andIf("type", string(f.Type))
	w.andIf("actor_id", f.ActorID)
	w.between("at", f.From, f.To)
	return &w
}

// Events returns the newest events that fit, newest first.
func (r *Reader) Events(ctx context.Context, f catalog.EventFilter, limit int) ([]catalog.EventRow, error) {
	w := eventWhere(&f)
	if f.Before > 0 {
		w.and("id < ?", f.Before)
	}
	return list(ctx, r, "events", scanEvent, fmt.Sprintf("SELECT %s FROM events %s ORDER BY id DESC LIMIT %d", eventColumns, w, page(limit)), w.args...)
}

// CountEvents counts the events that fit; Before is not looked at.
func (r *Reader) CountEvents(ctx context.Context, f catalog.EventFilter) (int64, error) {
	var n int64
	w := eventWhere(&f)
	err := r.one(ctx, "the number of events", func(s scanner) error { return s.Scan(&n) }, "SELECT count(*) FROM events"+w.String(), w.args...)
	return n, err
}

// EventsByIndex calls each for the events with log indices from..to-1 of all
// agencies, by index. An index without event is left out: the caller counts.
func (r *Reader) EventsByIndex(ctx context.Context, from, to int64, each func(*catalog.EventRow) error) error {
	const size = 1000
	for from < to {
		upto := min(from+size, to)
		rows, err := list(ctx, r, "logged events", scanEvent,
			"SELECT "+eventColumns+" FROM events WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index", from, upto)
		if err != nil {
			return err
		}
		for n := range rows {
			if err := each(&rows[n]); err != nil {
				return err
			}
		}
		from = upto
	}
	return nil
}

// LogIndex returns the log index of an event, nil before it is sequenced.
// catalog.ErrNotFound.
func (r *Reader) LogIndex(ctx context.Context, event int64) (*int64, error) {
	v, err := get(ctx, r, fmt.Sprintf("event %d", event), func(s scanner, p **int64) error { return s.Scan(p) },
		"SELECT log_index FROM events WHERE id = $1", event)
	if err != nil {
		return nil, err
	}
	return *v, nil
}

// PendingEvents counts the events that have no log index yet.
func (r *Reader) PendingEvents(ctx context.Context) (int64, error) {
	var n int64
	err := r.one(ctx, "the number of pending events", func(s scanner) error { return s.Scan(&n) }, "SELECT count(*) FROM events WHERE log_index IS NULL")
	return n, err
}

// MaxLogIndex returns the highest log index that an event row has, -1 for none.
func (r *Reader) MaxLogIndex(ctx context.Context) (int64, error) {
	var n int64
	err := r.one(ctx, "the last log index", func(s scanner) error { return s.Scan(&n) }, "SELECT coalesce(max(log_index), -1) FROM events")
	return n, err
}

// LogState returns the head of the custody log.
func (r *Reader) LogState(ctx context.Context) (*catalog.LogState, error) { return r.logState(ctx, "") }

func (r *Reader) logState(ctx context.Context, locking string) (*catalog.LogState, error) {
	return get(ctx, r, "the head of the custody log", func(s scanner, l *catalog.LogState) error {
		var root []byte
		if err := s.Scan(&l.Assigned, &l.Size, &root, &l.Checkpoint, &l.Holder, &l.Fence, timeInto{&l.LeaseUntil}); err != nil {
			return err
		}
		if len(root) != 0 && len(root) != len(l.Root) {
			return errors.New("the log's root has a wrong length: the row was changed by other hands")
		}
		copy(l.Root[:], root)
		return nil
	}, "SELECT assigned, size, root, checkpoint, holder, fence, lease_until FROM log_state WHERE id = 1"+locking)
}
