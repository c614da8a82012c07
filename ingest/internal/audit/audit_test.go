package audit_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const origin = "example.org/custody"

// world is a catalog and a log folder that survive restarts of the log.
type world struct {
	testing.TB
	db     *sqldb.DB
	url    string
	dir    string
	clock  *catalogtest.Clock
	key    ed25519.PrivateKey
	origin string            // the log's name at the moment
	seen   []tlog.Checkpoint // every checkpoint that was ever returned or published
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldAt(t, "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"))
}

func newWorldAt(t testing.TB, url string) *world {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	w := &world{TB: t, url: url, dir: filepath.Join(t.TempDir(), "log"), clock: catalogtest.NewClock(), key: key, origin: origin}
	w.db = w.openDB()
	return w
}

func (w *world) openDB() *sqldb.DB {
	w.Helper()
	db, err := sqldb.Open(w.Context(), w.url, w.clock.Now)
	w.must(err)
	w.Cleanup(func() { db.Close() })
	return db
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) config() audit.Config {
	return audit.Config{Catalog: w.db, Tiles: fs.Tiles(w.dir), Key: w.key, Origin: w.origin, Node: "node-a",
		Now: w.clock.Now, Logger: slog.New(slog.DiscardHandler)}
}

func (w *world) open() *audit.Log {
	w.Helper()
	l, err := audit.Open(w.Context(), w.config())
	w.must(err)
	return l
}

