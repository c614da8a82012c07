package catalogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// append adds n events about an object and returns the last row id.
func (s suite) append(n int, object string) (last int64) {
	s.Helper()
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		for range n {
			id, err := tx.AppendEvent(ctx, evidence.Event{Agency: Agency, Type: evidence.EventEvidenceViewed, Actor: evidence.Actor{Kind: "user", ID: "u1"},
				Object: object, Outcome: evidence.OutcomeDone})
			if err != nil {
				return err
			}
			if id <= last {
				s.Errorf("row id %d after %d", id, last)
			}
			last = id
		}
		return nil
	})
	return last
}

func eventsFound(s suite) {
	first := s.append(1, "item:1")
	from := s.clock.Now()
	s.clock.Advance(time.Minute)
	s.append(3, "item:2")
	row, err := s.db.Event(s.Context(), Agency, first)
	s.must(err)
	is(s, "time", row.At, from)
	is(s, "salt", len(row.Salt), 32)
	is(s, "log index", row.LogIndex == nil, true)
	var event evidence.Event
	s.must(evidence.Decode(row.JSON, &event))
	is(s, "time within", event.At, from)
	for _, c := range []struct {
		name   string
		filter catalog.EventFilter
		want   int
	}{
		{"all", catalog.EventFilter{}, 4},
		{"object", catalog.EventFilter{Object: "item:2"}, 3},
		{"type", catalog.EventFilter{Type: evidence.EventEvidencePlayed}, 0},
		{"actor", catalog.EventFilter{ActorID: "u1"}, 4},
		{"from", catalog.EventFilter{From: s.clock.Now()}, 3},
		{"to", catalog.EventFilter{To: s.clock.Now()}, 1},
	} {
		c.filter.Agency = Agency
		got, err := s.db.Events(s.Context(), c.filter, 10)
		s.must(err)
		is(s, c.name, len(got), c.want)
		n, err := s.db.CountEvents(s.Context(), c.filter)
		s.must(err)
		is(s, c.name+", counted", n, int64(c.want))
	}
	page, err := s.db.Events(s.Context(), catalog.EventFilter{Agency: Agency}, 3)
	s.must(err)
	next, err := s.db.Events(s.Context(), catalog.EventFilter{Agency: Agency, Before: page[2].ID}, 3)
	s.must(err)
	is(s, "the last page", len(next), 1)
	is(s, "the oldest", next[0].ID, first)
	other := s.append(1, "item:1")
	again, err := s.db.Event(s.Context(), Agency, other)
	s.must(err)
	if bytes.Equal(again.Salt, row.Salt) {
		s.Error("two events have one salt")
	}
}

func eventsFinal(s suite) {
	id := s.append(1, "item:1")
	_, err := s.db.AssignIndices(s.Context(), "me", time.Minute, 10)
	s.must(err)
	id2 := s.append(1, "item:2")
	raw := Raw(s.T, s.url)
	for _, statement := range []string{
		"DELETE FROM events",
		"DELETE FROM events WHERE object = 'item:2'",
		"UPDATE events SET object = 'item:3'",
		"UPDATE events SET event = salt WHERE object = 'item:2'",
		"UPDATE events SET log_index = NULL WHERE object = 'item:1'",
		"UPDATE events SET log_index = 7 WHERE object = 'item:1'",
	} {
		if _, err := raw.ExecContext(s.Context(), statement); err == nil {
			s.Errorf("%q was carried out", statement)
		}
	}
	for _, id := range []int64{id, id2} {
		if _, err := s.db.Event(s.Context(), Agency, id); err != nil {
			s.Error(err)
		}
	}
}

func eventsRefused(s suite) {
	good := evidence.Event{Agency: Agency, Type: evidence.EventSignedIn, Actor: evidence.Actor{Kind: "user", ID: "u"}, Outcome: evidence.OutcomeDone}
	for name, change := range map[string]func(*evidence.Event){
		"no agency":   func(e *evidence.Event) { e.Agency = "" },
		"no type":     func(e *evidence.Event) { e.Type = "" },
		"no actor":    func(e *evidence.Event) { e.Actor.Kind = "" },
		"no outcome":  func(e *evidence.Event) { e.Outcome = "" },
		"too large":   func(e *evidence.Event) { e.Reason = strings.Repeat("x", evidence.MaxEvent) },
		"long object": func(e *evidence.Event) { e.Object = strings.Repeat("x", 3000) },
		"NUL":         func(e *evidence.Event) { e.Object = "a\x00b" },
	} {
		e := good
		change(&e)
		err := s.db.Update(s.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.AppendEvent(s.Context(), e)
			return err
		})
		if err == nil {
			s.Errorf("%s: taken", name)
		}
	}
	n, err := s.db.PendingEvents(s.Context())
	s.must(err)
	is(s, "events", n, 0)
}

