package custody_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

const keyUnknown = catalog.AlertCode(evidence.FoundKeyUnknown)

// decide decides on the camera's present key, as people do.
func (s *station) decide(standing catalog.Standing) {
	s.t.Helper()
	s.check(s.db.Update(s.t.Context(), func(tx *sqldb.Tx) error {
		return tx.DecideCameraKey(s.t.Context(), "springfield", s.camera.serial, s.camera.public(), standing, "u1", "", time.Now(), nil)
	}))
}

func (s *station) standings(when string, want catalog.Standing, d *catalog.Docking) {
	s.t.Helper()
	if d.Standing != want {
		s.t.Errorf("%s the docking stands as %q, want %q", when, d.Standing, want)
	}
	if a := s.answer(); a.GetStanding() != string(want) {
		s.t.Errorf("%s the dock is told %q, want %q", when, a.GetStanding(), want)
	}
}

func TestANewKeyWaitsForPeople(t *testing.T) {
	s := newStation(t)
	if a := s.answer(); a.GetStanding() != upload.StandingPending {
		t.Errorf("before its first docking the camera stands as %q", a.GetStanding())
	}
	s.camera.record(2)
	s.standings("at first", catalog.StandingPending, s.docked())
	s.stand("at first", keyUnknown)
	if upload.MayErase(s.answer().GetStanding()) {
		t.Error("a camera with an unknown key may be erased")
	}
	s.decide(catalog.StandingApproved)
	s.standings("when approved", catalog.StandingApproved, s.docked())
	s.stand("when approved")
	s.decide(catalog.StandingBlocked)
	s.standings("when blocked", catalog.StandingBlocked, s.docked())
	s.stand("when blocked", catalog.AlertBlocked)
}

func TestAnotherKeyOrNoneIsTold(t *testing.T) {
	s := newStation(t)
	s.docked()
	s.decide(catalog.StandingApproved)
	s.docked()
	mine := s.camera.key
	s.camera.key = ed25519.NewKeyFromSeed(seed("an impostor"))
	s.standings("with another key", catalog.StandingChanged, s.docked())
	s.stand("with another key", catalog.AlertCode(evidence.FoundKeyChanged))
	s.camera.key = mine
	s.standings("with its own key again", catalog.StandingApproved, s.docked())
	s.stand("with its own key again")

	d := s.docked(func(v *evidence.Inventory) {
		v.Camera.Key, v.Camera.KeyStanding, v.Camera.Access, v.Proof, v.Listings = nil, evidence.KeyNone, evidence.AccessPTP, nil, nil
	})
	if d.Standing != catalog.StandingChanged {
		t.Errorf("without its key the camera stands as %q", d.Standing)
	}
	s.stand("without its key", catalog.AlertKeyMissing)
	a, err := s.custody.CameraAnswer(t.Context(), s.peer, &upload.CameraQuestion{Serial: s.camera.serial})
	if err != nil || a.GetStanding() != upload.StandingChanged {
		t.Errorf("the dock is told %q, %v", a.GetStanding(), err)
	}
}

func TestAProofIsCheckedHereToo(t *testing.T) {
	for name, spoil := range map[string]func(s *station, v *evidence.Inventory){
		"missing": func(_ *station, v *evidence.Inventory) { v.Proof = nil },
		"of another serial": func(s *station, v *evidence.Inventory) {
			v.Proof = s.camera.sign(s.t, evidence.TypeCameraProof, &evidence.CameraProof{Version: 1, Serial: "CAM-8", Key: s.camera.public(), Nonce: make([]byte, 16)})
		},
		"by another key": func(s *station, v *evidence.Inventory) {
			other := newFakeCamera("impostor")
			v.Proof = other.sign(s.t, evidence.TypeCameraProof, &evidence.CameraProof{Version: 1, Serial: s.camera.serial, Key: s.camera.public(), Nonce: make([]byte, 16)})
		},
		"no proof but a listing": func(_ *station, v *evidence.Inventory) { v.Proof = v.Listings[0] },
		"found bad by the dock":  func(_ *station, v *evidence.Inventory) { v.Camera.KeyStanding = evidence.KeyFailed },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t)
			d := s.docked(func(v *evidence.Inventory) { spoil(s, v) })
			if d.Standing != catalog.StandingPending || d.KeyStanding != evidence.KeyFailed {
				t.Errorf("the camera stands as %q, its key as %q", d.Standing, d.KeyStanding)
			}
			s.stand("then", catalog.AlertCode(evidence.FoundKeyFailed))
			keys, err := s.db.CameraKeys(t.Context(), "springfield", s.camera.serial)
			if err != nil || len(keys) != 0 {
				t.Errorf("%d keys are remembered, %v", len(keys), err)
			}
		})
	}
}

