package custody_test

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// station is a rig with a camera that is docked again and again.
type station struct {
	*rig
	camera  *fakeCamera
	at      time.Time // of the next docking
	journal uint64
}

func newStation(t testing.TB) *station {
	return &station{rig: newRig(t), camera: newFakeCamera("CAM-7"), at: time.Now().UTC().Add(-72 * time.Hour).Truncate(time.Microsecond)}
}

// fakeCamera is a camera with the extension, as a dock sees it.
type fakeCamera struct {
	serial   string
	key      ed25519.PrivateKey
	holds    []evidence.RecordingInfo // sorted by number
	next     uint64
	agency   evidence.AgencyID
	identity []byte // certificate
}

func newFakeCamera(serial string) *fakeCamera {
	return &fakeCamera{serial: serial, key: ed25519.NewKeyFromSeed(seed(serial)), next: 1}
}

func seed(text string) []byte {
	sum := evidence.SHA256([]byte(text))
	return sum[:]
}

func (c *fakeCamera) public() ed25519.PublicKey { return c.key.Public().(ed25519.PublicKey) }

// record makes n recordings.
func (c *fakeCamera) record(n int) {
	for range n {
		name := fmt.Sprintf("DCIM/100/CLIP%04d.MP4", c.next)
		signed := evidence.SHA256(bytesOf(name, 1000))
		c.holds = append(c.holds, evidence.RecordingInfo{Path: name, Handle: uint32(c.next), Size: 1000, SizeKnown: true, CapturedRaw: fmt.Sprintf("20261101T1000%02d", c.next%60),
			Kind: evidence.KindVideo, Sequence: c.next, SequenceSource: evidence.SequenceFromCamera, Signed: &signed})
		c.next++
	}
}

// lose takes a recording off the camera.
func (c *fakeCamera) lose(number uint64) {
	for i := range c.holds {
		if c.holds[i].Sequence == number {
			c.holds = append(c.holds[:i:i], c.holds[i+1:]...)
			return
		}
	}
}

func (c *fakeCamera) sign(t testing.TB, payloadType string, statement evidence.Statement) []byte {
	t.Helper()
	payload, err := evidence.Encode(statement)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Sign(payloadType, payload, "camera", c.key).Marshal()
}

// listings are the parts of the camera's signed listing.
func (c *fakeCamera) listings(t testing.TB, at time.Time) (signed [][]byte) {
	t.Helper()
	parts := max(1, (len(c.holds)+evidence.MaxListing-1)/evidence.MaxListing)
	for n := range parts {
		l := &evidence.CameraListing{Version: 1, Serial: c.serial, Boot: 1, Part: n + 1, Parts: parts, At: at, Next: c.next, Recordings: []evidence.CameraRecording{}}
		for _, r := range c.holds[n*evidence.MaxListing : min(len(c.holds), (n+1)*evidence.MaxListing)] {
			l.Recordings = append(l.Recordings, evidence.CameraRecording{Sequence: r.Sequence, Handle: r.Handle, Name: r.Path, Length: r.Size, SHA256: *r.Signed})
		}
		signed = append(signed, c.sign(t, evidence.TypeCameraListing, l))
	}
	return signed
}

// inventory is what a dock makes of the camera.
func (s *station) inventory(dock *receivetest.Dock) *evidence.Inventory {
	c := s.camera
	s.journal++
	battery := 80
	proof := &evidence.CameraProof{Version: 1, Serial: c.serial, Key: c.public(), Nonce: make([]byte, 16), Agency: c.agency, Model: "M", Firmware: "1", At: s.at, Certificate: c.identity}
	v := &evidence.Inventory{
		Version: 1, Agency: dock.Agency, Station: dock.Station, Dock: dock.ID, Bay: "1-1", Docking: evidence.NewDockingID(), Part: 1, Parts: 1, TakenAt: s.at,
		Camera:     evidence.CameraInfo{Serial: c.serial, Model: "M", Access: evidence.AccessExtension, Key: c.public(), KeyStanding: evidence.KeyProven, Agency: string(c.agency)},
		Recordings: append([]evidence.RecordingInfo{}, c.holds...), Battery: &battery, Next: c.next, Journal: s.journal,
		Clocks: &evidence.Clocks{DockStart: s.at, DockEnd: s.at, CameraRaw: "x", CameraAt: s.at,
			Camera: &evidence.Offset{At: s.at, Ahead: 2_000_000, Uncertainty: 400_000, Exchanges: 3}, Dock: &evidence.Offset{At: s.at, Ahead: 500_000, Uncertainty: 1000, Exchanges: 3}},
		ClockSet: &evidence.Offset{At: s.at, Ahead: 30_000, Uncertainty: 20_000, Exchanges: 3},
		Proof:    c.sign(s.t, evidence.TypeCameraProof, proof), Listings: c.listings(s.t, s.at),
	}
	s.at = s.at.Add(time.Hour)
	return v
}

