package catalogtest

import (
	"context"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// alertStations: an alert is of the station of what it is about, and moves with it while
// it stands; lists within a reach hold those of its stations.
func alertStations(s suite) {
	dock := func(id evidence.DockID, station evidence.StationID) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.RegisterDock(ctx, &catalog.Dock{Agency: Agency, ID: id, Station: station, StatementKey: make([]byte, 32), Enabled: true, EnrolledAt: s.clock.Now()})
		})
	}
	seen := func(serial string, at evidence.DockID) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.CameraSeen(ctx, &catalog.Camera{Agency: Agency, Serial: serial, LastSeenAt: s.clock.Now(), LastDock: at})
		})
	}
	raise := func(object string) string {
		a := &catalog.Alert{Agency: Agency, Code: catalog.AlertGap, Severity: catalog.SeverityUrgent, Object: object, LastAt: s.clock.Now()}
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { _, err := tx.RaiseAlert(ctx, a); return err })
		return a.ID
	}
	of := func(id string) evidence.StationID {
		a, err := s.db.Alert(s.Context(), Agency, id)
		s.must(err)
		return a.Station
	}
	item := s.insert(NewItem(1, s.clock.Now()))
	dock("pier-4", "harbour")
	dock("desk-1", "north")
	seen("C", "pier-4")
	seen("D", "gone")
	onDock, onCamera, onItem, onServer, onLost := raise("dock:pier-4"), raise("camera:C"), raise(evidence.ItemObject(item.ID)), raise("server:store"), raise("camera:D")
	is(s, "of a dock", of(onDock), "harbour")
	is(s, "of a camera", of(onCamera), "harbour")
	is(s, "of an item", of(onItem), item.Station)
	is(s, "of the server", of(onServer), "")
	is(s, "of a camera at a dock that is not known", of(onLost), "")
	list := func(r *catalog.Reach) int64 {
		f := catalog.AlertFilter{Agency: Agency, Within: r}
		all, err := s.db.Alerts(s.Context(), f, 0)
		s.must(err)
		n, err := s.db.CountAlerts(s.Context(), f)
		s.must(err)
		is(s, "counted", n, int64(len(all)))
		return n
	}
	is(s, "all", list(&catalog.Reach{All: true}), 5)
	is(s, "of a station", list(&catalog.Reach{Stations: []evidence.StationID{"harbour"}}), 2)
	is(s, "of two", list(&catalog.Reach{Stations: []evidence.StationID{"harbour", item.Station}}), 3)
	is(s, "of what is no station", list(&catalog.Reach{Officers: []string{"B1"}, Items: []evidence.EvidenceID{item.ID}, Categories: []string{"traffic"}}), 0)
	is(s, "of a station without a name", list(&catalog.Reach{Stations: []evidence.StationID{""}}), 0)
	seen("C", "desk-1")
	is(s, "of a camera that moved", of(onCamera), "north")
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.ClearAlerts(ctx, Agency, catalog.AlertGap, "camera:C", "", s.clock.Now())
		return err
	})
	second := raise("camera:C")
	seen("C", "pier-4")
	is(s, "of what is over", of(onCamera), "north")
	is(s, "of what stands", of(second), "harbour")
	dock("pier-4", "marina") // enrolled anew
	is(s, "of a dock that moved", of(onDock), "marina")
	is(s, "of its camera", of(second), "marina")
}
