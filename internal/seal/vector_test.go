package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew from the reference implementation")

// vector is one case of testdata/vectors.json; FORMAT.md section 8 describes the
// fields. Byte strings are hex.
type vector struct {
	Name          string
	Want          string // "ok", "key" (the header is refused), "segment" (a segment is refused)
	SealedSegment uint32
	RotationBits  uint
	Key, AAD      string
	Header        string
	Segments      []string
	PlainSHA256   string `json:",omitempty"`
}

func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.json")
	if *update {
		text, err := json.MarshalIndent(makeVectors(t), "", " ")
		must(t, err)
		must(t, os.WriteFile(path, append(text, '\n'), 0o644))
	}
	text, err := os.ReadFile(path)
	must(t, err)
	var vectors []vector
	must(t, json.Unmarshal(text, &vectors))
	if len(vectors) < 20 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			plain, err := openVector(t, v)
			sum := sha256.Sum256(plain)
			switch {
			case v.Want == "ok" && (err != nil || hex.EncodeToString(sum[:]) != v.PlainSHA256):
				t.Errorf("%v, SHA-256 %x, want %s", err, sum, v.PlainSHA256)
			case v.Want == "key" && !errors.Is(err, ErrKey), v.Want == "segment" && !errors.Is(err, ErrOpen):
				t.Errorf("error %v, want one of class %q", err, v.Want)
			}
		})
	}
}

// openVector opens a recording as FORMAT.md section 6 says: the count of segments
// comes with the case and the last of them is opened as the last.
func openVector(t *testing.T, v vector) ([]byte, error) {
	var key Key
	copy(key[:], unhex(t, v.Key))
	o, err := newOpener(parameters{v.SealedSegment, v.RotationBits}, key, unhex(t, v.AAD), unhex(t, v.Header))
	if err != nil {
		return nil, err
	}
	var plain []byte
	for i, s := range v.Segments {
		if plain, err = o.Open(plain, unhex(t, s), uint64(i), i == len(v.Segments)-1); err != nil {
			return nil, err
		}
	}
	return plain, nil
}

// makeVectors seals a recording of three keys (nine segments) with the
// reference, and damages copies of it one way each.
func makeVectors(t *testing.T) []vector {
	key, aad := pattern("key", 32), AAD("north-yard", [16]byte(pattern("id", 16)), 1)
	good := sealVector(t, small, key, aad, pattern("plain", 8*32+11))
	damaged := func(name, want string, damage func(v *vector)) vector {
		v := good
		v.Name, v.Want, v.PlainSHA256 = name, want, ""
		v.Segments = append([]string(nil), good.Segments...)
		damage(&v)
		return v
	}
	named := func(name string, p parameters, plain []byte) vector {
		v := sealVector(t, p, key, aad, plain)
		v.Name = name
		return v
	}
	flip := func(s *string, at int) {
		b := unhex(t, *s)
		b[(at+len(b))%len(b)] ^= 0x10
		*s = hex.EncodeToString(b)
	}
	other := sealVector(t, small, pattern("other key", 32), aad, pattern("plain", 8*32+11))
	good.Name = "nine_segments_three_keys"
	return []vector{
		good,
		named("empty_recording", product(), nil),
		named("short_recording", product(), pattern("plain", 100)),
		named("last_segment_full", small, pattern("plain", 64)),
		damaged("wrong_key", "key", func(v *vector) { v.Key = hex.EncodeToString(pattern("other key", 32)) }),
		damaged("aad_changed", "key", func(v *vector) { flip(&v.AAD, -1) }),
		damaged("aad_empty", "key", func(v *vector) { v.AAD = "" }),
		damaged("header_algorithm_changed", "key", func(v *vector) { flip(&v.Header, 0) }),
		damaged("header_segment_length_changed", "key", func(v *vector) { flip(&v.Header, 5) }),
		damaged("header_iv_flipped", "key", func(v *vector) { flip(&v.Header, 10) }),
		damaged("header_tag_flipped", "key", func(v *vector) { flip(&v.Header, -1) }),
		damaged("header_cut", "key", func(v *vector) { v.Header = v.Header[:2*HeaderSize-2] }),
		damaged("header_too_long", "key", func(v *vector) { v.Header += "00" }),
		damaged("marker_flipped", "segment", func(v *vector) { flip(&v.Segments[1], 0) }),
		damaged("nonce_flipped", "segment", func(v *vector) { flip(&v.Segments[1], 4) }),
		damaged("ciphertext_flipped", "segment", func(v *vector) { flip(&v.Segments[4], 20) }),
		damaged("tag_flipped", "segment", func(v *vector) { flip(&v.Segments[8], -1) }),
		damaged("truncated_last_segment", "segment", func(v *vector) { v.Segments[8] = v.Segments[8][:2*42] }),
		damaged("truncated_last_segment_marker_mended", "segment", func(v *vector) { v.Segments[8] = "0000002a" + v.Segments[8][8:2*42] }),
		damaged("last_segment_lost", "segment", func(v *vector) { v.Segments = v.Segments[:8] }),
		damaged("last_segment_lost_marker_mended", "segment", func(v *vector) {
			v.Segments = v.Segments[:8]
			v.Segments[7] = "00000040" + v.Segments[7][8:]
		}),
		damaged("first_segment_lost", "segment", func(v *vector) { v.Segments = v.Segments[1:] }),
		damaged("extra_segment", "segment", func(v *vector) { v.Segments = append(v.Segments, v.Segments[8]) }),
		damaged("segment_twice", "segment", func(v *vector) { v.Segments[2] = v.Segments[1] }),
		damaged("reordered", "segment", func(v *vector) { v.Segments[1], v.Segments[2] = v.Segments[2], v.Segments[1] }),
		damaged("reordered_across_keys", "segment", func(v *vector) { v.Segments[1], v.Segments[5] = v.Segments[5], v.Segments[1] }),
		damaged("segment_of_another_recording", "segment", func(v *vector) { v.Segments[1] = other.Segments[1] }),
		damaged("segment_empty", "segment", func(v *vector) { v.Segments[1] = "" }),
		damaged("segment_too_long", "segment", func(v *vector) { v.Segments[1] += "00" }),
	}
}

