package volume

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// folderMedium is a folder of this machine in place of a mounted card.
type folderMedium struct {
	gone, taken     atomic.Bool
	locked          error
	writable_, ends int // how often it was made writable and read-only
	failEnd         error
	closed          bool
	hang            chan struct{} // readOnly waits for it, if it is there
}

func (m *folderMedium) writable() error {
	if m.locked != nil {
		return m.locked
	}
	m.writable_++
	return nil
}

func (m *folderMedium) readOnly() error {
	if m.hang != nil {
		<-m.hang
	}
	m.ends++
	return m.failEnd
}

func (m *folderMedium) present() bool  { return !m.gone.Load() }
func (m *folderMedium) inserted() bool { return !m.taken.Load() }

func (m *folderMedium) close() error {
	if m.closed {
		return errors.New("closed twice")
	}
	m.closed = true
	return nil
}

func onFolder(t testing.TB, folder string) (*link, *folderMedium) {
	t.Helper()
	root, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	m := &folderMedium{}
	l := newLink("1-2", camera.Identity{Battery: -1}, slog.New(slog.DiscardHandler))
	l.add(&storage{id: 0x10001, root: root, number: st.Dev, capacity: 1 << 30, medium: m})
	t.Cleanup(func() { _ = errors.Join(l.Close(), root.Close()) })
	return l, m
}

func listed(t testing.TB, l *link) (map[string]camera.Object, []camera.Warning) {
	t.Helper()
	objects, warnings, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]camera.Object{}
	for _, o := range objects {
		if _, twice := byPath[o.Path]; twice {
			t.Errorf("the path %q is listed twice", o.Path)
		}
		byPath[o.Path] = o
	}
	return byPath, warnings
}

func TestEveryFileIsARecordingAndNothingElseIs(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{
		"DCIM/100MEDIA/A.MP4": "aaa", "FLAT.AVI": "f", "notes.txt": "n", "FOUND.000/FILE0000.CHK": "c", "empty.mov": "",
		"new\nline": "x", "per%cent": "y", "link": "->/etc/passwd", "DCIM/up": "->..", "....": "dots",
	})
	if err := unix.Mkfifo(filepath.Join(card, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(card, "FLAT.AVI"), when, when); err != nil {
		t.Fatal(err)
	}
	l, _ := onFolder(t, card)
	got, warnings := listed(t, l)
	for _, path := range []string{"DCIM/100MEDIA/A.MP4", "FLAT.AVI", "notes.txt", "FOUND.000/FILE0000.CHK", "empty.mov", "new%0Aline", "per%25cent", "%2E%2E%2E%2E"} {
		o, ok := got[path]
		if !ok {
			t.Errorf("%q is not listed", path)
			continue
		}
		delete(got, path)
		if _, err := take(t.Context(), l, o, io.Discard); err != nil {
			t.Error(err)
		}
		if path == "FLAT.AVI" && (o.CapturedRaw != "20240229T235958" || o.Size != 1 || o.Kind != evidence.KindVideo || !bytes.Equal(o.RawName, []byte("F\x00L\x00A\x00T\x00.\x00A\x00V\x00I\x00"))) {
			t.Errorf("%+v", o)
		}
	}
	if len(got) > 0 {
		t.Errorf("listed too: %v", got)
	}
	missing := 0
	for _, w := range warnings {
		if w.Missing && strings.Contains(w.Message, "neither a file nor a folder") {
			missing++
		}
	}
	if missing != 3 || len(warnings) != 3 {
		t.Errorf("two links and a pipe gave %v", warnings)
	}
}

func TestAFolderThatBecomesALinkIsNotFollowed(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{"DCIM/A.MP4": "aaa"})
	outside := tree(t, t.TempDir(), map[string]string{"A.MP4": "bbb"})
	l, _ := onFolder(t, card)
	got, _ := listed(t, l)
	if err := os.RemoveAll(filepath.Join(card, "DCIM")); err != nil {
		t.Fatal(err)
	}
	tree(t, card, map[string]string{"DCIM": "->" + outside})
	if _, err := take(t.Context(), l, got["DCIM/A.MP4"], io.Discard); err == nil {
		t.Error("a file outside the card was read")
	}
}

// One inode under two names is how the kernel shows two entries of one name.
func TestTwoEntriesOfOneFileAreToldAndNotBothErased(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{"A.MP4": "aaa"})
	if err := os.Link(filepath.Join(card, "A.MP4"), filepath.Join(card, "a.mp4")); err != nil {
		t.Fatal(err)
	}
	l, _ := onFolder(t, card)
	got, warnings := listed(t, l)
	if len(got) != 1 || len(warnings) != 1 || !warnings[0].Missing || !strings.Contains(warnings[0].Message, "same file") {
		t.Errorf("%v, %v", got, warnings)
	}
}

