package custody_test

import (
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/custody"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

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
	if _, err := admission.Intake.Segment(t.Context(), 0, r.Sealed[0]); err != nil {
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
	// A stream that the dock has broken off may take a moment to end.
	go first.Intake.Close()
	first, err = g.offer(g.peer, r)
	if err != nil {
		t.Fatalf("after the break: %v", err)
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

// FuzzOffer: whatever a dock offers, the server lives on, and what it accepts
// has a row.
func FuzzOffer(f *testing.F) {
	g := newRig(f)
	r := g.dock.Record(f, "A.MP4", bytesOf("footage", 1<<20+1))
	f.Add(r.Offer.Manifest, r.Offer.WrappedKey, r.Offer.Header, r.Offer.Leaves)
	f.Add([]byte("{}"), []byte{1}, []byte{2}, make([]byte, 32))
	f.Add([]byte(`{"payloadType":"application/vnd.sealdock.manifest.v1+json","payload":"e30=","signatures":[{"keyid":"","sig":""}]}`), r.Offer.WrappedKey, r.Offer.Header, r.Offer.Leaves)
	f.Fuzz(func(t *testing.T, manifest, wrapped, header, leaves []byte) {
		offer := &upload.Offer{Manifest: manifest, WrappedKey: wrapped, Header: header, Leaves: leaves}
		if offer.Validate() != nil {
			return // refused before it comes here
		}
		admission, err := g.custody.Offer(t.Context(), g.peer, offer)
		if err != nil {
			if code(err) == "" {
				t.Fatalf("told as internal: %v", err)
			}
			return
		}
		if admission.Intake == nil {
			t.Fatal("a receipt for what was never stored")
		}
		defer admission.Intake.Close()
		if _, err := g.db.Item(t.Context(), "springfield", admission.Item.Evidence); err != nil {
			t.Fatal(err)
		}
	})
}
