package tlog_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	reference "golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
)

// referenceLog keeps all hashes of a tree the way x/mod does, in one list.
type referenceLog struct {
	size   int64
	hashes []tlog.Hash
}

func (r *referenceLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = r.hashes[index]
	}
	return out, nil
}

func (r *referenceLog) add(entry []byte) error {
	hashes, err := reference.StoredHashes(r.size, entry, r)
	r.hashes = append(r.hashes, hashes...)
	r.size++
	return err
}

func entry(i int64) []byte {
	return fmt.Appendf(nil, "entry %d", i)
}

func entries(from, to int64) [][]byte {
	var list [][]byte
	for i := from; i < to; i++ {
		list = append(list, entry(i))
	}
	return list
}

// grow makes a log of size entries in one batch.
func grow(t testing.TB, size int64) *tlogtest.Memory {
	t.Helper()
	m := &tlogtest.Memory{}
	if _, _, err := tlog.Append(t.Context(), m, 0, entries(0, size)); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLogAgreesWithTheReferenceAfterEveryBatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		m, ref := &tlogtest.Memory{}, &referenceLog{}
		size, root := int64(0), tlog.Hash{}
		type head struct {
			size int64
			root tlog.Hash
		}
		var heads []head
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			batch := rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(200, 300), rapid.Int64Range(500, 1100)).Draw(t, "batch")
			list := entries(size, size+batch)
			for _, e := range list {
				noError(t, ref.add(e))
			}
			var err error
			old := size
			size, root, err = tlog.Append(ctx, m, size, list)
			noError(t, err)
			want, err := reference.TreeHash(ref.size, ref)
			noError(t, err)
			if size != ref.size || root != want {
				t.Fatalf("size %d root %v, want %d %v", size, root, ref.size, want)
			}
			for _, tile := range reference.NewTiles(8, old, size) {
				data, err := reference.ReadTileData(tile, ref)
				noError(t, err)
				path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
				if stored, err := m.Get(ctx, path); err != nil || !slices.Equal(stored, data) {
					t.Fatalf("%s differs: %v", path, err)
				}
			}
			heads = append(heads, head{size, root})
		}
		checked, err := tlog.Check(ctx, m, size)
		noError(t, err)
		if checked != root {
			t.Fatalf("Check: root %v, want %v", checked, root)
		}
		if rapid.Bool().Draw(t, "partial tiles deleted") {
			deletePartial(m)
		}
		for _, h := range heads {
			if again, err := tlog.Root(ctx, m, h.size); err != nil || again != h.root {
				t.Fatalf("root of old size %d: %v, %v", h.size, again, err)
			}
			proof, err := tlog.ProveConsistency(ctx, m, size, h.size)
			noError(t, err)
			noError(t, tlog.CheckConsistency(proof, size, root, h.size, h.root))
			if h.size == 0 {
				continue
			}
			index := rapid.Int64Range(0, h.size-1).Draw(t, "index")
			inclusion, err := tlog.ProveInclusion(ctx, m, h.size, index)
			noError(t, err)
			want, err := reference.ProveRecord(h.size, index, ref)
			noError(t, err)
			if !slices.Equal(inclusion, want) {
				t.Fatalf("proof of %d in %d differs from the reference", index, h.size)
			}
			noError(t, tlog.CheckInclusion(inclusion, h.size, index, h.root, tlog.LeafHash(entry(index))))
			if err := tlog.CheckInclusion(inclusion, h.size, index, h.root, tlog.LeafHash([]byte("forged"))); !errors.Is(err, tlog.ErrProof) {
				t.Fatalf("a forged entry was accepted: %v", err)
			}
		}
	})
}

// deletePartial removes the partial tiles whose full ones exist.
func deletePartial(m *tlogtest.Memory) {
	paths := m.Paths()
	for _, path := range paths {
		if full, _, ok := strings.Cut(path, ".p/"); ok && slices.Contains(paths, full) {
			m.Delete(path)
		}
	}
}

