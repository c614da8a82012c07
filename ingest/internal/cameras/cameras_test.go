package cameras_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

const agency = catalogtest.Agency

// sizes is a vault that knows only how long its blobs are.
type sizes map[evidence.EvidenceID]int64

func (s sizes) Open(_ context.Context, key vault.Key) (vault.Blob, error) {
	size, ok := s[key.ID]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return blob(size), nil
}

type blob int64

func (b blob) ReadAt([]byte, int64) (int, error) {
	return 0, errors.New("completeness reads no contents")
}
func (b blob) Size() int64       { return int64(b) }
func (b blob) FromMedium() error { return nil }
func (b blob) Close() error      { return nil }

// desk is a Service with a camera of one pending key.
type desk struct {
	*testing.T
	*cameras.Service
	db       *sqldb.DB
	clock    *catalogtest.Clock
	blobs    sizes
	key      []byte
	operator *auth.Actor
	chief    *auth.Actor // administrator
}

func newDesk(t *testing.T) *desk {
	clock := catalogtest.NewClock()
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &desk{T: t, db: db, clock: clock, blobs: sizes{}, key: ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey),
		operator: &auth.Actor{User: "u-operator", Agency: agency, Role: auth.Operator, Powers: auth.ShippedPowers(auth.Operator), Origin: auth.Origin{Address: "192.0.2.9"}},
		chief:    &auth.Actor{User: "u-chief", Agency: agency, Role: auth.Administrator, Powers: auth.ShippedPowers(auth.Administrator)}}
	d.Service = cameras.New(cameras.Config{Catalog: db, Blobs: d.blobs, Agency: agency, Now: clock.Now, Log: slog.New(slog.DiscardHandler),
		Certify: func(serial string, _ []byte) ([]byte, error) { return []byte("certificate of " + serial), nil }})
	d.update(func(tx *sqldb.Tx) error {
		ctx := t.Context()
		if err := tx.CameraSeen(ctx, &catalog.Camera{Agency: agency, Serial: "CAM-1", LastSeenAt: clock.Now(), LastDock: "front-desk"}); err != nil {
			return err
		}
		if _, err := tx.CameraKeySeen(ctx, &catalog.CameraKey{Agency: agency, Camera: "CAM-1", Key: d.key, LastSeenAt: clock.Now(), Standing: catalog.StandingPending}); err != nil {
			return err
		}
		return tx.SetCameraStanding(ctx, agency, "CAM-1", catalog.StandingPending, d.key)
	})
	d.raise(catalog.AlertCode(evidence.FoundKeyUnknown))
	return d
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) update(fn func(tx *sqldb.Tx) error) {
	d.Helper()
	d.must(d.db.Update(d.Context(), fn))
}

func (d *desk) raise(code catalog.AlertCode) string {
	a := &catalog.Alert{Agency: agency, Code: code, Severity: catalog.SeverityWarning, Object: "camera:CAM-1", Message: "look", LastAt: d.clock.Now()}
	d.update(func(tx *sqldb.Tx) error { _, err := tx.RaiseAlert(d.Context(), a); return err })
	return a.ID
}

// events returns the events of a type, newest first.
func (d *desk) events(kind evidence.EventType) (found []evidence.Event) {
	d.Helper()
	rows, err := d.db.Events(d.Context(), catalog.EventFilter{Agency: agency, Type: kind}, 0)
	d.must(err)
	for _, row := range rows {
		var e evidence.Event
		d.must(evidence.Decode(row.JSON, &e))
		found = append(found, e)
	}
	return found
}

func (d *desk) is(err, want error) {
	d.Helper()
	if !errors.Is(err, want) {
		d.Errorf("got %v, want %v", err, want)
	}
}

