package custody_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/custody"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func TestRecordingsOfAllSizesGetReceipts(t *testing.T) {
	g := newRig(t)
	for _, size := range []int{0, 1, seal.SegmentSize - 1, seal.SegmentSize, seal.SegmentSize + 1, 5*seal.SegmentSize + 12345} {
		r := g.dock.Record(t, fmt.Sprintf("DCIM/%d.MP4", size), bytesOf("footage", size))
		receipt, err := g.deliver(g.peer, r)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		g.checkStored(r, receipt)
	}
}

func TestTheManifestIsDurableBeforeTheFirstByteIsAsked(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 100))
	admission, err := g.offer(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	defer admission.Intake.Close()
	item, err := g.db.Item(t.Context(), "springfield", r.Manifest.Evidence)
	if err != nil || item.SHA256 != r.Manifest.SHA256 || item.State != catalog.StateReceiving {
		t.Fatalf("the row is %+v, %v", item, err)
	}
	if g.events(evidence.EventManifestReceived, evidence.ItemObject(r.Manifest.Evidence)) != 1 {
		t.Fatal("no event")
	}
}

func TestASegmentThatIsNotTheManifestsIsRefused(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 3<<20))
	foreign := g.dock.Record(t, "B.MP4", bytesOf("other", 3<<20))
	cases := map[string][]byte{
		"one bit changed":      flip(r.Sealed[1], 5000),
		"another place's":      r.Sealed[2],
		"another recording's":  foreign.Sealed[1],
		"cut":                  r.Sealed[1][:1000],
		"nothing but overhead": r.Sealed[1][:32],
	}
	for name, sealed := range cases {
		t.Run(name, func(t *testing.T) {
			admission, err := g.offer(g.peer, r)
			if err != nil {
				t.Fatal(err)
			}
			defer admission.Intake.Close()
			if admission.Intake.Durable().First == 0 {
				if _, err := admission.Intake.Segment(t.Context(), 0, r.Sealed[0]); err != nil {
					t.Fatal(err)
				}
			}
			_, err = admission.Intake.Segment(t.Context(), 1, sealed)
			var refused *upload.Error
			if !errors.As(err, &refused) || refused.Code != upload.CodeDigestMismatch || refused.Segment != 1 {
				t.Fatalf("got %v, want digest_mismatch of segment 1", err)
			}
			if durable, err := admission.Intake.Sync(t.Context()); err != nil || durable != (receive.Durable{First: 1, All: 1}) {
				t.Fatalf("%+v segments are acknowledged, want 1: %v", durable, err)
			}
			if _, err := admission.Intake.Finish(t.Context(), func(receive.Stage) {}); code(err) != upload.CodeBadFrame {
				t.Fatalf("Finish: %v, want bad_frame", err)
			}
		})
	}
	receipt, err := g.deliver(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	g.checkStored(r, receipt)
}

// TestAHashThatTheManifestLiesAbout: leaves fit, the SHA-256 of the whole does
// not.
func TestAHashThatTheManifestLiesAbout(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 2<<20), func(m *evidence.Manifest) { m.SHA256[0] ^= 1 })
	if _, err := g.deliver(g.peer, r); code(err) != upload.CodeQuarantined {
		t.Fatalf("got %v, want quarantined", err)
	}
	item, err := g.db.Item(t.Context(), "springfield", r.Manifest.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	for _, digest := range []evidence.Digest{r.Manifest.SHA256, evidence.SHA256(r.Plain)} {
		if !strings.Contains(item.Reason, digest.String()) {
			t.Errorf("the reason does not name %v: %s", digest, item.Reason)
		}
	}
	if g.events(evidence.EventEvidenceStored, "") != 0 {
		t.Error("an event says that it is stored")
	}
	// The next reading, with the right hash, is taken.
	again := g.dock.Again(t, r, false)
	receipt, err := g.deliver(g.peer, again)
	if err != nil {
		t.Fatal(err)
	}
	g.checkStored(again, receipt)
}

func TestAMediumThatChangesBytesIsFoundBeforeTheReceipt(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 3<<20))
	g.fail = func(s custody.Step, after bool) error {
		if s == custody.StepSealed && after {
			spoil(t, g.dir, r, int64(seal.HeaderSize)+vault.SealedSegment+99)
		}
		return nil
	}
	_, err := g.deliver(g.peer, r)
	if code(err) != upload.CodeQuarantined || !strings.Contains(err.Error(), "segment 1") {
		t.Fatalf("got %v, want quarantined because of segment 1", err)
	}
}

// spoil flips one bit in the file of a recording's blob.
func spoil(t *testing.T, dir string, r *receivetest.Recording, at int64) {
	t.Helper()
	found := false
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(filepath.Base(path), r.Manifest.Evidence.String()) {
			return err
		}
		found = true
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var b [1]byte
		f.ReadAt(b[:], at)
		b[0] ^= 1
		_, err = f.WriteAt(b[:], at)
		return err
	})
	if !found {
		t.Fatal("the blob's file was not found")
	}
}

