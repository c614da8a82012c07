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
	"github.com/sealdock/sealdock/internal/identity"
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

// resealed is a recording whose offer was changed after it was made.
func resealed(r *receivetest.Recording, change func(*upload.Offer)) *receivetest.Recording {
	changed := *r
	changed.Offer = &upload.Offer{Manifest: r.Offer.Manifest, WrappedKey: r.Offer.WrappedKey, Header: r.Offer.Header, Leaves: r.Offer.Leaves}
	change(changed.Offer)
	return &changed
}

func flip(b []byte, at int) []byte {
	c := append([]byte(nil), b...)
	c[at] ^= 1
	return c
}

func TestOffersThatCannotBeJudgedAreRefused(t *testing.T) {
	g := newRig(t)
	plain := bytesOf("footage", 2<<20)
	sound := func() *receivetest.Recording { return g.dock.Record(t, "A.MP4", plain) }
	other := g.dock.Record(t, "B.MP4", bytesOf("other", 2<<20))
	receiptLike, err := g.sign.Sign(evidence.TypeReceipt, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		offer *receivetest.Recording
		want  upload.Code
	}{
		"manifest cut":                    {resealed(sound(), func(o *upload.Offer) { o.Manifest = o.Manifest[:len(o.Manifest)/2] }), upload.CodeBadManifest},
		"manifest with trailing bytes":    {resealed(sound(), func(o *upload.Offer) { o.Manifest = append(append([]byte(nil), o.Manifest...), "{}"...) }), upload.CodeBadManifest},
		"a statement of another kind":     {resealed(sound(), func(o *upload.Offer) { o.Manifest = receiptLike.Marshal() }), upload.CodeBadManifest},
		"one leaf changed":                {resealed(sound(), func(o *upload.Offer) { o.Leaves = flip(o.Leaves, 40) }), upload.CodeBadManifest},
		"a leaf too few":                  {resealed(sound(), func(o *upload.Offer) { o.Leaves = o.Leaves[:32] }), upload.CodeBadManifest},
		"leaves of another recording":     {resealed(sound(), func(o *upload.Offer) { o.Leaves = other.Offer.Leaves }), upload.CodeBadManifest},
		"key wrapped for another item":    {resealed(sound(), func(o *upload.Offer) { o.WrappedKey = other.Offer.WrappedKey }), upload.CodeConflict},
		"key damaged":                     {resealed(sound(), func(o *upload.Offer) { o.WrappedKey = flip(o.WrappedKey, 100) }), upload.CodeConflict},
		"seal header of another item":     {resealed(sound(), func(o *upload.Offer) { o.Header = other.Offer.Header }), upload.CodeConflict},
		"seal header with lower settings": {resealed(sound(), func(o *upload.Offer) { o.Header = flip(o.Header, 5) }), upload.CodeConflict},
		"another agency":                  {g.dock.Record(t, "A.MP4", plain, func(m *evidence.Manifest) { m.Agency = "shelbyville" }), upload.CodeWrongAgency},
		"length that does not fit":        {g.dock.Record(t, "A.MP4", plain, func(m *evidence.Manifest) { m.Length = 1 << 30 }), upload.CodeBadManifest},
		"Merkle root of other bytes":      {g.dock.Record(t, "A.MP4", plain, func(m *evidence.Manifest) { m.MerkleRoot[0] ^= 1 }), upload.CodeBadManifest},
	}
	refused := 0
	for name, c := range cases {
		if _, err := g.offer(g.peer, c.offer); code(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		now := g.events(evidence.EventTransferRefused, "")
		if now <= refused && name != "leaves of another recording" { // told like "one leaf changed", of another item
			t.Errorf("%s: no event tells of the refusal", name)
		}
		refused = now
	}
	if n := len(g.itemsIn(catalog.StateReceiving)); n != 0 {
		t.Errorf("%d items came of refused offers", n)
	}
}

func TestDoubtfulManifestsEndInQuarantineWithoutReceipt(t *testing.T) {
	cases := map[string]func(g *rig) *receivetest.Recording{
		"signed by a stranger": func(g *rig) *receivetest.Recording {
			stranger := *g.dock
			stranger.Statement, _ = identity.NewStatementKey(identity.PurposeDock)
			return stranger.Record(g.t, "A.MP4", bytesOf("footage", 1<<20+5))
		},
		"of another dock": func(g *rig) *receivetest.Recording {
			other, _ := g.enrol("back-door")
			return other.Record(g.t, "A.MP4", bytesOf("footage", 1<<20+5))
		},
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			r := make(g)
			if receipt, err := g.deliver(g.peer, r); code(err) != upload.CodeQuarantined || receipt != nil {
				t.Fatalf("got %v, want quarantined", err)
			}
			item, err := g.db.Item(t.Context(), "springfield", r.Manifest.Evidence)
			if err != nil || item.State != catalog.StateQuarantined || item.Reason == "" || item.Receipt != nil {
				t.Fatalf("the item is %+v, %v", item, err)
			}
			if g.events(evidence.EventQuarantined, evidence.ItemObject(item.ID)) != 1 {
				t.Error("no event tells of the quarantine")
			}
			if _, err := g.vault.OpenQuarantined(t.Context(), vault.Key{Agency: "springfield", ID: item.ID, Attempt: 1}); err != nil {
				t.Errorf("the bytes are not kept: %v", err)
			}
			if _, err := g.deliver(g.peer, r); code(err) != upload.CodeQuarantined {
				t.Errorf("again: %v, want quarantined", err)
			}
			// A sound manifest of the same recording is not held up by it.
			good := g.dock.Record(t, "A.MP4", r.Plain)
			receipt, err := g.deliver(g.peer, good)
			if err != nil {
				t.Fatalf("the sound one: %v", err)
			}
			g.checkStored(good, receipt)
		})
	}
}

