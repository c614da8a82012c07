package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// together makes all calls wait for one commit, and returns their errors.
func together(t *testing.T, s *Spool, calls ...func() error) []error {
	t.Helper()
	s.turn <- struct{}{} // as if a commit were under way
	failures := make([]error, len(calls))
	var group sync.WaitGroup
	for i, call := range calls {
		group.Go(func() { failures[i] = call() })
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		s.mu.Lock()
		waiting := len(s.queue)
		s.mu.Unlock()
		if waiting == len(calls) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d changes wait", waiting, len(calls))
		}
	}
	<-s.turn
	group.Wait()
	return failures
}

func numbered(i int) Source {
	source := video
	source.Path, source.Size = fmt.Sprintf("DCIM/%04d.MP4", i), 1000
	return source
}

func TestChangesOfOneCommitSucceedAndFailEachForItself(t *testing.T) {
	s := open(t, options(t.TempDir()))
	var ids []evidence.EvidenceID
	for i := range 6 {
		ids = append(ids, spooled(t, s, numbered(i)).Evidence)
	}
	var calls []func() error
	for i, id := range ids {
		attempt := uint32(1 + i%2) // every second one is for an attempt that was never made
		calls = append(calls, func() error {
			return s.Received(t.Context(), id, attempt, Receipt{Envelope: []byte("r"), LogSize: int64(i + 1), Checkpoint: fmt.Appendf(nil, "head %d\n", i)})
		})
	}
	for i, err := range together(t, s, calls...) {
		if wrong := i%2 == 1; wrong != errors.Is(err, ErrState) || !wrong && err != nil {
			t.Errorf("receipt %d: %v", i, err)
		}
	}
	s = reopen(t, s)
	for i, id := range ids {
		want := StateReceived
		if i%2 == 1 {
			want = StateSpooled
		}
		if rec, err := s.Get(t.Context(), id); err != nil || rec.State != want {
			t.Errorf("recording %d is %s after a restart (%v), want %s", i, rec.State, err, want)
		}
	}
	if n := len(files(t, s)); n != 3 {
		t.Errorf("%d copies are left, want those 3 without a receipt", n)
	}
}

// A change that ends the whole transaction, as a full disk does, takes none of
// the others with it.
func TestChangeThatBreaksTheTransactionFailsAlone(t *testing.T) {
	s := open(t, options(t.TempDir()))
	broken := errors.New("broken")
	calls := []func() error{
		func() error { return s.Queue(t.Context(), KindRelease, []byte("one")) },
		func() error {
			return s.update(t.Context(), "breaking", func(p *pen) error {
				_, err := p.exec("ROLLBACK")
				return errors.Join(broken, err)
			})
		},
		func() error { return s.Queue(t.Context(), KindRelease, []byte("two")) },
	}
	failures := together(t, s, calls...)
	if failures[0] != nil || !errors.Is(failures[1], broken) || failures[2] != nil {
		t.Fatalf("the changes end with %v", failures)
	}
	if all, err := s.Statements(t.Context(), 0, 10); err != nil || len(all) != 2 {
		t.Fatalf("%d statements are queued, %v", len(all), err)
	}
	if err := s.Queue(t.Context(), KindRelease, []byte("three")); err != nil {
		t.Fatalf("the next change: %v", err)
	}
}

func TestCheckpointThatCannotBeKeptFailsItsReceiptAlone(t *testing.T) {
	s := open(t, options(t.TempDir()))
	rec := spooled(t, s, numbered(1))
	if err := s.notes.Close(); err != nil {
		t.Fatal(err)
	}
	failures := together(t, s,
		func() error {
			return s.Received(t.Context(), rec.Evidence, 1, Receipt{Envelope: []byte("r"), LogSize: 1, Checkpoint: []byte("head\n")})
		},
		func() error { return s.Queue(t.Context(), KindRelease, []byte("one")) })
	if failures[0] == nil || failures[1] != nil {
		t.Fatalf("the changes end with %v", failures)
	}
	if got, err := s.Get(t.Context(), rec.Evidence); err != nil || got.State != StateSpooled || len(files(t, s)) != 1 {
		t.Fatalf("without its checkpoint the recording is %s, %v", got.State, err)
	}
}

func TestAttemptDrawnWithTheRowIsUsedOnce(t *testing.T) {
	s := open(t, options(t.TempDir()))
	docking := evidence.NewDockingID()
	rows, err := s.AddAll(t.Context(), []Source{numbered(1), numbered(2), numbered(3)}, docking, "1-1")
	if err != nil {
		t.Fatal(err)
	}
	attempt := func(s *Spool, row Recording, docking evidence.DockingID) uint32 {
		t.Helper()
		w, err := s.Begin(t.Context(), row.Evidence, docking, "1-1", row.Source.Size)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Drop()
		got, err := s.Get(t.Context(), row.Evidence)
		if err != nil || got.Attempt != w.Attempt() || got.Docking != docking {
			t.Fatalf("the journal has attempt %d of docking %v (%v), the writer %d of %v", got.Attempt, got.Docking, err, w.Attempt(), docking)
		}
		return w.Attempt()
	}
	for i, c := range []struct {
		row     Recording
		docking evidence.DockingID
		want    uint32
	}{{rows[0], docking, 1}, {rows[0], docking, 2}, {rows[1], evidence.NewDockingID(), 2}} {
		if got := attempt(s, c.row, c.docking); got != c.want {
			t.Errorf("reading %d is attempt %d, want %d", i, got, c.want)
		}
	}
	s = reopen(t, s)
	if got := attempt(s, rows[2], docking); got != 2 {
		t.Errorf("after a restart the number that was drawn is used again: %d", got)
	}
}

func TestShortCopyIsOneFileAfterFlushAndNoneBefore(t *testing.T) {
	for _, listed := range []uint64{1, 1000, seal.SegmentSize} {
		s := open(t, options(t.TempDir()))
		source := video
		source.Size = listed
		_, w := begin(t, s, source)
		sealed := fill(t, w, source.Size)
		if names := files(t, s); len(names) != 0 {
			t.Fatalf("%d bytes listed: files before the flush: %v", listed, names)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if names := files(t, s); len(names) != 1 || names[0] != filepath.Base(w.path) {
			t.Fatalf("%d bytes listed: files after the flush: %v", listed, names)
		}
		if err := w.Segment([]byte("more")); err == nil {
			t.Fatal("a flushed copy was written on")
		}
		if err := w.Commit(t.Context(), sealed); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(w.path); err != nil || uint64(info.Size()) != seal.SealedSize(listed) || info.Mode().Perm() != 0o600 {
			t.Fatalf("%d bytes listed: %v, %v", listed, info, err)
		}
	}
}