func TestResumeBelievesOnlyWhatItProves(t *testing.T) {
	for spoiled, want := range map[int]receive.Durable{-1: {First: 4, All: 4}, 0: {First: 0, All: 3}, 2: {First: 2, All: 3}, 3: {First: 3, All: 3}} {
		t.Run(fmt.Sprint(spoiled), func(t *testing.T) {
			g := newRig(t)
			r := g.dock.Record(t, "A.MP4", bytesOf("footage", 6<<20))
			admission, err := g.offer(g.peer, r)
			if err != nil {
				t.Fatal(err)
			}
			for i := range uint64(4) {
				if _, err := admission.Intake.Segment(t.Context(), i, r.Sealed[i]); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := admission.Intake.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			admission.Intake.Close()
			g.crash()
			if spoiled >= 0 {
				spoil(t, g.dir, r, int64(seal.HeaderSize)+int64(spoiled)*vault.SealedSegment+500)
			}
			g.open()
			admission, err = g.offer(g.peer, r)
			if err != nil {
				t.Fatal(err)
			}
			if got := admission.Intake.Durable(); got != want {
				t.Errorf("resumes at %+v, want %+v", got, want)
			}
			admission.Intake.Close()
			receipt, err := g.deliver(g.peer, r)
			if err != nil {
				t.Fatal(err)
			}
			g.checkStored(r, receipt)
		})
	}
}

func TestAFullStoreKeepsTheItemForLater(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 3<<20))
	g.fail = func(s custody.Step, after bool) error {
		if s == custody.StepWritten && !after {
			return fmt.Errorf("writing: %w", vault.ErrFull)
		}
		return nil
	}
	_, err := g.deliver(g.peer, r)
	var refused *upload.Error
	if !errors.As(err, &refused) || refused.Code != upload.CodeFull || refused.RetryAfter == 0 {
		t.Fatalf("got %v, want full", err)
	}
	if n := len(g.itemsIn(catalog.StateReceiving)); n != 1 {
		t.Errorf("%d items are receiving, want 1", n)
	}
	g.fail = nil
	receipt, err := g.deliver(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	g.checkStored(r, receipt)
}

func TestManySmallItemsShareTheirCommits(t *testing.T) {
	const items, streams = 200, 32
	g := newRig(t)
	var mu sync.Mutex
	var commits int
	g.fail = func(s custody.Step, after bool) error {
		if s == custody.StepStored && after {
			mu.Lock()
			commits++
			mu.Unlock()
		}
		return nil
	}
	work := make(chan int)
	var running sync.WaitGroup
	for range streams {
		running.Go(func() {
			for i := range work {
				r := g.dock.Record(t, fmt.Sprintf("DCIM/%03d.JSON", i), bytesOf(fmt.Sprint(i), 64<<10))
				receipt, err := g.deliver(g.peer, r)
				if err != nil {
					t.Error(err)
					continue
				}
				g.checkStored(r, receipt)
			}
		})
	}
	for i := range items {
		work <- i
	}
	close(work)
	running.Wait()
	if commits >= items/4 || g.log.sequenced >= items/4 {
		t.Errorf("%d items took %d commits and %d checkpoints", items, commits, g.log.sequenced)
	}
	t.Logf("%d items took %d commits and %d checkpoints", items, commits, g.log.sequenced)
}

func TestOneBadItemDoesNotSpoilTheBatch(t *testing.T) {
	g := newRig(t)
	hold := make(chan struct{})
	var held sync.Once
	g.fail = func(s custody.Step, after bool) error {
		if s == custody.StepLogged && !after {
			held.Do(func() { <-hold })
		}
		return nil
	}
	blocker := g.dock.Record(t, "0.MP4", []byte("0"))
	good, bad := g.dock.Record(t, "1.MP4", []byte("1")), g.dock.Record(t, "2.MP4", []byte("2"))
	g.giveUp(bad) // somebody else changes the row while it waits
	results := map[*receivetest.Recording]chan error{}
	for _, r := range []*receivetest.Recording{blocker, good, bad} {
		done := make(chan error, 1)
		results[r] = done
		go func() { _, err := g.deliver(g.peer, r); done <- err }()
	}
	close(hold)
	if err := <-results[blocker]; err != nil {
		t.Error(err)
	}
	if err := <-results[good]; err != nil {
		t.Error(err)
	}
	if err := <-results[bad]; err == nil {
		t.Error("the item that was given up got a receipt")
	}
}

// giveUp lets the item of r be superseded between its proof and its commit.
func (g *rig) giveUp(r *receivetest.Recording) {
	before := g.fail
	var once sync.Once
	g.fail = func(s custody.Step, after bool) error {
		if s == custody.StepStored && !after {
			item, err := g.db.Item(context.Background(), "springfield", r.Manifest.Evidence)
			if err == nil && item.State == catalog.StateReceiving {
				once.Do(func() {
					g.db.Update(context.Background(), func(tx *sqldb.Tx) error {
						return tx.SupersedeItem(context.Background(), "springfield", r.Manifest.Evidence, "test")
					})
				})
			}
		}
		return before(s, after)
	}
}

func TestADockThatFinishesNothingIsHeldUp(t *testing.T) {
	g := newRig(t)
	g.crash()
	g.most = 3
	g.open()
	begin := func(i int) (*receivetest.Recording, error) {
		r := g.dock.Record(t, fmt.Sprintf("%d.MP4", i), bytesOf(fmt.Sprint(i), 100))
		admission, err := g.offer(g.peer, r)
		if err == nil {
			admission.Intake.Close()
		}
		return r, err
	}
	first, err := begin(0)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 3; i++ {
		if _, err := begin(i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := begin(3); code(err) != upload.CodeRetryLater {
		t.Fatalf("the fourth: %v, want retry_later", err)
	}
	if _, err := g.deliver(g.peer, first); err != nil {
		t.Fatalf("going on with one that was begun: %v", err)
	}
	if _, err := begin(3); err != nil {
		t.Errorf("after one was finished: %v", err)
	}
}
