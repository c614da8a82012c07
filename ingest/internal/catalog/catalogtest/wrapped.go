package catalogtest

import (
	"bytes"
	"context"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// wrappedKeys: every attempt's key is listed once under the agency's key that it is
// wrapped to, replaced only as it was read, and counted with the docks.
func wrappedKeys(s suite) {
	var items []*catalog.Item
	for n := range 7 {
		item := NewItem(n, s.clock.Now())
		item.WrappedKey = []byte{1, byte(n)}
		if n >= 4 {
			item.AgencyKey = "first"
		}
		items = append(items, item)
	}
	s.insert(items...)
	other := *NewItem(50, s.clock.Now())
	other.Agency = "shelbyville"
	s.insert(&other)
	later := *items[0]
	later.Attempt, later.WrappedKey = 2, []byte{2, 0}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.QuarantineItem(ctx, Agency, later.ID, 1, "it did not fit"); err != nil {
			return err
		}
		return tx.NewAttempt(ctx, &later)
	})
	var seen []catalog.WrappedKey
	var after *catalog.WrappedKey
	for {
		some, err := s.db.WrappedKeys(s.Context(), Agency, "", after, 2)
		s.must(err)
		if len(some) == 0 {
			break
		}
		seen, after = append(seen, some...), &some[len(some)-1]
	}
	is(s, "keys that are not noted", len(seen), 5) // four items, one with two attempts
	if seen[0].ID != items[0].ID || seen[0].Attempt != 1 || seen[1].Attempt != 2 || !bytes.Equal(seen[1].Wrapped, []byte{2, 0}) || seen[4].ID != items[3].ID {
		s.Errorf("listed as %+v", seen)
	}
	changed := func(was catalog.WrappedKey, to string, want bool) {
		s.Helper()
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			got, err := tx.Rewrap(ctx, &was, to, []byte{9, byte(was.Attempt)})
			is(s, "changed", got, want)
			return err
		})
	}
	changed(seen[1], "second", true)
	changed(seen[1], "third", false) // it is not kept any more as it was read
	stranger := seen[0]
	stranger.Agency = "shelbyville"
	changed(stranger, "second", false)
	offer, err := s.db.Offer(s.Context(), Agency, later.ID, 2)
	s.must(err)
	is(s, "agency's key", offer.AgencyKey, "second")
	is(s, "wrapped key", string(offer.WrappedKey), "\x09\x02")
	item, err := s.db.Item(s.Context(), Agency, later.ID)
	s.must(err)
	is(s, "agency's key of the item", item.AgencyKey, "second")

	dock := &catalog.Dock{Agency: Agency, ID: "front-desk", Station: "central", Fingerprint: evidence.Digest{1}, StatementKey: make([]byte, 32), AgencyKey: "first", Enabled: true, EnrolledAt: s.clock.Now()}
	disabled := *dock
	disabled.ID, disabled.Enabled = "back-door", false
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.RegisterDock(ctx, dock); err != nil {
			return err
		}
		return tx.RegisterDock(ctx, &disabled)
	})
	want := []catalog.KeyUse{{AgencyKey: "", Wrapped: 4}, {AgencyKey: "first", Wrapped: 3, Docks: 1}, {AgencyKey: "second", Wrapped: 1}}
	uses, err := s.db.KeyUses(s.Context(), Agency)
	s.must(err)
	is(s, "keys in use", len(uses), len(want))
	for i := range want {
		is(s, "use", uses[i], want[i])
	}
	stands := func(want bool, noted ...string) {
		s.Helper()
		got, err := s.db.StandsOnKey(s.Context(), Agency, noted)
		s.must(err)
		is(s, "something stands on "+strings.Join(noted, ", "), got, want)
	}
	stands(true, "first")
	stands(true, "none", "")
	stands(false, "none")
	dock.AgencyKey = "second" // enrolled again
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.RegisterDock(ctx, dock) })
	known, err := s.db.Dock(s.Context(), Agency, dock.ID)
	s.must(err)
	is(s, "the dock's key", known.AgencyKey, "second")

	// Once the end of a key is on record, nothing more is kept under it.
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		e := evidence.Event{Version: 1, Agency: Agency, Type: evidence.EventKeyRetired, At: s.clock.Now(), Actor: evidence.Actor{Kind: "user", ID: "u1"},
			Source: "local", Object: evidence.KeyObject("first"), Outcome: evidence.OutcomeDone}
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	late := NewItem(60, s.clock.Now())
	late.AgencyKey, dock.AgencyKey = "first", "first"
	s.refused(catalog.ErrRetired, func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertItem(ctx, late) })
	s.refused(catalog.ErrRetired, func(ctx context.Context, tx *sqldb.Tx) error { return tx.RegisterDock(ctx, dock) })
	changed(seen[0], "first", false)
	changed(seen[0], "second", true)
}

// destroyedItems: only a stored item with its receipt is destroyed, once; its keys
// are gone in every attempt; it is listed and counted apart, never proven nor
// quarantined again, and its recording is not taken in again.
func destroyedItems(s suite) {
	item := s.insert(NewItem(1, s.clock.Now()))
	kept := s.insert(NewItem(2, s.clock.Now()))
	destroy := func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.DestroyKeys(ctx, Agency, item.ID, s.clock.Now())
	}
	s.refused(catalog.ErrConflict, destroy)
	s.store(item)
	s.store(kept)
	s.refused(catalog.ErrConflict, destroy) // its receipt is not signed yet
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetReceipt(ctx, Agency, item.ID, 1, 7, []byte("receipt"))
	})
	s.clock.Advance(1000)
	s.update(destroy)
	s.refused(catalog.ErrConflict, destroy)
	got, err := s.db.Item(s.Context(), Agency, item.ID)
	s.must(err)
	is(s, "state", got.State, catalog.StateDestroyed)
	is(s, "arrived", got.Arrived(), true)
	is(s, "destroyed at", got.DestroyedAt, s.clock.Now())
	is(s, "wrapped key", string(got.WrappedKey), "\x00\x00\x00")
	is(s, "receipt", string(got.Receipt), "receipt")
	for what, act := range map[string]func(context.Context, *sqldb.Tx) error{
		"proven": func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.MarkProven(ctx, Agency, item.ID, s.clock.Now())
		},
		"quarantined": func(ctx context.Context, tx *sqldb.Tx) error { return tx.QuarantineItem(ctx, Agency, item.ID, 1, "x") },
	} {
		s.Logf("a destroyed item is not %s", what)
		s.refused(catalog.ErrConflict, act)
	}
	same := NewItem(1, s.clock.Now())
	same.ID = evidence.EvidenceID{9}
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertItem(ctx, same) })
	for state, want := range map[catalog.ItemState]int64{catalog.StateStored: 1, catalog.StateDestroyed: 1} {
		n, err := s.db.CountItems(s.Context(), catalog.ItemFilter{Agency: Agency, State: state})
		s.must(err)
		is(s, string(state), n.Items, want)
	}
	totals, err := s.db.Totals(s.Context(), Agency, nil)
	s.must(err)
	is(s, "stored in all", totals.ByState[catalog.StateStored].Items, 1)
	is(s, "destroyed in all", totals.ByState[catalog.StateDestroyed].Items, 1)
	uses, err := s.db.KeyUses(s.Context(), Agency)
	s.must(err)
	if len(uses) != 1 || uses[0] != (catalog.KeyUse{Wrapped: 1}) {
		s.Errorf("destroyed keys stand on a key of the agency: %+v", uses)
	}
	_, err = s.db.Forget(s.Context())
	s.must(err)
}
