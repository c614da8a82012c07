package server

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// people of the tests: two administrators and an operator.
var (
	alba = Credentials{Login: "a.moreno", Password: "quartz lantern meadow 71"}
	ben  = Credentials{Login: "b.lee", Password: "violet anchor prairie 08"}
	oona = Credentials{Login: "o.perez", Password: "copper meadow lantern 33"}
)

func (r *running) employ() {
	r.t.Helper()
	r.requireFactor("nobody")
	err := r.config.withAccounts(r.ctx, time.Now, func(people *auth.Service) error {
		by, from := local()
		for who, role := range map[Credentials]auth.Role{alba: auth.Administrator, ben: auth.Administrator, oona: auth.Operator} {
			if _, err := people.AddUser(r.ctx, auth.Person{Login: who.Login, Name: strings.ToUpper(who.Login), Password: who.Password}, role, by, from); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// requireFactor says of whom a second factor is required.
func (r *running) requireFactor(whom string) {
	r.t.Helper()
	r.inCatalog(func(db *sqldb.DB) error {
		return db.Update(r.ctx, func(tx *sqldb.Tx) error {
			return tx.SetSetting(r.ctx, &catalog.Setting{Agency: "springfield", Name: "auth.factor_required", Value: whom, UpdatedAt: time.Now(), UpdatedBy: "local"})
		})
	})
}

func (r *running) events(kind evidence.EventType) []catalog.EventRow {
	r.t.Helper()
	rows, err := r.catalog().Events(r.ctx, catalog.EventFilter{Agency: "springfield", Type: kind}, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// clean runs fsck and wants so many items whole.
func (r *running) clean(stored int64) {
	r.t.Helper()
	var found strings.Builder
	summary, err := Check(r.ctx, r.config, false, time.Now, func(f fsck.Finding) { found.WriteString(f.String() + "\n") })
	if err != nil || summary.Problems != 0 || int64(summary.Stored) != stored {
		r.t.Errorf("fsck: %+v, %v\n%s", summary, err, found.String())
	}
}

// TestAnAgencysKeyIsReplacedWhileDocksUpload is the life of a rotation: the server
// runs, an old dock goes on under the key that it was told, what it sends is kept
// under the new one; a new dock gets the new one; the old key is destroyed when
// nothing stands on it, by two people.
func TestAnAgencysKeyIsReplacedWhileDocksUpload(t *testing.T) {
	r := newServer(t)
	r.employ()
	r.start()
	old := r.enrol("front-desk")
	connection := r.mustConnect(old)
	before := old.Record(t, "A.MP4", footage(1<<20+9))
	answer, err := connection.Upload(r.ctx, before)
	if err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, old, before, answer)
	halfway := old.Record(t, "B.MP4", footage(4<<20))
	half, _, err := connection.Offer(r.ctx, halfway)
	if err != nil {
		t.Fatal(err)
	}
	if err := half.Send(halfway, 0, 2); err != nil {
		t.Fatal(err)
	}
	if err := half.Await(2); err != nil {
		t.Fatal(err)
	}

	summary, err := RotateKeys(r.ctx, r.config, false, r.logger(), time.Now, nil)
	if err != nil || !summary.Made || summary.Rewrapped != 2 {
		t.Fatalf("%+v, %v", summary, err)
	}

	// What was under way goes on; what comes next is kept under the new key.
	if err := half.Send(halfway, 2, 4); err != nil {
		t.Fatal(err)
	}
	if answer, err = half.Finish(); err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, old, halfway, answer)
	connection = r.mustConnect(old)
	if !bytes.Equal(connection.Welcome.GetAgencyPublicKey(), old.answer.AgencyKey) {
		t.Error("the old dock is told another key than it was enrolled with: it would not know this server again")
	}
	after := old.Record(t, "C.MP4", footage(1<<20))
	if answer, err = connection.Upload(r.ctx, after); err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, old, after, answer)
	fresh := r.enrol("back-door")
	if bytes.Equal(fresh.answer.AgencyKey, old.answer.AgencyKey) {
		t.Error("a new dock was told the old key")
	}
	if w := r.mustConnect(fresh).Welcome; !bytes.Equal(w.GetAgencyPublicKey(), fresh.answer.AgencyKey) {
		t.Error("the new dock is told two keys")
	}
	states, err := KeyStates(r.ctx, r.config, time.Now)
	if err != nil || len(states) != 2 || states[0].Wrapped != 0 || states[0].Docks != 1 || states[1].Wrapped != 3 || states[1].Docks != 1 || !states[1].Newest {
		t.Fatalf("%+v, %v", states, err)
	}

	retire := func(words string, requester, approver Credentials) {
		t.Helper()
		if err := RetireKey(r.ctx, r.config, states[0].ID, requester, approver, time.Now); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("retiring: %v, want words like %q", err, words)
		}
	}
	retire("1 docks still wrap", alba, ben)
	if err := r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error { return tx.SetDockEnabled(r.ctx, "springfield", "front-desk", false) }); err != nil {
		t.Fatal(err)
	}
	retire("takes two", alba, alba)
	retire("signing in b.lee", alba, Credentials{Login: "b.lee", Password: "not the password of ben"})
	retire("role", alba, oona)
	if got := r.events(evidence.EventKeyRetired); len(got) != 0 {
		t.Errorf("%d retirements are on record, none took place", len(got))
	}
	if err := RetireKey(r.ctx, r.config, states[1].ID, alba, ben, time.Now); err == nil {
		t.Error("the newest key was retired")
	}
	if err := RetireKey(r.ctx, r.config, states[0].ID, alba, ben, time.Now); err != nil {
		t.Fatal(err)
	}
	if got := r.events(evidence.EventKeyRetired); len(got) != 1 || !bytes.Contains(got[0].JSON, []byte("A.MORENO")) || !bytes.Contains(got[0].JSON, []byte("B.LEE")) {
		t.Errorf("the retirement does not name both people: %d events", len(got))
	}
	if left, err := filepath.Glob(filepath.Join(r.config.keyDir(), "*agency-*")); err != nil || len(left) != 1 {
		t.Errorf("key files left: %v, %v", left, err)
	}
	r.clean(3)

	// A dock that was told the retired key is sent to be enrolled again.
	if err := r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error { return tx.SetDockEnabled(r.ctx, "springfield", "front-desk", true) }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.connect(old); code(err) != upload.CodeUnknownDevice {
		t.Errorf("a dock with a retired key: %v", err)
	}
	again := r.enrol("front-desk")
	last := again.Record(t, "D.MP4", footage(1<<20))
	if answer, err = r.mustConnect(again).Upload(r.ctx, last); err != nil {
		t.Fatal(err)
	}
	checkReceipt(t, again, last, answer)
	// What such a dock still has under the retired key is read from the camera again.
	stale := again.Record(t, "E.MP4", footage(1<<20))
	wrapTo(t, stale.Offer, old.answer.AgencyKey)
	if _, _, err := r.mustConnect(again).Offer(r.ctx, stale); code(err) != upload.CodeConflict {
		t.Errorf("an offer under a retired key: %v", err)
	}
	r.end()
	r.clean(4)
}

// wrapTo puts another wrapped key into an offer.
func wrapTo(t *testing.T, offer *upload.Offer, public []byte) {
	t.Helper()
	key, err := seal.ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if offer.WrappedKey, err = seal.Wrap(key, secret, nil); err != nil {
		t.Fatal(err)
	}
}

func TestADataFolderFromBeforeGenerationsIsTakenAsTheFirst(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	rec := d.Record(t, "A.MP4", footage(1<<20))
	if _, err := r.mustConnect(d).Upload(r.ctx, rec); err != nil {
		t.Fatal(err)
	}
	r.end()
	// As a server left it that did not note keys.
	db := catalogtest.Raw(t, r.config.catalogURL(), r.catalogSecret())
	for _, table := range []string{"offers", "docks"} {
		if _, err := db.ExecContext(r.ctx, "UPDATE "+table+" SET agency_key = ''"); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.mustConnect(d)
	if states, err := KeyStates(r.ctx, r.config, time.Now); err != nil || len(states) != 1 || states[0].Wrapped != 1 || states[0].Docks != 1 {
		t.Errorf("%+v, %v", states, err)
	}
	if summary, err := RotateKeys(r.ctx, r.config, false, r.logger(), time.Now, nil); err != nil || summary.Rewrapped != 1 {
		t.Errorf("%+v, %v", summary, err)
	}
	r.mustConnect(d)
	if _, err := RotateKeys(r.ctx, r.config, false, r.logger(), time.Now, nil); err != nil {
		t.Error(err)
	}
	if states, err := KeyStates(r.ctx, r.config, time.Now); err != nil || len(states) != 3 || states[0].Docks != 1 || states[2].Wrapped != 1 || states[2].Number != 3 {
		t.Errorf("%+v, %v", states, err)
	}
	r.end()
	r.clean(1)
	if err := RetireKey(r.ctx, r.config, keys.ID(strings.Repeat("0", 32)), alba, ben, time.Now); err == nil {
		t.Error("a key that does not exist was retired")
	}
}
