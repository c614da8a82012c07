package vaulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Open opens the store at a place that the suite made up; the same place again
// is the same store after a restart.
type Open func(t *testing.T, place string) vault.Store

type suite struct {
	*testing.T
	open  Open
	place string
	store vault.Store
}

// Run checks each promise on an empty store of its own.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		promise string
		check   func(suite)
	}{
		{"what is committed is read back", committed},
		{"an empty recording has one short segment", emptyRecording},
		{"a partial blob is not readable", partialHidden},
		{"a partial blob goes on after a restart", goesOn},
		{"segments come in any order", anyOrder},
		{"a torn end is cut off", tornEnd},
		{"another header is refused", otherHeader},
		{"a committed blob is final", final},
		{"one upload per key at a time", oneUpload},
		{"attempts and agencies are apart", apart},
		{"truncated segments are gone", truncated},
		{"a segment may be written again", rewritten},
		{"the short segment ends the blob", shortEnds},
		{"bad segments and keys are refused", refused},
		{"quarantine keeps a partial blob readable", quarantinePartial},
		{"quarantine takes a committed blob", quarantineCommitted},
		{"quarantine ends a running upload", quarantineRunning},
		{"healing puts good bytes beside the damaged ones", healed},
		{"removing drops partial blobs only", removed},
		{"a list names every blob once", listed},
		{"segments can be written side by side", sideBySide},
		{"nothing is done after the end", ended},
	} {
		t.Run(c.promise, func(t *testing.T) {
			place := t.TempDir()
			c.check(suite{T: t, open: open, place: place, store: open(t, place)})
		})
	}
}

// Header is the header of every blob that the suite makes.
func Header() []byte { return []byte("header of a sealed recording") }

// Key returns the n-th key.
func Key(n byte) vault.Key {
	return vault.Key{Agency: "metro-pd", ID: evidence.EvidenceID{0xab, n}, Attempt: 1}
}

// Segment returns the bytes of a sealed segment of that length.
func Segment(index uint64, length int) []byte {
	b := make([]byte, length)
	random := rand.NewChaCha8([32]byte{byte(index), byte(index >> 8), byte(length)})
	random.Read(b) // never fails
	return b
}

func whole(index uint64) []byte { return Segment(index, vault.SealedSegment) }

func (s suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s suite) isError(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("got %v, want %v", err, want)
	}
}

func (s suite) create(key vault.Key) vault.Upload {
	s.Helper()
	u, err := s.store.Create(s.Context(), key, Header())
	s.must(err)
	s.Cleanup(func() { u.Close() })
	return u
}

// write makes a partial blob of whole segments and perhaps a short last one.
func (s suite) write(key vault.Key, segments uint64, short int) vault.Upload {
	s.Helper()
	u := s.create(key)
	for i := range segments {
		s.must(u.WriteSegment(i, whole(i)))
	}
	if short > 0 {
		s.must(u.WriteSegment(segments, Segment(segments, short)))
	}
	return u
}

func (s suite) commit(key vault.Key, segments uint64, short int) {
	s.Helper()
	u := s.write(key, segments, short)
	s.must(u.Sync())
	s.must(u.Commit(s.Context()))
	s.must(u.Close())
}

func (s suite) restart() suite {
	s.store = s.open(s.T, s.place)
	return s
}

// content is what a blob of that shape holds.
func content(segments uint64, short int) []byte {
	b := Header()
	for i := range segments {
		b = append(b, whole(i)...)
	}
	return append(b, Segment(segments, short)...)
}

func (s suite) holds(b vault.Blob, err error, want []byte) {
	s.Helper()
	s.must(err)
	defer b.Close()
	s.must(b.FromMedium())
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	s.must(err)
	if !bytes.Equal(got, want) {
		s.Errorf("the blob's %d bytes are not the %d that were written", len(got), len(want))
	}
}

func (s suite) segments(u vault.Upload, want uint64) {
	s.Helper()
	n, err := u.Segments()
	s.must(err)
	if n != want {
		s.Errorf("%d segments, want %d", n, want)
	}
}

