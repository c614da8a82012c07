package freeze_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/freeze"
	"github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/proto/evidence"
)

const agency evidence.AgencyID = "metro-pd"

type desk struct {
	*testing.T
	*freeze.Service
	db           *sqldb.DB
	clock        *catalogtest.Clock
	own, foreign *catalog.Item
}

// bothEngines runs a test on SQLite and on PostgreSQL, with a dock, a camera and a
// recording at each of two stations.
func bothEngines(t *testing.T, run func(*desk)) {
	for name, url := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "catalog.db"), "postgres": postgres.Start(t).Database(t)} {
		t.Run(name, func(t *testing.T) {
			d := &desk{T: t, clock: catalogtest.NewClock()}
			var err error
			d.db, err = sqldb.Open(t.Context(), url, d.clock.Now)
			d.must(err)
			defer d.db.Close()
			d.Service = freeze.New(freeze.Config{Catalog: d.db, Agency: agency, Now: d.clock.Now, Log: slog.New(slog.DiscardHandler)})
			place := func(n int, dock evidence.DockID, station evidence.StationID, serial string) *catalog.Item {
				item := catalogtest.NewItem(n, d.clock.Now())
				item.Agency, item.Station, item.Dock, item.Camera, item.OfficerID, item.WearerID, item.Wearer = agency, station, dock, serial, "B-"+string(station), "", ""
				d.must(d.db.Update(t.Context(), func(tx *sqldb.Tx) error {
					return errors.Join(tx.RegisterDock(t.Context(), &catalog.Dock{Agency: agency, ID: dock, Station: station, StatementKey: make([]byte, 32), Enabled: true, EnrolledAt: d.clock.Now()}),
						tx.CameraSeen(t.Context(), &catalog.Camera{Agency: agency, Serial: serial, LastSeenAt: d.clock.Now(), LastDock: dock}), tx.InsertItem(t.Context(), item))
				}))
				return item
			}
			d.own, d.foreign = place(1, "front-desk", "north", "CAM-1"), place(2, "pier-4", "harbour", "CAM-2")
			run(d)
		})
	}
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) is(err, want error) {
	d.Helper()
	if !errors.Is(err, want) {
		d.Errorf("got %v, want %v", err, want)
	}
}

// person is somebody who has just shown a factor.
func (d *desk) person(role auth.Role, more ...catalog.Grant) *auth.Actor {
	return &auth.Actor{User: "u-" + string(role), Agency: agency, Name: string(role), Powers: auth.ShippedPowers(role, more...), FactorAt: d.clock.Now(), Origin: auth.Origin{Address: "192.0.2.9"}}
}

// atNorth lets supervisors use a role at one station.
func atNorth(role auth.Role) catalog.Grant {
	return catalog.Grant{ID: string(role), Holder: catalog.ToRole, HolderID: string(auth.Supervisor), Role: string(role), Scope: catalog.OnStation, Value: "north"}
}

func (d *desk) events(kind evidence.EventType) (all []evidence.Event) {
	rows, err := d.db.Events(d.Context(), catalog.EventFilter{Agency: agency, Type: kind}, 0)
	d.must(err)
	for _, row := range rows {
		var e evidence.Event
		d.must(evidence.Decode(row.JSON, &e))
		all = append(all, e)
	}
	return all
}

func (d *desk) over(item *catalog.Item) int {
	d.Helper()
	all, err := d.db.FreezesOver(d.Context(), agency, item.ID)
	d.must(err)
	return len(all)
}

func TestAFreezeIsOneActAndItsEndAnother(t *testing.T) {
	bothEngines(t, func(d *desk) {
		manager := d.person(auth.EvidenceManager)
		for scope, value := range map[catalog.FreezeScope]string{catalog.FreezeAgency: "", catalog.FreezeStation: "north", catalog.FreezeCamera: "CAM-1", catalog.FreezeOfficer: "B-north", catalog.FreezeItem: d.own.ID.String()} {
			f, err := d.For(manager).Begin(d.Context(), scope, value, " case 4711 ")
			d.must(err)
			if d.over(d.own) != 1 || d.over(d.foreign) != map[bool]int{true: 1}[scope == catalog.FreezeAgency] {
				d.Errorf("%s: %d stand over what it is of, %d over another", scope, d.over(d.own), d.over(d.foreign))
			}
			e := d.events(evidence.EventFrozen)[0]
			if e.Object != "freeze:"+f.ID || e.Actor.ID != manager.User || e.Reason != "case 4711" || e.Details["scope"] != string(scope) || e.Details["value"] != value || e.Source != "192.0.2.9" {
				d.Errorf("its event: %+v", e)
			}
			d.is(d.For(manager).End(d.Context(), f.ID, ""), freeze.ErrInput)
			d.clock.Advance(auth.FreshFor)
			d.is(d.For(manager).End(d.Context(), f.ID, "closed"), auth.ErrFreshFactor)
			if e := d.events(evidence.EventFreezeEnded)[0]; e.Outcome != evidence.OutcomeRefused || d.over(d.own) != 1 {
				d.Errorf("without a fresh factor: %+v", e)
			}
			manager.FactorAt = d.clock.Now()
			d.must(d.For(manager).End(d.Context(), f.ID, "closed"))
			d.is(d.For(manager).End(d.Context(), f.ID, "closed"), catalog.ErrConflict)
			if e := d.events(evidence.EventFreezeEnded)[0]; e.Reason != "closed" || e.Outcome != evidence.OutcomeDone || d.over(d.own) != 0 {
				d.Errorf("its end: %+v", e)
			}
		}
		all, err := d.For(d.person(auth.Auditor)).List(d.Context())
		if err != nil || len(all) != 5 || all[0].EndedBy != manager.User {
			d.Errorf("%+v, %v", all, err)
		}
	})
}

