package carry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/drive"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// dock is a spool with copies that wait, and a drive.
type dock struct {
	t     *testing.T
	data  string
	dir   string // the drive
	spool *spool.Spool
	key   *identity.StatementKey
	bytes map[evidence.EvidenceID][]byte // sealed, as spooled
}

func newDock(t *testing.T, sizes ...int) *dock {
	t.Helper()
	d := &dock{t: t, data: t.TempDir(), dir: t.TempDir(), bytes: map[evidence.EvidenceID][]byte{}}
	var err error
	d.key, err = identity.NewStatementKey(identity.PurposeDock)
	d.check(err)
	d.spool, err = spool.Open(t.Context(), spool.Options{Dir: d.data, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	d.check(err)
	t.Cleanup(func() { d.spool.Close() })
	for i, size := range sizes {
		d.copied(fmt.Sprintf("DCIM/%d.MP4", i), size)
	}
	d.check(d.spool.Queue(t.Context(), spool.KindInventory, []byte("one inventory")))
	d.check(d.spool.Queue(t.Context(), spool.KindRelease, []byte("one release")))
	return d
}

func (d *dock) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// copied puts a copy into the spool, of bytes that look sealed.
func (d *dock) copied(path string, size int) evidence.EvidenceID {
	d.t.Helper()
	ctx := d.t.Context()
	rec, err := d.spool.Add(ctx, spool.Source{Serial: "CAM-1", Path: path, Size: uint64(size), Captured: "x"}, evidence.NewDockingID(), "1-1")
	d.check(err)
	w, err := d.spool.Begin(ctx, rec.Evidence, rec.Docking, "1-1", uint64(size))
	d.check(err)
	header := bytes.Repeat([]byte{9}, seal.HeaderSize)
	d.check(w.Header(header))
	all := header
	var leaves []evidence.Digest
	for i := range seal.SegmentCount(uint64(size)) {
		segment := bytes.Repeat([]byte{byte(i + 1)}, int(seal.SegmentLen(uint64(size), i))+seal.Overhead)
		copy(segment, path)
		d.check(w.Segment(segment))
		all, leaves = append(all, segment...), append(leaves, evidence.LeafHash(segment))
	}
	d.check(w.Commit(ctx, spool.Sealed{
		Length: uint64(size), SHA256: evidence.SHA256(all), MerkleRoot: evidence.MerkleRoot(leaves), Leaves: leaves, Manifest: []byte(`{"manifest":"of ` + path + `"}`), WrappedKey: []byte("wrapped"),
	}))
	d.bytes[rec.Evidence] = all
	return rec.Evidence
}

func (d *dock) export(change ...func(*Options)) (Result, error) {
	d.t.Helper()
	reader, err := spool.ReadOnly(d.t.Context(), d.data)
	d.check(err)
	defer reader.Close()
	opt := Options{Spool: reader, Dir: d.dir, Agency: "riverton", Station: "north", Dock: "north-1", Signer: d.key, Version: "test", Now: time.Now}
	for _, c := range change {
		c(&opt)
	}
	return Export(d.t.Context(), opt)
}

// indexed reads the drive as the server does, and says what is wrong with
// anything that its index names.
func (d *dock) indexed() (names map[evidence.EvidenceID]bool, statements int, err error) {
	folders, err := drive.Open(d.dir)
	if err != nil {
		return nil, 0, err
	}
	f := folders[0]
	defer f.Close()
	envelope, err := f.Carriage()
	if err != nil {
		return nil, 0, err
	}
	payload, err := envelope.Verify(evidence.TypeCarriage, d.key.Public())
	d.check(err)
	var c evidence.Carriage
	d.check(evidence.Decode(payload, &c))
	names = map[evidence.EvidenceID]bool{}
	for _, part := range c.Pages {
		page, err := f.Page(part)
		if err != nil {
			return nil, 0, fmt.Errorf("a page: %w", err)
		}
		for _, r := range page.Recordings {
			names[r.Evidence] = true
			raw, err := f.Read(drive.Offer(r.Evidence, r.Attempt), 1<<20)
			if err != nil || evidence.SHA256(raw) != r.Offer {
				return nil, 0, fmt.Errorf("the offer of %v: %w", r.Evidence, err)
			}
			offer, err := protocol.Expect[*protocol.Offer](bytes.NewReader(raw), new(protocol.Buffer))
			if err != nil || !strings.Contains(string(offer.GetManifest()), "manifest") || string(offer.GetWrappedKey()) != "wrapped" {
				return nil, 0, fmt.Errorf("the offer of %v: %+v, %w", r.Evidence, offer, err)
			}
			var sealed []byte
			for n, sum := range r.Files {
				raw, err := f.Read(drive.Part(r.Evidence, r.Attempt, uint64(n)), 64<<20)
				if err != nil || evidence.SHA256(raw) != sum {
					return nil, 0, fmt.Errorf("the bytes of %v: %w", r.Evidence, err)
				}
				sealed = append(sealed, raw...)
			}
			if !bytes.Equal(sealed, d.bytes[r.Evidence]) {
				return nil, 0, fmt.Errorf("%v has other bytes than the spool", r.Evidence)
			}
		}
		for _, s := range page.Statements {
			raw, err := f.Read(drive.Statement(s.SHA256), 1<<20)
			if err != nil || evidence.SHA256(raw) != s.SHA256 {
				return nil, 0, fmt.Errorf("a statement: %w", err)
			}
			statements++
		}
	}
	if c.Recordings != uint64(len(names)) || c.Statements != uint64(statements) {
		return nil, 0, fmt.Errorf("the index counts %d and %d, its pages %d and %d", c.Recordings, c.Statements, len(names), statements)
	}
	return names, statements, nil
}

// whole says that everything is on the drive, and still in the spool.
func (d *dock) whole() {
	d.t.Helper()
	names, statements, err := d.indexed()
	if err != nil || len(names) != len(d.bytes) || statements != 2 {
		d.t.Fatalf("the drive has %d of %d recordings and %d statements: %v", len(names), len(d.bytes), statements, err)
	}
	waiting, err := d.spool.Waiting(d.t.Context(), 1000)
	if err != nil || len(waiting) != len(d.bytes) {
		d.t.Fatalf("%d recordings wait in the spool, %v", len(waiting), err)
	}
	for _, r := range waiting {
		if r.State != spool.StateSpooled {
			d.t.Errorf("%s is %s", r.Source.Path, r.State)
		}
	}
}

var sizes = []int{0, 1, 5000, 1 << 20, 1<<20 + 3, 3<<20 + 77}

func TestWhatWaitsIsOnTheDriveAndStillWaits(t *testing.T) {
	d := newDock(t, sizes...)
	var last Progress
	result, err := d.export(func(o *Options) { o.Tell = func(p Progress) { last = p } })
	if err != nil || result.Written != 6 || result.Recordings != 6 || result.Statements != 2 || result.Left != 0 || last.Bytes != last.OfBytes || last.OfRecordings != 6 {
		t.Fatalf("%+v, %v; progress %+v", result, err, last)
	}
	d.whole()
	cmd := exec.Command("sha256sum", "--check", "--quiet", "SHA256SUMS")
	cmd.Dir = filepath.Join(d.dir, drive.Name("riverton", "north-1"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	err = filepath.WalkDir(d.dir, func(path string, _ os.DirEntry, err error) error {
		if name := filepath.Base(path); path != d.dir && (strings.ContainsAny(name, `:*?"<>|\ `) || len(name) > 80) {
			t.Errorf("%s does not go on every drive", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	again, err := d.export()
	if err != nil || again.Written != 0 || again.Recordings != 6 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	d.copied("DCIM/NEW.MP4", 100)
	if more, err := d.export(); err != nil || more.Written != 1 || more.Recordings != 7 {
		t.Errorf("with one more: %+v, %v", more, err)
	}
	d.whole()
}

// fails makes the step of that number fail, and counts steps.
func fails(at int, steps *int) func(*Options) {
	return func(o *Options) {
		o.Fail = func(string) error {
			if *steps++; *steps == at {
				return fmt.Errorf("writing: %w", syscall.EIO)
			}
			return nil
		}
	}
}

func TestADriveThatFailsAtAnyStepGoesOnWhereItWas(t *testing.T) {
	d := newDock(t, sizes[1:]...)
	for at := 1; ; at++ {
		d.dir = t.TempDir()
		steps := 0
		if _, err := d.export(fails(at, &steps)); err == nil {
			if steps >= at {
				t.Fatalf("step %d failed and nobody said so", at)
			}
			if at < 20 {
				t.Fatalf("there are only %d steps", at)
			}
			break
		}
		if names, _, err := d.indexed(); !errors.Is(err, drive.ErrUnfinished) {
			t.Fatalf("step %d failed, and the drive has an index of %v, %v", at, names, err)
		}
		if _, err := d.export(); err != nil {
			t.Fatalf("after step %d had failed: %v", at, err)
		}
		d.whole()
	}
}

// On a drive that has an index, it stays true to what lies there.
func TestAnIndexIsTrueWhateverStepFailsWhileMoreIsWritten(t *testing.T) {
	d := newDock(t, sizes[1:4]...)
	if _, err := d.export(); err != nil {
		t.Fatal(err)
	}
	for at := 1; at < 12; at++ {
		d.copied(fmt.Sprintf("DCIM/MORE%d.MP4", at), 1000*at)
		steps := 0
		_, failed := d.export(fails(at, &steps))
		names, _, err := d.indexed()
		if err != nil || len(names) < 3 || failed == nil && len(names) != len(d.bytes) {
			t.Fatalf("step %d: %d names, %v (%v)", at, len(names), err, failed)
		}
	}
	if _, err := d.export(); err != nil {
		t.Fatal(err)
	}
	d.whole()
}

const childVariable = "CARRY_TEST_CHILD"

// TestMain is the export in a process of its own, which kills itself.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	at, _ := strconv.Atoi(os.Args[3])
	reader, err := spool.ReadOnly(context.Background(), os.Args[1])
	if err == nil {
		var key *identity.StatementKey
		if key, err = identity.LoadStatementKey(os.Args[4], identity.PurposeDock); err == nil {
			steps := 0
			_, err = Export(context.Background(), Options{
				Spool: reader, Dir: os.Args[2], Agency: "riverton", Station: "north", Dock: "north-1", Signer: key, Version: "test", Now: time.Now,
				Fail: func(string) error {
					if steps++; steps == at {
						syscall.Kill(os.Getpid(), syscall.SIGKILL)
						select {}
					}
					return nil
				},
			})
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
}

func TestAnExportThatIsKilledAtAnyStepGoesOnWhereItWas(t *testing.T) {
	d := newDock(t, sizes[2:]...)
	path := filepath.Join(t.TempDir(), "key")
	d.check(d.key.Save(path))
	kills := 0
	for at := 1; at < 60; at += 3 { // on one drive, so that each goes on where the one before was killed
		cmd := exec.Command(os.Args[0], d.data, d.dir, strconv.Itoa(at), path)
		cmd.Env = append(os.Environ(), childVariable+"=1")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		switch {
		case err == nil:
		case errors.As(err, &exit) && !exit.Exited():
			kills++
		default:
			t.Fatalf("%v\n%s", err, out)
		}
		if names, _, err := d.indexed(); err == nil && len(names) != len(d.bytes) || err != nil && !errors.Is(err, drive.ErrUnfinished) {
			t.Fatalf("killed at step %d: %d names, %v", at, len(names), err)
		}
	}
	if kills < 3 {
		t.Errorf("it was killed %d times", kills)
	}
	if result, err := d.export(); err != nil || result.Written != 0 {
		t.Errorf("at the end: %+v, %v", result, err)
	}
	d.whole()
	left, _ := filepath.Glob(filepath.Join(d.dir, "*", "recordings", "*"+tempEnd))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDamageOnTheDriveIsFoundAndMended(t *testing.T) {
	d := newDock(t, sizes...)
	if _, err := d.export(); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"recordings/*.floe", "recordings/*.offer", "statements/*", "pages/*", "index.json"} {
		names, err := filepath.Glob(filepath.Join(d.dir, "*", pattern))
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range names {
			raw, err := os.ReadFile(name)
			d.check(err)
			if len(raw) == 0 {
				continue
			}
			raw[len(raw)/2] ^= 1
			d.check(os.WriteFile(name, raw, 0o600))
		}
		if _, err := d.export(); err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		d.whole()
	}
}

func TestADamagedCopyInTheSpoolIsNamedAndTheOthersGo(t *testing.T) {
	d := newDock(t, sizes...)
	names, err := filepath.Glob(filepath.Join(d.data, "recordings", "*.floe"))
	if err != nil || len(names) != len(sizes) {
		t.Fatal(names, err)
	}
	raw, err := os.ReadFile(names[2])
	d.check(err)
	raw[len(raw)-1] ^= 1
	d.check(os.WriteFile(names[2], raw, 0o600))
	result, err := d.export()
	if err != nil || len(result.Damaged) != 1 || result.Recordings != uint64(len(sizes)-1) || result.Left != 1 || !strings.Contains(result.Damaged[0], "checksum is wrong") {
		t.Fatalf("%+v, %v", result, err)
	}
	if indexed, _, err := d.indexed(); err != nil || len(indexed) != len(sizes)-1 {
		t.Errorf("the index has %d, %v", len(indexed), err)
	}
}

func TestWhatHasItsReceiptIsTakenOffTheDrive(t *testing.T) {
	d := newDock(t, sizes...)
	if _, err := d.export(); err != nil {
		t.Fatal(err)
	}
	var gone evidence.EvidenceID
	for gone = range d.bytes {
		break
	}
	d.check(d.spool.Received(t.Context(), gone, 1, spool.Receipt{Envelope: []byte("r"), Item: gone, LogSize: 1, Checkpoint: []byte("c\n")}))
	delete(d.bytes, gone)
	stranger := filepath.Join(d.dir, drive.Name("riverton", "north-1"), drive.Offer(evidence.NewEvidenceID(), 1))
	d.check(os.WriteFile(stranger, []byte("of a journal that is no more"), 0o600))
	result, err := d.export()
	if err != nil || result.Removed != 1 || result.Written != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	d.whole()
	if _, err := os.Stat(stranger); err != nil {
		t.Errorf("what the dock does not know is gone: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(d.dir, "*", "recordings", gone.String()+"*")); len(left) != 0 {
		t.Errorf("still there: %v", left)
	}
}

// mounted is a small file system of its own, which needs root.
func mounted(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func TestAFullDriveHoldsTheOldestAndAFurtherOneTheRest(t *testing.T) {
	d := newDock(t, 1<<20, 1<<20, 1<<20, 1<<20, 1<<20, 1<<20, 1<<20)
	mounted(t, d.dir, 0, "size=4m")
	first, err := d.export()
	// How many fit is the file system's: newer kernels give tmpfs larger pages.
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "the drive is full") || first.Recordings < 1 || first.Recordings > 3 || first.Recordings+first.Left != 7 {
		t.Fatalf("%+v, %v", first, err)
	}
	names, _, err := d.indexed()
	if err != nil || uint64(len(names)) != first.Recordings {
		t.Fatalf("the first drive has %d, %v", len(names), err)
	}
	d.dir = t.TempDir()
	second, err := d.export(func(o *Options) { o.After = first.Last })
	if err != nil || second.Recordings != first.Left {
		t.Fatalf("the second: %+v, %v", second, err)
	}
	rest, _, err := d.indexed()
	if err != nil {
		t.Fatal(err)
	}
	for id := range rest {
		if names[id] {
			t.Errorf("%v is on both", id)
		}
	}
}

func TestADriveThatCannotBeUsedIsToldPlainly(t *testing.T) {
	d := newDock(t, 100)
	tell := func(said string) {
		t.Helper()
		if _, err := d.export(); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%v, want %q", err, said)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	d.check(os.WriteFile(file, nil, 0o600))
	d.dir = file
	tell("is not a folder")
	d.dir = filepath.Join(t.TempDir(), "nothing")
	tell("was it pulled?")
	d.dir = t.TempDir()
	d.check(os.Symlink(t.TempDir(), filepath.Join(d.dir, drive.Name("riverton", "north-1"))))
	tell("is not a folder of its own")
	d.dir = t.TempDir()
	mounted(t, d.dir, syscall.MS_RDONLY, "size=4m")
	tell("the drive is read-only")
}
