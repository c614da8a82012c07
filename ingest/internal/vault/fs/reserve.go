package fs

import (
	"errors"
	"fmt"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/vault"
)

// askEvery bounds how many bytes are written on one answer about free space.
const askEvery = 64 << 20

// reserve keeps blobs from taking the last bytes of their file system. Safe for
// concurrent use.
type reserve struct {
	bytes uint64                 // to be left free; 0 is no limit
	free  func() (uint64, error) // what the file system can still take

	mu      sync.Mutex
	room    uint64 // guarded by mu: bytes that may be taken before free is asked again
	pending uint64 // guarded by mu: bytes taken and not written yet
}

// take claims n bytes that are about to be written, or says with vault.ErrFull
// that they would go below the reserve. afresh asks for the free space in any
// case. What was taken is given to done when it is written or has failed.
func (r *reserve) take(n uint64, afresh bool) error {
	if r.bytes == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if afresh || r.room < n {
		if err := r.ask(n); err != nil {
			return err
		}
	}
	r.room -= n
	r.pending += n
	return nil
}

// ask makes room of at least n bytes. mu is held.
func (r *reserve) ask(n uint64) error {
	r.room = 0
	free, err := r.free()
	if errors.Is(err, errors.ErrUnsupported) {
		r.room = max(n, askEvery)
		return nil
	}
	if err != nil {
		return err
	}
	kept := r.bytes + r.pending
	if free < kept || free-kept < n {
		return fmt.Errorf("%w: %d bytes are free, of which %d are kept for catalog and log", vault.ErrFull, free, r.bytes)
	}
	r.room = min(free-kept, max(n, askEvery))
	return nil
}

// done ends what take began.
func (r *reserve) done(n uint64) {
	if r.bytes == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending -= n
}

// Space tells how many bytes of blobs the store can still take.
func (s *Store) Space() (uint64, error) {
	free, err := s.reserve.free()
	if err != nil {
		return 0, err
	}
	return free - min(free, s.reserve.bytes), nil
}
