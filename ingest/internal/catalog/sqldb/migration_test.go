package sqldb

import (
	"regexp"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	testpostgres "github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Alerts from before they had stations get the one that they would be raised with.
func TestOldAlertsGetTheirStations(t *testing.T) {
	for folder, url := range map[string]string{"sqlite": sqliteURL(t), "postgres": testpostgres.Start(t).Database(t)} {
		db := openTest(t, url)
		item := evidence.EvidenceID{7}
		want := map[string]evidence.StationID{"dock:pier-4": "harbour", "camera:C": "harbour", "camera:D": "", evidence.ItemObject(item): "north", evidence.ItemObject(evidence.EvidenceID{8}): "", "server:store": "", "dock:gone": ""}
		err := db.Update(t.Context(), func(tx *Tx) error {
			ctx := t.Context()
			if err := tx.RegisterDock(ctx, &catalog.Dock{Agency: "pd", ID: "pier-4", Station: "harbour", StatementKey: make([]byte, 32), EnrolledAt: db.now()}); err != nil {
				return err
			}
			for serial, dock := range map[string]evidence.DockID{"C": "pier-4", "D": "gone"} {
				if err := tx.CameraSeen(ctx, &catalog.Camera{Agency: "pd", Serial: serial, LastSeenAt: db.now(), LastDock: dock}); err != nil {
					return err
				}
			}
			if err := tx.InsertItem(ctx, &catalog.Item{Agency: "pd", ID: item, Station: "north", OfferedAt: db.now()}); err != nil {
				return err
			}
			for object := range want {
				if _, err := tx.RaiseAlert(ctx, &catalog.Alert{Agency: "pd", Code: catalog.AlertGap, Object: object, LastAt: db.now()}); err != nil {
					return err
				}
			}
			_, err := tx.change(ctx, "forgetting stations", "UPDATE alerts SET station = ''")
			return err
		})
		if err != nil {
			t.Fatal(folder, err)
		}
		text, err := migrations.ReadFile("migrations/" + folder + "/00039_alert_stations.sql")
		if err != nil {
			t.Fatal(err)
		}
		fills := regexp.MustCompile(`(?s)UPDATE alerts.*?;`).FindAllString(string(text), -1)
		if len(fills) != 3 {
			t.Fatalf("%s: %d statements fill the column", folder, len(fills))
		}
		for _, statement := range fills {
			if _, err := db.writes.Exec(statement); err != nil {
				t.Fatal(folder, statement, err)
			}
		}
		all, err := db.Alerts(t.Context(), catalog.AlertFilter{Agency: "pd"}, 0)
		if err != nil || len(all) != len(want) {
			t.Fatal(folder, len(all), err)
		}
		for _, a := range all {
			if a.Station != want[a.Object] {
				t.Errorf("%s: %s is of %q, want %q", folder, a.Object, a.Station, want[a.Object])
			}
		}
	}
}