func (s *station) send(dock *receivetest.Dock, peer receive.Peer, v *evidence.Inventory) {
	s.t.Helper()
	payload, err := evidence.Encode(v)
	s.check(err)
	envelope, err := dock.Statement.Sign(evidence.TypeInventory, payload)
	s.check(err)
	s.check(s.custody.Inventory(s.t.Context(), peer, envelope.Marshal()))
}

// docked docks the camera; adjust may change what the dock tells.
func (s *station) docked(adjust ...func(*evidence.Inventory)) *catalog.Docking {
	s.t.Helper()
	v := s.inventory(s.dock)
	for _, change := range adjust {
		change(v)
	}
	s.send(s.dock, s.peer, v)
	d, err := s.db.Docking(s.t.Context(), v.Agency, v.Docking)
	s.check(err)
	return d
}

// store takes all that the camera holds into the store.
func (s *station) store(docking *catalog.Docking) map[uint64]*receivetest.Recording {
	s.t.Helper()
	stored := map[uint64]*receivetest.Recording{}
	for _, info := range s.camera.holds {
		r := s.dock.Record(s.t, info.Path, bytesOf(info.Path, 1000), func(m *evidence.Manifest) {
			m.Camera = evidence.CameraInfo{Serial: s.camera.serial, Key: s.camera.public(), KeyStanding: evidence.KeyProven}
			m.Recording, m.Docking, m.Confirmed = info, docking.ID, evidence.ConfirmedByCamera
		})
		_, err := s.deliver(s.peer, r)
		s.check(err)
		stored[info.Sequence] = r
	}
	return stored
}

// release tells that a stored recording was erased.
func (s *station) release(r *receivetest.Recording) error {
	s.t.Helper()
	item, err := s.db.Item(s.t.Context(), "springfield", r.Manifest.Evidence)
	s.check(err)
	digest := evidence.SHA256([]byte("no receipt"))
	if item.Receipt != nil {
		receipt, err := evidence.ParseEnvelope(item.Receipt)
		s.check(err)
		digest = evidence.SHA256(receipt.Payload)
	}
	payload, err := evidence.Encode(&evidence.Release{Version: 1, Agency: "springfield", Dock: s.dock.ID, Bay: "1-1", Docking: r.Manifest.Docking, Evidence: r.Manifest.Evidence,
		CameraSerial: r.Manifest.Camera.Serial, Path: r.Manifest.Recording.Path, ReceiptDigest: digest, Result: evidence.ReleaseErased, Method: "unlink", At: s.at})
	s.check(err)
	envelope, err := s.dock.Statement.Sign(evidence.TypeRelease, payload)
	s.check(err)
	_, err = s.custody.Release(s.t.Context(), s.peer, envelope.Marshal())
	return err
}

// alerts returns the codes of the alerts that stand.
func (s *station) alerts() map[catalog.AlertCode]catalog.Alert {
	s.t.Helper()
	all, err := s.db.Alerts(s.t.Context(), catalog.AlertFilter{Agency: "springfield", Open: true}, 0)
	s.check(err)
	codes := map[catalog.AlertCode]catalog.Alert{}
	for _, a := range all {
		codes[a.Code] = a
	}
	return codes
}

// stand demands that exactly these alerts stand.
func (s *station) stand(when string, want ...catalog.AlertCode) {
	s.t.Helper()
	have := s.alerts()
	for _, code := range want {
		if _, ok := have[code]; !ok {
			s.t.Errorf("%s: no alert %s", when, code)
		}
		delete(have, code)
	}
	for _, a := range have {
		s.t.Errorf("%s: alert %s: %s", when, a.Code, a.Message)
	}
}

func (s *station) answer() *upload.CameraAnswer {
	s.t.Helper()
	a, err := s.custody.CameraAnswer(s.t.Context(), s.peer, &upload.CameraQuestion{Serial: s.camera.serial, Key: s.camera.public()})
	s.check(err)
	if err := (&upload.Answer{Camera: a}).Validate(); err != nil {
		s.t.Errorf("the answer is outside the protocol: %v", err)
	}
	return a
}