// append commits n events and returns the row id of the last.
func (w *world) append(n int) (last int64) {
	w.Helper()
	w.must(w.db.Update(w.Context(), func(tx *sqldb.Tx) error {
		for range n {
			var err error
			last, err = tx.AppendEvent(w.Context(), evidence.Event{Agency: "metro-pd", Type: evidence.EventEvidenceViewed,
				Actor: evidence.Actor{Kind: "user", ID: "u"}, Outcome: evidence.OutcomeDone})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	return last
}

// published notes the checkpoint that strangers can see.
func (w *world) published() {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "checkpoint"))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	w.must(err)
	c, err := tlog.OpenEarlier(text, w.origin, w.key.Public().(ed25519.PublicKey))
	w.must(err)
	w.seen = append(w.seen, c)
}

// check proves that the log of this head holds every event, that each tile is
// right, and that all checkpoints ever seen are consistent with it.
func (w *world) check(l *audit.Log, events int64) {
	w.Helper()
	w.published()
	head := l.Head()
	c, err := tlog.OpenCheckpoint(head.Text, w.origin, w.verifier())
	w.must(err)
	if c != head.Checkpoint || c.Size != events {
		w.Fatalf("the head is of %d events, want %d", c.Size, events)
	}
	tiles := fs.Tiles(w.dir)
	root, err := tlog.Check(w.Context(), tiles, c.Size)
	w.must(err)
	if root != c.Root {
		w.Fatal("the tiles do not give the signed root")
	}
	var entries []string
	w.must(tlog.Entries(w.Context(), tiles, c.Size, func(_ int64, e []byte) error {
		entries = append(entries, string(e))
		return nil
	}))
	w.must(w.db.EventsByIndex(w.Context(), 0, c.Size, func(e *catalog.EventRow) error {
		if string(tlog.Entry(e.Salt, e.JSON)) != entries[*e.LogIndex] {
			return fmt.Errorf("entry %d is not that of its event", *e.LogIndex)
		}
		if *e.LogIndex%32 != 0 && *e.LogIndex < c.Size-12 {
			return nil // proving a sample and the newest is enough, each tile was checked
		}
		index, size, proof, _, err := l.Prove(w.Context(), e.ID)
		if err != nil {
			return err
		}
		return tlog.CheckInclusion(proof, size, index, c.Root, tlog.LeafHash(tlog.Entry(e.Salt, e.JSON)))
	}))
	w.seen = append(w.seen, c)
	for _, old := range w.seen {
		proof, err := tlog.ProveConsistency(w.Context(), tiles, c.Size, old.Size)
		w.must(err)
		w.must(tlog.CheckConsistency(proof, c.Size, c.Root, old.Size, old.Root))
	}
}

func TestEveryCommittedEventIsInTheNextCheckpoint(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	w.check(l, 0)
	total := 0
	for _, n := range []int{1, 1, 254, 1, 300} {
		w.append(n)
		total += n
		c, text, err := l.Sequence(t.Context())
		w.must(err)
		if c.Size != int64(total) || len(text) == 0 {
			t.Fatalf("%d events in the log, want %d", c.Size, total)
		}
	}
	w.check(l, int64(total))
	w.check(w.open(), int64(total))
	if partial, _ := filepath.Glob(filepath.Join(w.dir, "tile/0/000.p/*")); len(partial) != 0 {
		t.Errorf("partial tiles of a full one are left: %v", partial)
	}
}

func TestAnEventIsProvenOnlyWhenItIsInTheLog(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	id := w.append(1)
	if _, _, _, _, err := l.Prove(t.Context(), id); !errors.Is(err, audit.ErrPending) {
		t.Errorf("got %v", err)
	}
	if _, _, _, _, err := l.Prove(t.Context(), 99); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// The process dies before or after each step, with and without further events
// before it comes back.
func TestACrashAfterAnyStepIsMadeGood(t *testing.T) {
	steps := []audit.Step{audit.StepAssign, audit.StepTiles, audit.StepNote, audit.StepSign, audit.StepSave, audit.StepPublish}
	for _, step := range steps {
		for _, after := range []bool{false, true} {
			for _, begun := range []int{0, 255} {
				t.Run(fmt.Sprintf("%s, after %t, %d before", step, after, begun), func(t *testing.T) {
					t.Parallel() // most of the time goes into flushing
					w := newWorld(t)
					if begun > 0 {
						w.append(begun)
						w.check(w.open(), int64(begun))
					}
					killed := errors.New("killed")
					config := w.config()
					config.Fail = func(s audit.Step, a bool) error {
						if s == step && a == after {
							return killed
						}
						return nil
					}
					w.append(7)
					if _, err := audit.Open(t.Context(), config); !errors.Is(err, killed) {
						t.Fatalf("got %v", err)
					}
					w.published()
					w.append(3)
					w.check(w.open(), int64(begun)+10)
				})
			}
		}
	}
}

func TestConcurrentCallersShareSequencings(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { concurrentCallers(t, newWorld(t)) })
	t.Run("postgres", func(t *testing.T) { concurrentCallers(t, newWorldAt(t, postgres.Start(t).Database(t))) })
}

func concurrentCallers(t *testing.T, w *world) {
	config := w.config()
	var mu sync.Mutex
	signed := 0
	config.Fail = func(s audit.Step, after bool) error {
		mu.Lock()
		defer mu.Unlock()
		if s == audit.StepSign && after {
			signed++
		}
		return nil
	}
	l, err := audit.Open(t.Context(), config)
	w.must(err)
	const callers, rounds = 20, 4
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range rounds {
				id := w.append(1)
				if _, _, err := l.Sequence(t.Context()); err != nil {
					t.Error(err)
				}
				if _, _, _, _, err := l.Prove(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w.check(l, callers*rounds)
	if signed > callers*rounds {
		t.Errorf("%d calls took %d signatures", callers*rounds, signed)
	}
	t.Logf("%d calls shared %d signatures", callers*rounds, signed)
}

func TestACallerThatGivesUpHarmsNoOther(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	w.append(1)
	ended, end := context.WithCancel(t.Context())
	end()
	if _, _, err := l.Sequence(ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_, _, err := l.Sequence(t.Context())
	w.must(err)
	w.check(l, 1)
}

func TestRunSequencesByItselfAndAtTheEnd(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- l.Run(ctx) }()
	w.append(3)
	for tick, until := time.Tick(20*time.Millisecond), time.Now().Add(10*time.Second); l.Head().Checkpoint.Size < 3; <-tick {
		if time.Now().After(until) {
			t.Fatal("the events are not sequenced")
		}
	}
	w.append(2)
	stop()
	w.must(<-stopped)
	w.check(l, 5)
	state, err := w.db.LogState(t.Context())
	w.must(err)
	if !state.LeaseUntil.IsZero() {
		t.Error("the lease was not given back")
	}
}

// TestALogThatEndedWritesNothingMore: whoever asked for a sequencing has gone when the
// log is told to end; the lease is given back only when it is over.
func TestALogThatEndedWritesNothingMore(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	signing, goOn := make(chan struct{}), make(chan struct{})
	l.Fail = func(s audit.Step, after bool) error {
		if s == audit.StepSign && !after {
			close(signing)
			<-goOn
		}
		return nil
	}
	w.append(1)
	asked, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		l.Sequence(asked)
	}()
	<-signing
	leave()
	<-gone
	ended, end := context.WithCancel(t.Context())
	end()
	over := make(chan error, 1)
	go func() { over <- l.Run(ended) }()
	state, err := w.db.LogState(t.Context())
	w.must(err)
	select {
	case err := <-over:
		t.Fatalf("the log ended, with %v, while it was being written", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	w.must(<-over)
	after, err := w.db.LogState(t.Context())
	w.must(err)
	if after.Size != state.Size+1 || after.LeaseUntil.After(w.clock.Now()) {
		t.Errorf("afterwards: size %d, was %d, held until %v", after.Size, state.Size, after.LeaseUntil)
	}
}

func TestAnotherNodeMustWaitForTheLease(t *testing.T) {
	w := newWorld(t)
	first := w.open()
	other := w.config()
	other.Node = "node-b"
	if _, err := audit.Open(t.Context(), other); !errors.Is(err, catalog.ErrLease) {
		t.Fatalf("got %v", err)
	}
	w.clock.Advance(time.Minute)
	second, err := audit.Open(t.Context(), other)
	w.must(err)
	w.append(1)
	if _, _, err := first.Sequence(t.Context()); !errors.Is(err, catalog.ErrLease) {
		t.Fatalf("the first node still writes: %v", err)
	}
	_, _, err = second.Sequence(t.Context())
	w.must(err)
	w.check(second, 1)
}

func TestAThousandEventsAreSequencedQuickly(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	w.append(1000)
	started := time.Now()
	_, _, err := l.Sequence(t.Context())
	w.must(err)
	t.Logf("1000 events in %s", time.Since(started).Round(time.Microsecond))
	w.check(l, 1000)
}

func (w *world) verifier() note.Verifier {
	w.Helper()
	v, err := tlog.NewVerifier(w.origin, w.key.Public().(ed25519.PublicKey))
	w.must(err)
	return v
}
