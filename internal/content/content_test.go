package content

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/sealdock/sealdock/proto/evidence"
)

// track is n bytes of text as cameras write it.
func track(n int) []byte {
	var b bytes.Buffer
	for r := rand.New(rand.NewPCG(1, 2)); b.Len() < n; {
		fmt.Fprintf(&b, `{"at_seconds":%d,"latitude":%.6f,"longitude":%.6f},`, b.Len(), 48+r.Float64(), 11+r.Float64())
	}
	return b.Bytes()[:n]
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(b)
	return b
}

func encode(t testing.TB, e *Encoder, plain []byte) []byte {
	t.Helper()
	encoded, err := e.Encode(plain)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// frames encodes with another encoder than the product's.
func frames(t testing.TB, plain []byte, options ...zstd.EOption) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, append([]zstd.EOption{zstd.WithEncoderConcurrency(1)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(plain, nil)
}

// streamed is a frame that does not tell its content size.
func streamed(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	e, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	e.Write(plain)
	e.Flush()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func manifest(original, encoded []byte) *evidence.Manifest {
	return &evidence.Manifest{
		Length: uint64(len(original)), SHA256: evidence.SHA256(original), MerkleRoot: root(original),
		Content: &evidence.Content{Encoding: evidence.EncodedZstd, Length: uint64(len(encoded)), MerkleRoot: root(encoded)},
	}
}

func root(b []byte) evidence.Digest {
	var leaves []evidence.Digest
	for index := range evidence.LeafCount(uint64(len(b))) {
		leaves = append(leaves, evidence.LeafHash(b[index*evidence.LeafSize:min((index+1)*evidence.LeafSize, uint64(len(b)))]))
	}
	return evidence.MerkleRoot(leaves)
}

func TestWhatIsEncodedIsProven(t *testing.T) {
	var e Encoder
	for _, n := range []int{600, 5 << 10, 128<<10 + 1, evidence.LeafSize, 2*evidence.LeafSize + 3, 9 << 20} {
		plain := track(n)
		encoded := encode(t, &e, plain)
		if encoded == nil || len(encoded) > n*9/10 {
			t.Fatalf("%d bytes of text gave %d", n, len(encoded))
		}
		m := manifest(plain, encoded)
		if err := Prove(m, iotest.OneByteReader(bytes.NewReader(encoded))); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		var out bytes.Buffer
		if err := Decode(&out, bytes.NewReader(encoded), evidence.EncodedZstd, m.Length); err != nil || !bytes.Equal(out.Bytes(), plain) {
			t.Errorf("%d bytes: %d came back, %v", n, out.Len(), err)
		}
	}
}

func TestEncodingThatDoesNotPayIsLeft(t *testing.T) {
	var e Encoder
	for name, plain := range map[string][]byte{"empty": nil, "short": track(200), "noise": noise(1 << 20), "a twentieth": append(noise(95<<10), make([]byte, 5<<10)...)} {
		if encoded := encode(t, &e, plain); encoded != nil {
			t.Errorf("%s: %d bytes gave %d", name, len(plain), len(encoded))
		}
	}
}

func TestHostileContentIsRefused(t *testing.T) {
	plain := track(300 << 10)
	good := encode(t, new(Encoder), plain)
	n := uint64(len(plain))
	skipped := []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}
	empty := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0}
	bomb := make([]byte, 48<<20)
	dictionary := zstd.WithEncoderDictRaw(5, plain[:1<<10])
	for _, c := range []struct {
		name    string
		sealed  []byte
		length  uint64
		because string
	}{
		{"nothing", nil, n, "begin with"},
		{"no frame", plain, n, "begin with"},
		{"cut header", good[:5], n, "begin with"},
		{"cut block", good[:len(good)-1], n, "cut off"},
		{"cut before a block", good[:func() int { var h zstd.Header; h.Decode(good); return h.HeaderSize }()], n, "cut off"},
		{"longer than said", good, n - 1, "manifest says"},
		{"shorter than said", good, n + 1, "manifest says"},
		{"a bomb", frames(t, bomb), n, "manifest says"},
		{"two frames", append(bytes.Clone(good), good...), n, "follows"},
		{"an empty frame behind", append(bytes.Clone(good), empty...), n, "follows"},
		{"a byte behind", append(bytes.Clone(good), 0), n, "follows"},
		{"a skipped frame before", append(bytes.Clone(skipped), good...), n, "skipped"},
		{"a skipped frame behind", append(bytes.Clone(good), skipped...), n, "follows"},
		{"a dictionary", frames(t, plain, dictionary), n, "dictionary"},
		{"no content size", streamed(t, plain), n, "told: false"},
		{"a wide window", frames(t, make([]byte, 17<<20), zstd.WithWindowSize(16<<20), zstd.WithSingleSegment(false)), 17 << 20, "window"},
		{"a wide single segment", frames(t, make([]byte, 9<<20), zstd.WithSingleSegment(true)), 9 << 20, "window"},
		{"a wrong checksum", flipped(frames(t, plain, zstd.WithEncoderCRC(true))), n, "CRC"},
		{"a cut checksum", cut(frames(t, plain, zstd.WithEncoderCRC(true))), n, "cut off"},
	} {
		var out bytes.Buffer
		err := Decode(&out, bytes.NewReader(c.sealed), evidence.EncodedZstd, c.length)
		if !errors.Is(err, ErrContent) || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v, want ErrContent with %q", c.name, err, c.because)
		}
		if uint64(out.Len()) > c.length {
			t.Errorf("%s: %d bytes came out, at most %d may", c.name, out.Len(), c.length)
		}
	}
}

