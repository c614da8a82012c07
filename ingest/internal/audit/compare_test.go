package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// consistent checks a comparison as whoever showed the checkpoint does.
func (w *world) consistent(c *audit.Comparison) {
	w.Helper()
	head, err := tlog.OpenCheckpoint(c.Head, w.origin, w.verifier())
	w.must(err)
	w.must(tlog.CheckConsistency(c.Consistency, head.Size, head.Root, c.Shown.Size, c.Shown.Root))
}

func (w *world) setBack() {
	w.Helper()
	_, err := audit.Open(w.Context(), w.config())
	if !errors.Is(err, audit.ErrRolledBack) {
		w.Errorf("the next start: %v", err)
	}
}

// restart lets the log go on after a restore.
func (w *world) restart() {
	w.Helper()
	r, err := audit.Restart(w.Context(), w.config(), audit.Why{Agency: "metro-pd", By: evidence.Actor{Kind: "server", ID: "local"}, Reason: "the disk died"})
	w.must(err)
	first, _ := tlog.Restores(w.origin)
	w.origin = tlog.Continued(first, r.Number)
}

func TestEveryCheckpointThatSomebodyKeptIsCompared(t *testing.T) {
	w := newWorld(t)
	var kept [][]byte
	for range 5 {
		w.append(7)
		kept = append(kept, w.open().Head().Text)
	}
	l := w.open()
	for i, text := range kept {
		c, err := l.Compare(t.Context(), text)
		w.must(err)
		if c.Lost() != 0 || c.Shown.Size != int64(7*(i+1)) {
			t.Errorf("%d: %+v", i, c.Shown)
		}
		w.consistent(c)
	}
	if c, err := l.Compare(t.Context(), nil); err != nil || string(c.Head) != string(kept[4]) {
		t.Errorf("with none: %v", err)
	}
	other := newWorld(t)
	other.origin = "example.org/other"
	if _, err := l.Compare(t.Context(), other.open().Head().Text); !errors.Is(err, audit.ErrForeign) {
		t.Errorf("a foreign one: %v", err)
	}
	w.append(1)
	if _, _, err := l.Sequence(t.Context()); err != nil {
		t.Errorf("what was compared ended the log: %v", err)
	}
}

// A server of which everything was set back, catalog and log folder, knows nothing of it
// until somebody shows what it has signed.
func TestAServerThatWasSetBackAsAWholeIsFoundOutByAKeptCheckpoint(t *testing.T) {
	for name, grown := range map[string]int{"smaller": 0, "larger by now": 9} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sequenced(5)
			folder := filepath.Join(t.TempDir(), "log")
			w.must(os.CopyFS(folder, os.DirFS(w.dir)))
			restore := w.backup()
			w.append(5)
			kept := w.open().Head().Text
			restore()
			w.dir = folder
			w.append(grown)
			l := w.open() // nothing is wrong, as far as it can see
			if _, err := l.Compare(t.Context(), kept); !errors.Is(err, audit.ErrRolledBack) {
				t.Fatalf("the kept checkpoint: %v", err)
			}
			w.append(1)
			if _, _, err := l.Sequence(t.Context()); !errors.Is(err, audit.ErrRolledBack) {
				t.Fatalf("it goes on signing: %v", err)
			}
			w.setBack()
		})
	}
}

func TestARestoredLogGoesOnUnderAnotherName(t *testing.T) {
	w := newWorld(t)
	w.append(5)
	early := w.open().Head().Text
	restore := w.backup()
	w.append(5)
	late := w.open().Head().Text
	restore()
	w.setBack()
	w.restart()
	w.seen = w.seen[:0] // those of the other name are not all consistent with this one
	l := w.open()
	w.check(l, 6) // with the event of the restart
	w.append(20)
	w.check(w.open(), 26)

	c, err := l.Compare(t.Context(), early)
	w.must(err)
	if c.Lost() != 0 {
		t.Errorf("of the early checkpoint %d entries are lost", c.Lost())
	}
	w.consistent(c)
	if c, err = l.Compare(t.Context(), late); err != nil || c.Lost() != 5 || c.Consistency != nil {
		t.Errorf("the late checkpoint: %+v, %v", c, err)
	}
	restores, err := w.db.LogRestores(t.Context())
	w.must(err)
	if len(restores) != 1 || restores[0].Size != 5 || restores[0].Newest != 10 {
		t.Errorf("%+v", restores)
	}

	// And once more, from a backup that is older than the first restart's end.
	restore = w.backup()
	w.append(3)
	third := w.open().Head().Text
	restore()
	w.setBack()
	w.restart()
	l = w.open()
	for _, shown := range []struct {
		text []byte
		lost int64
	}{{early, 0}, {late, 5}, {third, 3}} {
		if c, err := l.Compare(t.Context(), shown.text); err != nil || c.Lost() != shown.lost {
			t.Errorf("after two restores: %+v, %v, want %d lost", c, err, shown.lost)
		}
	}
	// Who takes the old name again is refused.
	w.origin, _ = tlog.Restores(w.origin)
	if _, err := audit.Open(t.Context(), w.config()); err == nil {
		t.Error("the log went on under its first name")
	}
}
