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

func newDocking(n byte, at time.Time) *catalog.Docking {
	return &catalog.Docking{Agency: Agency, ID: evidence.DockingID{n}, Dock: "front-desk", Station: "central", Bay: "1-1", Camera: "C",
		Access: evidence.AccessPTP, Standing: catalog.StandingKeyless, TakenAt: at.Add(time.Second), At: at, LastAt: at, ReceivedAt: at, Battery: -1,
		Findings: []evidence.Finding{}, Parts: 1, PartsSeen: 1}
}

func (s suite) dock(all ...*catalog.Docking) {
	s.Helper()
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		for _, d := range all {
			if err := tx.PutDocking(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

func dockings(s suite) {
	now := s.clock.Now()
	bare := newDocking(1, now)
	full := newDocking(2, now.Add(time.Hour))
	full.Key, full.KeyStanding, full.Battery, full.CameraRaw = make([]byte, 32), evidence.KeyProven, 77, "20261122T093000"
	full.Findings = []evidence.Finding{{Code: evidence.FoundClockWrong, Message: "off by 1 h"}}
	full.Clock = &evidence.Offset{At: now, Ahead: 4_620_000_000, Uncertainty: 300_000, Exchanges: 5}
	full.ClockSet = &evidence.Offset{At: now.Add(time.Second), Ahead: -20_000, Uncertainty: 310_000, Exchanges: 5}
	full.DockClock = &evidence.Offset{At: now.Add(2 * time.Second), Ahead: 1000, Uncertainty: 900, Exchanges: 3}
	full.Next, full.Journal, full.Recordings, full.Parts = 41, 1007, 12, 2
	s.dock(bare, full)
	for _, want := range []*catalog.Docking{bare, full} {
		got, err := s.db.Docking(s.Context(), Agency, want.ID)
		s.must(err)
		if !reflect.DeepEqual(got, want) {
			s.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	is(s, "complete", full.Complete(), false)
	full.PartsSeen, full.Recordings = 2, 30
	s.dock(full)
	all, err := s.db.Dockings(s.Context(), Agency, "C", 10)
	s.must(err)
	is(s, "dockings", len(all), 2)
	is(s, "recordings of the newest", all[0].Recordings, 30)
	is(s, "complete", all[0].Complete(), true)

	set, err := s.db.LastClockSet(s.Context(), Agency, "C")
	s.must(err)
	is(s, "the last setting", set.ID, full.ID)
	_, err = s.db.LastClockSet(s.Context(), Agency, "D")
	s.isError(err, catalog.ErrNotFound)
	next, err := s.db.HighestNext(s.Context(), Agency, "C")
	s.must(err)
	is(s, "next number", next, 41)
	journal, err := s.db.HighestJournal(s.Context(), Agency, "front-desk")
	s.must(err)
	is(s, "journal", journal, 1007)
	journal, err = s.db.HighestJournal(s.Context(), Agency, "back-door")
	s.must(err)
	is(s, "journal of another dock", journal, 0)

	wild := newDocking(3, now)
	wild.Next, wild.Journal = math.MaxUint64, math.MaxUint64
	s.dock(wild)
	next, err = s.db.HighestNext(s.Context(), Agency, "C")
	s.must(err)
	is(s, "a wild next number", next, math.MaxInt64)
}

func dockingsAtOnce(s suite) {
	now := s.clock.Now()
	first, second := newDocking(1, now), newDocking(2, now.Add(time.Minute))
	second.Bay = "1-2"
	s.dock(first, second)
	atOnce := func(d *catalog.Docking) int {
		all, err := s.db.DockingsAtOnce(s.Context(), d)
		s.must(err)
		return len(all)
	}
	is(s, "before the first is known to have stayed", atOnce(second), 0)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		got, err := tx.ExtendDocking(ctx, Agency, first.ID, now.Add(2*time.Minute))
		if err == nil && !got.LastAt.Equal(now.Add(2*time.Minute)) {
			s.Errorf("extended until %v", got.LastAt)
		}
		if err == nil {
			got, err = tx.ExtendDocking(ctx, Agency, first.ID, now) // no step back
		}
		if err == nil && !got.LastAt.Equal(now.Add(2*time.Minute)) {
			s.Errorf("shortened to %v", got.LastAt)
		}
		return err
	})
	is(s, "in two bays", atOnce(second), 1)
	second.Bay = first.Bay
	is(s, "in one bay", atOnce(second), 0)
	second.Dock = "back-door"
	is(s, "at two docks", atOnce(second), 1)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.ExtendDocking(ctx, Agency, evidence.DockingID{9}, now)
		return err
	})
}

// show enters one recording into the ledger as shown in docking n, so many
// hours after the suite began.
func (s suite) show(path string, n byte, hours int, size uint64) *catalog.Shown {
	s.Helper()
	signed := evidence.SHA256([]byte(path))
	info := evidence.RecordingInfo{Path: path, Size: size, Sequence: uint64(len(path)), SequenceSource: evidence.SequenceDerived, CapturedRaw: "20261101T100000", Kind: evidence.KindVideo}
	v := &catalog.Shown{Agency: Agency, Camera: "C", Place: catalog.Place(&info), Path: path, Kind: info.Kind, Sequence: info.Sequence, SequenceSource: info.SequenceSource,
		CapturedRaw: info.CapturedRaw, Signed: &signed, LastDocking: evidence.DockingID{n}, LastAt: s.clock.Now().Add(time.Duration(hours) * time.Hour), LastSize: size}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.Show(ctx, v) })
	return v
}

