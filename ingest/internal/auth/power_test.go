package auth

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/proto/evidence"
)

const metro = catalogtest.Agency

// engines runs a test on a fresh catalog of each engine.
func engines(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	open := func(address string) func(*testing.T) {
		return func(t *testing.T) {
			db, err := sqldb.Open(t.Context(), address, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			test(t, db)
		}
	}
	t.Run("sqlite", open("sqlite:"+filepath.Join(t.TempDir(), "catalog.db")))
	t.Run("postgres", open(postgres.Start(t).Database(t)))
}

// For random roles, groups, grants, people and items, what May allows of a single item
// is what the list's SQL holds, item for item.
func TestTheListAndTheDecisionAgree(t *testing.T) {
	stations, categories, badges := []string{"north", "south", "pier"}, []string{"", "traffic", "use of force", "Traffic"}, []string{"", "B1", "B2", "B3"}
	engines(t, func(t *testing.T, db *sqldb.DB) {
		round, compared, shown, alertsCompared, alertsShown := 0, 0, 0, 0, 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			agency := evidence.AgencyID(fmt.Sprintf("agency-%d", round))
			ctx := context.Background()
			var items []*catalog.Item
			pick := func(what string, from []string) string { return rapid.SampledFrom(from).Draw(t, what) }
			for n := range rapid.IntRange(1, 8).Draw(t, "items") {
				i := catalogtest.NewItem(round*100+n, time.Now())
				i.Agency, i.Station, i.Category = agency, evidence.StationID(pick("station", stations)), pick("category", categories)
				i.OfficerID, i.WearerID, i.Wearer = pick("claimed", badges), pick("wearer", badges), ""
				if i.WearerID != "" || rapid.Bool().Draw(t, "named") {
					i.Wearer = "Somebody"
				}
				if n > 0 && rapid.Bool().Draw(t, "derived") {
					i.Original, i.Kind = items[0].ID, evidence.KindDerivative
				}
				items = append(items, i)
			}
			// Items are in any number of cases; one of these is closed, and holds all the same.
			var gathered []catalog.CaseItem
			caseIDs := []string{fmt.Sprint("k1-", round), fmt.Sprint("k2-", round), fmt.Sprint("k3-", round)}
			for _, i := range items {
				for _, id := range caseIDs {
					if rapid.IntRange(0, 2).Draw(t, "gathered") == 0 {
						gathered = append(gathered, catalog.CaseItem{Case: id, Item: i.ID, AddedAt: time.Now(), AddedBy: "v"})
					}
				}
			}
			p := &catalog.Powers{Officers: map[string]string{"u": pick("badge", badges), "v": "B3"}}
			p.Groups = []catalog.Group{{ID: "g1", Name: "one"}, {ID: "g2", Name: "two"}}
			for _, g := range []string{"g1", "g2"} {
				for _, u := range []string{"u", "v"} {
					if rapid.Bool().Draw(t, "member") {
						p.Members = append(p.Members, catalog.Member{Group: g, User: u})
					}
				}
			}
			roles := []string{"officer", "investigator", "operator", "auditor", "empty", "gone"}
			p.Roles = []catalog.Role{{ID: "empty", Name: "empty"}}
			for n := range rapid.IntRange(0, 5).Draw(t, "grants") {
				g := catalog.Grant{ID: fmt.Sprint(n), Role: pick("role", roles), ViewOnly: rapid.Bool().Draw(t, "view only"),
					Holder: rapid.SampledFrom([]catalog.Holder{catalog.ToPerson, catalog.ToGroup, catalog.ToRole}).Draw(t, "holder"),
					Scope:  rapid.SampledFrom([]catalog.Scope{catalog.OnAgency, catalog.OnStation, catalog.OnGroup, catalog.OnCategory, catalog.OnOwn, catalog.OnCase, catalog.OnCase, catalog.OnItem}).Draw(t, "scope")}
				g.HolderID = map[catalog.Holder]string{catalog.ToPerson: pick("who", []string{"u", "v"}), catalog.ToGroup: pick("to", []string{"g1", "g2"}), catalog.ToRole: pick("to", roles)}[g.Holder]
				switch g.Scope {
				case catalog.OnStation:
					g.Value = pick("where", stations)
				case catalog.OnGroup:
					g.Value = pick("of", []string{"g1", "g2", "g3"})
				case catalog.OnCategory:
					g.Value = pick("of", categories)
				case catalog.OnCase:
					g.Value = pick("gathered in", append(caseIDs, ""))
				case catalog.OnItem:
					g.Value = items[rapid.IntRange(0, len(items)-1).Draw(t, "which")].ID.String()
				}
				if rapid.IntRange(0, 3).Draw(t, "ends") == 0 {
					g.Until = time.Now().Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "when")) * time.Hour)
				}
				if rapid.IntRange(0, 3).Draw(t, "narrow") == 0 {
					g.Networks = []string{pick("from", []string{"10.0.0.0/8", "192.0.2.0/24", "::/0"})}
				}
				p.Grants = append(p.Grants, g)
			}
			user := &catalog.User{ID: "u", Agency: agency, Role: pick("account", roles), OfficerID: p.Officers["u"]}
			actor := &Actor{User: "u", Agency: agency, Powers: newBook(merged(p, agency)).of(user, circumstances{at: time.Now(), address: "10.1.2.3"})}
			if err := db.Update(ctx, func(tx *sqldb.Tx) error {
				for _, i := range items {
					if err := tx.InsertItem(ctx, i); err != nil {
						return err
					}
					a := &catalog.Alert{Agency: agency, Code: catalog.AlertDamaged, Object: evidence.ItemObject(i.ID), LastAt: time.Now()}
					if _, err := tx.RaiseAlert(ctx, a); err != nil {
						return err
					}
				}
				for n, id := range caseIDs {
					c := &catalog.Case{Agency: agency, ID: id, Number: id, Title: id, OpenedAt: time.Now()}
					if n == 2 {
						c.ClosedAt = time.Now()
					}
					if err := tx.PutCase(ctx, c); err != nil {
						return err
					}
				}
				for _, m := range gathered {
					if _, err := tx.SetInCase(ctx, agency, m, true); err != nil {
						return err
					}
				}
				_, err := tx.RaiseAlert(ctx, &catalog.Alert{Agency: agency, Code: catalog.AlertStoreFull, Object: "server:store", LastAt: time.Now()})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			for _, do := range []Action{ListAlerts, AcknowledgeAlert} {
				all, err := db.Alerts(ctx, catalog.AlertFilter{Agency: agency}, 0)
				if err != nil {
					t.Fatal(err)
				}
				within, err := db.Alerts(ctx, catalog.AlertFilter{Agency: agency, Within: ReachOf(actor, do, agency)}, 0)
				if err != nil {
					t.Fatal(err)
				}
				n, err := db.CountAlerts(ctx, catalog.AlertFilter{Agency: agency, Within: ReachOf(actor, do, agency)})
				if err != nil || n != int64(len(within)) || len(all) != len(items)+1 {
					t.Fatalf("%d alerts of %d are listed, %d are counted: %v", len(within), len(all), n, err)
				}
				for _, a := range all {
					listed := slices.ContainsFunc(within, func(l catalog.Alert) bool { return l.ID == a.ID })
					if May(actor, do, StationObject(agency, a.Station)) != listed {
						t.Fatalf("%s: the list says %v of an alert of station %q; grants %+v", do, listed, a.Station, p.Grants)
					}
					alertsCompared++
					if listed {
						alertsShown++
					}
				}
			}
			for _, do := range []Action{ListItems, ViewItem, DownloadItem, ManageKeys} {
				page, err := db.Items(ctx, catalog.ItemFilter{Agency: agency, Within: ReachOf(actor, do, agency)}, "", "", 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, made := range items {
					i, err := db.ItemRow(ctx, agency, made.ID) // as whoever decides reads it
					if err != nil {
						t.Fatal(err)
					}
					for _, m := range gathered {
						if (m.Item == i.ID || m.Item == i.Original) && !slices.Contains(i.Cases, m.Case) {
							t.Fatalf("%s is not in case %s, but in %q", i.ID, m.Case, i.Cases)
						}
					}
					listed := slices.ContainsFunc(page.Items, func(l catalog.Item) bool { return l.ID == i.ID })
					if May(actor, do, ItemObject(i)) != listed {
						t.Fatalf("%s: the list says %v of an item of station %q, category %q, wearer %q, claimed %q, cases %q; grants %+v", do, listed, i.Station, i.Category, i.WearerID, i.OfficerID, i.Cases, p.Grants)
					}
					compared++
					if listed {
						shown++
					}
				}
			}
		})
		t.Logf("%d answers compared in %d rounds, %d of them yes; %d about alerts, %d yes", compared, round, shown, alertsCompared, alertsShown)
		if shown == 0 || shown == compared || alertsShown == 0 || alertsShown == alertsCompared {
			t.Error("only one answer was ever given")
		}
	})
}