func flipped(b []byte) []byte { b[len(b)-1] ^= 1; return b }

func cut(b []byte) []byte { return b[:len(b)-2] }

func TestAFrameThatGivesMoreThanItsHeaderSaysIsRefused(t *testing.T) {
	for _, said := range []byte{0, 99, 101, 255} {
		frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, said, 0x23, 0x03, 0, 'a'} // a run of 100
		var out bytes.Buffer
		err := Decode(&out, bytes.NewReader(frame), evidence.EncodedZstd, uint64(said))
		if !errors.Is(err, ErrContent) || out.Len() > int(said) {
			t.Errorf("said %d: %v, %d bytes came out", said, err, out.Len())
		}
	}
}

func TestOtherOriginalsAreNotProven(t *testing.T) {
	plain := track(2 << 20)
	encoded := encode(t, new(Encoder), plain)
	for name, change := range map[string]func(*evidence.Manifest){
		"SHA-256":     func(m *evidence.Manifest) { m.SHA256[0] ^= 1 },
		"Merkle root": func(m *evidence.Manifest) { m.MerkleRoot[0] ^= 1 },
		"length":      func(m *evidence.Manifest) { m.Length-- },
		"encoding":    func(m *evidence.Manifest) { m.Content.Encoding = "brotli" },
	} {
		m := manifest(plain, encoded)
		change(m)
		if err := Prove(m, bytes.NewReader(encoded)); !errors.Is(err, ErrContent) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestErrorsOfReadingAndWritingAreNotTheContents(t *testing.T) {
	plain := noise(600 << 10)
	sealed := frames(t, plain)
	broken := errors.New("broken")
	for _, at := range []int{0, 3, 1000, len(sealed) - 1, len(sealed)} {
		from := io.MultiReader(bytes.NewReader(sealed[:at]), iotest.ErrReader(broken))
		if err := Decode(io.Discard, from, evidence.EncodedZstd, uint64(len(plain))); !errors.Is(err, broken) || errors.Is(err, ErrContent) {
			t.Errorf("reading broke at %d: %v", at, err)
		}
	}
	w := &limited{w: brokenWriter{broken}, left: 1 << 20}
	if err := Decode(w, bytes.NewReader(sealed), evidence.EncodedZstd, uint64(len(plain))); !errors.Is(err, broken) || errors.Is(err, ErrContent) {
		t.Errorf("writing broke: %v", err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestSegmentsAreReadInOrder(t *testing.T) {
	parts := []string{"one", "", "three"}
	got, err := io.ReadAll(iotest.OneByteReader(NewSegments(3, func(i uint64) ([]byte, error) { return []byte(parts[i]), nil })))
	if err != nil || string(got) != "onethree" {
		t.Errorf("%q, %v", got, err)
	}
	broken := errors.New("broken")
	_, err = io.ReadAll(NewSegments(3, func(i uint64) ([]byte, error) { return []byte(parts[i]), map[uint64]error{2: broken}[i] }))
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// What is allocated, all in all, bounds what is held at once.
func TestProvingTakesNoMoreMemoryThanItSays(t *testing.T) {
	for name, sealed := range map[string][]byte{
		"a wide window":    frames(t, make([]byte, evidence.MaxEncoded), zstd.WithWindowSize(MaxWindow), zstd.WithSingleSegment(false)),
		"many literals":    frames(t, noise(12<<20), zstd.WithWindowSize(MaxWindow), zstd.WithSingleSegment(false)),
		"a single segment": frames(t, track(MaxWindow), zstd.WithSingleSegment(true)),
		"a short one":      frames(t, track(10<<10)),
	} {
		var h zstd.Header
		if err := h.Decode(sealed); err != nil {
			t.Fatal(err)
		}
		m := &evidence.Manifest{Length: h.FrameContentSize, Content: &evidence.Content{Encoding: evidence.EncodedZstd}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Prove(m, bytes.NewReader(sealed))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrContent) || !strings.Contains(err.Error(), "SHA-256") {
			t.Fatalf("%s: %v", name, err)
		}
		if took := int64(after.TotalAlloc - before.TotalAlloc); took > Memory(m.Length) {
			t.Errorf("%s: %d KiB were allocated, at most %d may be", name, took>>10, Memory(m.Length)>>10)
		}
	}
}

// FuzzDecode: whatever is fed, at most length bytes come out, and what is taken
// is one frame that another decoder reads as the same.
func FuzzDecode(f *testing.F) {
	plain := track(3 << 10)
	good := encode(f, new(Encoder), plain)
	for _, seed := range [][]byte{good, good[:40], append(bytes.Clone(good), good...), streamed(f, plain), frames(f, noise(100), zstd.WithEncoderCRC(true)),
		{0x28, 0xb5, 0x2f, 0xfd, 0x20, 100, 0x23, 0x03, 0, 'a'}} {
		f.Add(seed, uint32(len(plain)))
		f.Add(seed, uint32(100))
	}
	f.Fuzz(func(t *testing.T, sealed []byte, length uint32) {
		length %= 16 << 20
		var out bytes.Buffer
		err := Decode(&out, bytes.NewReader(sealed), evidence.EncodedZstd, uint64(length))
		if out.Len() > int(length) || err == nil && out.Len() != int(length) {
			t.Fatalf("%d bytes came out, %d are said: %v", out.Len(), length, err)
		}
		if err != nil {
			if !errors.Is(err, ErrContent) {
				t.Fatalf("%v", err)
			}
			return
		}
		other, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(32<<20))
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if same, err := other.DecodeAll(sealed, nil); err != nil || !bytes.Equal(same, out.Bytes()) {
			t.Fatalf("another decoder gives %d bytes, %v; this one %d", len(same), err, out.Len())
		}
	})
}

// BenchmarkDecode is what proving a short sidecar costs.
func BenchmarkDecode(b *testing.B) {
	plain := track(8 << 10)
	encoded := encode(b, new(Encoder), plain)
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode(io.Discard, bytes.NewReader(encoded), evidence.EncodedZstd, uint64(len(plain))); err != nil {
			b.Fatal(err)
		}
	}
}