func TestACertificateOfTheAuthorityNeedsNoApproval(t *testing.T) {
	s := newStation(t)
	authority := ed25519.NewKeyFromSeed(seed("authority"))
	s.custody.CameraAuthority = authority.Public().(ed25519.PublicKey)
	certify := func(serial string, by ed25519.PrivateKey) []byte {
		payload, err := evidence.Encode(&evidence.CameraCertificate{Version: 1, Agency: "springfield", Serial: serial, Key: s.camera.public(), IssuedAt: s.at})
		s.check(err)
		return evidence.Sign(evidence.TypeCameraCertificate, payload, "authority", by).Marshal()
	}
	s.camera.identity = certify(s.camera.serial, ed25519.NewKeyFromSeed(seed("nobody")))
	s.standings("with a stranger's certificate", catalog.StandingPending, s.docked())
	s.camera.identity = certify("CAM-8", authority)
	s.standings("with another camera's certificate", catalog.StandingPending, s.docked())

	s.camera = newFakeCamera("CAM-9")
	s.camera.identity = certify(s.camera.serial, authority)
	s.standings("with a certificate", catalog.StandingApproved, s.docked())
	keys, err := s.db.CameraKeys(t.Context(), "springfield", "CAM-9")
	if err != nil || len(keys) != 1 || keys[0].DecidedBy != "certificate" {
		t.Errorf("keys %+v, %v", keys, err)
	}
	if n := s.events(evidence.EventCameraApproved, evidence.CameraObject("CAM-9")); n != 1 {
		t.Errorf("%d events tell of the approval", n)
	}
}

func TestACameraOfAnotherAgency(t *testing.T) {
	s := newStation(t)
	s.camera.agency = "shelbyville"
	s.camera.record(1)
	s.standings("then", catalog.StandingForeign, s.docked())
	s.stand("then", catalog.AlertCode(evidence.FoundForeign))
}

func TestAnUnknownCameraWithoutKey(t *testing.T) {
	s := newStation(t)
	ask := func() string {
		a, err := s.custody.CameraAnswer(t.Context(), s.peer, &upload.CameraQuestion{Serial: "CAM-7"})
		s.check(err)
		return a.GetStanding()
	}
	if got := ask(); got != upload.StandingUnknown {
		t.Errorf("a camera that was never seen stands as %q", got)
	}
	d := s.docked(func(v *evidence.Inventory) {
		v.Camera.Key, v.Camera.KeyStanding, v.Camera.Access, v.Proof, v.Listings = nil, evidence.KeyNone, evidence.AccessStorage, nil, nil
	})
	if got := ask(); got != upload.StandingKeyless || d.Standing != catalog.StandingKeyless {
		t.Errorf("a camera without a key stands as %q and %q", got, d.Standing)
	}
	s.stand("then")
}

func TestTheDockIsToldWhatItHasToKnow(t *testing.T) {
	s := newStation(t)
	ctx := t.Context()
	s.camera.record(5)
	d := s.docked()
	made := 0
	s.custody.Certify = func(serial string, key []byte) ([]byte, error) {
		made++
		if serial != s.camera.serial || !bytes.Equal(key, s.camera.public()) {
			t.Errorf("a certificate for %s %x", serial, key)
		}
		return []byte("certificate"), nil
	}
	s.decide(catalog.StandingApproved)
	s.check(s.db.Update(ctx, func(tx *sqldb.Tx) error {
		return errors.Join(tx.HoldCamera(ctx, "springfield", "CAM-7", "case 7", "u1", time.Now()),
			tx.InsertAssignment(ctx, &catalog.Assignment{Agency: "springfield", Camera: "CAM-7", From: s.at.Add(-time.Hour), Officer: "Ada", OfficerID: "B1", At: time.Now()}))
	}))
	s.answer()
	a := s.answer()
	if a.GetOfficer() != "Ada" || a.GetOfficerId() != "B1" || !a.GetHold() || a.GetHoldReason() != "case 7" || string(a.GetCertificate()) != "certificate" || made != 1 {
		t.Errorf("answer %v, %d certificates made", a, made)
	}
	// The dock was half a second ahead of the server.
	if want := d.TakenAt.Add(-500 * time.Millisecond).UnixMicro(); a.GetClockSetUs() != want || a.GetClockAheadUs() != 530_000 || a.GetClockUncertaintyUs() != 21_000 {
		t.Errorf("clock set at %d, ahead %d ± %d; want %d, 530000 ± 21000", a.GetClockSetUs(), a.GetClockAheadUs(), a.GetClockUncertaintyUs(), want)
	}
	if a.GetJournal() != 1 || a.GetNext() != 6 {
		t.Errorf("journal %d, next %d; want 1, 6", a.GetJournal(), a.GetNext())
	}
	other := s.peer
	other.Agency = "shelbyville"
	b, err := s.custody.CameraAnswer(ctx, other, &upload.CameraQuestion{Serial: s.camera.serial, Key: s.camera.public()})
	if err != nil || b.GetOfficer() != "" || b.GetHold() || b.GetNext() != 0 || b.GetCertificate() != nil || b.GetStanding() != upload.StandingPending {
		t.Errorf("another agency is told %v, %v", b, err)
	}
}