func TestApprovingAKey(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	d.must(d.For(d.chief).Approve(ctx, "CAM-1", evidence.Digest{}, "bought in May"))
	page, err := d.For(d.operator).Camera(ctx, "CAM-1")
	d.must(err)
	k := page.Keys[0]
	if k.Standing != catalog.StandingApproved || k.DecidedBy != "u-chief" || k.Reason != "bought in May" || string(k.Certificate) != "certificate of CAM-1" || page.Camera.Standing != catalog.StandingApproved {
		t.Errorf("key %+v of camera %+v", k, page.Camera)
	}
	if n, err := d.For(d.operator).OpenAlerts(ctx); n != 0 || err != nil {
		t.Errorf("%d alerts still wait, %v", n, err)
	}
	e := d.events(evidence.EventCameraApproved)
	if len(e) != 1 || e[0].Actor.ID != "u-chief" || e[0].Object != "camera:CAM-1" || e[0].Details["key_sha256"] != evidence.KeyID(d.key).String() {
		t.Errorf("events %+v", e)
	}
	d.is(d.For(d.chief).Approve(ctx, "CAM-1", evidence.Digest{}, ""), catalog.ErrNotFound) // none waits any more
	d.must(d.For(d.chief).Block(ctx, "CAM-1", evidence.KeyID(d.key), "stolen"))
	page, err = d.For(d.operator).Camera(ctx, "CAM-1")
	d.must(err)
	if page.Keys[0].Standing != catalog.StandingBlocked || page.Camera.Standing != catalog.StandingBlocked {
		t.Errorf("after blocking: %+v", page.Keys[0])
	}
	d.is(d.For(d.chief).Block(ctx, "CAM-1", evidence.Digest{7}, ""), catalog.ErrNotFound)
}

func TestTwoKeysThatWaitAreNotGuessed(t *testing.T) {
	d := newDesk(t)
	d.update(func(tx *sqldb.Tx) error {
		_, err := tx.CameraKeySeen(t.Context(), &catalog.CameraKey{Agency: agency, Camera: "CAM-1", Key: make([]byte, 32), LastSeenAt: d.clock.Now(), Standing: catalog.StandingPending})
		return err
	})
	d.is(d.CommandLine().Approve(t.Context(), "CAM-1", evidence.Digest{}, ""), cameras.ErrInput)
	d.must(d.CommandLine().Approve(t.Context(), "CAM-1", evidence.KeyID(d.key), ""))
}

func TestAnApprovalWithoutCertificateIsNone(t *testing.T) {
	d := newDesk(t)
	d.Service.Certify = func(string, []byte) ([]byte, error) { return nil, errors.New("the key is locked") }
	if err := d.For(d.chief).Approve(t.Context(), "CAM-1", evidence.Digest{}, ""); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Fatalf("got %v", err)
	}
	if e := d.events(evidence.EventCameraApproved); len(e) != 0 {
		t.Errorf("events %+v", e)
	}
}

// Each act, for whom it is not: refused, and on record.
func TestRightsAreAskedAndDenialsRecorded(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	nobody := &auth.Actor{User: "u-x", Agency: agency, Role: "none"}
	foreign := &auth.Actor{User: "u-y", Agency: "county", Role: auth.Administrator, Powers: auth.ShippedPowers(auth.Administrator)}
	for _, c := range []struct {
		who  *auth.Actor
		kind evidence.EventType
		act  func(*cameras.Desk) error
	}{
		{d.operator, evidence.EventCameraApproved, func(k *cameras.Desk) error { return k.Approve(ctx, "CAM-1", evidence.Digest{}, "") }},
		{d.operator, evidence.EventCameraBlocked, func(k *cameras.Desk) error { return k.Block(ctx, "CAM-1", evidence.Digest{}, "") }},
		{d.operator, evidence.EventCameraSettled, func(k *cameras.Desk) error {
			_, err := k.Settle(ctx, "CAM-1", cameras.Entry{Number: 1}, "x")
			return err
		}},
		{d.operator, evidence.EventCameraBegun, func(k *cameras.Desk) error { return k.Begin(ctx, "CAM-1", 1, "x") }},
		{d.operator, evidence.EventCameraHoldEnded, func(k *cameras.Desk) error { return k.EndHold(ctx, "CAM-1", "x") }},
		{nobody, evidence.EventCameraHeld, func(k *cameras.Desk) error { return k.Hold(ctx, "CAM-1", "x") }},
		{nobody, evidence.EventCameraAssigned, func(k *cameras.Desk) error {
			return k.Assign(ctx, "CAM-1", "Ada", "", time.Time{}, time.Time{}, false)
		}},
		{nobody, evidence.EventCameraUnassigned, func(k *cameras.Desk) error { return k.Unassign(ctx, "CAM-1", time.Time{}) }},
		{nobody, evidence.EventAlertAcknowledged, func(k *cameras.Desk) error { return k.Acknowledge(ctx, "x", "") }},
	} {
		for _, who := range []*auth.Actor{c.who, foreign, nil} {
			d.is(c.act(d.For(who)), auth.ErrForbidden)
		}
		e := d.events(c.kind)
		if len(e) != 2 || e[1].Outcome != evidence.OutcomeRefused || e[1].Actor.ID != c.who.User {
			t.Errorf("%s: events %+v", c.kind, e)
		}
	}
	for _, who := range []*auth.Actor{nobody, foreign, nil} {
		_, err := d.For(who).Cameras(ctx)
		d.is(err, auth.ErrForbidden)
		_, err = d.For(who).Camera(ctx, "CAM-1")
		d.is(err, auth.ErrForbidden)
		_, err = d.For(who).Alerts(ctx, catalog.AlertFilter{}, 0)
		d.is(err, auth.ErrForbidden)
		_, err = d.For(who).OpenAlerts(ctx)
		d.is(err, auth.ErrForbidden)
		_, err = d.For(who).Completeness(ctx, "")
		d.is(err, auth.ErrForbidden)
	}
}

