package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// A grant on a case reaches what is in it at the moment of asking, clips of that too, and
// nothing else; it is told by the case's number, and outlives the case's closing.
func TestAGrantOnACaseReachesWhatIsInIt(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newOffice(t, db)
		boss := o.Desk(o.actor(o.chief))
		in, out, clip := catalogtest.NewItem(1, o.clock.Now()), catalogtest.NewItem(2, o.clock.Now()), catalogtest.NewItem(3, o.clock.Now())
		clip.Original, clip.Kind = in.ID, evidence.KindDerivative
		set := func(item evidence.EvidenceID, is bool) {
			t.Helper()
			o.must(db.Update(t.Context(), func(tx *sqldb.Tx) error {
				_, err := tx.SetInCase(t.Context(), metro, catalog.CaseItem{Case: "0123456789abcdef", Item: item, AddedAt: o.clock.Now(), AddedBy: "u"}, is)
				return err
			}))
		}
		o.must(db.Update(t.Context(), func(tx *sqldb.Tx) error {
			return errors.Join(tx.InsertItem(t.Context(), in), tx.InsertItem(t.Context(), out), tx.InsertItem(t.Context(), clip),
				tx.PutCase(t.Context(), &catalog.Case{Agency: metro, ID: "0123456789abcdef", Number: "26-1184", Title: "Fire", OpenedAt: o.clock.Now()}))
		}))
		_, session := o.joined("eve", Prosecutor)
		sees := func(item *catalog.Item, do Action, want error) {
			t.Helper()
			if _, err := Find(t.Context(), &db.Reader, o.actor(session), do, metro, item.ID); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", do, err, want)
			}
		}
		var wrong *PersonError
		if _, err := boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "eve", Role: string(Prosecutor), Scope: catalog.OnCase, Value: "26-1185"}); !errors.As(err, &wrong) || wrong.Field != "value" {
			t.Errorf("a case that is not there: %v", err)
		}
		grant, err := boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "eve", Role: string(Prosecutor), Scope: catalog.OnCase, Value: " 26-1184 ", ViewOnly: true, Until: o.clock.Now().Add(20 * time.Minute)})
		o.must(err)
		sees(in, ViewItem, catalog.ErrNotFound)
		set(in.ID, true)
		for _, item := range []*catalog.Item{in, clip} {
			sees(item, PlayItem, nil)
			sees(item, DownloadItem, ErrForbidden)
		}
		sees(out, ViewItem, catalog.ErrNotFound)
		if a := o.actor(session); !May(a, ListCases, Object{Agency: metro, Case: "0123456789abcdef"}) || May(a, ListCases, Object{Agency: metro, Case: "other"}) || May(a, ListCases, Object{Agency: metro}) || May(a, ManageCases, Object{Agency: metro, Case: "0123456789abcdef"}) {
			t.Error("the case itself is within reach as it should not be")
		}
		o.must(db.Update(t.Context(), func(tx *sqldb.Tx) error {
			return tx.EndCase(t.Context(), metro, "0123456789abcdef", o.clock.Now(), "u")
		}))
		sees(in, ViewItem, nil)
		why, err := boss.Why(t.Context(), "eve", clip.ID)
		if err != nil || len(why) != 1 || why[0].On != "case 26-1184" {
			t.Errorf("why: %+v %v", why, err)
		}
		let, err := o.CaseSeers(t.Context(), o.actor(o.chief), "0123456789abcdef")
		if err != nil || len(let) != 1 || let[0].Login != "eve" {
			t.Errorf("who was let in: %+v %v", let, err)
		}
		if _, err := o.CaseSeers(t.Context(), o.actor(session), "0123456789abcdef"); !errors.Is(err, ErrForbidden) {
			t.Errorf("who was let in sees who else was: %v", err)
		}
		set(in.ID, false)
		sees(in, ViewItem, catalog.ErrNotFound)
		sees(clip, ViewItem, catalog.ErrNotFound)
		set(in.ID, true)
		o.must(boss.EndGrant(t.Context(), grant))
		sees(in, ViewItem, ErrForbidden) // nothing at all is within reach
		o.must(boss.RestoreGrant(t.Context(), grant))
		sees(in, ViewItem, nil)
		o.clock.Advance(20*time.Minute - time.Second)
		sees(in, ViewItem, nil)
		o.clock.Advance(time.Second)
		sees(in, ViewItem, ErrForbidden)
	})
}