func TestACertificateThatCannotBeMadeHoldsNothingUp(t *testing.T) {
	s := newStation(t)
	s.docked()
	s.decide(catalog.StandingApproved)
	s.custody.Certify = func(string, []byte) ([]byte, error) { return nil, errors.New("the key is locked") }
	if a := s.answer(); a.GetStanding() != upload.StandingApproved || a.GetCertificate() != nil {
		t.Errorf("answer %v", a)
	}
}

// A camera whose clock is 1 h 17 min wrong: the item shows when it was recorded,
// and whose camera it was then.
func TestItemsKnowTheirTimeAndWearer(t *testing.T) {
	s := newStation(t)
	ctx := t.Context()
	const wrong = 77 * time.Minute
	at := s.at.Add(-3 * time.Hour) // true time of the recording
	s.check(s.db.Update(ctx, func(tx *sqldb.Tx) error {
		return errors.Join(
			tx.InsertAssignment(ctx, &catalog.Assignment{Agency: "springfield", Camera: "CAM-7", From: at.Add(-time.Hour), Until: at.Add(time.Hour), Officer: "Ada", OfficerID: "B1", At: time.Now()}),
			tx.InsertAssignment(ctx, &catalog.Assignment{Agency: "springfield", Camera: "CAM-7", From: at.Add(time.Hour), Officer: "Bob", OfficerID: "B2", At: time.Now()}))
	}))
	s.camera.record(2)
	d := s.docked()
	record := func(info evidence.RecordingInfo, claimed time.Time) *catalog.Item {
		r := s.dock.Record(t, info.Path, bytesOf(info.Path, 1000), func(m *evidence.Manifest) {
			m.Camera, m.Recording, m.Docking, m.Claims.StartedAt = evidence.CameraInfo{Serial: "CAM-7", Key: s.camera.public(), KeyStanding: evidence.KeyProven}, info, d.ID, claimed
			m.Confirmed = evidence.ConfirmedByCamera
			m.Clocks = evidence.Clocks{DockStart: s.at, DockEnd: s.at,
				Camera: &evidence.Offset{At: s.at, Ahead: wrong.Microseconds(), Uncertainty: 300_000, Exchanges: 3}, Dock: &evidence.Offset{At: s.at, Ahead: 0, Uncertainty: 1000, Exchanges: 3}}
		})
		if _, err := s.deliver(s.peer, r); err != nil {
			t.Fatal(err)
		}
		item, err := s.db.Item(ctx, "springfield", r.Manifest.Evidence)
		s.check(err)
		return item
	}
	claimed := s.camera.holds[0]
	claimed.Urgent = true
	listed := s.camera.holds[1]
	listed.CapturedRaw = at.Add(wrong).Format("20060102T150405")
	for what, item := range map[string]*catalog.Item{"claimed": record(claimed, at.Add(wrong)), "listed": record(listed, time.Time{})} {
		if off := item.CorrectedAt.Sub(at).Abs(); off > item.Uncertainty+time.Second || item.Uncertainty <= 0 || item.Uncertainty > 2*time.Second {
			t.Errorf("%s: recorded at %v, corrected to %v ± %v", what, at, item.CorrectedAt, item.Uncertainty)
		}
		if item.Wearer != "Ada" || item.WearerID != "B1" {
			t.Errorf("%s: worn by %q", what, item.Wearer)
		}
		if item.Sequence == 0 || item.SequenceSource != evidence.SequenceFromCamera || item.Confirmed != evidence.ConfirmedByCamera || item.Placed.IsZero() || item.Urgent != (what == "claimed") {
			t.Errorf("%s: %+v", what, item)
		}
	}
}

func TestAnInventoryAndItsEffectsAreOneTransaction(t *testing.T) {
	s := newStation(t)
	s.camera.record(1)
	v := s.inventory(s.dock)
	payload, err := evidence.Encode(v)
	s.check(err)
	envelope, err := s.dock.Statement.Sign(evidence.TypeInventory, payload)
	s.check(err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.custody.Inventory(ctx, s.peer, envelope.Marshal()); err == nil {
		t.Fatal("an ended context kept an inventory")
	}
	if _, err := s.db.Docking(t.Context(), v.Agency, v.Docking); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("the docking is there: %v", err)
	}
	for range 2 {
		s.check(s.custody.Inventory(t.Context(), s.peer, envelope.Marshal()))
	}
	d, err := s.db.Docking(t.Context(), v.Agency, v.Docking)
	if err != nil || d.Recordings != 1 || d.Battery != 80 || !d.Complete() {
		t.Errorf("docking %+v, %v", d, err)
	}
	if n := s.events(evidence.EventInventoryTaken, evidence.DockObject("front-desk")); n != 1 {
		t.Errorf("%d events tell of the inventory", n)
	}
	if a := s.alerts()[keyUnknown]; a.Count != 1 || !strings.Contains(a.Message, "CAM-7") {
		t.Errorf("alert %+v", a)
	}
	if n := s.events(evidence.EventAlertRaised, evidence.CameraObject("CAM-7")); n != 1 {
		t.Errorf("%d events tell of the alert", n)
	}
}
