package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func allOrNothing(s suite) {
	item := NewItem(1, s.clock.Now())
	stop := errors.New("stop")
	s.refused(stop, func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.InsertItem(ctx, item); err != nil {
			return err
		}
		if _, err := tx.Item(ctx, Agency, item.ID); err != nil {
			s.Errorf("an update does not see its own writes: %v", err)
		}
		if _, err := s.db.Item(ctx, Agency, item.ID); !errors.Is(err, catalog.ErrNotFound) {
			s.Errorf("others see what is not committed: %v", err)
		}
		return stop
	})
	_, err := s.db.Item(s.Context(), Agency, item.ID)
	s.isError(err, catalog.ErrNotFound)
	func() {
		defer func() {
			if recover() == nil {
				s.Error("a panic was swallowed")
			}
		}()
		s.db.Update(s.Context(), func(tx *sqldb.Tx) error {
			s.must(tx.InsertItem(s.Context(), item))
			panic("in an update")
		})
	}()
	_, err = s.db.Item(s.Context(), Agency, item.ID)
	s.isError(err, catalog.ErrNotFound)
	s.insert(item)
}

// increment adds one to a counter kept in a setting, by reading and writing.
func (s suite) increment(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *sqldb.Tx) error {
		n := 0
		switch v, err := tx.Setting(ctx, Agency, "n"); {
		case err == nil:
			fmt.Sscan(v.Value, &n)
		case !errors.Is(err, catalog.ErrNotFound):
			return err
		}
		return tx.SetSetting(ctx, &catalog.Setting{Agency: Agency, Name: "n", Value: fmt.Sprint(n + 1), UpdatedAt: s.clock.Now()})
	})
}

func (s suite) counter() string {
	v, err := s.db.Setting(s.Context(), Agency, "n")
	s.must(err)
	return v.Value
}

func concurrentUpdates(s suite) {
	const workers, rounds = 8, 10
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range rounds {
				if err := s.increment(s.Context()); err != nil {
					s.Error(err)
				}
			}
		})
	}
	all.Wait()
	is(s, "counter", s.counter(), fmt.Sprint(workers*rounds))
}

func failedUpdateAlone(s suite) {
	const workers = 12
	var all sync.WaitGroup
	stop := errors.New("stop")
	for n := range workers {
		all.Go(func() {
			err := s.db.Update(s.Context(), func(tx *sqldb.Tx) error {
				item := NewItem(n, s.clock.Now())
				if err := tx.InsertItem(s.Context(), item); err != nil {
					return err
				}
				switch n % 3 {
				case 1:
					return stop
				case 2: // a statement that fails, not only a function
					return tx.InsertItem(s.Context(), item)
				}
				return nil
			})
			if want := []error{nil, stop, catalog.ErrExists}[n%3]; !errors.Is(err, want) {
				s.Errorf("update %d: %v, want %v", n, err, want)
			}
		})
	}
	all.Wait()
	n, err := s.db.CountItems(s.Context(), catalog.ItemFilter{Agency: Agency})
	s.must(err)
	is(s, "items", n.Items, workers/3)
}

func endedContext(s suite) {
	ended, end := context.WithCancel(s.Context())
	end()
	if err := s.increment(ended); err == nil {
		s.Error("an update ran although its context had ended")
	}
	s.must(s.increment(s.Context()))
	is(s, "counter", s.counter(), "1")
}

func openAgain(s suite) {
	s.insert(NewItem(1, s.clock.Now()))
	other, err := sqldb.Open(s.Context(), s.url, s.clock.Now, sqldb.Sealed(Key))
	s.must(err)
	defer other.Close()
	s.must(other.Ping(s.Context()))
	if _, err := other.Item(s.Context(), Agency, NewItem(1, s.clock.Now()).ID); err != nil {
		s.Error(err)
	}
	err = other.Update(s.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(s.Context(), evidence.Event{Agency: Agency, Type: evidence.EventServerStarted, Actor: evidence.Actor{Kind: "server"}, Outcome: evidence.OutcomeDone})
		return err
	})
	s.must(err)
	n, err := s.db.PendingEvents(s.Context())
	s.must(err)
	is(s, "events", n, 1)
}