func TestWhatCannotBeFrozenIsNamed(t *testing.T) {
	bothEngines(t, func(d *desk) {
		for _, c := range [][3]string{
			{"agency", "north", "x"}, {"station", "", "x"}, {"station", "nowhere", "x"}, {"item", "CAM-1", "x"}, {"item", evidence.EvidenceID{9}.String(), "x"}, {"camera", " ", "x"}, {"camera", "a\nb", "x"},
			{"everything", "", "x"}, {"camera", "CAM-1", " "}, {"camera", "CAM-1", string(make([]byte, 1001))},
		} {
			_, err := d.For(d.person(auth.Administrator)).Begin(d.Context(), catalog.FreezeScope(c[0]), c[1], c[2])
			d.is(err, freeze.ErrInput)
		}
		d.is(d.For(d.person(auth.Administrator)).End(d.Context(), "0123456789abcdef", "x"), catalog.ErrNotFound)
		_, err := d.For(d.person(auth.Administrator)).Begin(d.Context(), catalog.FreezeCamera, "not docked yet", "what it brings is held")
		d.must(err)
	})
}

// Who has a grant at a station freezes what is of it, sees the freezes of it, and of
// others learns no more than that they stand over what they see.
func TestAFreezeIsWithinAGrant(t *testing.T) {
	bothEngines(t, func(d *desk) {
		ctx := context.Background()
		boss, super := d.For(d.person(auth.Administrator)), d.For(d.person(auth.Supervisor, atNorth(auth.Supervisor)))
		for scope, values := range map[catalog.FreezeScope][2]string{catalog.FreezeStation: {"north", "harbour"}, catalog.FreezeCamera: {"CAM-1", "CAM-2"}, catalog.FreezeItem: {d.own.ID.String(), d.foreign.ID.String()}, catalog.FreezeOfficer: {"", "B-north"}, catalog.FreezeAgency: {"-", ""}} {
			if values[0] != "" && values[0] != "-" {
				f, err := super.Begin(ctx, scope, values[0], "complaint")
				d.must(err)
				d.is(super.End(ctx, f.ID, "over"), auth.ErrForbidden) // to end it is another action
			}
			_, err := super.Begin(ctx, scope, values[1], "complaint")
			d.is(err, auth.ErrForbidden)
			_, err = boss.Begin(ctx, scope, values[1], "the boss’s own reason")
			d.must(err)
		}
		seen, err := super.List(ctx)
		d.must(err)
		if len(seen) != 3 {
			d.Errorf("the supervisor sees %d freezes, want those of the station: %+v", len(seen), seen)
		}
		over, err := super.Over(ctx, d.own)
		d.must(err)
		hidden := 0
		for _, f := range over {
			if f.Reason == "the boss’s own reason" || f.Value == "B-north" {
				d.Errorf("the supervisor is told of %+v", f)
			}
			if f.ID == "" && !f.At.IsZero() {
				hidden++
			}
		}
		if len(over) != 5 || hidden != 2 {
			d.Errorf("%d freezes over the recording, %d of them hidden", len(over), hidden)
		}
		all, err := boss.List(ctx)
		d.must(err)
		ends := d.For(d.person(auth.Supervisor, atNorth(auth.EvidenceManager)))
		for _, f := range all {
			err := ends.End(ctx, f.ID, "over")
			switch north := f.Value == "north" || f.Value == "CAM-1" || f.Value == d.own.ID.String(); {
			case north:
				d.must(err)
			default:
				d.is(err, catalog.ErrNotFound) // nor does it say that it is there
			}
		}
		refused := 0
		for _, e := range append(d.events(evidence.EventFrozen), d.events(evidence.EventFreezeEnded)...) {
			if e.Outcome == evidence.OutcomeRefused {
				refused++
			}
		}
		if refused != 8 {
			d.Errorf("%d refusals are on record, want 8", refused)
		}
		for _, nobody := range []*auth.Actor{nil, d.person(auth.Investigator), d.person(auth.Officer), {User: "x", Agency: "other-pd", Powers: auth.ShippedPowers(auth.Administrator), FactorAt: d.clock.Now()}} {
			_, err := d.For(nobody).Begin(ctx, catalog.FreezeItem, d.own.ID.String(), "x")
			d.is(err, auth.ErrForbidden)
			_, err = d.For(nobody).List(ctx)
			d.is(err, auth.ErrForbidden)
			d.is(d.For(nobody).End(ctx, all[0].ID, "x"), auth.ErrForbidden)
		}
		token := d.person(auth.Administrator)
		token.Token = &auth.TokenInfo{ID: "t"}
		d.is(d.For(token).End(ctx, all[0].ID, "x"), auth.ErrTokenAct)
	})
}
