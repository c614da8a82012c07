package catalogtest

import (
	"context"
	"math"
	"reflect"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func beginnings(s suite) {
	_, err := s.db.Beginning(s.Context(), Agency, "C")
	s.isError(err, catalog.ErrNotFound)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.InsertUser(ctx, &catalog.User{ID: "u1", Agency: Agency, Login: "chief", Name: "Chief Müller", Role: "administrator", CreatedAt: s.clock.Now(), PasswordChangedAt: s.clock.Now()})
	})
	for n, b := range []catalog.Beginning{
		{Number: math.MaxInt64, Reason: "bought used", By: "u1", ByName: "Chief Müller"},
		{Number: 1, Reason: "that was the other camera", By: "local"}, // the clock stands still meanwhile
		{Number: 128, Reason: "tested by its maker", By: "u2"},        // of no user that is known
	} {
		b.Agency, b.Camera, b.At = Agency, "C", s.clock.Now()
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertBeginning(ctx, &b) })
		got, err := s.db.Beginning(s.Context(), Agency, "C")
		s.must(err)
		if !reflect.DeepEqual(*got, b) {
			s.Errorf("decision %d: got %+v, want %+v", n+1, *got, b)
		}
		if n == 1 {
			s.clock.Advance(-time.Hour) // the newest decision is in force whatever the clock says
		}
	}
	for agency, camera := range map[evidence.AgencyID]string{"county": "C", Agency: "D"} {
		_, err := s.db.Beginning(s.Context(), agency, camera)
		s.isError(err, catalog.ErrNotFound)
	}
}

func settlements(s suite) {
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.InsertUser(ctx, &catalog.User{ID: "u1", Agency: Agency, Login: "chief", Name: "Chief Müller", Role: "administrator", CreatedAt: s.clock.Now(), PasswordChangedAt: s.clock.Now()})
	})
	want := []catalog.Settlement{
		{Finding: "never_shown", First: 3, Last: math.MaxInt64, Reason: "the card broke", By: "u1", ByName: "Chief Müller"},
		{Finding: "erased_bare", Path: "DCIM/Ü.MP4", First: 9, Last: 9, Item: evidence.EvidenceID{7}, Docking: evidence.DockingID{8}, Reason: "examined", By: "local"},
		{Finding: "erased_bare", Path: "DCIM/Ü.MP4", First: 9, Last: 9, Item: evidence.EvidenceID{7}, Docking: evidence.DockingID{8}, Reason: "once more", By: "u2"},
	}
	for i := range want {
		want[i].Agency, want[i].Camera, want[i].At = Agency, "C", s.clock.Now()
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertSettlement(ctx, &want[i]) })
		s.clock.Advance(-time.Hour) // the order is of the decisions
	}
	got, err := s.db.Settlements(s.Context(), Agency, "C")
	s.must(err)
	if !reflect.DeepEqual(got, want) {
		s.Errorf("got  %+v\nwant %+v", got, want)
	}
	for agency, camera := range map[evidence.AgencyID]string{"county": "C", Agency: "D"} {
		theirs, err := s.db.Settlements(s.Context(), agency, camera)
		s.must(err)
		is(s, "settlements of others", len(theirs), 0)
	}
}

// Whatever tells of a number counts: the ledger, an item, a count that was
// announced.
func lowestNumber(s suite) {
	now := s.clock.Now()
	lowest := func(what string, want uint64) {
		s.Helper()
		got, err := s.db.LowestNumber(s.Context(), Agency, "C")
		s.must(err)
		is(s, "lowest number "+what, got, want)
	}
	show := func(n uint64, source evidence.SequenceSource) {
		r := evidence.RecordingInfo{Path: "A", Sequence: n, SequenceSource: source}
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.Show(ctx, &catalog.Shown{Agency: Agency, Camera: "C", Place: catalog.Place(&r), Path: "A", Sequence: n, SequenceSource: source, LastDocking: evidence.DockingID{1}, LastAt: now})
		})
	}
	lowest("of nothing", 0)
	show(3, evidence.SequenceDerived)
	show(0, evidence.SequenceFromCamera)
	s.dock(newDocking(1, now)) // announces no number
	lowest("of a camera that does not count", 0)
	counting := newDocking(2, now)
	counting.Next = 300
	s.dock(counting)
	lowest("that was announced", 300)
	show(200, evidence.SequenceFromCamera)
	show(201, evidence.SequenceFromCamera)
	lowest("that was shown", 200)
	item := NewItem(100, now)
	item.Camera = "C"
	derived := NewItem(50, now)
	derived.Camera, derived.SequenceSource = "C", evidence.SequenceDerived
	s.insert(item, derived)
	lowest("of an item", 100)
	theirs, err := s.db.LowestNumber(s.Context(), "county", "C")
	s.must(err)
	is(s, "in another agency", theirs, 0)
}
