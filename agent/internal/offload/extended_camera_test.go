package offload

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/agent/internal/spool"
	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func seedKey(seed string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, 32)[:32]))
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func signed(kind string, s evidence.Statement, key ed25519.PrivateKey) []byte {
	payload, err := evidence.Encode(s)
	if err != nil {
		panic(err)
	}
	return evidence.Sign(kind, payload, "key", key).Marshal()
}

var (
	authority = seedKey("authority")
	maker     = seedKey("maker")
)

// smart is a camera with the extension. Fields that tests change are guarded by
// the camera's lock; so is all state.
type smart struct {
	*fakeCamera
	key    ed25519.PrivateKey
	status ptp.Status
	agency evidence.AgencyID

	certificate []byte
	proof       func(*evidence.CameraProof)   // spoils a proof
	listing     func(*evidence.CameraListing) // spoils a listing
	ahead       time.Duration                 // of the camera's clock
	sets        int
	settings    []byte
	wearer      ptp.Wearer
	lights      []ptp.Indicator
	receipts    [][]byte
	firmware    evidence.Firmware
	update      ptp.FirmwareStatus
	image       []byte
	restarted   bool
}

func newSmart(serial string) *smart {
	return &smart{fakeCamera: newCamera(serial), key: seedKey(serial), status: ptp.Status{
		Version: 1, Serial: serial, Model: "F1", Firmware: "1.0", FirmwareCounter: 1, Slot: "a", Battery: 80, Challenge: make([]byte, ptp.ChallengeSize),
	}, update: ptp.FirmwareStatus{State: ptp.FirmwareIdle}}
}

// smartLink is a session with a smart camera.
type smartLink struct {
	fakeLink
	*smart
}

func (s *smart) link() camera.Link { return smartLink{fakeLink{s.fakeCamera}, s} }

func (s *smart) lock() func() { s.mu.Lock(); return s.mu.Unlock }

func (l smartLink) CameraStatus(context.Context) (ptp.Status, error) {
	defer l.smart.lock()()
	if l.smart.gone {
		return ptp.Status{}, camera.ErrGone
	}
	return l.smart.status, nil
}

func (l smartLink) ProveIdentity(_ context.Context, challenge [ptp.ChallengeSize]byte) ([]byte, error) {
	defer l.smart.lock()()
	p := &evidence.CameraProof{Version: 1, Serial: l.smart.serial, Key: public(l.key), Nonce: challenge[:], Agency: l.agency, Model: "F1", Firmware: "1.0", Boot: 1, At: time.Now(), Certificate: l.certificate}
	if l.proof != nil {
		l.proof(p)
	}
	return signed(evidence.TypeCameraProof, p, l.key), nil
}

func (l smartLink) Adopt(_ context.Context, a ptp.Adoption) error {
	defer l.smart.lock()()
	l.smart.status.Authority, l.smart.certificate, l.smart.agency = evidence.KeyID(a.Authority).String(), a.Certificate, "riverton"
	return nil
}

func (l smartLink) SetTrust(_ context.Context, envelope []byte) error {
	defer l.smart.lock()()
	l.smart.status.Trust = 1
	return nil
}

func (l smartLink) UnlockStorage(_ context.Context, envelope []byte) error {
	defer l.smart.lock()()
	l.smart.status.Locked = false
	return nil
}

func (l smartLink) List(ctx context.Context) ([]camera.Object, []camera.Warning, error) {
	l.smart.mu.Lock()
	locked := l.smart.status.Locked
	l.smart.mu.Unlock()
	if locked {
		return nil, []camera.Warning{{Message: "no storage", Missing: true}}, nil
	}
	return l.fakeLink.List(ctx)
}

func (l smartLink) SignedListing(_ context.Context, from uint64) ([][]byte, error) {
	defer l.smart.lock()()
	listing := &evidence.CameraListing{Version: 1, Serial: l.smart.serial, Boot: 1, Part: 1, Parts: 1, At: time.Now(), Next: uint64(l.smart.fakeCamera.next), Recordings: []evidence.CameraRecording{}}
	for _, o := range l.smart.objects {
		listing.Recordings = append(listing.Recordings, evidence.CameraRecording{Sequence: uint64(o.Handle), Handle: o.Handle, Name: o.Path, Length: uint64(len(o.data)), SHA256: evidence.SHA256(o.data)})
	}
	if l.listing != nil {
		l.listing(listing)
	}
	return [][]byte{signed(evidence.TypeCameraListing, listing, l.key)}, nil
}

func (l smartLink) EraseRecording(_ context.Context, object camera.Object, sequence uint64, receipt []byte) ([]byte, error) {
	defer l.smart.lock()()
	o := l.find(object.Handle)
	if o == nil || uint64(o.Handle) != sequence {
		return nil, camera.ErrChanged
	}
	l.smart.receipts = append(l.smart.receipts, receipt)
	l.smart.objects = slices.DeleteFunc(l.smart.objects, func(x *fakeObject) bool { return x == o })
	return signed(evidence.TypeCameraErase, &evidence.CameraErase{
		Version: 1, Serial: l.smart.serial, Sequence: sequence, Length: uint64(len(o.data)), SHA256: evidence.SHA256(o.data), ReceiptDigest: evidence.SHA256([]byte("receipt")), Method: "crypto-erase", At: time.Now(),
	}, l.key), nil
}