// office is a Service with a first administrator on a catalog of either engine.
type office struct {
	*testing.T
	*Service
	db    *sqldb.DB
	clock *catalogtest.Clock
	chief string // session
}

func newOffice(t *testing.T, db *sqldb.DB) *office {
	t.Helper()
	o := &office{T: t, db: db, clock: catalogtest.NewClock()}
	var err error
	o.Service, err = New(Config{Catalog: db, Agency: metro, Pepper: make([]byte, PepperSize), HashesAtOnce: 2, Now: o.clock.Now})
	o.must(err)
	o.hasher.rounds = 10
	o.must(db.Update(t.Context(), func(tx *sqldb.Tx) error { // powers are looked at, not factors
		return tx.SetSetting(t.Context(), &catalog.Setting{Agency: metro, Name: settingRequired, Value: "nobody", UpdatedAt: o.clock.Now(), UpdatedBy: "local"})
	}))
	token, err := o.NewSetupToken(t.Context())
	o.must(err)
	o.chief, err = o.SetUp(t.Context(), token, Person{Login: "chief", Name: "Alba Moreno", Password: password}, Origin{Address: "192.0.2.1"})
	o.must(err)
	return o
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func (o *office) actor(session string) *Actor {
	o.Helper()
	a, err := o.Actor(o.Context(), session, Origin{Address: "192.0.2.1"})
	o.must(err)
	return a
}

// joined invites a person, who takes the account and signs in.
func (o *office) joined(login string, role Role) (id, session string) {
	o.Helper()
	id, token, err := o.Desk(o.actor(o.chief)).Invite(o.Context(), NewPerson{Login: login, Name: "Person " + login, Role: role})
	o.must(err)
	o.must(o.Join(o.Context(), token, password, Origin{Address: "192.0.2.9"}))
	session, err = o.SignIn(o.Context(), login, password, "", Origin{Address: "192.0.2." + fmt.Sprint(len(login)+20)})
	o.must(err)
	return id, session
}

func (o *office) events(kind evidence.EventType, outcome evidence.Outcome) (n int) {
	o.Helper()
	rows, err := o.db.Events(o.Context(), catalog.EventFilter{Agency: metro, Type: kind}, 500)
	o.must(err)
	for _, row := range rows {
		if strings.Contains(string(row.JSON), `"outcome":"`+string(outcome)+`"`) {
			n++
		}
	}
	return n
}

func TestAChangeOfPowersCountsFromTheNextRequestOn(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newOffice(t, db)
		id, session := o.joined("eve", Investigator)
		boss := o.Desk(o.actor(o.chief))
		all := Object{Agency: metro}
		may := func(want bool, do Action) {
			t.Helper()
			if got := May(o.actor(session), do, all); got != want {
				t.Errorf("may %s: %v, want %v", do, got, want)
			}
		}
		may(false, ViewItem) // the role is shipped without a grant
		grant, err := boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "eve", Role: string(Investigator), Scope: catalog.OnAgency, ViewOnly: true})
		o.must(err)
		may(true, ViewItem)
		may(false, DownloadItem) // only to look
		o.must(boss.EndGrant(t.Context(), grant))
		may(false, ViewItem)
		o.must(boss.RestoreGrant(t.Context(), grant))
		may(true, ViewItem)

		group, err := boss.PutGroup(t.Context(), "", "Homicide")
		o.must(err)
		_, err = boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToGroup, HolderID: group, Role: string(Operator), Scope: catalog.OnAgency})
		o.must(err)
		may(false, DownloadItem)
		o.must(boss.SetMember(t.Context(), group, id, true))
		may(true, DownloadItem)
		_, err = boss.PutRole(t.Context(), string(Operator), "Ingest operator", "", []string{string(ListItems)})
		o.must(err)
		may(false, DownloadItem)
		may(true, ListItems)

		// A condition on where from.
		_, err = boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "eve", Role: string(Auditor), Scope: catalog.OnAgency, Networks: []string{"203.0.113.9/24"}, Until: o.clock.Now().Add(time.Minute)})
		o.must(err)
		may(false, ListAccounts)
		inside, err := o.Actor(t.Context(), session, Origin{Address: "203.0.113.77"})
		o.must(err)
		if !May(inside, ListAccounts, all) {
			t.Error("the network of the grant was not believed")
		}
		o.clock.Advance(time.Minute)
		inside, err = o.Actor(t.Context(), session, Origin{Address: "203.0.113.77"})
		o.must(err)
		if May(inside, ListAccounts, all) {
			t.Error("a grant outlived its end")
		}

		o.must(boss.Disable(t.Context(), id))
		if _, err := o.Actor(t.Context(), session, Origin{}); !errors.Is(err, ErrNoSession) {
			t.Errorf("a disabled person goes on: %v", err)
		}
		o.must(boss.Enable(t.Context(), id))
		if _, err := o.Actor(t.Context(), session, Origin{}); !errors.Is(err, ErrNoSession) {
			t.Errorf("an old session came back: %v", err)
		}
		for kind, want := range map[evidence.EventType]int{evidence.EventGrantMade: 4, evidence.EventGrantEnded: 1, evidence.EventGroupChanged: 2, evidence.EventRoleChanged: 1,
			evidence.EventUserInvited: 1, evidence.EventUserJoined: 1, evidence.EventUserDisabled: 1, evidence.EventUserEnabled: 1} {
			if n := o.events(kind, evidence.OutcomeDone); n != want {
				t.Errorf("%d events %s, want %d", n, kind, want)
			}
		}
	})
}

