package custody_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/custody"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func compressed(t *testing.T, plain []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(plain, nil)
}

// halfText compresses to about half of its n bytes.
func halfText(n int) []byte { return append(bytesOf("footage", n/2), make([]byte, n-n/2)...) }

// Encoded recordings are stored as they are sealed, after the original was proven.
func TestEncodedRecordingsGetReceiptsForTheOriginal(t *testing.T) {
	g := newRig(t)
	for _, size := range []int{2000, 1 << 20, 5<<20 + 1} {
		plain := halfText(size)
		r := g.dock.RecordEncoded(t, fmt.Sprintf("DCIM/%d.JSON", size), plain, evidence.EncodedZstd, compressed(t, plain))
		receipt, err := g.deliver(g.peer, r)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		said := g.checkStored(r, receipt)
		item, err := g.db.Item(t.Context(), "springfield", said.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		if said.SHA256 != evidence.SHA256(plain) || said.Length != uint64(size) || item.Length != uint64(size) || item.SealedLength() != uint64(len(r.Content)) {
			t.Errorf("%d bytes: the receipt says %d, the item %d and %d", size, said.Length, item.Length, item.SealedLength())
		}
	}
	g.sound()
}

// The same recording, read again and sealed as it is, is the same recording.
func TestARecordingIsTheSameEncodedOrNot(t *testing.T) {
	g := newRig(t)
	plain := halfText(9000)
	r := g.dock.RecordEncoded(t, "A.JSON", plain, evidence.EncodedZstd, compressed(t, plain))
	first, err := g.deliver(g.peer, r)
	if err != nil {
		t.Fatal(err)
	}
	if said := g.checkStored(r, first); said.Evidence != r.Manifest.Evidence {
		t.Fatalf("the receipt is for %v", said.Evidence)
	}
	if second, err := g.deliver(g.peer, g.dock.Again(t, r, true)); err != nil || len(second) == 0 {
		t.Errorf("read again: %v", err)
	}
	if n := g.events(evidence.EventEvidenceStored, ""); n != 1 {
		t.Errorf("%d items are stored, want 1", n)
	}
}

// What does not decode to what its manifest says is set aside, whole, with the
// reason; never stored.
func TestContentThatIsNotTheRecordingIsSetAside(t *testing.T) {
	plain := halfText(3 << 20)
	good := compressed(t, plain)
	bomb := compressed(t, make([]byte, 40<<20))
	other := compressed(t, append(bytes.Clone(plain[:len(plain)-1]), 'x'))
	for name, c := range map[string]struct {
		encoding evidence.Encoding
		content  []byte
		adjust   func(*evidence.Manifest)
		because  string
	}{
		"an unknown encoding":   {"brotli", good, nil, `encoded as "brotli"`},
		"one that hides video":  {"brotli", append(bytes.Clone(plain), plain...), nil, `encoded as "brotli"`},
		"no frame":              {"zstd", plain[:1<<20], nil, "zstd frame"},
		"a cut frame":           {"zstd", good[:len(good)-10], nil, "cut off"},
		"two frames":            {"zstd", append(bytes.Clone(good[:len(good)-1]), append(good[len(good)-1:], compressed(t, []byte("more"))...)...), nil, "follows"},
		"a bomb":                {"zstd", bomb, nil, "manifest says"},
		"another content":       {"zstd", other, nil, "SHA-256"},
		"a false length":        {"zstd", good, func(m *evidence.Manifest) { m.Length-- }, "manifest says"},
		"a false SHA-256":       {"zstd", good, func(m *evidence.Manifest) { m.SHA256[3] ^= 1 }, "SHA-256"},
		"a false Merkle root":   {"zstd", good, func(m *evidence.Manifest) { m.MerkleRoot[3] ^= 1 }, "Merkle root"},
		"an empty unknown form": {"void", nil, nil, `encoded as "void"`},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			adjust := c.adjust
			if adjust == nil {
				adjust = func(*evidence.Manifest) {}
			}
			r := g.dock.RecordEncoded(t, "A.JSON", plain, c.encoding, c.content, adjust)
			if _, err := g.deliver(g.peer, r); code(err) != upload.CodeQuarantined || !strings.Contains(err.Error(), c.because) {
				t.Fatalf("got %v, want quarantined because of %q", err, c.because)
			}
			item, err := g.db.Item(t.Context(), "springfield", r.Manifest.Evidence)
			if err != nil || item.State != catalog.StateQuarantined || !strings.Contains(item.Reason, c.because) {
				t.Fatalf("the item is %+v, %v", item, err)
			}
			if g.events(evidence.EventEvidenceStored, "") != 0 {
				t.Error("an event says that it is stored")
			}
			blob, err := g.vault.OpenQuarantined(t.Context(), vault.Key{Agency: "springfield", ID: item.ID, Attempt: item.Attempt})
			if err != nil || uint64(blob.Size()) != seal.SealedSize(uint64(len(c.content))) {
				t.Fatalf("what came was not kept: %v", err)
			}
			blob.Close()
			again := g.dock.Again(t, r, false)
			receipt, err := g.deliver(g.peer, again)
			if err != nil {
				t.Fatalf("read again: %v", err)
			}
			g.checkStored(again, receipt)
			g.sound()
		})
	}
}

func TestContentsThatNoDockMakesAreRefusedAtTheOffer(t *testing.T) {
	plain := halfText(5000)
	good := compressed(t, plain)
	for name, adjust := range map[string]func(*evidence.Manifest){
		"another root":   func(m *evidence.Manifest) { m.Content.MerkleRoot[0] ^= 1 },
		"another length": func(m *evidence.Manifest) { m.Content.Length = 2<<20 - 1; m.Length = 3 << 20 },
		"the original's": func(m *evidence.Manifest) { m.Content = nil },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			r := g.dock.RecordEncoded(t, "A.JSON", plain, evidence.EncodedZstd, good, adjust)
			if _, err := g.deliver(g.peer, r); code(err) != upload.CodeBadManifest {
				t.Fatalf("got %v, want bad_manifest", err)
			}
		})
	}
}

// A segment is compared with the leaves of what is sealed, before it is decoded.
func TestAHarmedSegmentOfAnEncodedRecordingIsRefused(t *testing.T) {
	g := newRig(t)
	plain := halfText(5 << 20)
	r := g.dock.RecordEncoded(t, "A.JSON", plain, evidence.EncodedZstd, compressed(t, plain))
	whole := r.Sealed[1]
	r.Sealed[1] = flip(whole, 100)
	if _, err := g.deliver(g.peer, r); code(err) != upload.CodeDigestMismatch {
		t.Fatalf("got %v, want digest_mismatch", err)
	}
	r.Sealed[1] = whole
	g.fail = func(s custody.Step, after bool) error {
		if s == custody.StepSealed && after {
			spoil(t, g.dir, r, int64(seal.HeaderSize)+vault.SealedSegment+99)
		}
		return nil
	}
	if _, err := g.deliver(g.peer, r); code(err) != upload.CodeQuarantined || !strings.Contains(err.Error(), "segment 1") {
		t.Fatalf("got %v, want quarantined because of segment 1", err)
	}
}
