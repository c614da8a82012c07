package offload

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/seal"
	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func TestReceiptAfterUnplugErasesAtTheNextDockingAfterReadingAgain(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	data := noise(1, 3*mib)
	c.record("A.MP4", evidence.KindVideo, data)
	v := d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	v.unplug()
	d.receive()
	if len(c.deletes) != 0 {
		t.Fatal("erased while unplugged")
	}
	d.plug(c, "1-2")
	d.until("erased", func() bool { return d.in(spool.StateErased) == 1 })
	if c.readsOf("A.MP4") != 3 || len(d.rows()) != 1 {
		t.Fatalf("read %d times, rows %v; want one check and no second copy", c.readsOf("A.MP4"), d.rows())
	}
}

// A camera whose numbers and clock start again shows another recording under
// the name, size and time of one that has a receipt.
func TestOtherBytesUnderAReceivedNameAreNeverErasedUnread(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	first, second := noise(1, 2*mib), noise(2, 2*mib)
	c.record("A.MP4", evidence.KindVideo, first)
	v := d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	v.unplug()
	d.receive()
	c.set(func() { c.objects[0].data = second })
	c.set(func() {
		c.onDelete = func(o *fakeObject) error {
			if !d.holds(o.data) {
				t.Errorf("%s was erased and the server does not have its bytes", o.Path)
			}
			return nil
		}
	})
	d.plug(c, "1-1")
	d.until("the second is copied as another recording", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.receive()
	d.until("erased", func() bool { return len(c.paths()) == 0 })
	if !d.holds(first) || !d.holds(second) {
		t.Fatal("a recording is lost")
	}
}

func TestTwoCamerasWithOneSerialKeepEachTheirOwn(t *testing.T) {
	d := newDock(t, nil)
	cameras := []*fakeCamera{newCamera("0123456789"), newCamera("0123456789")}
	for i, c := range cameras {
		c.record("A.MP4", evidence.KindVideo, noise(uint64(i+1), 2*mib))
		c.onDelete = func(o *fakeObject) error {
			if !d.holds(o.data) {
				t.Errorf("camera %d was told to erase what the server does not have", i)
			}
			return nil
		}
	}
	first, second := d.plug(cameras[0], "1-1"), d.plug(cameras[1], "1-2")
	d.until("both spooled", func() bool { return d.in(spool.StateSpooled) == 2 })
	d.receive()
	d.until("both erased", func() bool { return d.in(spool.StateErased) == 2 })
	if !d.holds(noise(1, 2*mib)) || !d.holds(noise(2, 2*mib)) {
		t.Fatal("a recording is lost")
	}
	alerts := strings.Join(append(first.Status().Alerts, second.Status().Alerts...), " ")
	if !strings.Contains(alerts, "same serial number") {
		t.Errorf("nobody is told: %q", alerts)
	}
}

func TestARefusedErasureIsSaidAndTriedAgainAtTheNextDocking(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	c.record("A.MP4", evidence.KindVideo, noise(1, mib))
	c.onDelete = func(*fakeObject) error {
		return &camera.RefusedError{Operation: ptp.OpDeleteObject, Code: ptp.RespStoreReadOnly}
	}
	v := d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.receive()
	d.until("kept", func() bool { return d.in(spool.StateKept) == 1 })
	d.until("attention", func() bool { return v.Status().State == upload.BayAttention })
	if r := d.releases(); len(r) != 1 || r[0].Result != evidence.ReleaseFailed || r[0].Reason == "" {
		t.Fatalf("releases: %+v", r)
	}
	v.unplug()
	c.set(func() { c.onDelete = nil })
	d.plug(c, "1-1")
	d.until("erased", func() bool { return d.in(spool.StateErased) == 1 })
	if r := d.releases(); len(r) != 2 || r[1].Result != evidence.ReleaseErased {
		t.Fatalf("releases: %+v", r)
	}
}

func TestACameraThatLiesAboutErasingIsFoundOut(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	o := c.record("A.MP4", evidence.KindVideo, noise(1, mib))
	c.onDelete = func(*fakeObject) error {
		c.objects = append(c.objects, &fakeObject{Object: o.Object, data: o.data}) // still there afterwards
		return nil
	}
	d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.receive()
	d.until("kept", func() bool { return d.in(spool.StateKept) == 1 })
	if r := d.releases(); len(r) != 1 || r[0].Result != evidence.ReleaseFailed {
		t.Fatalf("releases: %+v", r)
	}
}

func TestUnplugDuringErasureErasesTheRestAndCopiesNothingTwice(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	for i, name := range []string{"A.MP4", "B.MP4", "C.MP4"} {
		c.record(name, evidence.KindVideo, noise(uint64(i), mib))
	}
	c.onDelete = func(o *fakeObject) error {
		if len(c.deletes) == 1 {
			c.gone = true // the first was erased, the answer to the second is lost
			return camera.ErrGone
		}
		return nil
	}
	v := d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 3 })
	d.receive()
	if err := v.ended(); !errors.Is(err, camera.ErrGone) {
		t.Fatalf("the docking ended with %v", err)
	}
	c.set(func() { c.gone, c.onDelete = false, nil })
	d.plug(c, "1-1")
	d.until("all erased", func() bool { return d.in(spool.StateErased) == 3 })
	if len(d.rows()) != 3 || len(d.releases()) != 3 || len(c.paths()) != 0 {
		t.Fatalf("rows %v, releases %+v, left %v", d.rows(), d.releases(), c.paths())
	}
}

