package catalogtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (s suite) putCase(c *catalog.Case) {
	s.Helper()
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.PutCase(ctx, c) })
}

func (s suite) inCase(id string, item *catalog.Item, in, want bool) {
	s.Helper()
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		changed, err := tx.SetInCase(ctx, item.Agency, catalog.CaseItem{Case: id, Item: item.ID, AddedAt: s.clock.Now(), AddedBy: "u1"}, in)
		is(s, "membership changed", changed, want)
		return err
	})
}

func casesKept(s suite) {
	now := s.clock.Now()
	c := catalog.Case{Agency: Agency, ID: "c1", Number: "26/0017 B", Title: "Fire at the Öztürk warehouse", Note: "two\nlines", Lead: "u7", OpenedAt: now, OpenedBy: "u1"}
	s.putCase(&c)
	twin := c
	twin.ID, twin.Number = "c2", "26/0017 b"
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.PutCase(ctx, &twin) })
	twin.Agency = "county"
	s.putCase(&twin) // another agency's numbers are its own
	c.Number, c.Title, c.Note, c.Lead = "26/18", "Fire", "", ""
	s.putCase(&c)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.EndCase(ctx, Agency, "c1", now.Add(time.Hour), "u2")
	})
	s.refused(catalog.ErrConflict, func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndCase(ctx, Agency, "c1", now, "u2") })
	c.ClosedAt, c.ClosedBy = now.Add(time.Hour), "u2"
	got, err := s.db.CaseNumbered(s.Context(), Agency, "26/18")
	s.must(err)
	is(s, "the case", *got, c)
	is(s, "closed", got.Closed(), true)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndCase(ctx, Agency, "c1", time.Time{}, "") })
	s.refused(catalog.ErrConflict, func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndCase(ctx, Agency, "c9", time.Time{}, "") })
	got, err = s.db.Case(s.Context(), Agency, "c1")
	s.must(err)
	is(s, "closed", got.Closed(), false)
	_, err = s.db.Case(s.Context(), Agency, "c2")
	s.isError(err, catalog.ErrNotFound)
	_, err = s.db.CaseNumbered(s.Context(), Agency, "26/0017 B")
	s.isError(err, catalog.ErrNotFound)
}

func casesListed(s suite) {
	base := s.clock.Now()
	for n := range 23 {
		c := &catalog.Case{Agency: Agency, ID: fmt.Sprintf("c%02d", n), Number: fmt.Sprintf("26-%02d", (n*7)%23), Title: fmt.Sprintf("Case of %c", 'Z'-n%5), OpenedAt: base.Add(time.Duration(n/3) * time.Minute)}
		if n%4 == 0 {
			c.ClosedAt = base.Add(time.Hour)
		}
		s.putCase(c)
	}
	s.putCase(&catalog.Case{Agency: "county", ID: "x", Number: "26-00", Title: "Case of theirs", OpenedAt: base})
	item := s.insert(NewItem(1, base))
	s.inCase("c05", item, true, true)
	list := func(f catalog.CaseFilter, order catalog.CaseOrder, limit int) (all []catalog.Case) {
		s.Helper()
		f.Agency = Agency
		for cursor := ""; ; {
			p, err := s.db.Cases(s.Context(), f, order, cursor, limit)
			s.must(err)
			all = append(all, p.Cases...)
			if cursor = p.Next; cursor == "" {
				return all
			}
		}
	}
	for _, order := range []catalog.CaseOrder{catalog.NewestCase, catalog.OldestCase, catalog.CaseNumber, catalog.CaseTitle} {
		for _, limit := range []int{1, 4, 0} {
			all := list(catalog.CaseFilter{}, order, limit)
			is(s, "cases by "+string(order), len(all), 23)
			for n := 1; n < len(all); n++ {
				a, b := &all[n-1], &all[n]
				after := map[catalog.CaseOrder]bool{catalog.NewestCase: a.OpenedAt.Before(b.OpenedAt), catalog.OldestCase: b.OpenedAt.Before(a.OpenedAt), catalog.CaseNumber: a.Number > b.Number, catalog.CaseTitle: a.Title > b.Title}[order]
				if a.ID == b.ID || a.Closed() && !b.Closed() || a.Closed() == b.Closed() && after {
					s.Errorf("by %q: %+v comes before %+v", order, a, b)
				}
			}
		}
	}
	open, shut := true, false
	for what, c := range map[string]struct {
		f    catalog.CaseFilter
		want int
	}{
		"open": {catalog.CaseFilter{Open: &open}, 17}, "closed": {catalog.CaseFilter{Open: &shut}, 6}, "a word": {catalog.CaseFilter{Text: "CASE"}, 23}, "number": {catalog.CaseFilter{Text: "26-03"}, 1},
		"words": {catalog.CaseFilter{Text: "of z"}, 5}, "nothing": {catalog.CaseFilter{Text: "%"}, 0}, "an item": {catalog.CaseFilter{Item: item.ID}, 1},
		"within two": {catalog.CaseFilter{Within: &catalog.Reach{Cases: []string{"c01", "c02", "x"}}}, 2}, "within nothing": {catalog.CaseFilter{Within: &catalog.Reach{}}, 0},
		"within all": {catalog.CaseFilter{Within: &catalog.Reach{All: true}}, 23},
	} {
		is(s, what, len(list(c.f, "", 5)), c.want)
	}
	found := list(catalog.CaseFilter{Item: item.ID}, "", 5)
	is(s, "its items", found[0].Items, 1)
	for _, cursor := range []string{"x", "0", "0.x", "2.MQ.c", "0.!.c", "0.eA.c"} {
		_, err := s.db.Cases(s.Context(), catalog.CaseFilter{Agency: Agency}, "", cursor, 5)
		s.isError(err, catalog.ErrCursor)
	}
	if _, err := s.db.Cases(s.Context(), catalog.CaseFilter{Agency: Agency}, "id; DROP TABLE cases", "", 5); err == nil {
		s.Error("an unknown order is taken")
	}
}