func committed(s suite) {
	for n, short := range []int{0, 1, 33, vault.SealedSegment - 1} {
		key := Key(byte(n))
		s.commit(key, 2, short)
		b, err := s.store.Open(s.Context(), key)
		s.holds(b, err, content(2, short))
		b, err = s.restart().store.Open(s.Context(), key)
		s.holds(b, err, content(2, short))
	}
}

func emptyRecording(s suite) {
	s.commit(Key(1), 0, 32)
	b, err := s.store.Open(s.Context(), Key(1))
	s.holds(b, err, content(0, 32))
}

func partialHidden(s suite) {
	u := s.write(Key(1), 1, 5)
	s.must(u.Sync())
	_, err := s.store.Open(s.Context(), Key(1))
	s.isError(err, fs.ErrNotExist)
	_, err = s.store.OpenQuarantined(s.Context(), Key(1))
	s.isError(err, fs.ErrNotExist)
}

func goesOn(s suite) {
	u := s.write(Key(1), 3, 100)
	s.segments(u, 4)
	s.must(u.Sync())
	s.must(u.Close())
	s = s.restart()
	u = s.create(Key(1))
	s.segments(u, 4)
	for i := range uint64(3) {
		s.reads(u, i, whole(i))
	}
	s.reads(u, 3, Segment(3, 100))
	_, err := u.ReadSegment(4, make([]byte, vault.SealedSegment))
	s.isError(err, io.EOF)
	s.must(u.WriteSegment(1, whole(1)))
	s.must(u.Commit(s.Context()))
	b, err := s.store.Open(s.Context(), Key(1))
	s.holds(b, err, content(3, 100))
}

// reads demands what is in the place of a segment.
func (s suite) reads(u vault.Upload, index uint64, want []byte) {
	s.Helper()
	p := make([]byte, vault.SealedSegment)
	n, err := u.ReadSegment(index, p)
	s.must(err)
	if !bytes.Equal(p[:n], want) {
		s.Errorf("segment %d has changed", index)
	}
}

// anyOrder writes the short last segment first and leaves holes over a restart.
func anyOrder(s suite) {
	u := s.create(Key(1))
	s.must(u.WriteSegment(4, Segment(4, 100)))
	s.must(u.WriteSegment(2, whole(2)))
	s.segments(u, 5)
	s.must(u.Sync())
	s.must(u.Close())
	s = s.restart()
	u = s.create(Key(1))
	s.segments(u, 5)
	s.reads(u, 0, make([]byte, vault.SealedSegment))
	s.reads(u, 2, whole(2))
	s.reads(u, 4, Segment(4, 100))
	for _, i := range []uint64{3, 0, 1} {
		s.must(u.WriteSegment(i, whole(i)))
	}
	s.must(u.Commit(s.Context()))
	b, err := s.store.Open(s.Context(), Key(1))
	s.holds(b, err, content(4, 100))
}

// tornEnd cuts what a crash left of a segment, and writes it whole.
func tornEnd(s suite) {
	u := s.write(Key(1), 1, 77) // what is there of a segment that is longer
	s.must(u.Sync())
	s.must(u.Close())
	u = s.restart().create(Key(1))
	s.must(u.Truncate(1))
	s.segments(u, 1)
	s.must(u.WriteSegment(2, Segment(2, 5)))
	s.must(u.WriteSegment(1, whole(1)))
	s.must(u.Commit(s.Context()))
	b, err := s.store.Open(s.Context(), Key(1))
	s.holds(b, err, content(2, 5))
}

func otherHeader(s suite) {
	u := s.write(Key(1), 1, 0)
	s.must(u.Sync())
	s.must(u.Close())
	for _, header := range []string{"Header of a sealed recording", "header of a sealed recordinG"} {
		_, err := s.store.Create(s.Context(), Key(1), []byte(header))
		s.isError(err, vault.ErrConflict)
	}
	s.segments(s.create(Key(1)), 1)
}

func final(s suite) {
	s.commit(Key(1), 1, 9)
	_, err := s.store.Create(s.Context(), Key(1), Header())
	s.isError(err, vault.ErrConflict)
	s.isError(s.store.Remove(s.Context(), Key(1)), vault.ErrConflict)
	b, err := s.store.Open(s.Context(), Key(1))
	s.holds(b, err, content(1, 9))
}