func indicesDense(s suite) {
	s.append(7, "item:1")
	state, err := s.db.AssignIndices(s.Context(), "me", time.Minute, 5)
	s.must(err)
	is(s, "assigned", state.Assigned, 5)
	s.append(3, "item:2")
	state, err = s.db.AssignIndices(s.Context(), "me", time.Minute, 1000)
	s.must(err)
	is(s, "assigned", state.Assigned, 10)
	state, err = s.db.AssignIndices(s.Context(), "me", time.Minute, 1000)
	s.must(err)
	is(s, "assigned", state.Assigned, 10)
	want, last := int64(0), int64(0)
	s.must(s.db.EventsByIndex(s.Context(), 0, state.Assigned, func(e *catalog.EventRow) error {
		is(s, "index", *e.LogIndex, want)
		if e.ID <= last {
			s.Errorf("index %d: row %d after row %d", want, e.ID, last)
		}
		want, last = want+1, e.ID
		return nil
	}))
	is(s, "events", want, 10)
	index, err := s.db.LogIndex(s.Context(), last)
	s.must(err)
	is(s, "index of the last", *index, 9)
	highest, err := s.db.MaxLogIndex(s.Context())
	s.must(err)
	is(s, "highest index", highest, 9)
	stop := errors.New("enough")
	s.isError(s.db.EventsByIndex(s.Context(), 0, 10, func(*catalog.EventRow) error { return stop }), stop)
}

func logLease(s suite) {
	first, err := s.db.AssignIndices(s.Context(), "node-a", time.Minute, 1)
	s.must(err)
	_, err = s.db.AssignIndices(s.Context(), "node-b", time.Minute, 1)
	s.isError(err, catalog.ErrLease)
	again, err := s.db.AssignIndices(s.Context(), "node-a", time.Minute, 1)
	s.must(err)
	is(s, "fence of a renewed lease", again.Fence, first.Fence)
	s.clock.Advance(time.Minute)
	second, err := s.db.AssignIndices(s.Context(), "node-b", time.Minute, 1)
	s.must(err)
	if second.Fence <= first.Fence {
		s.Errorf("fence %d after %d", second.Fence, first.Fence)
	}
	s.append(1, "item:1")
	s.isError(s.db.SaveCheckpoint(s.Context(), first.Fence, 0, [32]byte{1}, []byte("stale")), catalog.ErrLease)
	s.must(s.db.ReleaseLease(s.Context(), first.Fence)) // has no effect
	_, err = s.db.AssignIndices(s.Context(), "node-a", time.Minute, 1)
	s.isError(err, catalog.ErrLease)
	s.must(s.db.ReleaseLease(s.Context(), second.Fence))
	third, err := s.db.AssignIndices(s.Context(), "node-a", time.Minute, 1)
	s.must(err)
	is(s, "fence", third.Fence, second.Fence+1)
	for _, instance := range []string{"node-a#1", "node-a#2"} { // a node restarts and need not wait
		next, err := s.db.AssignIndices(s.Context(), instance, time.Minute, 1)
		s.must(err)
		is(s, "holder", next.Holder, instance)
		third.Fence++
		is(s, "fence", next.Fence, third.Fence)
	}
}

func checkpointsGrow(s suite) {
	empty, err := s.db.LogState(s.Context())
	s.must(err)
	is(s, "size of a new log", empty.Size, 0)
	is(s, "checkpoint of a new log", empty.Checkpoint == nil, true)
	s.append(5, "item:1")
	state, err := s.db.AssignIndices(s.Context(), "me", time.Minute, 100)
	s.must(err)
	save := func(size int64, root byte) error {
		return s.db.SaveCheckpoint(s.Context(), state.Fence, size, [32]byte{root}, []byte{root})
	}
	s.isError(save(6, 1), catalog.ErrConflict)
	s.must(save(4, 4))
	s.must(save(4, 4))
	s.isError(save(4, 5), catalog.ErrConflict)
	s.must(save(5, 5))
	s.isError(save(4, 4), catalog.ErrConflict)
	got, err := s.db.LogState(s.Context())
	s.must(err)
	is(s, "size", got.Size, 5)
	is(s, "root", got.Root, [32]byte{5})
	is(s, "checkpoint", string(got.Checkpoint), "\x05")
}

func stampsCover(s suite) {
	_, err := s.db.NewestStamp(s.Context())
	s.isError(err, catalog.ErrNotFound)
	at := s.clock.Now()
	for _, size := range []int64{4, 9} {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.InsertStamp(ctx, &catalog.Stamp{Size: size, Checkpoint: []byte("text"), Token: []byte{0x30}, Roots: []byte("PEM"), Authority: "An Authority", At: at})
		})
	}
	s.isError(s.db.Update(s.Context(), func(tx *sqldb.Tx) error {
		return tx.InsertStamp(s.Context(), &catalog.Stamp{Size: 9, Checkpoint: []byte("x"), Token: []byte{1}, Roots: []byte("x"), At: at})
	}), catalog.ErrExists)
	for entry, want := range map[int64]int64{0: 4, 3: 4, 4: 9, 8: 9} {
		got, err := s.db.StampOver(s.Context(), entry)
		s.must(err)
		is(s, "size of the stamp over an entry", got.Size, want)
	}
	_, err = s.db.StampOver(s.Context(), 9)
	s.isError(err, catalog.ErrNotFound)
	got, err := s.db.NewestStamp(s.Context())
	s.must(err)
	is(s, "stamp", fmt.Sprint(*got), fmt.Sprint(catalog.Stamp{Size: 9, Checkpoint: []byte("text"), Token: []byte{0x30}, Roots: []byte("PEM"), Authority: "An Authority", At: at}))
}