func (s suite) vanish(n byte, hours int) {
	s.Helper()
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.Vanish(ctx, Agency, "C", evidence.DockingID{n}, s.clock.Now().Add(time.Duration(hours)*time.Hour))
	})
}

// ledger returns what the camera ever showed, by path.
func (s suite) ledger() map[string]catalog.Shown {
	s.Helper()
	all := map[string]catalog.Shown{}
	s.must(s.db.EachShown(s.Context(), Agency, "C", func(v *catalog.Shown) error {
		all[v.Path] = *v
		return nil
	}))
	return all
}

func shownLedger(s suite) {
	one := s.show("A/1.MP4", 1, 0, 100)
	s.show("A/22.MP4", 1, 0, 200)
	s.vanish(1, 0)
	want := *one
	want.FirstDocking, want.FirstAt, want.LargestSize = one.LastDocking, one.LastAt, 100
	if got := s.ledger()["A/1.MP4"]; !reflect.DeepEqual(got, want) {
		s.Errorf("got  %+v\nwant %+v", got, want)
	}
	s.show("A/1.MP4", 2, 5, 90)
	s.vanish(2, 5)
	all := s.ledger()
	is(s, "recordings", len(all), 2)
	is(s, "largest size", all["A/1.MP4"].LargestSize, 100)
	is(s, "last size", all["A/1.MP4"].LastSize, 90)
	is(s, "first docking", all["A/1.MP4"].FirstDocking, evidence.DockingID{1})
	is(s, "last docking", all["A/1.MP4"].LastDocking, evidence.DockingID{2})
	is(s, "vanished", all["A/1.MP4"].VanishedAt.IsZero(), true)
	is(s, "vanished", all["A/22.MP4"].VanishedAt, s.clock.Now().Add(5*time.Hour))
	is(s, "vanished in", all["A/22.MP4"].VanishedIn, evidence.DockingID{2})
	var there []string
	s.must(s.db.EachThere(s.Context(), Agency, "C", func(v *catalog.Shown) error {
		there = append(there, v.Path)
		return nil
	}))
	is(s, "recordings on the camera", len(there), 1)
	n, err := s.db.CountShown(s.Context(), Agency, "C")
	s.must(err)
	is(s, "count", n, 2)
	page, err := s.db.ShownPage(s.Context(), Agency, "C", 1, 10)
	s.must(err)
	is(s, "rows after the first", len(page), 1)
	is(s, "the older one", page[0].Path, "A/22.MP4")

	s.show("A/22.MP4", 3, 9, 200)
	is(s, "vanished, and back again", s.ledger()["A/22.MP4"].VanishedAt.IsZero(), true)
	s.must(s.db.EachShown(s.Context(), "county", "C", func(*catalog.Shown) error {
		s.Error("a ledger crosses agencies")
		return nil
	}))
}