func oneUpload(s suite) {
	u := s.create(Key(1))
	_, err := s.store.Create(s.Context(), Key(1), Header())
	s.isError(err, vault.ErrConflict)
	s.isError(s.store.Remove(s.Context(), Key(1)), vault.ErrConflict)
	s.must(u.Close())
	s.must(u.Close())
	s.create(Key(1))
}

func apart(s suite) {
	keys := []vault.Key{Key(1), Key(1), Key(1)}
	keys[1].Attempt, keys[2].Agency = 2, "county"
	for n, key := range keys {
		s.commit(key, 0, 10+n)
	}
	for n, key := range keys {
		b, err := s.store.Open(s.Context(), key)
		s.holds(b, err, content(0, 10+n))
	}
}

func truncated(s suite) {
	u := s.write(Key(1), 3, 50)
	s.must(u.Truncate(9))
	s.segments(u, 4)
	s.must(u.Truncate(2))
	s.segments(u, 2)
	_, err := u.ReadSegment(2, make([]byte, vault.SealedSegment))
	s.isError(err, io.EOF)
	s.must(u.WriteSegment(2, Segment(2, 7)))
	s.must(u.Commit(s.Context()))
	b, err := s.store.Open(s.Context(), Key(1))
	s.holds(b, err, content(2, 7))
}

func rewritten(s suite) {
	u := s.write(Key(1), 1, 0)
	s.must(u.WriteSegment(1, Segment(77, vault.SealedSegment)))
	s.must(u.WriteSegment(1, Segment(1, 200)))
	s.segments(u, 2)
	s.must(u.WriteSegment(1, whole(1)))
	s.must(u.WriteSegment(2, Segment(2, 3)))
	s.must(u.Commit(s.Context()))
	b, err := s.store.Open(s.Context(), Key(1))
	s.holds(b, err, content(2, 3))
}

func shortEnds(s suite) {
	u := s.write(Key(1), 1, 10)
	if err := u.WriteSegment(2, whole(2)); err == nil {
		s.Error("a segment after the last one was taken")
	}
	s.segments(u, 2)
}

func refused(s suite) {
	for _, key := range []vault.Key{{}, {Agency: "../up", ID: Key(1).ID, Attempt: 1}, {Agency: "metro-pd", Attempt: 1}, {Agency: "metro-pd", ID: Key(1).ID}} {
		if _, err := s.store.Create(s.Context(), key, Header()); err == nil {
			s.Errorf("key %s was taken", key)
		}
		if _, err := s.store.Open(s.Context(), key); err == nil || errors.Is(err, fs.ErrNotExist) {
			s.Errorf("key %s: %v", key, err)
		}
		if s.store.Remove(s.Context(), key) == nil || s.store.Quarantine(s.Context(), key) == nil {
			s.Errorf("key %s was taken", key)
		}
	}
	for _, header := range [][]byte{nil, make([]byte, vault.MaxHeader+1)} {
		if _, err := s.store.Create(s.Context(), Key(1), header); err == nil {
			s.Errorf("a header of %d bytes was taken", len(header))
		}
	}
	u := s.create(Key(1))
	for _, bad := range []struct {
		index  uint64
		length int
	}{{0, 0}, {0, vault.SealedSegment + 1}, {1 << 17, 10}, {1 << 63, 10}, {1<<64 - 1, 10}} {
		if err := u.WriteSegment(bad.index, make([]byte, bad.length)); err == nil {
			s.Errorf("segment %d of %d bytes was taken", bad.index, bad.length)
		}
		if _, err := u.ReadSegment(bad.index, make([]byte, vault.SealedSegment)); !errors.Is(err, io.EOF) {
			s.Errorf("segment %d was read: %v", bad.index, err)
		}
	}
	if _, err := u.ReadSegment(0, make([]byte, 10)); !errors.Is(err, io.ErrShortBuffer) {
		s.Errorf("a short buffer: %v", err)
	}
	ended, end := context.WithCancel(s.Context())
	end()
	s.isError(u.Commit(ended), context.Canceled)
}