// caseItems sees that what is put into cases and taken out is found by them at once, with
// slots and without, and with what was made of it.
func caseItems(s suite) {
	base := s.clock.Now()
	var items []*catalog.Item
	for n := range 40 {
		items = append(items, NewItem(n, base))
	}
	items[1].Original, items[1].Kind = items[0].ID, evidence.KindDerivative
	s.insert(items...)
	s.store(items[1])
	for _, id := range []string{"c1", "c2"} {
		s.putCase(&catalog.Case{Agency: Agency, ID: id, Number: id, Title: id, OpenedAt: base})
	}
	found := func(f catalog.ItemFilter, want ...*catalog.Item) {
		s.Helper()
		f.Agency = Agency
		got := s.list(f, catalog.OldestArrival, 3)
		var ids []evidence.EvidenceID
		for _, i := range want {
			ids = append(ids, i.ID)
		}
		if !slices.Equal(got, ids) {
			s.Errorf("%+v %+v: found %v, want %v", f, f.Within, got, ids)
		}
		n, err := s.db.CountItems(s.Context(), f)
		s.must(err)
		is(s, "counted", n.Items, int64(len(want)))
	}
	first, second, both := catalog.ItemFilter{Case: "c1"}, catalog.ItemFilter{Within: &catalog.Reach{Cases: []string{"c2"}}}, catalog.ItemFilter{Within: &catalog.Reach{Cases: []string{"c1", "c2"}}}
	found(first)
	s.inCase("c1", items[0], true, true)
	s.inCase("c1", items[0], true, false)
	s.inCase("c1", items[7], true, true)
	s.inCase("c2", items[7], true, true)
	s.inCase("c2", items[39], true, true)
	found(first, items[0], items[1], items[7])
	found(second, items[7], items[39])
	found(both, items[0], items[1], items[7], items[39])
	found(catalog.ItemFilter{Case: "c1", Within: second.Within}, items[7])
	found(catalog.ItemFilter{Case: "c1", Text: "clip000007"}, items[7])
	if got := s.item(items[1].ID).Cases; !slices.Equal(got, []string{"c1"}) {
		s.Errorf("a clip is in the cases %q", got)
	}
	if got := s.item(items[7].ID).Cases; !slices.Equal(got, []string{"c1", "c2"}) {
		s.Errorf("an item is in the cases %q", got)
	}
	in, err := s.db.InCase(s.Context(), Agency, "c1", []evidence.EvidenceID{items[0].ID, items[1].ID, items[39].ID})
	s.must(err)
	if len(in) != 1 || in[0].Item != items[0].ID || in[0].AddedBy != "u1" || !in[0].AddedAt.Equal(s.clock.Now()) {
		s.Errorf("in the case itself: %+v", in)
	}
	s.inCase("c1", items[0], false, true)
	s.inCase("c1", items[0], false, false)
	found(first, items[7])
	totals, err := s.db.Totals(s.Context(), Agency, second.Within)
	s.must(err)
	is(s, "total of a case", totals.All.Items, 2)
	theirs := NewItem(7, base)
	theirs.Agency = "county"
	s.insert(theirs)
	if item, err := s.db.ItemRow(s.Context(), "county", theirs.ID); err != nil || len(item.Cases) != 0 {
		s.Errorf("an item of another agency is in %v: %v", item.Cases, err)
	}
	_, err = s.db.CasesBy(s.Context(), Agency, nil)
	s.must(err)
	named, err := s.db.CasesBy(s.Context(), Agency, []string{"c2", "c9"})
	s.must(err)
	is(s, "cases by id", len(named), 1)
}
