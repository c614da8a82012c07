package offload

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/content"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// dock is a desk with its spool and keys, and a server that is only a few lines:
// it opens what is spooled, keeps the plain bytes and gives receipts.
type dock struct {
	t       *testing.T
	opt     Options
	desk    *Desk
	dir     string
	private *seal.PrivateKey
	public  ed25519.PublicKey
	stored  map[evidence.EvidenceID][]byte
}

func newDock(t *testing.T, change func(*Options, *spool.Options)) *dock {
	t.Helper()
	private, err := seal.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		t.Fatal(err)
	}
	d := &dock{t: t, dir: t.TempDir(), private: private, public: key.Public(), stored: map[evidence.EvidenceID][]byte{}}
	log := slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	so := spool.Options{Dir: d.dir, Now: time.Now, Log: log}
	d.opt = Options{
		Agency: "riverton", Station: "north", Dock: "front-desk", AgencyKey: private.Public(), Signer: key, Version: "test", Now: time.Now, Log: log,
		Relist: 50 * time.Millisecond, Steady: 20 * time.Millisecond, Retry: 10 * time.Millisecond, RetryMost: 20 * time.Millisecond, ReadTimeout: 5 * time.Second,
	}
	if change != nil {
		change(&d.opt, &so)
	}
	d.opt.Spool, err = spool.Open(t.Context(), so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.opt.Spool.Close() })
	d.desk = New(d.opt)
	return d
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	if testing.Verbose() {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// docking serves a camera until the test stops it.
type docking struct {
	*Docking
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

func (d *dock) plug(c *fakeCamera, port string) *docking {
	d.t.Helper()
	return d.serve(fakeLink{c}, port)
}

func (d *dock) serve(link camera.Link, port string) *docking {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	v := &docking{Docking: d.desk.Docking(port, link), t: d.t, stop: cancel, done: make(chan error, 1)}
	go func() { v.done <- v.Serve(ctx) }()
	d.t.Cleanup(func() { v.unplug() })
	return v
}

// unplug ends the docking and returns why it ended.
func (v *docking) unplug() error {
	v.t.Helper()
	v.stop()
	err := <-v.done
	v.done <- err
	return err
}

// ended waits until the docking ends by itself.
func (v *docking) ended() error {
	v.t.Helper()
	select {
	case err := <-v.done:
		v.done <- err
		return err
	case <-time.After(20 * time.Second):
		v.t.Fatal("the docking does not end")
		return nil
	}
}

// until polls for a condition.
func (d *dock) until(what string, ok func() bool) {
	d.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		changed := d.opt.Spool.Changed()
		if ok() {
			return
		}
		tick := time.NewTimer(20 * time.Millisecond)
		select {
		case <-deadline:
			for _, r := range d.rows() {
				d.t.Logf("journal: %s is %s, attempt %d: %s", r.Source.Path, r.State, r.Attempt, r.Reason)
			}
			d.t.Fatalf("never came true: %s", what)
		case <-changed:
		case <-tick.C:
		}
		tick.Stop()
	}
}

func (d *dock) rows() []spool.Recording {
	d.t.Helper()
	rows, err := d.opt.Spool.InState(d.t.Context(), "", 1000, spool.StateReading, spool.StateSpooled, spool.StateUploading, spool.StateReceived,
		spool.StateErasing, spool.StateErased, spool.StateKept, spool.StateFailed, spool.StateQuarantined)
	if err != nil {
		d.t.Fatal(err)
	}
	return rows
}

// in counts the rows in a state.
func (d *dock) in(state spool.State) int {
	n := 0
	for _, r := range d.rows() {
		if r.State == state {
			n++
		}
	}
	return n
}

// open returns the plain bytes of a spooled copy, with its manifest, after the
// checks that a server makes.
func (d *dock) open(r spool.Recording) ([]byte, evidence.Manifest) {
	d.t.Helper()
	c, err := d.opt.Spool.OpenCopy(d.t.Context(), r.Evidence)
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	envelope, err := evidence.ParseEnvelope(c.Manifest)
	if err != nil {
		d.t.Fatal(err)
	}
	payload, err := envelope.Verify(evidence.TypeManifest, d.public)
	if err != nil {
		d.t.Fatal(err)
	}
	var m evidence.Manifest
	if err := evidence.Decode(payload, &m); err != nil {
		d.t.Fatal(err)
	}
	associated := seal.AAD(m.Agency, m.Evidence, m.Attempt)
	key, err := seal.Unwrap(d.private, c.WrappedKey, associated)
	if err != nil {
		d.t.Fatal(err)
	}
	opener, err := seal.NewOpener(key, associated, c.Header)
	if err != nil {
		d.t.Fatal(err)
	}
	leaves, err := evidence.DecodeLeaves(c.Leaves)
	if err != nil {
		d.t.Fatal(err)
	}
	var plain []byte
	for i := range c.Segments() {
		sealed, err := c.ReadSegment(nil, i)
		if err != nil {
			d.t.Fatal(err)
		}
		before := len(plain)
		if plain, err = opener.Open(plain, sealed, i, i == c.Segments()-1); err != nil {
			d.t.Fatal(err)
		}
		if evidence.LeafHash(plain[before:]) != leaves[i] {
			d.t.Fatalf("leaf %d does not fit", i)
		}
	}
	if sealed := m.Sealed(); sealed.Length != uint64(len(plain)) || sealed.MerkleRoot != evidence.MerkleRoot(leaves) {
		d.t.Fatalf("the manifest of %s does not fit what is sealed", r.Source.Path)
	}
	if m.Content != nil {
		var original bytes.Buffer
		if err := errors.Join(content.Prove(&m, bytes.NewReader(plain)), content.Decode(&original, bytes.NewReader(plain), m.Content.Encoding, m.Length)); err != nil {
			d.t.Fatal(err)
		}
		return original.Bytes(), m
	}
	if m.Evidence != r.Evidence || m.Attempt != r.Attempt || m.Length != uint64(len(plain)) || m.SHA256 != evidence.SHA256(plain) || m.MerkleRoot != evidence.MerkleRoot(leaves) {
		d.t.Fatalf("the manifest of %s does not fit its bytes", r.Source.Path)
	}
	return plain, m
}

// receive gives receipts for all that waits.
func (d *dock) receive() {
	d.t.Helper()
	waiting, err := d.opt.Spool.Waiting(d.t.Context(), 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range waiting {
		plain, _ := d.open(r)
		d.stored[r.Evidence] = plain
		receipt := spool.Receipt{Envelope: []byte("receipt"), Digest: evidence.SHA256([]byte("receipt")), Item: r.Evidence, LogSize: 1, Checkpoint: []byte("checkpoint\n")}
		if err := d.opt.Spool.Received(d.t.Context(), r.Evidence, r.Attempt, receipt); err != nil {
			d.t.Fatal(err)
		}
	}
}

// holds says whether the server has these bytes.
func (d *dock) holds(data []byte) bool {
	for _, plain := range d.stored {
		if bytes.Equal(plain, data) {
			return true
		}
	}
	return false
}

// statements returns the queued statements of a kind, verified.
func (d *dock) statements(kind spool.StatementKind, payloadType string) [][]byte {
	d.t.Helper()
	var out [][]byte
	for after := int64(0); ; {
		st, found, err := d.opt.Spool.NextStatement(d.t.Context(), after)
		if err != nil {
			d.t.Fatal(err)
		}
		if !found {
			return out
		}
		after = st.Sequence
		if st.Kind != kind {
			continue
		}
		envelope, err := evidence.ParseEnvelope(st.Envelope)
		if err != nil {
			d.t.Fatal(err)
		}
		payload, err := envelope.Verify(payloadType, d.public)
		if err != nil {
			d.t.Fatal(err)
		}
		out = append(out, payload)
	}
}

func (d *dock) releases() []evidence.Release {
	d.t.Helper()
	var out []evidence.Release
	for _, payload := range d.statements(spool.KindRelease, evidence.TypeRelease) {
		var r evidence.Release
		if err := evidence.Decode(payload, &r); err != nil {
			d.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// noise makes bytes that differ in every block.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], seed*0x9e3779b97f4a7c15+uint64(i)*0xbf58476d1ce4e5b9)
	}
	return b
}

const mib = 1 << 20

func TestEveryByteReachesTheSpoolSealedAndSigned(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	want := map[string][]byte{}
	for i, n := range []int{0, 1, mib - 1, mib, mib + 1, 7*mib + 12345, 20 * mib} {
		path := "DCIM/100/REC_" + string(rune('A'+i)) + ".MP4"
		want[path] = noise(uint64(i), n)
		c.record(path, evidence.KindVideo, want[path])
	}
	v := d.plug(c, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == len(want) })
	for _, r := range d.rows() {
		plain, m := d.open(r)
		if !bytes.Equal(plain, want[r.Source.Path]) {
			t.Errorf("%s came out wrong", r.Source.Path)
		}
		if m.Attempt != 1 || m.Bay != "1-1" || m.Camera.Serial != "CAM-1" || m.Clocks.CameraRaw != "20261101T110000" || m.Docking != v.id {
			t.Errorf("manifest of %s: %+v", r.Source.Path, m)
		}
		if c.readsOf(r.Source.Path) != 2 {
			t.Errorf("%s was read %d times, want 2", r.Source.Path, c.readsOf(r.Source.Path))
		}
	}
	var inventory evidence.Inventory
	sent := d.statements(spool.KindInventory, evidence.TypeInventory)
	if len(sent) != 1 {
		t.Fatalf("%d inventories are queued", len(sent))
	}
	if err := evidence.Decode(sent[0], &inventory); err != nil || len(inventory.Recordings) != len(want) || inventory.Docking != v.id {
		t.Fatalf("inventory of %d recordings, %v", len(inventory.Recordings), err)
	}
	if len(c.deletes) != 0 {
		t.Fatalf("erased without a receipt: %v", c.deletes)
	}
	d.receive()
	d.until("all erased", func() bool { return d.in(spool.StateErased) == len(want) })
	d.until("done", func() bool { return v.Status().State == upload.BayDone })
	if left := c.paths(); len(left) != 0 {
		t.Errorf("left on the camera: %v", left)
	}
	if n := len(d.releases()); n != len(want) {
		t.Errorf("%d releases, want %d", n, len(want))
	}
}

func TestAFlipInOneReadingIsCaughtAndOutvoted(t *testing.T) {
	for _, bad := range []int{1, 2} {
		d := newDock(t, nil)
		c := newCamera("CAM-1")
		data := noise(3, 5*mib)
		c.record("A.MP4", evidence.KindVideo, data)
		c.onRead = func(o *fakeObject, pass int, off int64, p []byte) error {
			if pass == bad && off == 2*mib {
				p[777] ^= 0x04
			}
			return nil
		}
		d.plug(c, "1-1")
		d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
		plain, m := d.open(d.rows()[0])
		if !bytes.Equal(plain, data) || m.Attempt != 2 {
			t.Fatalf("flip in reading %d: attempt %d, bytes right: %v", bad, m.Attempt, bytes.Equal(plain, data))
		}
	}
}

func TestACameraThatNeverReadsTheSameIsKeptAndNamed(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	c.record("BAD.MP4", evidence.KindVideo, noise(4, 3*mib))
	good := noise(5, 2*mib)
	c.record("GOOD.MP4", evidence.KindVideo, good)
	c.onRead = func(o *fakeObject, pass int, off int64, p []byte) error {
		if o.Path == "BAD.MP4" && off == mib {
			p[0] = byte(pass)
		}
		return nil
	}
	v := d.plug(c, "1-1")
	d.until("the good one spooled and the bad one failed", func() bool { return d.in(spool.StateSpooled) == 1 && d.in(spool.StateFailed) == 1 })
	d.receive()
	d.until("the good one erased", func() bool { return d.in(spool.StateErased) == 1 })
	d.until("attention", func() bool { return v.Status().State == upload.BayAttention })
	if left := c.paths(); len(left) != 1 || left[0] != "BAD.MP4" {
		t.Fatalf("left on the camera: %v", left)
	}
	for _, r := range d.rows() {
		if r.State == spool.StateFailed && (strings.Count(r.Reason, "SHA-256") != 2 || !strings.Contains(r.Reason, "byte 1048576")) {
			t.Errorf("reason does not name hashes and place: %s", r.Reason)
		}
	}
	if !strings.Contains(v.Status().Message, "BAD.MP4") {
		t.Errorf("message does not name the recording: %s", v.Status().Message)
	}
	if n := c.readsOf("BAD.MP4"); n != 3 {
		t.Errorf("the bad one was read %d times, want 3", n)
	}
}

func TestUnplugInMidReadLeavesNothingAndResumesAtTheNextDocking(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	data := noise(6, 9*mib)
	c.record("A.MP4", evidence.KindVideo, data)
	c.onRead = func(o *fakeObject, pass int, off int64, p []byte) error {
		if pass == 1 && off >= 4*mib {
			return camera.ErrGone
		}
		return nil
	}
	if err := d.plug(c, "1-1").ended(); !errors.Is(err, camera.ErrGone) {
		t.Fatalf("the docking ended with %v", err)
	}
	if files, _ := os.ReadDir(filepath.Join(d.dir, "recordings")); len(files) != 0 {
		t.Fatalf("left in the spool: %v", files)
	}
	first := d.rows()
	d.plug(c, "1-2")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	if rows := d.rows(); len(rows) != 1 || rows[0].Evidence != first[0].Evidence || rows[0].Attempt != 2 {
		t.Fatalf("rows are %+v", rows)
	}
	if plain, _ := d.open(d.rows()[0]); !bytes.Equal(plain, data) {
		t.Fatal("bytes are wrong")
	}
}

func TestSizeLiesAreTakenAsDelivered(t *testing.T) {
	for name, listed := range map[string]uint64{"more": 9 * mib, "less": 5, "unknown": 0xffffffff, "absurd": 1 << 63} {
		t.Run(name, func(t *testing.T) {
			d := newDock(t, nil)
			c := newCamera("CAM-1")
			data := noise(7, 3*mib+9)
			o := c.record("A.MP4", evidence.KindVideo, data)
			o.Size, o.SizeKnown = listed, name != "unknown"
			v := d.plug(c, "1-1")
			d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
			plain, m := d.open(d.rows()[0])
			if !bytes.Equal(plain, data) || m.Recording.Size != listed {
				t.Fatalf("%d bytes came, the manifest lists %d", len(plain), m.Recording.Size)
			}
			if o.SizeKnown && len(v.Status().Alerts) == 0 {
				t.Error("nobody is told")
			}
		})
	}
}

func TestBytesOutOfReachKeepTheRecordingOnTheCamera(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	c.record("LONG.MP4", evidence.KindVideo, noise(8, 3*mib))
	c.onRead = func(o *fakeObject, pass int, off int64, p []byte) error {
		if off == 2*mib {
			return camera.ErrBeyond
		}
		return nil
	}
	v := d.plug(c, "1-1")
	d.until("failed", func() bool { return d.in(spool.StateFailed) == 1 })
	d.until("attention", func() bool {
		s := v.Status()
		return s.State == upload.BayAttention && strings.Contains(s.Message, "LONG.MP4 was not copied and stays on the camera")
	})
	d.until("listed again", func() bool { return c.listings() > 3 })
	if n := c.readsOf("LONG.MP4"); n != 1 || len(c.paths()) != 1 {
		t.Errorf("read %d times, want once; left on the camera: %v", n, c.paths())
	}
}