func (l smartLink) Delete(ctx context.Context, object camera.Object) error {
	l.smart.mu.Lock()
	adopted := l.smart.status.Authority != ""
	l.smart.mu.Unlock()
	if adopted {
		return &camera.RefusedError{Operation: ptp.OpDeleteObject, Code: ptp.RespAccessDenied}
	}
	return l.fakeLink.Delete(ctx, object)
}

func (l smartLink) Settings(context.Context) ([]byte, error) {
	defer l.smart.lock()()
	return l.settings, nil
}

func (l smartLink) SetSettings(_ context.Context, envelope []byte) error {
	defer l.smart.lock()()
	l.smart.settings, l.smart.status.Settings = envelope, 1
	return nil
}

func (l smartLink) FirmwareStatus(context.Context) (ptp.FirmwareStatus, error) {
	defer l.smart.lock()()
	return l.update, nil
}

func (l smartLink) FirmwareBegin(_ context.Context, envelope []byte) error {
	defer l.smart.lock()()
	e, err := evidence.ParseEnvelope(envelope)
	if err != nil {
		return err
	}
	if err := evidence.Decode(e.Payload, &l.smart.firmware); err != nil {
		return err
	}
	l.smart.image, l.smart.update = nil, ptp.FirmwareStatus{State: ptp.FirmwareStaging, Release: l.smart.firmware.Release, Length: l.smart.firmware.Length}
	return nil
}

func (l smartLink) FirmwareWrite(_ context.Context, offset uint64, block []byte) error {
	defer l.smart.lock()()
	if offset != uint64(len(l.image)) {
		return fmt.Errorf("block at %d, %d are there", offset, len(l.image))
	}
	l.smart.image = append(l.smart.image, block...)
	l.smart.update.Received = uint64(len(l.smart.image))
	if l.smart.update.Received == l.smart.firmware.Length {
		l.smart.update.State = ptp.FirmwareStaged
	}
	return nil
}

func (l smartLink) FirmwareApply(context.Context) error {
	defer l.smart.lock()()
	if evidence.SHA256(l.image) != l.smart.firmware.SHA256 {
		return &camera.RefusedError{Operation: ptp.OpFirmwareApply, Code: ptp.RespBroken}
	}
	l.smart.gone, l.smart.restarted = true, true
	return nil
}

func (l smartLink) FirmwareConfirm(context.Context) error {
	defer l.smart.lock()()
	l.smart.update.State = ptp.FirmwareIdle
	return nil
}

func (l smartLink) AssignWearer(_ context.Context, w ptp.Wearer) error {
	defer l.smart.lock()()
	l.smart.wearer, l.smart.status.WearerID = w, w.OfficerID
	return nil
}

func (l smartLink) SetIndicator(_ context.Context, i ptp.Indicator) error {
	defer l.smart.lock()()
	l.smart.lights = append(l.smart.lights, i)
	return nil
}

func (l smartLink) ReadClock(context.Context) (time.Time, time.Duration, bool, error) {
	defer l.smart.lock()()
	return time.Now().Add(l.ahead).Truncate(time.Microsecond), time.Microsecond, true, nil
}

func (l smartLink) SetClock(_ context.Context, now func() time.Time, _ time.Duration) error {
	defer l.smart.lock()()
	l.smart.ahead, l.smart.sets = time.Until(now()), l.sets+1
	return nil
}

var (
	_ camera.Extended = smartLink{}
	_ camera.Clocked  = smartLink{}
)

// counter is the server as dockings see it.
type counter struct {
	mu     sync.Mutex // guards all below
	answer *upload.CameraAnswer
	err    error
	policy policy.Policy
	offset *evidence.Offset
	asked  int
}

func (c *counter) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *counter) Camera(_ context.Context, serial string, key []byte) (*upload.CameraAnswer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.answer, c.err
}

func (c *counter) Policy() *policy.Policy {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.policy
	return &p
}

func (c *counter) ClockOffset() *evidence.Offset {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// agencyDock is a dock of an agency with a camera authority, and its server.
func agencyDock(t *testing.T, standing string) (*dock, *counter) {
	t.Helper()
	c := &counter{answer: &upload.CameraAnswer{Serial: "CAM-1", Standing: standing}}
	c.policy = policy.Policy{Authority: public(authority), Trust: &evidence.CameraTrust{Number: 1}, TrustText: []byte("trust")}
	d := newDock(t, func(o *Options, _ *spool.Options) { o.Server, o.Images = c, policy.NewImages(t.TempDir()) })
	return d, c
}

// certificateOf is what the authority gives a camera.
func certificateOf(s *smart) []byte {
	return signed(evidence.TypeCameraCertificate, &evidence.CameraCertificate{Version: 1, Agency: "riverton", Serial: s.serial, Key: public(s.key), IssuedAt: time.Now()}, authority)
}

// adopt makes a camera one of the agency's.
func (s *smart) adopt() {
	s.agency, s.certificate, s.status.Authority, s.status.Trust = "riverton", certificateOf(s), evidence.KeyID(public(authority)).String(), 1
}
