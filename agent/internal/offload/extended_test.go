package offload

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/agent/internal/spool"
	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// inventories returns the dock's inventories, oldest first.
func (d *dock) inventories() []evidence.Inventory {
	d.t.Helper()
	var all []evidence.Inventory
	for _, payload := range d.statements(spool.KindInventory, evidence.TypeInventory) {
		var v evidence.Inventory
		if err := evidence.Decode(payload, &v); err != nil {
			d.t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// found reports whether an inventory carries a finding.
func (d *dock) found(code evidence.FindingCode) func() bool {
	return func() bool {
		for _, v := range d.inventories() {
			for _, f := range v.Findings {
				if f.Code == code && f.Message != "" {
					return true
				}
			}
		}
		return false
	}
}

func TestACameraOfOursIsReadOnceAndGetsTheReceiptItself(t *testing.T) {
	d, _ := agencyDock(t, upload.StandingApproved)
	c := newSmart("CAM-1")
	c.adopt()
	c.status.Locked = true
	data := noise(1, 2*mib)
	c.record("CLIP0001.MP4", evidence.KindVideo, data)
	d.serve(c.link(), "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	_, m := d.open(d.rows()[0])
	if m.Confirmed != evidence.ConfirmedByCamera || m.Recording.Sequence != 1 || m.Recording.SequenceSource != evidence.SequenceFromCamera ||
		*m.Recording.Signed != evidence.SHA256(data) || m.Camera.KeyStanding != evidence.KeyCertified || !bytes.Equal(m.Camera.Key, public(c.key)) || m.Camera.Access != evidence.AccessExtension {
		t.Errorf("%+v", m)
	}
	if n := c.readsOf("CLIP0001.MP4"); n != 1 {
		t.Errorf("read %d times", n)
	}
	d.receive()
	d.until("erased", func() bool { return d.in(spool.StateErased) == 1 })
	c.set(func() {
		if len(c.receipts) != 1 || string(c.receipts[0]) != "receipt" || len(c.deletes) != 0 {
			t.Errorf("receipts %q, deletes %v", c.receipts, c.deletes)
		}
	})
	var r evidence.Release
	if err := evidence.Decode(d.statements(spool.KindRelease, evidence.TypeRelease)[0], &r); err != nil || r.Method != "crypto-erase" || len(r.Camera) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if v := d.inventories()[0]; v.Next != 2 || len(v.Proof) == 0 || len(v.Listings) != 1 || v.Journal != 1 || *v.Battery != 80 || v.Clocks.Camera == nil || v.ClockSet == nil {
		t.Errorf("%+v", v)
	}
}

func TestANewCameraIsTakenInAndErasedOnlyWhenItIsApproved(t *testing.T) {
	d, server := agencyDock(t, upload.StandingPending)
	c := newSmart("CAM-1")
	c.record("A.MP4", evidence.KindVideo, noise(1, mib))
	v := d.serve(c.link(), "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	if n := c.readsOf("A.MP4"); n != 2 {
		t.Errorf("the signature of a key that nobody approved counted: read %d times", n)
	}
	d.receive()
	d.until("it says why it keeps the recording", func() bool { return strings.Contains(v.Status().Message, "approved") })
	if !v.Status().Safe || len(c.paths()) != 1 {
		t.Errorf("%+v", v.Status())
	}
	server.set(func() {
		server.answer = &upload.CameraAnswer{Serial: "CAM-1", Standing: upload.StandingApproved, Certificate: certificateOf(c)}
	})
	v.unplug()
	d.serve(c.link(), "1-1")
	d.until("erased", func() bool { return d.in(spool.StateErased) == 1 })
	c.set(func() {
		if c.certificate == nil || len(c.receipts) != 1 {
			t.Error("it was not given its certificate, or not the receipt")
		}
	})
}

func TestNothingIsErasedForWhatTheServerHoldsBack(t *testing.T) {
	for name, spoil := range map[string]func(*smart, *counter){
		"a hold":             func(_ *smart, s *counter) { s.answer.Hold, s.answer.HoldReason = true, "case 12" },
		"a blocked camera":   func(_ *smart, s *counter) { s.answer.Standing = upload.StandingBlocked },
		"another key before": func(_ *smart, s *counter) { s.answer.Standing = upload.StandingChanged },
		"an unknown word":    func(_ *smart, s *counter) { s.answer.Standing = "whatever" },
		"no answer":          func(_ *smart, s *counter) { s.err = errors.New("away") },
		"another agency's":   func(c *smart, _ *counter) { c.agency, c.certificate = "elsewhere", nil },
		"days to keep":       func(_ *smart, s *counter) { s.policy.KeepDays = 1 },
		"a false proof":      func(c *smart, _ *counter) { c.proof = func(p *evidence.CameraProof) { p.Serial = "CAM-2" } },
		"an old proof":       func(c *smart, _ *counter) { c.proof = func(p *evidence.CameraProof) { p.Nonce = make([]byte, 16) } },
		"a stranger's proof": func(c *smart, _ *counter) { c.proof = func(p *evidence.CameraProof) { p.Key = public(maker) } },
	} {
		t.Run(name, func(t *testing.T) {
			d, server := agencyDock(t, upload.StandingApproved)
			c := newSmart("CAM-1")
			c.adopt()
			spoil(c, server)
			c.record("A.MP4", evidence.KindVideo, noise(1, 1000))
			v := d.serve(c.link(), "1-1")
			d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
			d.receive()
			d.until("it stays", func() bool {
				s := v.Status()
				return s.RecordingsDone == 1 && (strings.Contains(s.Message, "stay on") || s.State == upload.BayAttention)
			})
			if len(c.paths()) != 1 || d.in(spool.StateReceived) != 1 {
				t.Error("it was erased")
			}
		})
	}
}

func TestWhatIsWrongWithACameraIsFoundAndSaid(t *testing.T) {
	for code, spoil := range map[evidence.FindingCode]func(*smart){
		evidence.FoundKeyFailed:     func(c *smart) { c.proof = func(p *evidence.CameraProof) { p.Serial = "CAM-2" } },
		evidence.FoundForeign:       func(c *smart) { c.agency = "elsewhere" },
		evidence.FoundListingFailed: func(c *smart) { c.listing = func(l *evidence.CameraListing) { l.Serial = "CAM-2" } },
		evidence.FoundClockWrong:    func(c *smart) { c.ahead = -77 * time.Minute },
		evidence.FoundIncomplete:    func(c *smart) { c.status.Locked, c.status.Challenge = true, nil },
	} {
		d, _ := agencyDock(t, upload.StandingApproved)
		c := newSmart("CAM-1")
		c.adopt()
		spoil(c)
		c.record("A.MP4", evidence.KindVideo, noise(1, 1000))
		d.serve(c.link(), "1-1")
		d.until(string(code), d.found(code))
	}
}

func TestAReadingThatTheCameraDidNotSignIsReadAgain(t *testing.T) {
	d, _ := agencyDock(t, upload.StandingApproved)
	c := newSmart("CAM-1")
	c.adopt()
	data := noise(1, 2*mib)
	c.record("A.MP4", evidence.KindVideo, data)
	c.onRead = func(_ *fakeObject, pass int, off int64, p []byte) error {
		if pass == 1 && off == 0 {
			p[7] ^= 1
		}
		return nil
	}
	d.serve(c.link(), "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	plain, m := d.open(d.rows()[0])
	if !bytes.Equal(plain, data) || m.Confirmed != evidence.ConfirmedByReread {
		t.Errorf("confirmed by %s", m.Confirmed)
	}
}

func TestTheCamerasClockIsMeasuredKeptAndSet(t *testing.T) {
	d, server := agencyDock(t, upload.StandingApproved)
	server.offset = &evidence.Offset{At: time.Now(), Ahead: 2_000_000, Uncertainty: 1000, Exchanges: 8}
	server.answer.ClockSetUs, server.answer.ClockAheadUs, server.answer.ClockUncertaintyUs = time.Now().Add(-8*time.Hour).UnixMicro(), 1_000_000, 500
	c := newSmart("CAM-1")
	c.adopt()
	c.ahead = time.Hour + 17*time.Minute
	c.record("A.MP4", evidence.KindVideo, noise(1, 1000))
	d.serve(c.link(), "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	_, m := d.open(d.rows()[0])
	ahead := time.Duration(m.Clocks.Camera.Ahead) * time.Microsecond
	if off := (ahead - 77*time.Minute).Abs(); off > time.Duration(m.Clocks.Camera.Uncertainty)*time.Microsecond || m.Clocks.Camera.Uncertainty > time.Second.Microseconds() {
		t.Errorf("measured %v, uncertainty %d us", ahead, m.Clocks.Camera.Uncertainty)
	}
	if m.Clocks.Set.Ahead != -1_000_000 || m.Clocks.Dock.Ahead != 2_000_000 {
		t.Errorf("set %+v, dock %+v", m.Clocks.Set, m.Clocks.Dock)
	}
	v := d.inventories()[0]
	if set := time.Duration(v.ClockSet.Ahead) * time.Microsecond; set.Abs() > 50*time.Millisecond {
		t.Errorf("after it was set it is %v off", set)
	}
	c.set(func() {
		if c.sets != 1 {
			t.Errorf("set %d times", c.sets)
		}
	})
}

func TestAnOldJournalErasesNothingFromMemory(t *testing.T) {
	d, server := agencyDock(t, upload.StandingUnknown)
	c := newCamera("CAM-1")
	c.record("A.MP4", evidence.KindVideo, noise(1, 1000))
	v := d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	v.unplug()
	d.receive()
	server.set(func() { server.answer.Journal = 40 }) // the server has seen more than this journal knows of
	d.plug(c, "1-1")
	d.until("it is offered anew", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.until("it is said", d.found(evidence.FoundStaleJournal))
	if len(c.paths()) != 1 {
		t.Fatal("it was erased from memory")
	}
	d.receive()
	d.until("erased", func() bool { return d.in(spool.StateErased) == 1 })
	if n, err := d.opt.Spool.NextDocking(t.Context()); err != nil || n <= 40 {
		t.Errorf("the journal counts on from %d, %v", n, err)
	}
}

// The server may know of dockings in other bays that were counted after this one.
func TestDockingsOfOtherBaysMakeNoJournalOld(t *testing.T) {
	d, server := agencyDock(t, upload.StandingUnknown)
	first := newSmart("CAM-1")
	asked := make(chan struct{})
	first.proof = func(*evidence.CameraProof) {
		for range 3 { // meanwhile others are docked, and the server hears of them
			if _, err := d.opt.Spool.NextDocking(t.Context()); err != nil {
				t.Error(err)
			}
		}
		server.set(func() { server.answer.Journal = 4 })
		close(asked)
	}
	d.serve(first.link(), "1-1")
	<-asked
	d.until("an inventory", func() bool { return len(d.inventories()) > 0 })
	if d.found(evidence.FoundStaleJournal)() {
		t.Error("the journal was taken for an old one")
	}
}

func TestACameraAtRestIsLookedAfter(t *testing.T) {
	d, server := agencyDock(t, upload.StandingApproved)
	server.answer.Officer, server.answer.OfficerId = "A. Silva", "4711"
	settings := signed(evidence.TypeCameraSettings, &evidence.CameraSettings{Version: 1, Agency: "riverton", Number: 1, Values: map[string]string{"volume": "2"}, IssuedAt: time.Now()}, authority)
	server.policy.Settings = []policy.Settings{{CameraSettings: evidence.CameraSettings{Number: 1}, Envelope: settings}}
	image := noise(7, 3*mib+11)
	f := evidence.Firmware{Version: 1, Model: "F1", Release: "2.0", Counter: 2, Length: uint64(len(image)), SHA256: evidence.SHA256(image), MinBattery: 30, ReleasedAt: time.Now()}
	server.policy.Firmware = []policy.Firmware{{Firmware: f, Envelope: signed(evidence.TypeFirmware, &f, maker)}}
	if err := d.opt.Images.Receive(&f, func(uint64) (io.Reader, error) { return bytes.NewReader(image), nil }); err != nil {
		t.Fatal(err)
	}
	c := newSmart("CAM-1")
	c.adopt()
	c.record("A.MP4", evidence.KindVideo, noise(1, 1000))
	v := d.serve(c.link(), "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	if err := v.ended(); !errors.Is(err, ErrRestarting) || !errors.Is(err, camera.ErrGone) {
		t.Fatalf("the docking ended with %v", err)
	}
	c.set(func() {
		if !c.restarted || !bytes.Equal(c.image, image) || !bytes.Equal(c.settings, settings) || c.wearer.OfficerID != "4711" || len(c.objects) != 1 {
			t.Errorf("restarted %v, image of %d bytes, wearer %+v, %d recordings", c.restarted, len(c.image), c.wearer, len(c.objects))
		}
		c.gone, c.status.FirmwareCounter, c.update.State = false, 2, ptp.FirmwareTrial
	})
	v = d.serve(c.link(), "1-1")
	d.until("confirmed", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.update.State == ptp.FirmwareIdle })
	if s := v.Status(); s.Officer != "A. Silva" || !s.Known || s.UpdatePercent != -1 {
		t.Errorf("%+v", s)
	}
	d.until("the light says that it may be taken out", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.lights) > 0 && c.lights[len(c.lights)-1] == ptp.IndicatorSafe
	})
}

func TestFirmwareThatFailedIsLeftAloneAndSaid(t *testing.T) {
	d, server := agencyDock(t, upload.StandingApproved)
	image := noise(7, 1000)
	f := evidence.Firmware{Version: 1, Model: "F1", Release: "2.0", Counter: 2, Length: 1000, SHA256: evidence.SHA256(image), ReleasedAt: time.Now()}
	server.policy.Firmware = []policy.Firmware{{Firmware: f, Envelope: signed(evidence.TypeFirmware, &f, maker)}}
	c := newSmart("CAM-1")
	c.adopt()
	c.update = ptp.FirmwareStatus{State: ptp.FirmwareFailed, Release: "2.0", Message: "did not start"}
	v := d.serve(c.link(), "1-1")
	d.until("it is said", func() bool { return len(v.Status().Alerts) > 0 && strings.Contains(v.Status().Alerts[0], "2.0") })
	d.until("the server is told", d.found(evidence.FoundFirmware))
}

func TestUrgentFootageGoesFirstAndOnlyWhileTheButtonSaysSo(t *testing.T) {
	d := newDock(t, nil)
	a, b := newCamera("CAM-1"), newCamera("CAM-2")
	a.record("A.MP4", evidence.KindVideo, noise(1, 1000))
	d.plug(a, "1-1")
	d.until("the first", func() bool { return d.in(spool.StateSpooled) == 1 })
	b.record("B.MP4", evidence.KindVideo, noise(2, 1000))
	v := d.plug(b, "1-2")
	d.until("the second", func() bool { return d.in(spool.StateSpooled) == 2 })
	first := func() string {
		rows, err := d.opt.Spool.Waiting(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return rows[0].Source.Path
	}
	v.SetUrgent(true)
	d.until("the second goes first", func() bool { return first() == "B.MP4" })
	v.SetUrgent(false)
	d.until("the older goes first again", func() bool { return first() == "A.MP4" })
}
