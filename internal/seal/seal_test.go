package seal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
)

// small is a parameter set with 32 bytes of plaintext in a segment and a new key
// every 4 segments, so that a test can walk over many of both.
var small = parameters{sealedSegment: 64, rotation: 2}

func testSealer(t testing.TB, p parameters) (*Sealer, *Opener) {
	t.Helper()
	key, err := NewKey()
	must(t, err)
	iv := make([]byte, ivSize)
	aad := []byte("aad")
	s, err := newSealer(p, key, iv, aad)
	must(t, err)
	o, err := newOpener(p, key, aad, s.Header())
	must(t, err)
	return s, o
}

func TestRecordingsOfEveryShapeComeBack(t *testing.T) {
	key, err := NewKey()
	must(t, err)
	aad := AAD("north-yard", [16]byte{1}, 2)
	for _, length := range []uint64{0, 1, SegmentSize - 1, SegmentSize, SegmentSize + 1, 3*SegmentSize + 77} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			s, err := NewSealer(key, aad)
			must(t, err)
			plain := bytes.Repeat([]byte("footage!"), int(length/8)+1)[:length]
			stored := s.Header()
			count := SegmentCount(length)
			for i := range count {
				from := i * SegmentSize
				stored, err = s.Seal(stored, plain[from:from+SegmentLen(length, i)], i, i == count-1)
				must(t, err)
			}
			if uint64(len(stored)) != SealedSize(length) {
				t.Fatalf("%d bytes stored, SealedSize says %d", len(stored), SealedSize(length))
			}
			o, err := NewOpener(key, aad, stored[:HeaderSize])
			must(t, err)
			var got []byte
			for i, segment := range split(stored[HeaderSize:], SegmentSize+Overhead) {
				got, err = o.Open(got, segment, uint64(i), uint64(i) == count-1)
				must(t, err)
			}
			if !bytes.Equal(got, plain) {
				t.Fatal("not what was sealed")
			}
		})
	}
}

func TestSegmentArithmetic(t *testing.T) {
	for _, test := range []struct{ length, count, first, last, sealed uint64 }{
		{0, 1, 0, 0, HeaderSize + 32},
		{1, 1, 1, 1, HeaderSize + 33},
		{SegmentSize, 1, SegmentSize, SegmentSize, HeaderSize + SegmentSize + 32},
		{SegmentSize + 1, 2, SegmentSize, 1, HeaderSize + SegmentSize + 65},
		{MaxPlain, maxSegments, SegmentSize, SegmentSize, HeaderSize + MaxPlain + 32*maxSegments},
		{math.MaxUint64, 1 << 44, SegmentSize, SegmentSize - 1, math.MaxUint64},
	} {
		count := SegmentCount(test.length)
		got := [4]uint64{count, SegmentLen(test.length, 0), SegmentLen(test.length, count-1), SealedSize(test.length)}
		if want := [4]uint64{test.count, test.first, test.last, test.sealed}; got != want {
			t.Errorf("length %d: count, first, last, sealed %v, want %v", test.length, got, want)
		}
		if n := SegmentLen(test.length, count); n != 0 {
			t.Errorf("length %d: the segment beyond the end has %d bytes", test.length, n)
		}
	}
}

func TestSegmentsOpenInAnyOrderAndFromManyGoroutines(t *testing.T) {
	s, o := testSealer(t, small)
	const segments = 64 // 16 keys
	sealed := make([][]byte, segments)
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := g; i < segments; i += 4 {
				var err error
				sealed[i], err = s.Seal(nil, bytes.Repeat([]byte{byte(i)}, 32), uint64(i), i == segments-1)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	for g := range 4 {
		wait.Go(func() {
			for n := range segments {
				i := (n*7 + g*13) % segments
				got, err := o.Open(nil, sealed[i], uint64(i), i == segments-1)
				if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, 32)) {
					t.Errorf("segment %d: %x, %v", i, got, err)
				}
			}
		})
	}
	wait.Wait()
}

func TestSegmentOpensNowhereElse(t *testing.T) {
	s, o := testSealer(t, small)
	inner, err := s.Seal(nil, make([]byte, 32), 5, false)
	must(t, err)
	last, err := s.Seal(nil, make([]byte, 32), 5, true)
	must(t, err)
	for index := range uint64(16) {
		for _, asLast := range []bool{false, true} {
			for name, sealed := range map[string][]byte{"inner": inner, "last": last} {
				_, err := o.Open(nil, sealed, index, asLast)
				right := index == 5 && asLast == (name == "last")
				if right != (err == nil) || !right && !errors.Is(err, ErrOpen) {
					t.Errorf("%s segment 5 as %d, last %t: %v", name, index, asLast, err)
				}
			}
		}
	}
}

func TestEveryChangedBitIsRefused(t *testing.T) {
	s, o := testSealer(t, small)
	sealed, err := s.Seal(nil, []byte("last words"), 0, true)
	must(t, err)
	for bit := range len(sealed) * 8 {
		sealed[bit/8] ^= 1 << (bit % 8)
		if plain, err := o.Open(nil, sealed, 0, true); !errors.Is(err, ErrOpen) || plain != nil {
			t.Fatalf("bit %d changed: %q, %v", bit, plain, err)
		}
		sealed[bit/8] ^= 1 << (bit % 8)
	}
	header := s.Header()
	for bit := range len(header) * 8 {
		header[bit/8] ^= 1 << (bit % 8)
		if _, err := newOpener(small, Key{}, []byte("aad"), header); !errors.Is(err, ErrKey) {
			t.Fatalf("header bit %d changed: %v", bit, err)
		}
		header[bit/8] ^= 1 << (bit % 8)
	}
}

