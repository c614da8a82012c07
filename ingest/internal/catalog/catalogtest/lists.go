package catalogtest

import (
	"context"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// list returns all ids that a filter lists, page by page, after what can have got a slot.
func (s suite) list(f catalog.ItemFilter, order catalog.Order, limit int) []evidence.EvidenceID {
	s.Helper()
	for given := true; given; {
		var err error
		given, err = s.db.GiveSlots(s.Context())
		s.must(err)
	}
	var ids []evidence.EvidenceID
	for cursor := ""; ; {
		p, err := s.db.Items(s.Context(), f, order, cursor, limit)
		s.must(err)
		for _, i := range p.Items {
			ids = append(ids, i.ID)
		}
		if cursor = p.Next; cursor == "" {
			return ids
		}
	}
}

func listsFilter(s suite) {
	base := s.clock.Now()
	var items []*catalog.Item
	for n := range 20 {
		items = append(items, NewItem(n, base))
	}
	items[3].Officer, items[3].Kind, items[3].Dock, items[3].Station = "Jane Doe", evidence.KindMetadata, "garage", "north"
	items[4].StartedAt, items[4].CorrectedAt = time.Time{}, time.Time{} // counts as recorded when it was offered
	items[6].CorrectedAt = base.Add(-9 * time.Hour)                     // the camera's clock was an hour ahead
	items[6].Wearer, items[6].WearerID = "Joan Roe", "B900"
	items[9].Wearer, items[9].WearerID = "", ""
	items[10].Category = "arrest"
	s.insert(items...)
	s.store(items[5])
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.InsertRelease(ctx, &catalog.Release{Agency: Agency, Item: items[5].ID, Digest: evidence.Digest{1}, Result: evidence.ReleaseErased, At: base, ReceivedAt: base})
		return err
	})
	erased := true
	hash, id := items[7].SHA256.String(), items[8].ID.String()
	for _, c := range []struct {
		name   string
		filter catalog.ItemFilter
		want   int
	}{
		{"all", catalog.ItemFilter{}, 20},
		{"state", catalog.ItemFilter{State: catalog.StateStored}, 1},
		{"camera", catalog.ItemFilter{Camera: "CAM-0003"}, 2},
		{"dock", catalog.ItemFilter{Dock: "garage"}, 1},
		{"station", catalog.ItemFilter{Station: "north"}, 1},
		{"officer", catalog.ItemFilter{Officer: "Jane Doe"}, 1},
		{"officer id", catalog.ItemFilter{Officer: "B003"}, 3},
		{"kind", catalog.ItemFilter{Kind: evidence.KindMetadata}, 1},
		{"from", catalog.ItemFilter{From: base.Add(-time.Hour)}, 1},
		{"to", catalog.ItemFilter{To: base.Add(-8*time.Hour + 3*time.Second)}, 4},
		{"to, by the camera's wrong clock", catalog.ItemFilter{To: base.Add(-8*time.Hour - time.Second)}, 1},
		{"wearer", catalog.ItemFilter{Officer: "Joan Roe"}, 1},
		{"wearer id", catalog.ItemFilter{Officer: "B900"}, 1},
		{"no wearer", catalog.ItemFilter{NoWearer: true}, 1},
		{"wearer by text", catalog.ItemFilter{Text: "joan ünal"}, 1},
		{"erased", catalog.ItemFilter{Erased: &erased}, 1},
		{"category", catalog.ItemFilter{Category: "arrest"}, 1},
		{"arrived from", catalog.ItemFilter{ArrivedFrom: items[18].OfferedAt}, 2},
		{"arrived before", catalog.ItemFilter{ArrivedTo: items[2].OfferedAt}, 2},
		{"words in any case", catalog.ItemFilter{Text: "JANE garage"}, 1},
		{"words beyond ASCII", catalog.ItemFilter{Text: "ÖZTÜRK"}, 19},
		{"path", catalog.ItemFilter{Text: "clip00001"}, 10},
		{"hash prefix", catalog.ItemFilter{Text: hash[:12]}, 1},
		{"id", catalog.ItemFilter{Text: id}, 1},
		{"words that do not meet", catalog.ItemFilter{Text: "jane clip000004"}, 0},
		{"both", catalog.ItemFilter{Camera: "CAM-0003", Text: "jane"}, 1},
	} {
		c.filter.Agency = Agency
		is(s, c.name, len(s.list(c.filter, catalog.NewestArrival, 6)), c.want)
		count, err := s.db.CountItems(s.Context(), c.filter)
		s.must(err)
		is(s, c.name+", counted", count.Items, int64(c.want))
		few, ok, err := s.db.CountUpTo(s.Context(), c.filter, 15, time.Minute)
		s.must(err)
		is(s, c.name+", counted up to 15", few, int64(min(c.want, 15)))
		is(s, c.name+", counted", ok, true)
		for _, order := range []catalog.Order{catalog.OldestRecording, catalog.Longest, catalog.OfficerUp} {
			is(s, c.name+", by "+string(order), len(s.list(c.filter, order, 3)), c.want)
		}
	}
}

