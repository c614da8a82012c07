package oracle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/evidence"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func now() time.Time { return noon }

func open(t testing.TB, path string) *Book {
	t.Helper()
	b, err := Open(path, now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rows(n int) []Recording {
	var list []Recording
	for i := range n {
		list = append(list, Recording{Path: fmt.Sprintf("DCIM/100SEALD/SYN%05d.BIN", i), Size: 5, Kind: evidence.KindOther, CapturedAt: noon,
			SHA256: evidence.SHA256([]byte{byte(i), byte(i >> 8)}), Synthetic: &footage.Synthetic{Seed: uint64(i), Size: 5}})
	}
	return list
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachChangeIsInTheFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	b, list := open(t, path), rows(3)
	look := func() *Camera {
		s, err := Read(path)
		must(t, err)
		if len(s.Cameras) != 1 {
			t.Fatalf("%d cameras", len(s.Cameras))
		}
		return s.Cameras[0]
	}
	must(t, b.Begin("aa", "1-1", list[:2]))
	if c := look(); c.Serial != "aa" || c.BusID != "1-1" || c.Plugged || len(c.Recordings) != 2 {
		t.Errorf("after Begin: %+v", c)
	}
	must(t, b.Plugged("aa", true, "by hand"), b.Plugged("aa", true, "by hand"))
	must(t, b.Recorded("aa", list[2]))
	at := noon.Add(time.Minute)
	must(t, b.Deleted("aa", list[0].Path, list[0].SHA256, at, nil), b.Deleted("aa", list[0].Path, list[0].SHA256, at.Add(time.Hour), nil))
	must(t, b.Removed("aa", list[1].Path), b.Note("aa", ActFault, "clear"))
	c := look()
	if r := c.Recordings[0]; !r.Deleted || !r.DeletedAt.Equal(at) || r.DeletedBy != "host" {
		t.Errorf("deleted: %+v", r)
	}
	if r := c.Recordings[1]; !r.Deleted || r.DeletedBy != "camera" {
		t.Errorf("removed: %+v", r)
	}
	if r := c.Recordings[2]; r.Deleted || r.Synthetic == nil || r.Synthetic.Seed != 2 {
		t.Errorf("kept: %+v", r)
	}
	var acts []string
	for _, e := range c.Log {
		acts = append(acts, e.Act)
	}
	if got := strings.Join(acts, " "); got != "plugged recorded deleted removed fault" {
		t.Errorf("log: %s", got)
	}
	if err := b.Removed("aa", "nothing"); err == nil {
		t.Error("a recording that is not there was removed")
	}
	must(t, b.Close())
	if left, _ := filepath.Glob(path + ".new-*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A book that is killed: its file may be old, the file of deletions may end in
// half a line, and still no deletion is forgotten.
func TestADeletionOutlivesAKilledSimulator(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	b, list := open(t, path), rows(3)
	must(t, b.Begin("aa", "1-1", list))
	old, err := os.ReadFile(path)
	must(t, err)
	must(t, b.Deleted("aa", list[1].Path, list[1].SHA256, noon, nil))
	must(t, os.WriteFile(path, old, 0o600))
	file, err := os.OpenFile(path+".deletes", os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = file.WriteString(`{"serial":"aa","pa`)
	must(t, err, file.Close())
	must(t, b.deletions.Close()) // as the end of the process does
	for range 2 {
		again := open(t, path)
		past := again.Past("aa")
		if len(past) != 3 || past[0].Deleted || !past[1].Deleted || past[2].Deleted {
			t.Fatalf("past: %+v", past)
		}
		must(t, again.Begin("aa", "1-1", list))
		if got := len(again.Past("aa")); got != 3 {
			t.Errorf("%d recordings after beginning anew", got)
		}
		must(t, again.Close())
	}
}

func TestALargeBookIsWrittenSeldomAndCompleteInTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	b, list := open(t, path), rows(small+1)
	must(t, b.Begin("aa", "1-1", list))
	b.mu.Lock()
	b.cost = time.Hour // as if writing took that long
	b.mu.Unlock()
	for _, r := range list[:small] {
		must(t, b.Deleted("aa", r.Path, r.SHA256, noon, nil))
	}
	s, err := Read(path)
	must(t, err)
	if s.Cameras[0].Recordings[0].Deleted {
		t.Error("the book was written at once")
	}
	left := filepath.Join(t.TempDir(), "oracle.json") // what a kill now would leave
	for _, file := range []string{"", ".deletes"} {
		text, err := os.ReadFile(path + file)
		must(t, err, os.WriteFile(left+file, text, 0o600))
	}
	killed := open(t, left)
	if past := killed.Past("aa"); !past[0].Deleted || !past[small-1].Deleted {
		t.Error("a killed simulator would forget deletions")
	}
	must(t, killed.Close(), b.Close())
	if s, err = Read(path); err != nil || !s.Cameras[0].Recordings[small-1].Deleted {
		t.Errorf("the book is not complete after closing: %v", err)
	}
}

func TestWhatACameraKeepsOutlivesAKilledSimulator(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	b, list := open(t, path), rows(2)
	must(t, b.Begin("aa", "1-1", list))
	old, err := os.ReadFile(path)
	must(t, err)
	must(t, b.Keep("aa", []byte(`{"boot":1}`)), b.Keep("aa", []byte(`{"boot":2}`)), b.Keep("bb", []byte(`{"boot":7}`)),
		b.Deleted("aa", list[0].Path, list[0].SHA256, noon, []byte("statement")))
	must(t, os.WriteFile(path, old, 0o600), b.deletions.Close())
	again := open(t, path)
	if got := string(again.Memory("aa")); got != `{"boot":2}` || string(again.Memory("bb")) != `{"boot":7}` || again.Memory("cc") != nil {
		t.Errorf("kept: %s", got)
	}
	if past := again.Past("aa"); !past[0].Deleted || string(past[0].Erase) != "statement" || past[1].Deleted {
		t.Errorf("past: %+v", past)
	}
	must(t, again.Urgent("aa", list[1].Path, true), again.Close())
	last := open(t, path)
	if past := last.Past("aa"); past[0].Urgent || !past[1].Urgent {
		t.Errorf("past: %+v", past)
	}
	if err := last.Keep("aa", []byte(`"`+strings.Repeat("x", maxLine)+`"`)); err == nil {
		t.Error("a line was written that cannot be read again")
	}
	must(t, last.Close())
}

func TestABookInMemoryNeedsNoFile(t *testing.T) {
	b := open(t, "")
	must(t, b.Begin("aa", "1-1", rows(1)), b.Deleted("aa", rows(1)[0].Path, rows(1)[0].SHA256, noon, nil), b.Close())
}

func TestABadBookIsRefusedInWords(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "oracle.json")
	must(t, os.WriteFile(path, []byte("{not json"), 0o600))
	if _, err := Open(path, now); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("%v", err)
	}
	must(t, os.WriteFile(path, []byte(`{"cameras":[null,{"serial":"aa","recordings":[null]}]}`), 0o600))
	if b := open(t, path); len(b.Past("aa")) != 0 {
		t.Error("recordings out of nothing")
	}
	if _, err := Open(filepath.Join(dir, "missing", "oracle.json"), now); err == nil {
		t.Error("a book in a missing folder was opened")
	}
}

func TestABookHasOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	b := open(t, path)
	must(t, b.Begin("aa", "1-1", rows(1)))
	before, err := os.ReadFile(path)
	must(t, err)
	if _, err := Open(path, now); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second one: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the second one changed the book: %v", err)
	}
	must(t, b.Close())
	must(t, open(t, path).Close())
}
