package fs

import (
	"errors"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/ingest/internal/vault/vaulttest"
)

// disk is a store on a disk that has so many bytes free, and how often it was asked.
func disk(t *testing.T, reserve uint64, free *uint64) (s *Store, asked *int) {
	t.Helper()
	s, err := NewReserving(t.TempDir(), reserve)
	if err != nil {
		t.Fatal(err)
	}
	asked = new(int)
	s.reserve.free = func() (uint64, error) { *asked++; return *free, nil }
	return s, asked
}

func TestBlobsLeaveTheReserveFree(t *testing.T) {
	const reserve = 64 << 20
	free := uint64(reserve + 2*vault.SealedSegment + 100)
	s, asked := disk(t, reserve, &free)
	if n, err := s.Space(); err != nil || n != free-reserve {
		t.Errorf("space for %d bytes, %v", n, err)
	}
	u := begin(t, s, 2)
	free -= 2 * vault.SealedSegment
	if err := u.WriteSegment(2, segment(2)); !errors.Is(err, vault.ErrFull) {
		t.Fatalf("a segment below the reserve: %v", err)
	}
	if err := u.WriteSegment(1, segment(1)); err != nil {
		t.Errorf("a segment that takes no more room: %v", err)
	}
	free = reserve
	other := vaulttest.Key(2)
	if _, err := s.Create(t.Context(), other, vaulttest.Header()); !errors.Is(err, vault.ErrFull) {
		t.Errorf("a new blob below the reserve: %v", err)
	}
	if there, err := s.has(vault.Partial, other); there || err != nil {
		t.Errorf("the refused blob is there: %v", err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	u = begin(t, s, 0) // what was begun goes on
	if n, err := u.Segments(); n != 2 || err != nil {
		t.Errorf("%d segments, %v", n, err)
	}
	free += 4 * vault.SealedSegment // somebody made room
	if err := errors.Join(u.WriteSegment(2, segment(2)), u.Sync(), u.Commit(t.Context())); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if s.reserve.pending != 0 {
		t.Errorf("%d bytes are still taken", s.reserve.pending)
	}
	if *asked == 0 {
		t.Error("nobody asked for the free space")
	}
}

func TestFreeSpaceIsAskedForSeldom(t *testing.T) {
	free := uint64(1 << 40)
	s, asked := disk(t, 64<<20, &free)
	begin(t, s, 130)
	if *asked > 4 { // one at the beginning, then one each 64 MiB
		t.Errorf("asked %d times for 130 MiB", *asked)
	}
}

func TestWithoutAnAnswerOfTheSystemNothingIsKept(t *testing.T) {
	s, err := NewReserving(t.TempDir(), 1<<60)
	if err != nil {
		t.Fatal(err)
	}
	s.reserve.free = func() (uint64, error) { return 0, errors.ErrUnsupported }
	begin(t, s, 2)
}
