package reading

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// arrivals is how many of the newest stored items the overview lists.
const arrivals = 10

// Overview is what an agency's docks and store are doing at one moment.
type Overview struct {
	At        time.Time
	Totals    *catalog.Totals
	Free      uint64 // bytes that the store can still take
	FreeKnown bool
	Docks     []LiveDock // by station and name; also those never heard of since the start
	Transfers []Transfer // oldest first
	Arrivals  []catalog.Item
}

// Overview returns the state of the moment.
func (s *Service) Overview(ctx context.Context, actor *auth.Actor) (*Overview, error) {
	if err := s.allow(actor, auth.SeeOverview); err != nil {
		return nil, err
	}
	o := &Overview{At: s.clock()}
	items, stations := s.within(actor, auth.ListItems), s.within(actor, auth.ListDocks)
	var err error
	if o.Totals, err = s.Catalog.Totals(ctx, s.Agency, items); err != nil {
		return nil, err
	}
	page, err := s.Catalog.Items(ctx, catalog.ItemFilter{Agency: s.Agency, State: catalog.StateStored, Within: items}, catalog.NewestArrival, "", arrivals)
	if err != nil {
		return nil, err
	}
	o.Arrivals = page.Items
	live := s.Live.Snapshot()
	if o.Docks, err = s.docks(ctx, live, stations); err != nil {
		return nil, err
	}
	shown := map[string]bool{}
	for _, d := range o.Docks {
		shown[d.Dock] = true
	}
	for _, t := range live.Transfers {
		if t.Agency == string(s.Agency) && shown[t.Dock] {
			o.Transfers = append(o.Transfers, t)
		}
	}
	if s.Space != nil {
		if free, err := s.Space(); err == nil {
			o.Free, o.FreeKnown = free, true
		}
	}
	return o, nil
}

// Docks returns every dock, live or only enrolled.
func (s *Service) Docks(ctx context.Context, actor *auth.Actor) ([]LiveDock, error) {
	if err := s.allow(actor, auth.ListDocks); err != nil {
		return nil, err
	}
	return s.docks(ctx, s.Live.Snapshot(), s.within(actor, auth.ListDocks))
}

// docks joins what docks report with the docks that are enrolled, at the stations
// that a person may see.
func (s *Service) docks(ctx context.Context, live Live, stations *catalog.Reach) ([]LiveDock, error) {
	rows, err := s.Catalog.Docks(ctx, s.Agency)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var all []LiveDock
	for _, d := range live.Docks {
		if d.Agency == string(s.Agency) {
			seen[d.Dock] = true
			all = append(all, d)
		}
	}
	for _, d := range rows {
		if !seen[string(d.ID)] {
			all = append(all, LiveDock{
				Agency: string(d.Agency), Station: string(d.Station), Dock: string(d.ID),
				LastSeen: d.LastSeenAt, Address: d.LastAddress, AgentVersion: d.AgentVersion,
			})
		}
	}
	all = slices.DeleteFunc(all, func(d LiveDock) bool { return !stations.HoldsStation(evidence.StationID(d.Station)) })
	slices.SortFunc(all, func(a, b LiveDock) int {
		return cmp.Or(cmp.Compare(a.Station, b.Station), cmp.Compare(a.Dock, b.Dock))
	})
	return all, nil
}