func TestSealRefusesWrongLengthsAndPlaces(t *testing.T) {
	s, o := testSealer(t, small)
	for _, test := range []struct {
		name  string
		bytes int
		index uint64
		last  bool
		ok    bool
	}{
		{"short inner", 31, 0, false, false},
		{"long inner", 33, 0, false, false},
		{"long last", 33, 0, true, false},
		{"empty last", 0, 0, true, true},
		{"full last", 32, 0, true, true},
		{"last place", 1, maxSegments - 1, true, true},
		{"inner in the last place", 32, maxSegments - 1, false, false},
		{"beyond the last place", 1, maxSegments, true, false},
		{"far beyond", 1, math.MaxUint64, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			sealed, err := s.Seal(nil, make([]byte, test.bytes), test.index, test.last)
			if (err == nil) != test.ok {
				t.Fatalf("error %v, want success %t", err, test.ok)
			}
			if _, err := o.Open(nil, sealed, test.index, test.last); (err == nil) != test.ok {
				t.Fatalf("opening: %v", err)
			}
		})
	}
}

func TestSealingTwiceGivesOtherBytes(t *testing.T) {
	var key Key
	a, err := NewSealer(key, nil)
	must(t, err)
	b, err := NewSealer(key, nil)
	must(t, err)
	if bytes.Equal(a.Header(), b.Header()) {
		t.Error("two headers are the same")
	}
	seen := map[string]bool{}
	for range 10000 {
		sealed, err := a.Seal(nil, nil, 0, true)
		must(t, err)
		if nonce := string(sealed[4:16]); seen[nonce] {
			t.Fatal("a nonce came twice")
		} else {
			seen[nonce] = true
		}
	}
}

func TestNothingIsAllocatedPerSegment(t *testing.T) {
	s, o := testSealer(t, product())
	plain := make([]byte, SegmentSize)
	sealed := make([]byte, 0, SegmentSize+Overhead)
	opened := make([]byte, 0, SegmentSize)
	if n := testing.AllocsPerRun(20, func() {
		var err error
		if sealed, err = s.Seal(sealed[:0], plain, 7, false); err != nil {
			t.Fatal(err)
		}
		if opened, err = o.Open(opened[:0], sealed, 7, false); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations per segment, want 0", n)
	}
}

func TestKeysDoNotShowThemselves(t *testing.T) {
	key := Key{0xAB, 0xCD, 0xEF}
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%x %v %#v %s %d", key, &key, key, key, key), fmt.Sprintf("%+v", struct{ K Key }{key})} {
		if bytes.Contains(bytes.ToLower([]byte(text)), []byte("ab")) || bytes.Contains([]byte(text), []byte("171")) {
			t.Errorf("the key shows in %q", text)
		}
	}
	if text, err := key.MarshalText(); err == nil {
		t.Errorf("written as text %q", text)
	}
	key.Zero()
	if key != (Key{}) {
		t.Error("Zero left something")
	}
}

func TestAssociatedDataIsUnambiguous(t *testing.T) {
	want := "sealdock/item/v1\n\x00\x00\x00\x02ab\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x00\x00\x01\x00"
	id := [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	if got := AAD("ab", id, 256); string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	var key Key
	aad := []byte("aad")
	s, err := newSealer(small, key, make([]byte, ivSize), aad)
	must(f, err)
	plain := bytes.Repeat([]byte{7}, 32)
	for _, last := range []bool{false, true} {
		sealed, err := s.Seal(nil, plain, 3, last)
		must(f, err)
		f.Add(s.Header(), sealed, uint64(3), last)
		f.Add(s.Header(), sealed[:31], uint64(3), last)
	}
	f.Add([]byte{}, []byte{}, uint64(math.MaxUint64), true)
	f.Fuzz(func(t *testing.T, header, sealed []byte, index uint64, last bool) {
		o, err := newOpener(small, key, aad, header)
		if err != nil {
			if !errors.Is(err, ErrKey) {
				t.Fatal(err)
			}
			if o, err = newOpener(small, key, aad, s.Header()); err != nil {
				t.Fatal(err)
			}
		}
		got, err := o.Open(nil, sealed, index, last)
		switch {
		case err != nil && (!errors.Is(err, ErrOpen) || got != nil):
			t.Fatalf("%q, %v", got, err)
		case err == nil && (index != 3 || !bytes.Equal(got, plain)):
			t.Fatalf("a forged segment %d opened to %q", index, got)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, _ := testSealer(b, product())
	plain, dst := make([]byte, SegmentSize), make([]byte, 0, SegmentSize+Overhead)
	b.SetBytes(SegmentSize)
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		if _, err := s.Seal(dst, plain, i, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s, o := testSealer(b, product())
	sealed, err := s.Seal(nil, make([]byte, SegmentSize), 1, false)
	must(b, err)
	dst := make([]byte, 0, SegmentSize)
	b.SetBytes(SegmentSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Open(dst, sealed, 1, false); err != nil {
			b.Fatal(err)
		}
	}
}