func noError(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func TestEntriesComeBackInOrder(t *testing.T) {
	m := grow(t, 700)
	for _, size := range []int64{0, 1, 256, 257, 700} {
		if size > 0 && size < 700 {
			_, _, err := tlog.Append(t.Context(), m, 0, entries(0, size)) // the older tree's partial tiles
			noError(t, err)
		}
		next := int64(0)
		err := tlog.Entries(t.Context(), m, size, func(index int64, e []byte) error {
			if index != next || string(e) != string(entry(index)) {
				t.Errorf("entry %d is %q, want %d", index, e, next)
			}
			next++
			return nil
		})
		if err != nil || next != size {
			t.Errorf("size %d: %d entries, %v", size, next, err)
		}
	}
	stop := errors.New("stop")
	if err := tlog.Entries(t.Context(), m, 700, func(int64, []byte) error { return stop }); err != stop {
		t.Errorf("error of the callback: %v", err)
	}
}

func TestAppendReadsAndWritesOnlyTheRightEdge(t *testing.T) {
	m := grow(t, 70000)
	gets, puts := m.Counts()
	_, _, err := tlog.Append(t.Context(), m, 70000, entries(70000, 70010))
	noError(t, err)
	newGets, newPuts := m.Counts()
	if got := newGets - gets; got > 4 {
		t.Errorf("%d reads, want at most bundle and three tiles", got)
	}
	if got := newPuts - puts; got != 2 {
		t.Errorf("%d writes, want bundle and tile of level 0", got)
	}
}

func TestAppendGoesOnAfterAFaultAtEveryWrite(t *testing.T) {
	want, err := tlog.Root(t.Context(), grow(t, 600), 600)
	noError(t, err)
	fault := errors.New("disk gone")
	for failing := 0; ; failing++ {
		m := grow(t, 250)
		puts := make(chan struct{}, failing)
		for range failing {
			puts <- struct{}{}
		}
		m.Fail = func(operation, path string) error {
			if operation != "put" {
				return nil
			}
			select {
			case <-puts:
				return nil
			default:
				return fmt.Errorf("%s: %w", path, fault)
			}
		}
		_, _, err := tlog.Append(t.Context(), m, 250, entries(250, 600))
		if err == nil {
			break
		}
		if !errors.Is(err, fault) {
			t.Fatal(err)
		}
		m.Fail = nil
		size, root, err := tlog.Append(t.Context(), m, 250, entries(250, 600))
		if err != nil || size != 600 || root != want {
			t.Fatalf("after a fault at write %d: %d, %v, %v", failing, size, root, err)
		}
		if root, err := tlog.Check(t.Context(), m, 600); err != nil || root != want {
			t.Fatalf("after a fault at write %d: %v, %v", failing, root, err)
		}
	}
}

func TestCheckNamesEveryDamagedResource(t *testing.T) {
	m := grow(t, 700)
	for _, path := range m.Paths() {
		good, err := m.Get(t.Context(), path)
		noError(t, err)
		for name, bad := range map[string][]byte{
			"first bit": flip(good, 0), "last bit": flip(good, len(good)-1), "middle": flip(good, len(good)/2),
			"cut": good[:len(good)-1], "longer": append(slices.Clone(good), 0), "empty": nil,
		} {
			noError(t, m.Put(t.Context(), path, bad))
			_, err := tlog.Check(t.Context(), m, 700)
			if !errors.Is(err, tlog.ErrDamaged) {
				t.Errorf("%s, %s: %v, want ErrDamaged", path, name, err)
			}
		}
		m.Delete(path)
		if _, err := tlog.Check(t.Context(), m, 700); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s deleted: %v", path, err)
		}
		noError(t, m.Put(t.Context(), path, good))
	}
	if _, err := tlog.Check(t.Context(), m, 700); err != nil {
		t.Errorf("the mended log: %v", err)
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 4
	return b
}

func TestDamagedTilesGiveNoProofAndNoGrowth(t *testing.T) {
	m := grow(t, 700)
	inner, err := m.Get(t.Context(), "tile/0/000")
	noError(t, err)
	noError(t, m.Put(t.Context(), "tile/0/000", flip(inner, 40)))
	if _, err := tlog.ProveInclusion(t.Context(), m, 700, 5); !errors.Is(err, tlog.ErrDamaged) {
		t.Errorf("proof from a damaged inner tile: %v", err)
	}
	noError(t, m.Put(t.Context(), "tile/0/000", inner))
	edge := "tile/entries/002.p/188"
	bundle, err := m.Get(t.Context(), edge)
	noError(t, err)
	noError(t, m.Put(t.Context(), edge, flip(bundle, len(bundle)-1)))
	if _, _, err := tlog.Append(t.Context(), m, 700, entries(700, 701)); !errors.Is(err, tlog.ErrDamaged) {
		t.Errorf("growth of a damaged edge: %v", err)
	}
}

func TestBoundsAreErrors(t *testing.T) {
	m := grow(t, 10)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"negative size":        func() error { _, err := tlog.Root(ctx, m, -1); return err },
		"huge size":            func() error { _, err := tlog.Root(ctx, m, 1<<62); return err },
		"index beyond":         func() error { _, err := tlog.ProveInclusion(ctx, m, 10, 10); return err },
		"index negative":       func() error { _, err := tlog.ProveInclusion(ctx, m, 10, -1); return err },
		"shrinking":            func() error { _, err := tlog.ProveConsistency(ctx, m, 9, 10); return err },
		"size not stored":      func() error { _, err := tlog.Root(ctx, m, 11); return err },
		"long entry":           func() error { _, _, err := tlog.Append(ctx, m, 10, [][]byte{make([]byte, 1<<16)}); return err },
		"append to huge":       func() error { _, _, err := tlog.Append(ctx, m, tlog.MaxSize+1, nil); return err },
		"hostile size":         func() error { return tlog.CheckInclusion(nil, 1<<63-1, 5, tlog.Hash{}, tlog.Hash{}) },
		"hostile index":        func() error { return tlog.CheckInclusion(nil, 5, -1, tlog.Hash{}, tlog.Hash{}) },
		"hostile growth":       func() error { return tlog.CheckConsistency(nil, 1<<63-1, tlog.Hash{}, 1, tlog.Hash{}) },
		"negative growth":      func() error { return tlog.CheckConsistency(nil, 5, tlog.Hash{}, -5, tlog.Hash{}) },
		"growth from nothing":  func() error { return tlog.CheckConsistency(nil, 5, tlog.Hash{}, 0, tlog.Hash{1}) },
		"long proof":           func() error { return tlog.CheckInclusion(make([]tlog.Hash, 65), 5, 1, tlog.Hash{}, tlog.Hash{}) },
		"cancelled":            func() error { c, stop := context.WithCancel(ctx); stop(); _, err := tlog.Check(c, m, 10); return err },
		"shrinking checked":    func() error { return tlog.CheckConsistency(nil, 5, tlog.Hash{}, 6, tlog.Hash{}) },
		"two heads of a size":  func() error { return tlog.CheckConsistency(nil, 5, tlog.Hash{1}, 5, tlog.Hash{2}) },
		"two heads of nothing": func() error { return tlog.CheckConsistency(nil, 0, tlog.Hash{1}, 0, tlog.Hash{1}) },
	} {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestValidPathsAreExactlyThoseOfTheFormat(t *testing.T) {
	m := grow(t, 70000)
	for _, path := range m.Paths() {
		if !tlog.ValidPath(path) {
			t.Errorf("%s is stored and said to be invalid", path)
		}
	}
	for _, path := range []string{"tile/0/x001/x234/067", "tile/entries/x001/000.p/255", "tile/7/000.p/1"} {
		if !tlog.ValidPath(path) {
			t.Errorf("%s: invalid", path)
		}
	}
	for _, path := range []string{
		"", "/", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/0000", "tile/00/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
		"tile/8/0/000", "tile/64/000", "tile/-1/000", "tile/data/000", "tile/entries/../000", "tile/0/../../etc/passwd", "tile/0/x000/000", "tile/0/001/000",
		"tile/0/000/", "/tile/0/000", "tile/0/000.p", "tile/0/000.p/", "tile/0/+01", "tile/0/000.p/+1", "checkpoint", "tile/entries", "tile/entries/000\x00",
	} {
		if tlog.ValidPath(path) {
			t.Errorf("%q: valid", path)
		}
	}
}

func BenchmarkAppend10000(b *testing.B) {
	list := entries(0, 10000)
	for b.Loop() {
		if _, _, err := tlog.Append(b.Context(), &tlogtest.Memory{}, 0, list); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProveInclusionInMillion(b *testing.B) {
	m := grow(b, 1_000_000)
	for i := int64(0); b.Loop(); i++ {
		if _, err := tlog.ProveInclusion(b.Context(), m, 1_000_000, i*7919%1_000_000); err != nil {
			b.Fatal(err)
		}
	}
}