func TestHoldsNeedAReasonAndAreRecorded(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	d.is(d.For(d.operator).Hold(ctx, "CAM-1", ""), cameras.ErrInput)
	d.is(d.For(d.operator).Hold(ctx, "CAM-1", "line\nbreak"), cameras.ErrInput)
	d.is(d.For(d.operator).Hold(ctx, "CAM-9", "case 7"), catalog.ErrNotFound)
	d.must(d.For(d.operator).Hold(ctx, "CAM-1", "case 7"))
	all, err := d.For(d.operator).Cameras(ctx)
	d.must(err)
	if len(all) != 1 || all[0].HoldReason != "case 7" || all[0].HeldBy != "u-operator" || !all[0].HeldAt.Equal(d.clock.Now()) {
		t.Errorf("cameras %+v", all)
	}
	d.must(d.For(d.chief).EndHold(ctx, "CAM-1", "case closed"))
	d.is(d.For(d.chief).EndHold(ctx, "CAM-1", "case closed"), catalog.ErrConflict)
	held, ended := d.events(evidence.EventCameraHeld), d.events(evidence.EventCameraHoldEnded)
	if len(held) != 1 || held[0].Reason != "case 7" || held[0].Source != "192.0.2.9" || len(ended) != 1 || ended[0].Reason != "case closed" {
		t.Errorf("events %+v, %+v", held, ended)
	}
}

func TestAssignmentsAndWhoWoreItBetweenWhichDockings(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	hour := func(n int) time.Time { return d.clock.Now().Add(time.Duration(n) * time.Hour) }
	for n, at := range []int{-30, -22, -10, -2} {
		d.update(func(tx *sqldb.Tx) error {
			return tx.PutDocking(ctx, &catalog.Docking{Agency: agency, ID: evidence.DockingID{byte(n + 1)}, Dock: "front-desk", Bay: "1-1", Camera: "CAM-1", At: hour(at), LastAt: hour(at), TakenAt: hour(at), ReceivedAt: hour(at)})
		})
	}
	k := d.For(d.operator)
	d.is(k.Assign(ctx, "CAM-9", "Ada", "B1", time.Time{}, time.Time{}, false), catalog.ErrNotFound)
	d.is(k.Assign(ctx, "CAM-1", "", "B1", time.Time{}, time.Time{}, false), cameras.ErrInput)
	d.is(k.Assign(ctx, "CAM-1", "Ada", "B1", hour(0), hour(-1), false), cameras.ErrInput)
	d.is(k.Assign(ctx, "CAM-1", "Ada", "B1", time.Unix(1, 0), time.Time{}, false), cameras.ErrInput)
	d.must(k.Assign(ctx, "CAM-1", "Ada", "B1", hour(-29), hour(-20), false))
	d.must(k.Assign(ctx, "CAM-1", "Bob", "B2", hour(-20), time.Time{}, false))
	d.is(k.Assign(ctx, "CAM-1", "Cy", "B3", hour(-1), time.Time{}, false), catalog.ErrConflict)
	d.must(k.Assign(ctx, "CAM-1", "Cy", "B3", hour(-1), time.Time{}, true))
	page, err := k.Camera(ctx, "CAM-1")
	d.must(err)
	if page.Camera.Wearer != "Cy" || len(page.Assignments) != 3 {
		t.Fatalf("worn by %q, %d assignments", page.Camera.Wearer, len(page.Assignments))
	}
	cy, bob, ada := page.Assignments[0], page.Assignments[1], page.Assignments[2]
	id := func(v *catalog.Docking) byte {
		if v == nil {
			return 0
		}
		return v.ID[0]
	}
	if id(ada.Out) != 1 || id(ada.Back) != 2 || id(bob.Out) != 2 || id(bob.Back) != 4 || id(cy.Out) != 4 || id(cy.Back) != 0 || !bob.Until.Equal(hour(-1)) {
		t.Errorf("Ada %d to %d, Bob %d to %d until %v, Cy %d to %d", id(ada.Out), id(ada.Back), id(bob.Out), id(bob.Back), bob.Until, id(cy.Out), id(cy.Back))
	}
	d.must(k.Unassign(ctx, "CAM-1", time.Time{}))
	d.is(k.Unassign(ctx, "CAM-1", time.Time{}), catalog.ErrNotFound)
	ended := d.events(evidence.EventCameraUnassigned)
	if len(ended) != 2 || ended[0].Details["officer"] != "Cy" || ended[1].Details["officer"] != "Bob" || len(d.events(evidence.EventCameraAssigned)) != 3 {
		t.Errorf("events %+v", ended)
	}
}

