package reading_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

func track(n int) []byte {
	b := bytes.Repeat([]byte("48.137154,11.576124;"), n/20+1)[:n]
	for i := 0; i < n; i += 37 {
		b[i] = byte(i * i >> 7)
	}
	return b
}

func compressed(t *testing.T, plain []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(plain, nil)
}

// Of an encoded recording people get the original, whole and in parts.
func TestAnEncodedRecordingIsReadAsTheOriginal(t *testing.T) {
	s, actor := newStore(t)
	content := track(3<<20 + 77)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.GPX", Content: content, Encoded: compressed(t, content)})
	footage, err := s.Reading.Download(t.Context(), actor, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer footage.Close()
	size := uint64(len(content))
	if footage.Length != size {
		t.Errorf("its length is %d", footage.Length)
	}
	for _, part := range [][2]uint64{{0, size}, {0, 0}, {0, 1}, {size, size}, {size - 1, size}, {500_000, 500_001}, {1 << 20, 2<<20 + 5}, {7, size - 7}} {
		var got bytes.Buffer
		if err := footage.Copy(t.Context(), &got, part[0], part[1]); err != nil || !bytes.Equal(got.Bytes(), content[part[0]:part[1]]) {
			t.Errorf("%v: %v, %d bytes", part, err, got.Len())
		}
	}
	full := errors.New("full")
	if err := footage.Copy(t.Context(), brokenWriter{full}, 0, size); !errors.Is(err, full) {
		t.Errorf("a reader that went away: %v", err)
	}
	view, err := s.Reading.View(t.Context(), actor, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range view.Checks {
		if arrival := c.Place == reading.OnArrival; c.Verdict != reading.Equal || arrival != (c.Encoding == evidence.EncodedZstd) {
			t.Errorf("%s: %+v", c.Place, c)
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestHarmOfAnEncodedRecordingEndsTheReading(t *testing.T) {
	s, actor := newStore(t)
	content := track(2 << 20)
	other := bytes.Clone(content)
	other[len(other)-1] ^= 1
	harmed := s.Keep(t, readingtest.Recording{Path: "DCIM/1.GPX", Content: content, Encoded: compressed(t, content)})
	s.Blobs.Harm(readingtest.Key(harmed), seal.HeaderSize+500)
	for name, item := range map[string]evidence.EvidenceID{
		"harmed":           harmed.ID,
		"another original": s.Keep(t, readingtest.Recording{Path: "DCIM/2.GPX", Content: content, Encoded: compressed(t, other)}).ID,
		"shorter":          s.Keep(t, readingtest.Recording{Path: "DCIM/3.GPX", Content: content, Encoded: compressed(t, content[1:])}).ID,
	} {
		footage, err := s.Reading.Download(t.Context(), actor, item)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := footage.Copy(t.Context(), &got, 0, footage.Length); !errors.Is(err, reading.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
		footage.Close()
	}
}