func listsPage(s suite) {
	const n = 53
	var items []*catalog.Item
	for i := range n {
		item := NewItem(i, s.clock.Now())
		item.OfferedAt = s.clock.Now().Add(time.Duration(i/4) * time.Second) // four at the same time
		items = append(items, item)
	}
	s.insert(items...)
	filter := catalog.ItemFilter{Agency: Agency}
	for _, order := range []catalog.Order{catalog.NewestArrival, catalog.OldestArrival, catalog.NewestRecording, catalog.OldestRecording, catalog.Longest, catalog.Shortest, catalog.OfficerUp, catalog.OfficerDown} {
		for _, limit := range []int{1, 7, 0} {
			ids := s.list(filter, order, limit)
			is(s, "items listed", len(ids), n)
			want := items[0].ID
			if order == catalog.NewestArrival || order == catalog.NewestRecording || order == catalog.Longest {
				want = items[n-1].ID
			}
			if order != catalog.OfficerUp && order != catalog.OfficerDown {
				is(s, "the first by "+string(order), ids[0], want)
			}
			seen := map[evidence.EvidenceID]bool{}
			for _, id := range ids {
				if seen[id] {
					s.Errorf("%s is listed twice", id)
				}
				seen[id] = true
			}
		}
	}
	page, err := s.db.Items(s.Context(), filter, catalog.NewestArrival, "", 10)
	s.must(err)
	s.insert(NewItem(100, s.clock.Now().Add(time.Hour)))
	next, err := s.db.Items(s.Context(), filter, catalog.NewestArrival, page.Next, 10)
	s.must(err)
	is(s, "the second page after an arrival", next.Items[0].ID, items[n-11].ID)

	for _, cursor := range []string{"x", "1", "1.", "1.zz", ".", "9999999999999999999." + items[0].ID.String(), "1." + items[0].ID.String() + "'"} {
		_, err := s.db.Items(s.Context(), filter, catalog.NewestArrival, cursor, 10)
		s.isError(err, catalog.ErrCursor)
	}
	if _, err := s.db.Items(s.Context(), filter, "id; DROP TABLE items", "", 10); err == nil {
		s.Error("an unknown order is taken")
	}
}

func searchLiteral(s suite) {
	odd := NewItem(1, s.clock.Now())
	odd.Path = `DCIM/100%_\'";--/CLIP.MP4`
	s.insert(odd, NewItem(2, s.clock.Now()))
	long := make([]byte, 100_000)
	for i := range long {
		long[i] = 'é'
	}
	for text, want := range map[string]int{
		`100%_\'`: 2, `%`: 0, `_`: 0, `\`: 0, `'`: 0, `";--`: 0, "": 2, "   ": 2, "\x00": 0, "\xff\xfe": 0, string(long): 0,
		"a b c d e f g h i j k": 0, "clip": 2,
	} {
		is(s, "found for "+text[:min(len(text), 20)], len(s.list(catalog.ItemFilter{Agency: Agency, Text: text}, catalog.NewestArrival, 10)), want)
	}
}