func TestADoubtfulManifestTakesNothingFromASoundOne(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 2<<20))
	admission, err := g.offer(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := admission.Intake.Segment(t.Context(), 0, r.Sealed[0]); err != nil {
		t.Fatal(err)
	}
	admission.Intake.Close()
	stranger := *g.dock
	stranger.Statement, _ = identity.NewStatementKey(identity.PurposeDock)
	for name, bad := range map[string]*receivetest.Recording{"new id": stranger.Again(t, r, true), "next attempt": stranger.Again(t, r, false)} {
		if _, err := g.offer(g.peer, bad); code(err) != upload.CodeBadManifest {
			t.Errorf("%s: %v, want bad_manifest", name, err)
		}
	}
	receipt, err := g.deliver(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	g.checkStored(r, receipt)
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
			if admission.Intake.Resume() == 0 {
				if err := admission.Intake.Segment(t.Context(), 0, r.Sealed[0]); err != nil {
					t.Fatal(err)
				}
			}
			err = admission.Intake.Segment(t.Context(), 1, sealed)
			var refused *upload.Error
			if !errors.As(err, &refused) || refused.Code != upload.CodeDigestMismatch || refused.Segment != 1 {
				t.Fatalf("got %v, want digest_mismatch of segment 1", err)
			}
			if durable, err := admission.Intake.Sync(t.Context()); err != nil || durable != 1 {
				t.Fatalf("%d segments are acknowledged, want 1: %v", durable, err)
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
	for spoiled, want := range map[int]uint64{-1: 4, 0: 0, 2: 2, 3: 3} {
		t.Run(fmt.Sprint(spoiled), func(t *testing.T) {
			g := newRig(t)
			r := g.dock.Record(t, "A.MP4", bytesOf("footage", 6<<20))
			admission, err := g.offer(g.peer, r)
			if err != nil {
				t.Fatal(err)
			}
			for i := range uint64(4) {
				if err := admission.Intake.Segment(t.Context(), i, r.Sealed[i]); err != nil {
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
			if got := admission.Intake.Resume(); got != want {
				t.Errorf("resumes at %d, want %d", got, want)
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

func TestTwoStreamsDoNotWriteOneItem(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 2<<20))
	first, err := g.offer(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.offer(g.peer, r); code(err) != upload.CodeRetryLater {
		t.Errorf("the same connection: %v, want retry_later", err)
	}
	dock, peer := g.enrol("back-door")
	if _, err := g.offer(peer, dock.Again(t, r, true)); code(err) != upload.CodeRetryLater {
		t.Errorf("another dock: %v, want retry_later", err)
	}
	// A new connection of the same dock ends the older stream.
	ended := make(chan struct{})
	go func() {
		<-first.Intake.Interrupted()
		first.Intake.Close()
		close(ended)
	}()
	g.peer.Session++
	second, err := g.offer(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	<-ended
	second.Intake.Close()
	receipt, err := g.deliver(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	g.checkStored(r, receipt)
}

func TestAnOfferDuringTheProofGetsTheReceipt(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 1000))
	proving, goOn := make(chan struct{}), make(chan struct{})
	g.fail = func(s custody.Step, after bool) error {
		if s == custody.StepReadBack && !after {
			close(proving)
			<-goOn
		}
		return nil
	}
	first := make(chan []byte, 1)
	go func() {
		receipt, err := g.deliver(g.peer, r)
		if err != nil {
			t.Error(err)
		}
		first <- receipt
	}()
	<-proving
	peer := g.peer
	peer.Session++
	second := make(chan []byte, 1)
	go func() {
		admission, err := g.offer(peer, r)
		if err != nil || admission.Receipt == nil {
			t.Errorf("got %+v, %v, want the receipt", admission, err)
			second <- nil
			return
		}
		second <- admission.Receipt
	}()
	close(goOn)
	a, b := <-first, <-second
	if string(a) != string(b) {
		t.Fatal("two receipts for one item")
	}
	g.checkStored(r, a)
}

func TestOneIdWithTwoContentsIsAConflict(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 1000))
	same := func(m *evidence.Manifest) { m.Evidence = r.Manifest.Evidence }
	if _, err := g.deliver(g.peer, r); err != nil {
		t.Fatal(err)
	}
	if _, err := g.offer(g.peer, g.dock.Record(t, "B.MP4", bytesOf("other", 1000), same)); code(err) != upload.CodeConflict {
		t.Errorf("another recording under the id of a stored one: %v, want conflict", err)
	}
	half := g.dock.Record(t, "C.MP4", bytesOf("half", 1000))
	admission, err := g.offer(g.peer, half)
	if err != nil {
		t.Fatal(err)
	}
	admission.Intake.Close()
	other := g.dock.Record(t, "D.MP4", bytesOf("other", 1000), func(m *evidence.Manifest) { m.Evidence = half.Manifest.Evidence })
	if _, err := g.offer(g.peer, other); code(err) != upload.CodeConflict {
		t.Errorf("another recording under the id of one on its way: %v, want conflict", err)
	}
	anew := g.dock.Record(t, "C.MP4", half.Plain, func(m *evidence.Manifest) { *m = half.Manifest })
	anew.Offer.Manifest = half.Offer.Manifest
	if _, err := g.offer(g.peer, anew); code(err) != upload.CodeConflict {
		t.Errorf("the same manifest, sealed anew: %v, want conflict", err)
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
	if commits >= items/2 || g.log.sequenced >= items/2 {
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
