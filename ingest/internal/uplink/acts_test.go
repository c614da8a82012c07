package uplink

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
)

func evidenceDock(name string) evidence.DockID { return evidence.DockID(name) }

func TestEveryDecisionIsOnRecordWithWhatWasBefore(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		desk := g.For(administrator())
		ctx := t.Context()
		g.must(desk.SetStationBandwidth(ctx, "north", g.table("mon-fri 08:00-18:00 20 Mbit/s")))
		g.must(desk.SetStationBandwidth(ctx, "north", g.table("mon-fri 08:00-18:00 2 Mbit/s")))
		g.must(desk.SetStationBandwidth(ctx, "north", g.table("mon-fri 08:00-18:00 2 Mbit/s"))) // no change
		g.must(desk.SetStationBandwidth(ctx, "north", nil))
		g.must(desk.SetSending(ctx, Sending{UrgentOfficers: []string{"4711"}, Categories: []Category{{"use of force", 40, true}}}))
		all := g.events(evidence.EventBandwidthSet)
		if len(all) != 3 {
			t.Fatalf("%d events of tables, want 3", len(all))
		}
		second := all[1]
		if second.Actor.Name != "Alba Moreno" || second.Source != "192.0.2.7" || second.Object != "station:north" ||
			!strings.Contains(second.Details["before"], "20 Mbit/s") || !strings.Contains(second.Details["after"], "-18:00 2 Mbit/s") {
			t.Errorf("event %+v", second)
		}
		if sending := g.events(evidence.EventSendingSet); len(sending) != 1 || sending[0].Details["before"] != "none" || !strings.Contains(sending[0].Details["after"], "4711") {
			t.Errorf("events %+v", sending)
		}
	})
}

func TestWhoMayDecideWhat(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		ctx := t.Context()
		g.queue("front", waits(1))
		stranger := administrator()
		stranger.Agency = "county"
		for name, desk := range map[string]*Desk{"operator": g.For(operator()), "another agency": g.For(stranger), "nobody": g.For(nil)} {
			for what, err := range map[string]error{
				"station": desk.SetStationBandwidth(ctx, "north", g.table("daily 00:00-24:00 stop")), "dock": desk.SetDockBandwidth(ctx, "front", g.table("daily 00:00-24:00 stop")),
				"sending": desk.SetSending(ctx, Sending{UrgentOfficers: []string{"1"}}),
			} {
				if !errors.Is(err, auth.ErrForbidden) {
					t.Errorf("%s, %s: %v", name, what, err)
				}
			}
		}
		for what, err := range map[string]error{
			"urgent": g.For(stranger).Urgent(ctx, "front", item(1), true), "move": g.For(stranger).Move(ctx, "front", item(1), First), "order": g.For(stranger).Order(ctx, "front", nil),
		} {
			if !errors.Is(err, auth.ErrForbidden) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := g.For(stranger).Plan(ctx); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("plan: %v", err)
		}
		g.must(g.For(operator()).Urgent(ctx, "front", item(1), true))
		refused := slices.DeleteFunc(g.events(evidence.EventBandwidthSet), func(e evidence.Event) bool { return e.Outcome != evidence.OutcomeRefused })
		if len(refused) != 4 { // two each of the two who were known
			t.Errorf("%d refusals on record, want 4", len(refused))
		}
		if stations, docks, err := g.For(operator()).Tables(); err != nil || len(stations)+len(docks) != 0 {
			t.Errorf("tables %v %v, %v", stations, docks, err)
		}
	})
}

