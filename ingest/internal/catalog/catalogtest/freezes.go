package catalogtest

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
)

// freezes: nothing in the scope of a freeze is deleted while it is in force; ended
// ones stay on the list.
func freezes(s suite) {
	item := s.insert(NewItem(1, s.clock.Now()))
	s.store(item)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetReceipt(ctx, Agency, item.ID, 1, 7, []byte("receipt"))
	})
	destroy := func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.DestroyKeys(ctx, Agency, item.ID, s.clock.Now())
	}
	n := 0
	freeze := func(scope catalog.FreezeScope, value string) (end func()) {
		n++
		f := catalog.Freeze{Agency: Agency, ID: fmt.Sprintf("%016x", n), Scope: scope, Value: value, Reason: "case 4711", By: "u1", At: s.clock.Now()}
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertFreeze(ctx, &f) })
		s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertFreeze(ctx, &f) })
		return func() {
			end := func(ctx context.Context, tx *sqldb.Tx) error {
				return tx.EndFreeze(ctx, Agency, f.ID, "closed", "u2", s.clock.Now())
			}
			s.update(end)
			s.refused(catalog.ErrConflict, end)
		}
	}
	for _, c := range []struct {
		scope catalog.FreezeScope
		value string
	}{
		{catalog.FreezeAgency, ""}, {catalog.FreezeStation, string(item.Station)}, {catalog.FreezeCamera, item.Camera},
		{catalog.FreezeOfficer, item.OfficerID}, {catalog.FreezeOfficer, item.WearerID}, {catalog.FreezeItem, item.ID.String()},
	} {
		first, second := freeze(c.scope, c.value), freeze(c.scope, c.value)
		s.refused(catalog.ErrFrozen, destroy)
		first()
		s.refused(catalog.ErrFrozen, destroy) // the other one stands
		second()
		s.clock.Advance(time.Second)
	}
	freeze(catalog.FreezeOfficer, "B000000")
	freeze(catalog.FreezeItem, item.Camera)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.InsertFreeze(ctx, &catalog.Freeze{Agency: "other-pd", ID: "1", Scope: catalog.FreezeAgency, Reason: "x", By: "u", At: s.clock.Now()})
	})
	s.update(destroy)
	all, err := s.db.Freezes(s.Context(), Agency)
	s.must(err)
	is(s, "freezes", len(all), n)
	is(s, "the first", fmt.Sprint(all[0].Scope, all[0].EndReason, all[0].EndedBy, all[0].EndedAt.IsZero()), "agencyclosedu2false")
	is(s, "the last", all[n-1].EndedAt.IsZero(), true)
}