func quarantinePartial(s suite) {
	u := s.write(Key(1), 1, 20)
	s.must(u.Close())
	for range 2 {
		s.must(s.store.Quarantine(s.Context(), Key(1)))
	}
	s = s.restart()
	b, err := s.store.OpenQuarantined(s.Context(), Key(1))
	s.holds(b, err, content(1, 20))
	_, err = s.store.Create(s.Context(), Key(1), Header())
	s.isError(err, vault.ErrConflict)
	s.isError(s.store.Remove(s.Context(), Key(1)), vault.ErrConflict)
	s.isError(s.store.Quarantine(s.Context(), Key(2)), fs.ErrNotExist)
}

func quarantineCommitted(s suite) {
	s.commit(Key(1), 1, 20)
	s.must(s.store.Quarantine(s.Context(), Key(1)))
	_, err := s.store.Open(s.Context(), Key(1))
	s.isError(err, fs.ErrNotExist)
	b, err := s.store.OpenQuarantined(s.Context(), Key(1))
	s.holds(b, err, content(1, 20))
}

func quarantineRunning(s suite) {
	u := s.write(Key(1), 1, 0)
	s.must(s.store.Quarantine(s.Context(), Key(1)))
	if u.WriteSegment(1, whole(1)) == nil || u.Commit(s.Context()) == nil {
		s.Error("the upload went on")
	}
	s.must(u.Close())
	b, err := s.store.OpenQuarantined(s.Context(), Key(1))
	s.holds(b, err, content(1, 0))
}

func removed(s suite) {
	u := s.write(Key(1), 1, 0)
	s.must(u.Close())
	for range 2 {
		s.must(s.store.Remove(s.Context(), Key(1)))
	}
	s.segments(s.create(Key(1)), 0)
}

func listed(s suite) {
	s.commit(Key(1), 1, 20)
	s.must(s.write(Key(2), 2, 0).Close())
	s.must(s.write(Key(3), 0, 5).Close())
	s.must(s.store.Quarantine(s.Context(), Key(3)))
	size := func(segments uint64, short int) int64 { return int64(len(content(segments, short))) }
	want := map[vault.Key]vault.Info{
		Key(1): {Place: vault.Committed, Size: size(1, 20)},
		Key(2): {Place: vault.Partial, Size: size(2, 0)},
		Key(3): {Place: vault.Quarantined, Size: size(0, 5)},
	}
	s.must(s.store.List(s.Context(), func(i vault.Info) error {
		w, ok := want[i.Key]
		if !ok || i.Place != w.Place || i.Size != w.Size || i.Name == "" || i.Modified.IsZero() {
			s.Errorf("listed: %+v", i)
		}
		delete(want, i.Key)
		return nil
	}))
	if len(want) > 0 {
		s.Errorf("not listed: %v", want)
	}
	stop := errors.New("enough")
	s.isError(s.store.List(s.Context(), func(vault.Info) error { return stop }), stop)
}

func sideBySide(s suite) {
	var all sync.WaitGroup
	for n := range byte(4) {
		all.Go(func() {
			u := s.create(Key(n))
			var segments sync.WaitGroup
			for i := range uint64(5) {
				segments.Go(func() {
					segment := whole(i)
					if i == 4 {
						segment = Segment(i, 99)
					}
					if err := errors.Join(u.WriteSegment(i, segment), u.Sync()); err != nil {
						s.Error(err)
					}
				})
			}
			segments.Wait()
			if err := u.Commit(s.Context()); err != nil {
				s.Error(err)
			}
		})
	}
	all.Wait()
	for n := range byte(4) {
		b, err := s.store.Open(s.Context(), Key(n))
		s.holds(b, err, content(4, 99))
	}
}

func ended(s suite) {
	u := s.write(Key(1), 1, 0)
	s.must(u.Commit(s.Context()))
	for name, err := range map[string]error{"write": u.WriteSegment(1, whole(1)), "truncate": u.Truncate(0), "sync": u.Sync(), "commit": u.Commit(s.Context())} {
		if err == nil {
			s.Errorf("%s after the commit was done", name)
		}
	}
	s.must(u.Close())
	b, err := s.store.Open(s.Context(), Key(1))
	s.holds(b, err, content(1, 0))
	if fmt.Sprint(Key(1)) == "" {
		s.Error("a key has no text")
	}
}