func TestNothingIsErasedWithoutAReceiptWhateverElseHappens(t *testing.T) {
	for _, act := range []string{"reread", "quarantined", "refused", "offered"} {
		t.Run(act, func(t *testing.T) {
			d := newDock(t, nil)
			c := newCamera("CAM-1")
			data := noise(1, 2*mib)
			c.record("A.MP4", evidence.KindVideo, data)
			v := d.plug(c, "1-1")
			d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
			r := d.rows()[0]
			var err error
			switch act {
			case "reread":
				err = d.opt.Spool.Reread(t.Context(), r.Evidence, r.Attempt, "damaged")
				d.until("spooled again", func() bool { rows := d.rows(); return rows[0].State == spool.StateSpooled && rows[0].Attempt == 2 })
			case "quarantined":
				err = d.opt.Spool.Quarantined(t.Context(), r.Evidence, r.Attempt, "the hash differs")
				d.until("attention", func() bool { return v.Status().State == upload.BayAttention })
			case "refused":
				err = d.opt.Spool.Refused(t.Context(), r.Evidence, r.Attempt, "bad manifest")
				d.until("attention", func() bool { return v.Status().State == upload.BayAttention })
			case "offered":
				err = d.opt.Spool.Offered(t.Context(), r.Evidence, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			v.unplug()
			if len(c.deletes) != 0 || len(c.paths()) != 1 || len(d.releases()) != 0 {
				t.Fatalf("deletes %v, left %v, releases %v", c.deletes, c.paths(), d.releases())
			}
		})
	}
}

func TestAStalledCameraSuffersAlone(t *testing.T) {
	d := newDock(t, func(o *Options, _ *spool.Options) { o.ReadTimeout = 200 * time.Millisecond; o.Reading = 2 })
	stalled, well := newCamera("STALLED"), newCamera("WELL")
	stalled.record("S.MP4", evidence.KindVideo, noise(1, 3*mib))
	stalled.record("T.MP4", evidence.KindVideo, noise(2, mib))
	stalled.onRead = func(o *fakeObject, pass int, off int64, p []byte) error {
		if o.Path == "S.MP4" && off == mib {
			return errHang
		}
		return nil
	}
	for i := range 5 {
		well.record("W"+string(rune('0'+i))+".MP4", evidence.KindVideo, noise(uint64(10+i), 2*mib))
	}
	v := d.plug(stalled, "1-1")
	d.plug(well, "1-2")
	d.until("all but the stalled one are spooled", func() bool { return d.in(spool.StateSpooled) == 6 })
	d.until("the stalled one is named", func() bool { return strings.Contains(strings.Join(v.Status().Alerts, " "), "S.MP4") })
	if err := v.ended(); !errors.Is(err, camera.ErrTimeout) {
		t.Fatalf("the stalled docking ended with %v, so that the link is opened anew", err)
	}
}

func TestFullSpoolPausesAndGoesOnByItself(t *testing.T) {
	data := [][]byte{noise(1, 2*mib), noise(2, 2*mib), noise(3, 2*mib)}
	d := newDock(t, func(_ *Options, s *spool.Options) { s.Quota = seal.SealedSize(2*mib) + 100 })
	c := newCamera("CAM-1")
	for i, b := range data {
		c.record(string(rune('A'+i))+".MP4", evidence.KindVideo, b)
	}
	v := d.plug(c, "1-1")
	d.until("pause is said", func() bool {
		s := v.Status()
		return s.State == upload.BayAttention && strings.Contains(s.Message, "Spool full")
	})
	if len(c.deletes) != 0 {
		t.Fatal("something was erased")
	}
	for i := range data {
		d.until("the next is spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
		d.receive()
		d.until("it is erased", func() bool { return d.in(spool.StateErased) == i+1 })
	}
	for _, b := range data {
		if !d.holds(b) {
			t.Error("a recording is lost")
		}
	}
	d.until("done", func() bool { return v.Status().State == upload.BayDone })
}

func TestSidecarsGiveClaimsAndHostileOnesWarnings(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	videos := map[string]string{
		"GOOD":  `{"officer":"Maya Lindqvist","officer_id":"o-1041","category":"Foot patrol","started_at":"2026-11-01T09:00:00Z","marks":[{"at_seconds":1.5,"label":"Contact"}],"track":[{"latitude":1}]}`,
		"WRONG": `{"officer":12}`,
		"BOMB":  strings.Repeat("[", 200_000),
		"LONG":  `{"officer":"` + strings.Repeat("x", 300<<10) + `"}`,
		"ODD":   `{"officer":"a\u0000b\u001b[2J` + strings.Repeat("é", 300) + `","ended_at":"9999-12-31T23:59:59-23:59"}`,
		"NONE":  "",
	}
	for name, text := range videos {
		c.record("DCIM/"+name+".MP4", evidence.KindVideo, noise(uint64(len(name)), mib))
		c.record("DCIM/"+strings.ToLower(name)+".JSON", evidence.KindMetadata, []byte(text))
	}
	d.plug(c, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == 2*len(videos) })
	for _, r := range d.rows() {
		plain, m := d.open(r)
		switch {
		case r.Source.Path == "DCIM/GOOD.MP4" && (m.Claims.Officer != "Maya Lindqvist" || m.Claims.OfficerID != "o-1041" || len(m.Claims.Marks) != 1 || m.Claims.StartedAt.IsZero()):
			// The sidecar's name has another case than the video's: both have one stem.
			t.Errorf("claims: %+v", m.Claims)
		case r.Source.Path == "DCIM/WRONG.MP4" && m.Claims.Officer != "":
			t.Errorf("claims from a hostile sidecar: %+v", m.Claims)
		case r.Source.Path == "DCIM/long.JSON" && !bytes.Equal(plain, []byte(videos["LONG"])):
			t.Error("the sidecar itself is not taken in whole")
		}
	}
	var inventory evidence.Inventory
	if err := evidence.Decode(d.statements(spool.KindInventory, evidence.TypeInventory)[0], &inventory); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wrong", "bomb", "long", "none"} {
		if !strings.Contains(strings.Join(inventory.Warnings, "\n"), "DCIM/"+name+".JSON") {
			t.Errorf("no warning about %s in %q", name, inventory.Warnings)
		}
	}
}

func FuzzClaimsAlwaysFitAStatement(f *testing.F) {
	f.Add([]byte(`{"officer":"a","started_at":"0000-01-01T00:00:00Z","marks":[{"at_seconds":1e308}]}`))
	f.Add([]byte(`{"marks":[{"label":"\ud800\n"}],"ended_at":"9999-12-31T23:59:59.999999999-23:59"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		claims, err := parseClaims(text)
		if err != nil {
			return
		}
		m := evidence.Manifest{
			Version: 1, Agency: "a", Station: "s", Dock: "d", Evidence: evidence.EvidenceID{1}, Attempt: 1, Camera: evidence.CameraInfo{Serial: "x"},
			Recording: evidence.RecordingInfo{Path: "p", Kind: evidence.KindVideo}, Claims: claims, SHA256: evidence.Digest{1}, MerkleRoot: evidence.Digest{1},
			Confirmed: evidence.ConfirmedByReread, Clocks: evidence.Clocks{DockStart: time.Unix(1, 0), DockEnd: time.Unix(1, 0)},
		}
		if _, err := evidence.Encode(&m); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzCleanTextIsAlwaysFit(f *testing.F) {
	f.Add("1-\u202e\x1b é€𝄞", 5)
	f.Add("\xff\xfe\x80", 2)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(limit, 0) % 300
		out := clean(s, limit)
		if len(out) > limit || !utf8.ValidString(out) || strings.ContainsFunc(out, func(r rune) bool { return r < 0x20 || r == 0x7f || r == utf8.RuneError }) {
			t.Fatalf("clean(%q, %d) is %q", s, limit, out)
		}
	})
}

// A camera that says OK, keeps the recording and then lists it with another size
// has not erased it.
func TestAnotherSizeAfterErasingIsNoErasure(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	o := c.record("A.MP4", evidence.KindVideo, noise(3, 100))
	c.onDelete = func(*fakeObject) error { o.Size--; return errKept }
	d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.receive()
	d.until("kept", func() bool { return d.in(spool.StateKept) == 1 })
	if n := d.in(spool.StateErased); n != 0 || len(c.paths()) != 1 {
		t.Errorf("%d count as erased, left on the camera: %v", n, c.paths())
	}
}