func TestWhySomebodySeesAnItemIsSaid(t *testing.T) {
	o := newOffice(t, openSQLite(t))
	boss := o.Desk(o.actor(o.chief))
	item := catalogtest.NewItem(1, o.clock.Now())
	item.WearerID, item.Wearer = "B777", "Grace"
	o.must(o.db.Update(t.Context(), func(tx *sqldb.Tx) error { return tx.InsertItem(t.Context(), item) }))
	officer, _, err := boss.Invite(t.Context(), NewPerson{Login: "grace", Name: "Grace Müller", Role: Officer, OfficerID: "B777"})
	o.must(err)
	lead, _, err := boss.Invite(t.Context(), NewPerson{Login: "lead", Name: "Lee Ad", Role: Supervisor})
	o.must(err)
	group, err := boss.PutGroup(t.Context(), "", "Patrol A")
	o.must(err)
	o.must(boss.SetMember(t.Context(), group, officer, true))
	leads, err := boss.PutGroup(t.Context(), "", "Leads")
	o.must(err)
	o.must(boss.SetMember(t.Context(), leads, lead, true))
	_, err = boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToGroup, HolderID: leads, Role: string(Supervisor), Scope: catalog.OnGroup, Value: group, ViewOnly: true})
	o.must(err)
	seers, more, err := boss.WhoSees(t.Context(), item.ID, 10)
	o.must(err)
	var said []string
	for _, s := range seers {
		for _, w := range s.Because {
			said = append(said, s.Login+": "+w.Role+" on "+w.On+" through "+w.Through+" "+strings.Join(w.Conditions, ", "))
		}
	}
	want := []string{
		"chief: Administrator on the whole agency through the role Administrator ",
		"grace: Officer on their own recordings through the role Officer ",
		"lead: Supervisor on recordings of the group Patrol A through the group Leads only to look",
	}
	if more || !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
	why, err := boss.Why(t.Context(), "lead", item.ID)
	if err != nil || len(why) != 1 || why[0].Through != "the group Leads" {
		t.Errorf("why: %+v %v", why, err)
	}
	p, err := boss.Person(t.Context(), "GRACE")
	o.must(err)
	if p.Standing != Invited || p.Password != "" || !slices.Equal(p.May[1].On, []string{"their own recordings"}) || len(p.May[len(p.May)-1].On) != 0 {
		t.Errorf("%+v", p)
	}
	o.clock.Advance(DefaultPolicy().Dormant + time.Hour)
	if p, err = boss.Person(t.Context(), officer); err != nil || !p.Dormant {
		t.Errorf("not dormant: %v", err)
	}
}

