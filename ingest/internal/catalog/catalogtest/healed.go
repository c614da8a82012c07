package catalogtest

import (
	"context"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func healed(s suite) {
	item := s.insert(NewItem(1, s.clock.Now()))
	heal := func(attempt uint32) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.HealItem(ctx, Agency, item.ID, attempt, s.clock.Now())
		}
	}
	aside := func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QuarantineItem(ctx, Agency, item.ID, 1, "segment 3 is damaged")
	}
	damaged := func() []evidence.EvidenceID {
		ids, err := s.db.Damaged(s.Context(), Agency, evidence.EvidenceID{}, 9)
		s.must(err)
		return ids
	}
	never := s.insert(NewItem(2, s.clock.Now()))
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QuarantineItem(ctx, Agency, never.ID, 1, "it did not fit")
	})
	s.refused(catalog.ErrConflict, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.HealItem(ctx, Agency, never.ID, 1, s.clock.Now())
	})
	s.store(item)
	s.refused(catalog.ErrConflict, heal(1))
	is(s, "damaged", len(damaged()), 0)
	s.update(aside)
	is(s, "damaged", slices.Equal(damaged(), []evidence.EvidenceID{item.ID}), true)
	s.refused(catalog.ErrConflict, heal(2))
	s.clock.Advance(time.Hour)
	s.update(heal(1))
	got := s.item(item.ID)
	is(s, "state", got.State, catalog.StateStored)
	is(s, "reason", got.Reason, "")
	is(s, "proven at", got.ProvenAt, s.clock.Now())
	is(s, "damaged", len(damaged()), 0)

	// Its recording was stored as another item while it was in quarantine.
	s.update(aside)
	other := NewItem(3, s.clock.Now())
	other.Camera, other.Path, other.SHA256 = item.Camera, item.Path, item.SHA256
	s.store(s.insert(other))
	s.refused(catalog.ErrExists, heal(1))
}

func mirrored(s suite) {
	var all []*catalog.Item
	for n := range 4 {
		item := s.insert(NewItem(n+1, s.clock.Now()))
		if n < 3 {
			s.store(item)
		}
		all = append(all, item)
	}
	mark := func(n int, attempt uint32, at time.Time) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.MarkMirrored(ctx, Agency, all[n].ID, attempt, at)
		}
	}
	due := func(before time.Time) (ids []evidence.EvidenceID) {
		for after := (catalog.Proven{}); ; {
			found, err := s.db.LeastMirrored(s.Context(), Agency, before, after, 1)
			s.must(err)
			if len(found) == 0 {
				return ids
			}
			after = found[0]
			ids = append(ids, after.ID)
		}
	}
	without := time.UnixMicro(1)
	is(s, "without a copy", slices.Equal(due(without), []evidence.EvidenceID{all[0].ID, all[1].ID, all[2].ID}), true)
	s.update(mark(1, 1, s.clock.Now()))
	s.refused(catalog.ErrConflict, mark(0, 2, s.clock.Now()))
	s.refused(catalog.ErrConflict, mark(3, 1, s.clock.Now()))
	is(s, "without a copy", slices.Equal(due(without), []evidence.EvidenceID{all[0].ID, all[2].ID}), true)
	is(s, "mirrored at", s.item(all[1].ID).MirroredAt, s.clock.Now())
	s.clock.Advance(time.Hour)
	is(s, "due", slices.Equal(due(s.clock.Now()), []evidence.EvidenceID{all[0].ID, all[2].ID, all[1].ID}), true)
	s.update(mark(0, 1, s.clock.Now()))
	totals, err := s.db.MirrorTotals(s.Context(), Agency)
	s.must(err)
	is(s, "copies", totals.Items, 2)
	is(s, "bytes", totals.Bytes, int64(all[0].Length+all[1].Length))
	is(s, "oldest", totals.Oldest, s.clock.Now().Add(-time.Hour))
	s.update(mark(1, 1, time.Time{}))
	is(s, "mirrored at", s.item(all[1].ID).MirroredAt.IsZero(), true)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.ForgetMirror(ctx, Agency) })
	is(s, "without a copy", len(due(without)), 3)
}