// Docking 2 is told of before docking 1, and 3 before both.
func shownInAnyOrder(s suite) {
	s.show("B", 3, 30, 7)
	s.vanish(3, 30)
	s.show("A", 2, 20, 5)
	s.vanish(2, 20)
	s.vanish(3, 30) // as when docking 3 is told of again
	s.show("A", 1, 10, 6)
	s.vanish(1, 10)
	all := s.ledger()
	is(s, "first docking", all["A"].FirstDocking, evidence.DockingID{1})
	is(s, "last docking", all["A"].LastDocking, evidence.DockingID{2})
	is(s, "last size", all["A"].LastSize, 5)
	is(s, "vanished in", all["A"].VanishedIn, evidence.DockingID{3})
	is(s, "recorded later, not vanished", all["B"].VanishedAt.IsZero(), true)
	s.vanish(4, 25) // told of last, and before docking 3
	is(s, "vanished in", s.ledger()["A"].VanishedIn, evidence.DockingID{4})
	s.show("A", 5, 22, 5)
	is(s, "vanished in", s.ledger()["A"].VanishedIn, evidence.DockingID{4})
}

func alerts(s suite) {
	raise := func(about, message string) (a *catalog.Alert, fresh bool) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) (err error) {
			a = &catalog.Alert{Agency: Agency, Code: catalog.AlertVanished, Severity: catalog.SeverityUrgent, Object: "camera:C", About: about, Message: message, LastAt: s.clock.Now()}
			fresh, err = tx.RaiseAlert(ctx, a)
			return err
		})
		return a, fresh
	}
	acknowledge := func(id string) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.AcknowledgeAlert(ctx, Agency, id, "u1", s.clock.Now())
		}
	}
	open := func() int64 {
		n, err := s.db.CountAlerts(s.Context(), catalog.AlertFilter{Agency: Agency, Open: true})
		s.must(err)
		return n
	}
	first, fresh := raise("docking 1", "A is gone")
	is(s, "new", fresh, true)
	raisedAt := s.clock.Now()
	s.clock.Advance(time.Hour)
	again, fresh := raise("docking 1", "A and B are gone")
	is(s, "new", fresh, false)
	is(s, "id", again.ID, first.ID)
	want := &catalog.Alert{Agency: Agency, ID: first.ID, Code: catalog.AlertVanished, Severity: catalog.SeverityUrgent, Object: "camera:C", About: "docking 1",
		Message: "A and B are gone", RaisedAt: raisedAt, LastAt: s.clock.Now(), Count: 2}
	got, err := s.db.Alert(s.Context(), Agency, first.ID)
	s.must(err)
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(again, want) {
		s.Errorf("alert: got %+v and %+v, want %+v", got, again, want)
	}
	raise("docking 2", "A is gone")
	is(s, "open", open(), 2)
	is(s, "station of a camera that no dock has shown", first.Station, evidence.StationID(""))
	s.update(acknowledge(first.ID))
	s.refused(catalog.ErrConflict, acknowledge(first.ID))
	is(s, "open", open(), 1)
	_, fresh = raise("docking 1", "A and B are gone")
	is(s, "opened by the same message", fresh, false)
	_, fresh = raise("docking 1", "A, B and C are gone")
	is(s, "opened by another message", fresh, true)
	is(s, "open", open(), 2)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		n, err := tx.ClearAlerts(ctx, Agency, catalog.AlertVanished, "camera:C", "docking 2", s.clock.Now())
		is(s, "cleared", n, 1)
		if err == nil {
			n, err = tx.ClearAlerts(ctx, Agency, catalog.AlertVanished, "camera:C", "", s.clock.Now())
			is(s, "cleared", n, 1)
		}
		return err
	})
	is(s, "open", open(), 0)
	s.refused(catalog.ErrConflict, acknowledge(first.ID))
	fourth, fresh := raise("docking 1", "A is gone")
	is(s, "new", fresh && fourth.ID != first.ID, true)
	for filter, want := range map[catalog.AlertFilter]int{{Agency: Agency}: 3, {Agency: Agency, Object: "camera:D"}: 0, {Agency: Agency, Code: catalog.AlertVanished, Open: true}: 1, {Agency: "county"}: 0} {
		all, err := s.db.Alerts(s.Context(), filter, 10)
		s.must(err)
		is(s, "alerts", len(all), want)
	}
	_, err = s.db.Alert(s.Context(), "county", first.ID)
	s.isError(err, catalog.ErrNotFound)
}