func TestFoldersOfOperatingSystemsAreLeftOutOnlyWhenAllInThemIsTheirs(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{
		"System Volume Information/WPSettings.dat": "w", "System Volume Information/IndexerVolumeGuid": "i",
		".Trashes/501/.DS_Store": "d", ".fseventsd/fseventsd-uuid": "u", ".fseventsd/hidden.mp4": "evidence",
		"$RECYCLE.BIN/S-1-5/$R1.mp4": "evidence", "$RECYCLE.BIN/desktop.ini": "d", "DCIM/System Volume Information/WPSettings.dat": "deeper",
	})
	l, _ := onFolder(t, card)
	got, warnings := listed(t, l)
	for _, path := range []string{".fseventsd/hidden.mp4", ".fseventsd/fseventsd-uuid", "$RECYCLE.BIN/S-1-5/$R1.mp4", "$RECYCLE.BIN/desktop.ini", "DCIM/System Volume Information/WPSettings.dat"} {
		if _, ok := got[path]; !ok {
			t.Errorf("%q is not taken in", path)
		}
		delete(got, path)
	}
	if len(got) != 0 || len(warnings) != 2 || warnings[0].Missing || warnings[1].Missing {
		t.Errorf("%v, %v", got, warnings)
	}
	large := make([]byte, maxClutter+1)
	tree(t, card, map[string]string{"System Volume Information/tracking.log": string(large)})
	if got, _ := listed(t, l); len(got) != 8 {
		t.Errorf("a file too large for a system's own is left out: %v", got)
	}
}

func TestDeepTreesAreBounded(t *testing.T) {
	card := t.TempDir()
	deep := card + strings.Repeat("/d", maxDepth+5)
	tree(t, deep, map[string]string{"A.MP4": "a"})
	tree(t, card+strings.Repeat("/d", maxDepth), map[string]string{"B.MP4": "b"})
	l, _ := onFolder(t, card)
	got, warnings := listed(t, l)
	if len(got) != 1 || len(warnings) != 1 || !warnings[0].Missing {
		t.Errorf("%v, %v", got, warnings)
	}
}

func TestPathsAreUniqueAndTheSameEachTime(t *testing.T) {
	long := strings.Repeat("\x01", 200) // 600 bytes when it is made safe: cut
	one, two := long+"1", long+"2"
	card := tree(t, t.TempDir(), map[string]string{one: "a", two: "b", "bad\xff": "c", "bad\xfe": "d"})
	l, _ := onFolder(t, card)
	first, _ := listed(t, l)
	again, _ := onFolder(t, card)
	second, _ := listed(t, again)
	if len(first) != 4 {
		t.Fatalf("%d paths", len(first))
	}
	for path := range first {
		if strings.HasPrefix(path, "bad") {
			continue // which of the two comes first is the folder's order
		}
		if _, ok := second[path]; !ok || len(path) > maxSafePath {
			t.Errorf("%q is not there the second time", path)
		}
	}
	n := newNames()
	a, _ := n.unique(strings.Repeat("f/", 1100), "x", "1")
	b, changed := n.unique(strings.Repeat("f/", 1100), "x", "2")
	if a == b || !changed || len(a) > maxSafePath {
		t.Errorf("%q and %q", a, b)
	}
}

func TestAFileThatChangesIsNotTakenForTheSame(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"longer":   func(path string) error { return os.WriteFile(path, make([]byte, 3<<20), 0o644) },
		"later":    func(path string) error { return os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)) },
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
		"gone":     os.Remove,
	} {
		card := tree(t, t.TempDir(), map[string]string{"A.MP4": strings.Repeat("a", 2<<20)})
		path := filepath.Join(card, "A.MP4")
		l, m := onFolder(t, card)
		got, _ := listed(t, l)
		if err := change(path); err != nil { // before it is opened
			t.Fatal(err)
		}
		if _, err := l.ReadAt(t.Context(), got["A.MP4"], 0, make([]byte, 10)); !errors.Is(err, camera.ErrChanged) {
			t.Errorf("%s, before it is read: %v", name, err)
		}
		if err := l.Delete(t.Context(), got["A.MP4"]); !errors.Is(err, camera.ErrChanged) || m.writable_ != 0 {
			t.Errorf("%s: erasing gave %v", name, err)
		}
	}
}