func TestAnInvitationMakesOnePasswordOnce(t *testing.T) {
	o := newOffice(t, openSQLite(t))
	boss := o.Desk(o.actor(o.chief))
	id, token, err := boss.Invite(t.Context(), NewPerson{Login: "jo", Name: "Jo Doe", Role: Officer})
	o.must(err)
	if _, err := o.SignIn(t.Context(), "jo", "", "", Origin{Address: "192.0.2.40"}); !errors.Is(err, ErrSignIn) {
		t.Errorf("without a password: %v", err)
	}
	var wrong *PersonError
	if err := o.Join(t.Context(), token, "short", Origin{}); !errors.As(err, &wrong) || wrong.Field != "password" {
		t.Errorf("a short password: %v", err)
	}
	again, err := boss.InviteAgain(t.Context(), id)
	o.must(err)
	if err := o.Join(t.Context(), token, password, Origin{}); !errors.Is(err, ErrInvitation) {
		t.Errorf("a former link: %v", err)
	}
	if err := o.Join(t.Context(), again, password, Origin{}); err != nil {
		t.Fatal(err)
	}
	if err := o.Join(t.Context(), again, password+" two", Origin{}); !errors.Is(err, ErrInvitation) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := boss.InviteAgain(t.Context(), id); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("inviting somebody who is here: %v", err)
	}
	chief := boss.actor
	_, late, err := boss.Invite(t.Context(), NewPerson{Login: "late", Name: "Late", Role: Officer})
	o.must(err)
	o.clock.Advance(InviteLife)
	chief.FactorAt = o.clock.Now() // they have just confirmed
	if err := o.Join(t.Context(), late, password, Origin{}); !errors.Is(err, ErrInvitation) {
		t.Errorf("after 72 hours: %v", err)
	}
	for _, bad := range []NewPerson{{Login: "jo", Name: "Twin", Role: Officer}, {Login: "y", Name: "Y", Role: Officer}, {Login: "yy", Name: "", Role: Officer}, {Login: "yy", Name: "Y", Role: "king"}} {
		if _, _, err := o.Desk(chief).Invite(t.Context(), bad); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func openSQLite(t testing.TB) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// BenchmarkActor is what each request pays to know who asks and what they may do.
func BenchmarkActor(b *testing.B) {
	for _, people := range []int{1, 1000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			db := openSQLite(b)
			clock := catalogtest.NewClock()
			s, err := New(Config{Catalog: db, Agency: metro, Pepper: make([]byte, PepperSize), HashesAtOnce: 2, Now: clock.Now})
			if err != nil {
				b.Fatal(err)
			}
			user := &catalog.User{ID: "u", Agency: metro, Login: "u", Name: "U", Role: string(Operator), CreatedAt: clock.Now()}
			token, session := s.newSession(b.Context(), user, Origin{})
			if err := db.Update(b.Context(), func(tx *sqldb.Tx) error {
				for n := range people {
					g := &catalog.Grant{Agency: metro, ID: fmt.Sprint(n), Holder: catalog.ToPerson, HolderID: fmt.Sprint("u", n%max(people/10, 1)), Role: string(Investigator), Scope: catalog.OnStation, Value: "north"}
					if n%10 == 0 {
						g.HolderID = "u"
					}
					if err := tx.InsertGrant(b.Context(), g); err != nil {
						return err
					}
				}
				if err := tx.InsertUser(b.Context(), user); err != nil {
					return err
				}
				return s.insertSession(b.Context(), tx, user, session, Origin{})
			}); err != nil {
				b.Fatal(err)
			}
			b.Run("compiled", func(b *testing.B) {
				shelf, err := s.bookAt(b.Context(), 0)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					shelf.of(user, circumstances{at: clock.Now()})
				}
			})
			b.Run("request", func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Peek(b.Context(), token, Origin{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
