package fsck_test

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sealdock/sealdock/proto/evidence"
)

// storeEncoded stores a recording as zstd of encoded, which may be another one.
func (w *world) storeEncoded(n int, content, encoded []byte, adjust func(*evidence.Manifest)) {
	w.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	w.must(err)
	sealed := e.EncodeAll(encoded, nil)
	w.keep(w.offeredAs(n, content, sealed, func(m *evidence.Manifest) {
		m.Content = &evidence.Content{Encoding: evidence.EncodedZstd, Length: uint64(len(sealed)), MerkleRoot: evidence.MerkleRoot(leavesOf(sealed))}
		if adjust != nil {
			adjust(m)
		}
	}))
}

func text(n int) []byte {
	b := bytes.Repeat([]byte("48.137154,11.576124;"), n/20+1)[:n]
	for i := 0; i < n; i += 97 {
		b[i] = byte('a' + i/97%26)
	}
	return b
}

func TestEncodedRecordingsAreProvenByTheirOriginals(t *testing.T) {
	w := newWorld(t)
	before, _ := w.run()
	w.storeEncoded(20, text(5000), text(5000), nil)
	w.storeEncoded(21, text(3<<20), text(3<<20), nil)
	after, found := w.run()
	if after.Problems != 0 || after.Stored != before.Stored+2 {
		t.Errorf("%+v: %v", after, found)
	}
}

func TestAnEncodedRecordingThatIsAnotherIsFound(t *testing.T) {
	changed := text(5000)
	changed[4000] ^= 1
	for name, c := range map[string]struct {
		encoded []byte
		adjust  func(*evidence.Manifest)
		words   string
	}{
		"content":     {changed, nil, "SHA-256"},
		"length":      {text(4999), nil, "manifest says"},
		"Merkle root": {text(5000), func(m *evidence.Manifest) { m.MerkleRoot[0] ^= 1 }, "Merkle root"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.storeEncoded(20, text(5000), c.encoded, c.adjust)
			_, found := w.run()
			w.only(found, evidence.ItemObject(w.items[len(w.items)-1].ID), c.words)
		})
	}
}

func TestARowThatSaysAnotherEncodingIsFound(t *testing.T) {
	w := newWorld(t)
	w.storeEncoded(20, text(5000), text(5000), nil)
	item := w.items[len(w.items)-1]
	w.sql("UPDATE items SET encoding = '', encoded = 0 WHERE id = '" + item.ID.String() + "'")
	_, found := w.run()
	w.only(found, evidence.ItemObject(item.ID), "encoding is", "sealed length is")
}