func TestAFileThatIsSwappedAfterItWasReadIsNotErased(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{"A.MP4": "aaaa"})
	path := filepath.Join(card, "A.MP4")
	l, _ := onFolder(t, card)
	got, _ := listed(t, l)
	o := got["A.MP4"]
	if _, err := take(t.Context(), l, o, io.Discard); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	swap := func() { // same name, size and time
		t.Helper()
		if err := errors.Join(os.WriteFile(path+"x", []byte("bbbb"), 0o644), os.Chtimes(path+"x", info.ModTime(), info.ModTime()), os.Rename(path+"x", path)); err != nil {
			t.Fatal(err)
		}
	}
	swap()
	var read bytes.Buffer
	if _, err := take(t.Context(), l, o, &read); err != nil || read.String() != "aaaa" {
		t.Errorf("the second reading is of another file: %q, %v", read.String(), err)
	}
	if err := l.Delete(t.Context(), o); !errors.Is(err, camera.ErrChanged) {
		t.Errorf("erasing gave %v", err)
	}
	l.drop(o.Handle) // as if too many files were open
	if err := l.Delete(t.Context(), o); !errors.Is(err, camera.ErrChanged) {
		t.Errorf("erasing what was opened anew gave %v", err)
	}
	if left, err := os.ReadFile(path); err != nil || string(left) != "bbbb" {
		t.Errorf("%q, %v", left, err)
	}
}

func TestErasingWritesForAsShortAsItCan(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{"A.MP4": "a", "B.MP4": "b", "C.MP4": "c"})
	l, m := onFolder(t, card)
	got, _ := listed(t, l)
	for _, name := range []string{"A.MP4", "B.MP4"} {
		if _, err := take(t.Context(), l, got[name], io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if m.writable_ != 0 {
		t.Fatal("reading made the card writable")
	}
	for _, name := range []string{"A.MP4", "B.MP4"} {
		if err := l.Delete(t.Context(), got[name]); err != nil {
			t.Fatal(err)
		}
	}
	if m.writable_ != 1 || m.ends != 0 {
		t.Errorf("writable %d times, read-only %d times", m.writable_, m.ends)
	}
	if left, _ := listed(t, l); len(left) != 1 || m.ends != 1 {
		t.Errorf("left %v, read-only %d times", left, m.ends)
	}
	if _, err := take(t.Context(), l, got["A.MP4"], io.Discard); !errors.Is(err, camera.ErrChanged) {
		t.Errorf("reading what was erased: %v", err)
	}
	// A card that does not take the last of it: the erasure is not confirmed.
	if err := l.Delete(t.Context(), got["C.MP4"]); err != nil {
		t.Fatal(err)
	}
	m.failEnd = unix.EIO
	m.gone.Store(true)
	if _, _, err := l.List(t.Context()); !errors.Is(err, camera.ErrGone) {
		t.Errorf("listing after a failed end: %v", err)
	}
}

func TestFewFilesStayOpenAndAllAreErased(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{"A.MP4": "a", "B.MP4": "b", "C.MP4": "c"})
	l, _ := onFolder(t, card)
	if l.most < 1 || l.most > maxHeld {
		t.Errorf("%d files may stay open", l.most)
	}
	l.most = 1
	got, _ := listed(t, l)
	for _, o := range got {
		if _, err := take(t.Context(), l, o, io.Discard); err != nil {
			t.Fatal(err)
		}
		if len(l.held) != 1 || len(l.order) != 1 {
			t.Errorf("%d files are open", len(l.held))
		}
	}
	for _, o := range got {
		if err := l.Delete(t.Context(), o); err != nil {
			t.Error(err)
		}
	}
	if left, _ := listed(t, l); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestACardThatMustNotBeWrittenToRefusesInGoodOrder(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{"A.MP4": "a"})
	l, m := onFolder(t, card)
	m.locked = errors.New("its write protection is on")
	got, _ := listed(t, l)
	err := l.Delete(t.Context(), got["A.MP4"])
	var refused *camera.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "write protection") {
		t.Errorf("%v", err)
	}
	if left, _ := listed(t, l); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

func TestThePulledCardIsToldByEveryCall(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{"A.MP4": "a"})
	for name, pull := range map[string]func(*folderMedium){
		"device": func(m *folderMedium) { m.gone.Store(true) },
		"card":   func(m *folderMedium) { m.taken.Store(true) },
	} {
		synctest.Test(t, func(t *testing.T) {
			l, m := onFolder(t, card)
			began := time.Now()
			go func() { // in virtual time
				<-time.After(3 * time.Second)
				pull(m)
			}()
			if err := l.Watch(t.Context()); !errors.Is(err, camera.ErrGone) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began) - 3*time.Second; took > 2*watchEvery {
				t.Errorf("%s: seen after %v", name, took)
			}
			limited, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			m.gone.Store(false)
			m.taken.Store(false)
			if err := l.Watch(limited); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	l, m := onFolder(t, card)
	m.gone.Store(true)
	if _, err := l.Identity(t.Context()); !errors.Is(err, camera.ErrGone) {
		t.Error(err)
	}
	if _, _, err := l.List(t.Context()); !errors.Is(err, camera.ErrGone) {
		t.Error(err)
	}
	if err := l.judge(unix.EIO); !errors.Is(err, camera.ErrGone) {
		t.Error(err)
	}
	m.gone.Store(false)
	synctest.Test(t, func(t *testing.T) { // a bad place: the device is still there a second later
		if err := l.judge(unix.EIO); errors.Is(err, camera.ErrGone) || !errors.Is(err, unix.EIO) {
			t.Error(err)
		}
	})
}

// A device that hangs costs its own bay's calls their time, and no more than that.
func TestADeviceThatHangsEndsWithTheContext(t *testing.T) {
	card := tree(t, t.TempDir(), map[string]string{"A.MP4": "a"})
	synctest.Test(t, func(t *testing.T) {
		l, m := onFolder(t, card)
		m.hang = make(chan struct{})
		got, _ := listed(t, l)
		if err := l.Delete(t.Context(), got["A.MP4"]); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			limited, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, _, err := l.List(limited); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			cancel()
		}
		if err := l.Close(); !errors.Is(err, camera.ErrTimeout) {
			t.Errorf("closing: %v", err)
		}
		close(m.hang)
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		if _, err := take(t.Context(), l, got["A.MP4"], io.Discard); !errors.Is(err, camera.ErrGone) {
			t.Errorf("after closing: %v", err)
		}
	})
}

