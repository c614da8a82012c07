package server

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// policy asks for the policy as a dock does.
func policy(t *testing.T, c *receivetest.Client, have []byte) *upload.PolicyAnswer {
	t.Helper()
	answer, err := c.Ask(&upload.Ask{Policy: &upload.PolicyQuestion{Have: have}})
	if err != nil {
		t.Fatal(err)
	}
	return answer.(*upload.Answer).GetPolicy()
}

// trusted reads the trust of a policy as a camera does.
func trusted(t *testing.T, p *upload.PolicyAnswer) *evidence.CameraTrust {
	t.Helper()
	envelope, err := evidence.ParseEnvelope(p.GetTrust())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := envelope.Verify(evidence.TypeCameraTrust, p.GetAuthority())
	if err != nil {
		t.Fatal(err)
	}
	var trust evidence.CameraTrust
	if err := evidence.Decode(payload, &trust); err != nil {
		t.Fatal(err)
	}
	return &trust
}

// orders runs a step as the command line does.
func (r *running) orders(step func(*fleet.Service) error) error {
	return WithFleet(r.ctx, r.config, r.logger(), time.Now, step)
}

func TestADockAsksAndIsAnswered(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	c := r.mustConnect(d)

	before := time.Now().UnixMicro()
	answer, err := c.Ask(&upload.Ask{Clock: &upload.ClockQuestion{DockUs: before}})
	if err != nil {
		t.Fatal(err)
	}
	clock := answer.(*upload.Answer).GetClock()
	if clock.GetDockUs() != before || clock.GetReceivedUs() < before || clock.GetSentUs() < clock.GetReceivedUs() || clock.GetSentUs() > time.Now().UnixMicro() {
		t.Errorf("the clock's answer to %d is %v", before, clock)
	}

	answer, err = c.Ask(&upload.Ask{Camera: &upload.CameraQuestion{Serial: "CAM-77", Key: make([]byte, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.(*upload.Answer).GetCamera(); got.GetSerial() != "CAM-77" || len(got.GetKey()) != 32 || got.GetStanding() == upload.StandingApproved {
		t.Errorf("of an unknown camera it says %v", got)
	}

	first := policy(t, c, nil)
	trust := trusted(t, first)
	if len(trust.Docks) != 1 || trust.Docks[0].Dock != "front-desk" || !bytes.Equal(trust.Docks[0].Key, d.Statement.Public()) ||
		len(trust.ReceiptKeys) != 1 || !bytes.Equal(trust.ReceiptKeys[0], d.answer.Trust.ReceiptPublicKey) {
		t.Errorf("cameras are told to trust %+v", trust)
	}
	if short := policy(t, c, first.GetDigest()); short.GetTrust() != nil || !bytes.Equal(short.GetDigest(), first.GetDigest()) {
		t.Errorf("the same policy came again: %v", short)
	}
	r.enrol("back-door")
	second := r.changed(c, first)
	if more := trusted(t, second); len(more.Docks) != 2 || more.Number <= trust.Number {
		t.Errorf("after an enrolment cameras are told %+v", more)
	}
}

// changed asks until the policy is another one than have.
func (r *running) changed(c *receivetest.Client, have *upload.PolicyAnswer) *upload.PolicyAnswer {
	r.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if p := policy(r.t, c, have.GetDigest()); !bytes.Equal(p.GetDigest(), have.GetDigest()) {
			return p
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.t.Fatal("the policy does not change")
		}
	}
}

func TestFirmwareFromTheMakerToTheDock(t *testing.T) {
	r := newServer(t)
	r.start()
	c := r.mustConnect(r.enrol("front-desk"))
	have := policy(t, c, nil)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	image := footage(upload.MaxBlock*3 + 5)
	payload, err := evidence.Encode(&evidence.Firmware{
		Version: 1, Model: "X3", Release: "2.4.1", Counter: 7, Length: uint64(len(image)), SHA256: evidence.SHA256(image), ReleasedAt: time.Now().UTC(),
	})
	if err != nil {
		t.Fatal(err)
	}
	statement := evidence.Sign(evidence.TypeFirmware, payload, "maker", private).Marshal()
	if err := c.Fetch(r.ctx, evidence.SHA256(image), 0, nil); code(err) != upload.CodeNotFound {
		t.Errorf("what was never published got %v", err)
	}
	err = r.orders(func(s *fleet.Service) error {
		if err := s.TrustMaker(r.ctx, fleet.CommandLine(), "acme", public); err != nil {
			return err
		}
		_, err := s.Publish(r.ctx, fleet.CommandLine(), statement, bytes.NewReader(image), 120, 300)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	have = r.changed(c, have)
	offer := have.GetFirmware()[0]
	if !bytes.Equal(offer.GetStatement(), statement) || !bytes.Equal(offer.GetMaker(), public) || offer.GetWindowFrom() != 120 || offer.GetWindowTo() != 300 {
		t.Errorf("the offer is %v", offer)
	}
	// A stream that broke goes on where it broke.
	var got []byte
	broke := errors.New("broke")
	take := func(block []byte) error {
		got = append(got, block...)
		if len(got) == upload.MaxBlock {
			return broke
		}
		return nil
	}
	if err := c.Fetch(r.ctx, evidence.SHA256(image), 0, take); !errors.Is(err, broke) {
		t.Fatal(err)
	}
	if err := c.Fetch(r.ctx, evidence.SHA256(image), uint64(len(got)), take); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, image) {
		t.Errorf("%d bytes came, want %d", len(got), len(image))
	}
	if err := r.orders(func(s *fleet.Service) error { return s.Withdraw(r.ctx, fleet.CommandLine(), "X3", 7) }); err != nil {
		t.Fatal(err)
	}
	if left := r.changed(c, have).GetFirmware(); len(left) != 0 {
		t.Errorf("after the withdrawal %v is offered", left)
	}
	if err := c.Fetch(r.ctx, evidence.SHA256(image), 0, nil); code(err) != upload.CodeNotFound {
		t.Errorf("what was withdrawn got %v", err)
	}
}

func TestAnOlderFolderGetsACameraAuthorityAndALostOneIsNotReplaced(t *testing.T) {
	r := newServer(t)
	if err := os.Remove(r.config.cameraKey()); err != nil { // as a folder from before there was one
		t.Fatal(err)
	}
	err := r.orders(func(s *fleet.Service) error {
		_, err := s.PublishSettings(r.ctx, fleet.CommandLine(), "X3", nil)
		return err
	})
	if !errors.Is(err, fleet.ErrNoAuthority) || !strings.Contains(err.Error(), "next start") {
		t.Errorf("before the first start a command got %v", err)
	}
	r.start()
	d := r.enrol("front-desk")
	first := policy(t, r.mustConnect(d), nil)
	if len(first.GetAuthority()) != ed25519.PublicKeySize || len(trusted(t, first).Docks) != 1 {
		t.Fatalf("the older folder's policy is %v", first)
	}
	r.end()
	key, err := os.ReadFile(r.config.cameraKey())
	if err != nil {
		t.Fatal(err)
	}

	if err := os.Remove(r.config.cameraKey()); err != nil {
		t.Fatal(err)
	}
	r.start()
	c := r.mustConnect(d)
	if p := policy(t, c, first.GetDigest()); !bytes.Equal(p.GetDigest(), first.GetDigest()) {
		t.Errorf("with the key lost what was signed is not in force any more: %v", p)
	}
	rec := d.Record(t, "DCIM/A.MP4", footage(1000))
	if _, err := c.Upload(r.ctx, rec); err != nil {
		t.Errorf("with the key lost a recording got %v", err)
	}
	r.end()
	if _, err := os.Stat(r.config.cameraKey()); err == nil {
		t.Error("the lost key was replaced: cameras would refuse the new one")
	}
	if !strings.Contains(r.log.String(), "restore keys/camera-authority.key") {
		t.Error("the log does not say what to do")
	}

	if err := os.WriteFile(r.config.cameraKey(), key, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	if p := policy(t, r.mustConnect(d), nil); !bytes.Equal(p.GetAuthority(), first.GetAuthority()) {
		t.Error("after the restore it is another authority")
	}
}

func TestAStartWithAnotherPurposesKeyIsRefused(t *testing.T) {
	r := newServer(t)
	receipt, err := os.ReadFile(r.config.receiptKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.config.cameraKey(), receipt, 0o600); err != nil {
		t.Fatal(err)
	}
	err = Run(r.ctx, r.config, "test", r.logger(), time.Now, nil)
	if err == nil || !strings.Contains(err.Error(), `"camera"`) {
		t.Errorf("it got %v", err)
	}
}

func TestWhatIsPublishedIsOnRecord(t *testing.T) {
	r := newServer(t)
	err := r.orders(func(s *fleet.Service) error {
		if _, err := s.PublishSettings(r.ctx, fleet.CommandLine(), "X3", map[string]string{"resolution": "1080p"}); err != nil {
			return err
		}
		return s.SetKeepDays(r.ctx, fleet.CommandLine(), 30)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []evidence.EventType{evidence.EventSettingsPublished, evidence.EventKeepDaysSet} {
		n, err := r.catalog().CountEvents(r.ctx, catalog.EventFilter{Agency: "springfield", Type: kind, ActorID: "local"})
		if err != nil || n != 1 {
			t.Errorf("%d events %s, %v; want 1", n, kind, err)
		}
	}
}

func TestAnApprovedCameraGetsACertificateOfItsAgency(t *testing.T) {
	r := newServer(t)
	r.start()
	c := r.mustConnect(r.enrol("front-desk"))
	key := bytes.Repeat([]byte{7}, ed25519.PublicKeySize)
	now := time.Now()
	err := r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error {
		_, err := tx.CameraKeySeen(r.ctx, &catalog.CameraKey{
			Agency: "springfield", Camera: "CAM-1", Key: key, LastSeenAt: now, Standing: catalog.StandingApproved, DecidedBy: "local", DecidedAt: now,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Ask(&upload.Ask{Camera: &upload.CameraQuestion{Serial: "CAM-1", Key: key}})
	if err != nil {
		t.Fatal(err)
	}
	got := answer.(*upload.Answer).GetCamera()
	envelope, err := evidence.ParseEnvelope(got.GetCertificate())
	if err != nil {
		t.Fatalf("%v: %v", got, err)
	}
	payload, err := envelope.Verify(evidence.TypeCameraCertificate, policy(t, c, nil).GetAuthority())
	if err != nil {
		t.Fatal(err)
	}
	var certificate evidence.CameraCertificate
	if err := evidence.Decode(payload, &certificate); err != nil || certificate.Serial != "CAM-1" || !bytes.Equal(certificate.Key, key) || certificate.Agency != "springfield" {
		t.Errorf("the certificate is %+v, %v", certificate, err)
	}
	if got.GetStanding() != upload.StandingApproved {
		t.Errorf("it stands %q", got.GetStanding())
	}
}

func TestADisabledDockIsTurnedAway(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	connected := r.mustConnect(d)
	enable := func(enabled bool) {
		t.Helper()
		if err := r.orders(func(s *fleet.Service) error {
			return s.Docks().SetEnabled(r.ctx, "front-desk", enabled, "")
		}); err != nil {
			t.Fatal(err)
		}
	}
	enable(false)
	select { // by another process, as the command line is
	case <-connected.Session.Context().Done():
	case <-r.ctx.Done():
		t.Error("a disabled dock stays connected")
	}
	if _, err := r.connect(d); code(err) != upload.CodeUnknownDevice {
		t.Errorf("a disabled dock got %v", err)
	}
	enable(true)
	r.mustConnect(d)
}
