package server

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
)

// TestActsOnAFullDisk makes administrative acts on a disk on which there is no room, or
// only for a few. Each is whole, or says that the disk is full and has left neither
// effect nor event; when there is room again, everything goes on without a restart.
func TestActsOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	r := newServerAt(t, filepath.Join(dir, "data"))
	r.start()
	r.enrol("front-desk")
	r.end()
	rooms := []struct {
		left     int64
		together bool // all acts of the round at once, which share commits
	}{{0, false}, {256 << 10, true}, {1 << 20, false}, {0, true}}
	acts, since := r.administered(len(rooms))
	r.start()
	f := &fullDisk{desk: r.desk(alba), since: since}
	round := len(acts) / len(rooms)
	filler := filepath.Join(dir, "filler")
	for n, room := range rooms {
		r.end()
		r.start() // the catalog's journal is short again, and has to grow
		fill(t, filler, room.left)
		refused := f.round(acts[n*round:(n+1)*round], room.together)
		if room.left == 0 && len(refused) == 0 {
			t.Error("nothing was refused on a full disk: this shows little")
		}
		r.must(os.Remove(filler))
		if again := f.round(refused, room.together); len(again) != 0 {
			t.Errorf("%d acts were refused when there was room again", len(again))
		}
	}
	if whole := f.whole - f.refused; f.refused < round || whole == 0 {
		t.Errorf("%d acts were whole, %d refused: this shows little", whole, f.refused)
	}
	r.end()
	sound(t, r.config)
	r.inCatalog(func(db *sqldb.DB) error {
		pending, err := db.PendingEvents(r.ctx)
		if pending != 0 {
			t.Errorf("%d events are not in the custody log", pending)
		}
		return err
	})
	t.Logf("%d acts on a full disk: %d whole at once, %d refused, and whole when there was room", len(acts), len(acts)-f.refused, f.refused)
}

// fullDisk is a person who acts on a disk without room.
type fullDisk struct {
	*desk
	since          int64
	whole, refused int
}

// round does acts, one after the other or all at once, judges each, and returns those
// that were refused.
func (f *fullDisk) round(acts []adminAct, together bool) (refused []adminAct) {
	f.t.Helper()
	codes, titles, errs := make([]int, len(acts)), make([]string, len(acts)), make([]error, len(acts))
	var all sync.WaitGroup
	for i := range acts {
		do := func() { codes[i], titles[i], errs[i] = f.do(&acts[i]) }
		if together {
			all.Go(do)
			continue
		}
		do()
		if !f.judge(&acts[i], codes[i], titles[i], errs[i]) {
			refused = append(refused, acts[i])
		}
	}
	all.Wait()
	for i := range acts {
		if together && !f.judge(&acts[i], codes[i], titles[i], errs[i]) {
			refused = append(refused, acts[i])
		}
	}
	return refused
}

// judge says whether an act was whole, and faults all but that and a refusal.
func (f *fullDisk) judge(a *adminAct, code int, title string, err error) bool {
	f.t.Helper()
	s := f.adminState(f.since)
	switch held, told := a.holds(s), s.told(a); {
	case err != nil:
		f.t.Fatalf("%s: %v\n%s", a.name, err, f.log.String())
	case held != (told == 1) || told > 1:
		f.t.Errorf("%s: effect %t, %d events; the answer was %d %s", a.name, held, told, code, title)
	case code < 300 && !held:
		f.t.Errorf("%s: the answer was %d, and nothing came of it", a.name, code)
	case code < 300:
		f.whole++
		return true
	case code != http.StatusInsufficientStorage || !strings.Contains(title, "disk is full"):
		f.t.Errorf("%s: %d %s", a.name, code, title)
	default:
		f.refused++
		return false
	}
	return true // it is faulted already
}

// fill writes a file until so many bytes are left on its disk.
func fill(t *testing.T, path string, left int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	rand.Read(block)
	for ; len(block) >= 512; block = block[:len(block)/2] {
		for {
			if _, err := f.Write(block); err != nil {
				break
			}
		}
	}
	end, err := f.Seek(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(max(0, end-left)); err != nil {
		t.Fatal(err)
	}
}