func TestAlertsAreAcknowledgedOnce(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	id := d.raise(catalog.AlertGap)
	k := d.For(d.operator)
	all, err := k.Alerts(ctx, catalog.AlertFilter{Agency: "county", Open: true}, 0) // the agency is the desk's own
	d.must(err)
	if len(all) != 2 {
		t.Fatalf("%d alerts", len(all))
	}
	d.is(k.Acknowledge(ctx, "nothing", ""), catalog.ErrNotFound)
	d.must(k.Acknowledge(ctx, id, "asked the officer"))
	d.is(k.Acknowledge(ctx, id, ""), catalog.ErrConflict)
	e := d.events(evidence.EventAlertAcknowledged)
	if len(e) != 1 || e[0].Reason != "asked the officer" || e[0].Details["alert"] != id || e[0].Object != "camera:CAM-1" {
		t.Errorf("events %+v", e)
	}
}

func TestCompletenessLooksIntoTheVault(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	item := catalogtest.NewItem(1, d.clock.Now())
	item.Camera, item.Sequence, item.SequenceSource = "CAM-1", 0, ""
	d.update(func(tx *sqldb.Tx) error {
		if err := tx.InsertItem(ctx, item); err != nil {
			return err
		}
		return tx.StoreItem(ctx, agency, item.ID, 1, 1, d.clock.Now())
	})
	reasons := func() (all []ledger.Reason) {
		reports, err := d.For(d.operator).Completeness(ctx, "CAM-1")
		d.must(err)
		for _, f := range reports[0].Missing {
			all = append(all, f.Reason)
		}
		return all
	}
	if got := reasons(); len(got) != 1 || got[0] != ledger.BlobMissing {
		t.Errorf("without the blob: %v", got)
	}
	d.blobs[item.ID] = 7
	if got := reasons(); len(got) != 1 || got[0] != ledger.BlobShort {
		t.Errorf("with a short one: %v", got)
	}
	d.blobs[item.ID] = int64(seal.SealedSize(item.SealedLength()))
	if got := reasons(); len(got) != 0 {
		t.Errorf("with the whole: %v", got)
	}
	if _, err := d.For(d.operator).Completeness(ctx, "CAM-9"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("of an unknown camera: %v", err)
	}
}

// Rows that are gone from everywhere but the custody events are told too, when
// their camera is not known any more.
func TestCompletenessOfWhatIsOnlyInTheCustodyRecord(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	for n, camera := range []string{"CAM-1", "CAM-GONE", ""} {
		e := evidence.Event{Version: 1, Agency: agency, Type: evidence.EventEvidenceStored, Actor: evidence.Actor{Kind: "dock", ID: "front-desk"},
			Object: evidence.ItemObject(evidence.EvidenceID{byte(n + 1)}), Outcome: evidence.OutcomeDone, Details: map[string]string{"camera": camera, "path": "DCIM/LOST.MP4"}}
		d.update(func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err })
	}
	reports, err := d.CommandLine().Completeness(ctx, "")
	d.must(err)
	if len(reports) != 2 || len(reports[0].Missing) != 1 || reports[1].Camera != "" || len(reports[1].Missing) != 2 {
		t.Fatalf("reports %+v", reports)
	}
	if f := reports[0].Missing[0]; f.Reason != ledger.RowMissing || !strings.Contains(f.Text, "DCIM/LOST.MP4") || !strings.Contains(f.Text, "the custody event evidence.stored") {
		t.Errorf("finding %+v", f)
	}
}