func TestWhatIsNotThereCannotBeDirected(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		desk, ctx := g.For(administrator()), t.Context()
		g.queue("front", waits(1))
		for what, err := range map[string]error{
			"station": desk.SetStationBandwidth(ctx, "mars", nil), "dock": desk.SetDockBandwidth(ctx, "mars", nil), "queue": desk.Order(ctx, "mars", nil),
			"recording": desk.Urgent(ctx, "front", item(9), true), "move": desk.Move(ctx, "front", item(9), Up),
		} {
			if !errors.Is(err, catalog.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, err := range map[string]error{
			"twice": desk.Order(ctx, "front", []evidence.EvidenceID{item(1), item(1)}), "many": desk.Order(ctx, "front", make([]evidence.EvidenceID, 501)),
			"place": desk.Move(ctx, "front", item(1), "sideways"), "weight": desk.SetSending(ctx, Sending{Categories: []Category{{Category: "a", Weight: 101}}}),
			"no weight": desk.SetSending(ctx, Sending{Categories: []Category{{Category: "a"}}}), "name": desk.SetSending(ctx, Sending{UrgentOfficers: []string{"a\nb"}}),
			"same": desk.SetSending(ctx, Sending{UrgentOfficers: []string{"a", "a"}}), "officers": desk.SetSending(ctx, Sending{UrgentOfficers: make([]string, 251)}),
		} {
			if !errors.Is(err, ErrInput) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestAnOrderIsWhatPeopleSaw(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		desk, ctx := g.For(operator()), t.Context()
		marked := waits(9)
		marked.Urgent = true
		g.queue("front", marked, waits(1), waits(2), waits(3), waits(4), waits(5))
		shown := func(want ...byte) {
			t.Helper()
			q, err := desk.Queue(ctx, "front")
			g.must(err)
			var got []byte
			for _, w := range q.Waiting {
				got = append(got, w.ID[15])
			}
			if !slices.Equal(got, want) {
				t.Errorf("queue %v, want %v", got, want)
			}
		}
		shown(9, 1, 2, 3, 4, 5)
		g.must(desk.Move(ctx, "front", item(4), Up))
		shown(9, 1, 2, 4, 3, 5)
		g.must(desk.Move(ctx, "front", item(5), First))
		shown(9, 5, 1, 2, 4, 3)
		g.must(desk.Move(ctx, "front", item(5), Down))
		shown(9, 1, 5, 2, 4, 3)
		g.must(desk.Move(ctx, "front", item(3), Down)) // the last stays
		shown(9, 1, 5, 2, 4, 3)
		g.must(desk.Urgent(ctx, "front", item(2), true))
		shown(9, 2, 1, 5, 4, 3)
		if err := desk.Move(ctx, "front", item(2), Up); !errors.Is(err, ErrInput) {
			t.Errorf("moving an urgent one: %v", err)
		}
		g.must(desk.Urgent(ctx, "front", item(2), false))
		d, _ := g.Direction("north", "front")
		g.must(d.Validate())
		g.must(desk.Order(ctx, "front", []evidence.EvidenceID{item(3)}))
		shown(9, 3, 1, 2, 4, 5)
		g.must(desk.Order(ctx, "front", nil))
		shown(9, 1, 2, 3, 4, 5)
	})
}

func TestMarksOfWhatIsStoredAreDropped(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		ctx := t.Context()
		stored := catalogtest.NewItem(1, time.Now())
		stored.Agency = agency
		waiting := waits(7)
		done := waits(1)
		done.EvidenceId = stored.ID.String()
		g.queue("front", waiting, done)
		desk := g.For(operator())
		g.must(desk.Urgent(ctx, "front", stored.ID, true))
		g.must(desk.Move(ctx, "front", item(7), Down))
		g.run(func() {
			pass(20 * time.Second)
			if m := g.marksOf("front"); len(m.Urgent) != 1 || len(m.Order) != 1 {
				t.Fatalf("before: %+v", m)
			}
			g.must(g.db.Update(ctx, func(tx *sqldb.Tx) error { return tx.InsertItem(ctx, stored) }))
			pass(20 * time.Second)
			if m := g.marksOf("front"); len(m.Urgent) != 1 {
				t.Fatalf("while it is on its way: %+v", m)
			}
			store(g, stored)
			pass(20 * time.Second)
			if m := g.marksOf("front"); len(m.Urgent) != 0 || !slices.Equal(m.Order, []evidence.EvidenceID{item(7)}) {
				t.Errorf("after: %+v", m)
			}
			if d, _ := g.Direction("north", "front"); len(d.GetUrgent()) != 0 || len(d.GetOrder()) != 1 {
				t.Errorf("told %v", d)
			}
		})
	})
}

func TestDecisionsOutliveARestartAndReachOtherServers(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		ctx := t.Context()
		g.sends("front", 1<<30, 0)
		g.run(func() {
			pass(time.Second)
			other := g.service() // another process, such as the command line
			g.must(other.CommandLine().SetDockBandwidth(ctx, "front", g.table("daily 00:00-24:00 3 Mbit/s")))
			g.must(other.CommandLine().SetSending(ctx, Sending{Categories: []Category{{"homicide", 80, true}}}))
			pass(look + time.Second)
			if got := g.limit("front"); got != 3*mbit {
				t.Errorf("limit %d", got)
			}
		})
		g.Service = g.service() // a restart
		if got := g.limit("front"); got != 3*mbit {
			t.Errorf("after a restart: limit %d", got)
		}
		if d, _ := g.Direction("north", "front"); len(d.GetCategories()) != 1 || d.GetCategories()[0].GetWeight() != 80 {
			t.Errorf("after a restart: %v", d)
		}
	})
}

func TestACatalogThatHoldsNonsenseIsNamed(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		ctx := t.Context()
		g.sends("front", 1<<30, 0)
		g.must(g.CommandLine().SetDockBandwidth(ctx, "front", g.table("daily 00:00-24:00 3 Mbit/s")))
		g.must(g.db.Update(ctx, func(tx *sqldb.Tx) error {
			return tx.SetSetting(ctx, &catalog.Setting{Agency: agency, Name: "uplink.dock.front", Value: `{"zone":"UTC","windows":["sometimes"]}`})
		}))
		g.run(func() {
			pass(time.Minute)
			if got := g.limit("front"); got != 3*mbit {
				t.Errorf("a running server keeps what it knew: %d", got)
			}
		})
		if _, err := New(ctx, g.Config); err == nil || !strings.Contains(err.Error(), "uplink.dock.front") || !strings.Contains(err.Error(), "sealdock-ingest settings") {
			t.Errorf("a start: %v", err)
		}
	})
}

func TestARateThatNobodyCanWriteIsRefused(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		odd, err := schedule.Of("UTC", schedule.Window{Days: 1, BytesPerSecond: schedule.MaxRate + 1})
		g.must(err)
		if err := g.CommandLine().SetDockBandwidth(context.WithoutCancel(t.Context()), "front", odd); !errors.Is(err, ErrInput) {
			t.Errorf("%v", err)
		}
	})
}