func savedSearches(s suite) {
	save := func(user, name, query string) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.SaveSearch(ctx, &catalog.SavedSearch{User: user, Name: name, Query: query, At: s.clock.Now()})
		})
	}
	save("u1", "Mine", "q=a")
	save("u1", "", "q=last")
	save("u1", "Other", "q=b")
	save("u1", "Mine", "q=c")
	save("u2", "Mine", "q=d")
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.RenameSearch(ctx, "u1", "Other", "Mine") })
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.RenameSearch(ctx, "u2", "Other", "x") })
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteSearch(ctx, "u2", "Other") })
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.RenameSearch(ctx, "u1", "Other", "Another") })
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteSearch(ctx, "u2", "Mine") })
	got, err := s.db.SavedSearches(s.Context(), "u1")
	s.must(err)
	is(s, "searches", len(got), 3)
	for n, want := range []catalog.SavedSearch{{User: "u1", Name: "", Query: "q=last"}, {User: "u1", Name: "Another", Query: "q=b"}, {User: "u1", Name: "Mine", Query: "q=c"}} {
		want.At = s.clock.Now()
		is(s, "search", got[n], want)
	}
	none, err := s.db.SavedSearches(s.Context(), "u2")
	s.must(err)
	is(s, "searches of another", len(none), 0)
}

func totals(s suite) {
	var items []*catalog.Item
	for n := range 5 {
		items = append(items, NewItem(n, s.clock.Now()))
	}
	s.insert(items...)
	s.store(items[0])
	s.clock.Advance(48 * time.Hour)
	s.store(items[1])
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if _, err := tx.InsertRelease(ctx, &catalog.Release{Agency: Agency, Item: items[1].ID, Digest: evidence.Digest{1}, Result: evidence.ReleaseErased, At: s.clock.Now(), ReceivedAt: s.clock.Now()}); err != nil {
			return err
		}
		return tx.QuarantineItem(ctx, Agency, items[2].ID, 1, "x")
	})
	got, err := s.db.Totals(s.Context(), Agency, nil)
	s.must(err)
	is(s, "all", got.All, catalog.Count{Items: 5, Bytes: 5010})
	is(s, "receiving", got.ByState[catalog.StateReceiving], catalog.Count{Items: 2, Bytes: 2007})
	is(s, "stored", got.ByState[catalog.StateStored], catalog.Count{Items: 2, Bytes: 2001})
	is(s, "quarantined", got.ByState[catalog.StateQuarantined], catalog.Count{Items: 1, Bytes: 1002})
	is(s, "last 24 hours", got.Last24h, catalog.Count{Items: 1, Bytes: 1001})
	is(s, "erased", got.Erased, catalog.Count{Items: 1, Bytes: 1001})
	is(s, "stored and not erased", got.Pending, catalog.Count{Items: 1, Bytes: 1000})
	is(s, "events", got.Events, 2)
}

func agenciesAreWalls(s suite) {
	mine := s.insert(NewItem(1, s.clock.Now()))
	theirs := NewItem(1, s.clock.Now())
	theirs.Agency, theirs.Officer = "county", "Somebody Else"
	s.insert(theirs) // the same id in another agency is another item
	s.store(theirs)
	is(s, "state of mine", s.item(mine.ID).State, catalog.StateReceiving)
	is(s, "items of mine", len(s.list(catalog.ItemFilter{Agency: Agency}, catalog.NewestArrival, 10)), 1)
	is(s, "their officer, seen by me", len(s.list(catalog.ItemFilter{Agency: Agency, Text: "somebody"}, catalog.NewestArrival, 10)), 0)
	is(s, "items of nobody", len(s.list(catalog.ItemFilter{}, catalog.NewestArrival, 10)), 0)
	events, err := s.db.Events(s.Context(), catalog.EventFilter{Agency: Agency}, 10)
	s.must(err)
	is(s, "events of mine", len(events), 0)
}