func TestHashListsOnTheCardAreTakenOver(t *testing.T) {
	list := `<hashlist version="2.0" xmlns="urn:ASC:MHL:v2.0"><hashes><hash><path>A.MP4</path><md5>0cc175b9c0f1b6a831c399e269772661</md5></hash>` +
		`<hash><path>LOST.MP4</path><md5>0cc175b9c0f1b6a831c399e269772661</md5></hash></hashes></hashlist>`
	card := tree(t, t.TempDir(), map[string]string{"DCIM/A.MP4": "a", "A.MP4": "a", "DCIM/ascmhl/0001_x.mhl": list, "DCIM/ascmhl/other.bin": "b"})
	l, _ := onFolder(t, card)
	got, warnings := listed(t, l)
	hashes := l.Expected(got["DCIM/A.MP4"])
	if len(hashes) != 1 || hashes[0].Algorithm != "md5" || hashes[0].Value != "0cc175b9c0f1b6a831c399e269772661" || !strings.Contains(hashes[0].Origin, "0001_x.mhl") {
		t.Errorf("%+v", hashes)
	}
	if other := l.Expected(got["A.MP4"]); len(other) != 0 {
		t.Errorf("a file above the list's folder has %+v", other)
	}
	if len(warnings) != 1 || warnings[0].Missing || !strings.Contains(warnings[0].Message, "DCIM/LOST.MP4") {
		t.Errorf("%v", warnings)
	}
	if _, ok := got["DCIM/ascmhl/0001_x.mhl"]; !ok || len(got) != 4 {
		t.Errorf("the list itself is not taken in: %v", got)
	}
	tree(t, card, map[string]string{"DCIM/ascmhl/0001_x.mhl": strings.Replace(list, "<path>A.MP4", "<path>another.MP4", 1)})
	if got, _ = listed(t, l); len(l.Expected(got["DCIM/A.MP4"])) != 0 {
		t.Error("a list that changed is not read again")
	}
}

// Whoever has an answer may ask the next thing at once, and is not taken for one who
// asks while an earlier question hangs.
func TestHashesAreThereAsSoonAsAnAnswerIs(t *testing.T) {
	list := `<hashlist version="2.0" xmlns="urn:ASC:MHL:v2.0"><hashes><hash><path>A.MP4</path><md5>0cc175b9c0f1b6a831c399e269772661</md5></hash></hashes></hashlist>`
	l, _ := onFolder(t, tree(t, t.TempDir(), map[string]string{"A.MP4": "a", "ascmhl/0001_x.mhl": list}))
	got, _ := listed(t, l)
	p := make([]byte, 16)
	for range 3000 {
		if _, err := l.ReadAt(t.Context(), got["A.MP4"], 0, p); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if len(l.Expected(got["A.MP4"])) != 1 {
			t.Fatal("the hashes are not told")
		}
	}
}

func TestAFileLargerThanItsCardIsReadAsFarAsItGoes(t *testing.T) {
	card := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(card, "A.MP4"), nil, 0o644), os.Truncate(filepath.Join(card, "A.MP4"), 5<<30)); err != nil {
		t.Fatal(err)
	}
	l, _ := onFolder(t, card)
	got, warnings := listed(t, l)
	if o := got["A.MP4"]; o.SizeKnown || len(warnings) != 1 {
		t.Errorf("%+v, %v", o, warnings)
	}
	p := make([]byte, 3<<20) // more than one window
	if n, err := l.ReadAt(t.Context(), got["A.MP4"], 5<<30-5, p); n != 5 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := l.ReadAt(t.Context(), got["A.MP4"], 0, p); n != len(p) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