func sealVector(t *testing.T, p parameters, key, aad, plain []byte) vector {
	pieces := split(plain, int(p.sealedSegment)-Overhead)
	var nonces [][]byte
	for i := range pieces {
		nonces = append(nonces, pattern("nonce"+string(rune('0'+i)), 12))
	}
	header, segments := reference(t, int(p.sealedSegment), p.rotation, key, aad, pattern("iv"+string(key), 32), nonces, pieces)
	sum := sha256.Sum256(plain)
	v := vector{
		Want: "ok", SealedSegment: p.sealedSegment, RotationBits: p.rotation,
		Key: hex.EncodeToString(key), AAD: hex.EncodeToString(aad), Header: hex.EncodeToString(header), PlainSHA256: hex.EncodeToString(sum[:]),
	}
	for _, s := range segments {
		v.Segments = append(v.Segments, hex.EncodeToString(s))
	}
	return v
}

// TestFullSizeVector holds the product's own segment size: a recording of two
// full segments and a bit, whose sealed bytes are too long to store, so their
// SHA-256 stands in FORMAT.md section 8 and here.
func TestFullSizeVector(t *testing.T) {
	const want = "0a070a4c5c50c38ed91aecfa5982f1ccb7a2da513dce5848605c984836161c54"
	key, aad := pattern("key", 32), AAD("north-yard", [16]byte(pattern("id", 16)), 1)
	plain := pattern("plain", 2*SegmentSize+5)
	nonces := [][]byte{pattern("nonce0", 12), pattern("nonce1", 12), pattern("nonce2", 12)}
	header, segments := reference(t, SegmentSize+Overhead, 20, key, aad, pattern("iv", 32), nonces, split(plain, SegmentSize))
	if sum := sha256.Sum256(bytes.Join(append([][]byte{header}, segments...), nil)); hex.EncodeToString(sum[:]) != want {
		t.Errorf("SHA-256 of the sealed recording is %x, want %s", sum, want)
	}
	o, err := NewOpener(Key(key), aad, header)
	must(t, err)
	var got []byte
	for i, s := range segments {
		got, err = o.Open(got, s, uint64(i), i == 2)
		must(t, err)
	}
	if !bytes.Equal(got, plain) {
		t.Error("the product opens the reference's recording to other bytes")
	}
}

// pattern is n bytes of SHA-256(name || 0), SHA-256(name || 1), … with a 4-byte
// big-endian counter.
func pattern(name string, n int) []byte {
	var b []byte
	for i := uint32(0); len(b) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(name), i))
		b = append(b, sum[:]...)
	}
	return b[:n:n]
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}