// at enrols a dock and docks a camera there.
func (d *desk) at(serial string, dock evidence.DockID, station evidence.StationID) {
	d.update(func(tx *sqldb.Tx) error {
		if err := tx.RegisterDock(d.Context(), &catalog.Dock{Agency: agency, ID: dock, Station: station, StatementKey: make([]byte, 32), Enabled: true, EnrolledAt: d.clock.Now()}); err != nil {
			return err
		}
		return tx.CameraSeen(d.Context(), &catalog.Camera{Agency: agency, Serial: serial, LastSeenAt: d.clock.Now(), LastDock: dock})
	})
}

// A supervisor of a station sees, and with the right for it acknowledges, what is of that
// station, and does not learn that there is more.
func TestAlertsOfAStationAreForItsSupervisor(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	d.at("CAM-1", "front-desk", "north")
	own, other := d.raise(catalog.AlertGap), &catalog.Alert{Agency: agency, Code: catalog.AlertGap, Object: "camera:CAM-9", Message: "look", LastAt: d.clock.Now()}
	d.at("CAM-9", "pier-4", "harbour")
	server := &catalog.Alert{Agency: agency, Code: catalog.AlertStoreFull, Object: "server:store", Message: "full", LastAt: d.clock.Now()}
	d.update(func(tx *sqldb.Tx) error {
		_, err := tx.RaiseAlert(ctx, other)
		if err == nil {
			_, err = tx.RaiseAlert(ctx, server)
		}
		return err
	})
	north := func(role auth.Role) catalog.Grant {
		return catalog.Grant{ID: string(role), Holder: catalog.ToRole, HolderID: string(auth.Supervisor), Role: string(role), Scope: catalog.OnStation, Value: "north"}
	}
	looks := &auth.Actor{User: "u-looks", Agency: agency, Powers: auth.ShippedPowers(auth.Supervisor, north(auth.Supervisor))}
	acts := &auth.Actor{User: "u-acts", Agency: agency, Powers: auth.ShippedPowers(auth.Supervisor, north(auth.Supervisor), north(auth.Operator))}
	all, err := d.For(looks).Alerts(ctx, catalog.AlertFilter{Open: true}, 0)
	d.must(err)
	for _, a := range all {
		if a.Object != "camera:CAM-1" {
			t.Errorf("an alert about %s is shown", a.Object)
		}
	}
	n, err := d.For(looks).OpenAlerts(ctx)
	if err != nil || n != int64(len(all)) || n != 2 {
		t.Errorf("%d alerts are listed, %d counted: %v", len(all), n, err)
	}
	d.is(d.For(looks).Acknowledge(ctx, own, ""), auth.ErrForbidden)
	d.is(d.For(acts).Acknowledge(ctx, other.ID, ""), catalog.ErrNotFound)
	d.is(d.For(acts).Acknowledge(ctx, server.ID, ""), catalog.ErrNotFound)
	d.is(d.For(acts).Acknowledge(ctx, "nothing", ""), catalog.ErrNotFound)
	refused := d.events(evidence.EventAlertAcknowledged)
	if len(refused) != 3 {
		t.Fatalf("%d refusals are on record", len(refused))
	}
	for i, object := range []string{"server:store", "camera:CAM-9", ""} {
		if e := refused[i]; e.Outcome != evidence.OutcomeRefused || e.Object != object {
			t.Errorf("refusal %d: %+v", i, e)
		}
	}
	if d.For(acts).MayAcknowledge(other) || d.For(looks).MayAcknowledge(&all[0]) || !d.For(acts).MayAcknowledge(&all[0]) {
		t.Error("the page would offer what is refused, or hide what is allowed")
	}
	d.must(d.For(acts).Acknowledge(ctx, own, "asked the officer"))
	if n, err := d.For(acts).OpenAlerts(ctx); n != 1 || err != nil {
		t.Errorf("%d still wait: %v", n, err)
	}
}
