package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/durable"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
)

// Store is a vault.Store in a folder. Safe for concurrent use.
type Store struct {
	dir     string
	made    folders
	flushes durable.Folders
	reserve reserve
	mu      sync.Mutex // guards open
	open    map[vault.Key]*upload
	hooks   hooks // for tests
}

// hooks are called by tests to see or stop single steps. The zero value does nothing.
type hooks struct {
	beforeRename func() error
}

// New opens the store in dir and makes its folders where they are missing.
func New(dir string) (*Store, error) { return NewReserving(dir, 0) }

// NewReserving is New for a store that leaves so many bytes of its file system
// free: uploads that would go below are refused with vault.ErrFull. Where the
// system does not tell the free space (see free_other.go), nothing is kept.
func NewReserving(dir string, bytes uint64) (*Store, error) {
	s := &Store{dir: dir, open: map[vault.Key]*upload{}}
	s.reserve.bytes, s.reserve.free = bytes, func() (uint64, error) { return freeSpace(dir) }
	for _, p := range []vault.Place{vault.Committed, vault.Partial, vault.Quarantined} {
		if err := s.made.make(filepath.Join(dir, folder(p))); err != nil {
			return nil, fmt.Errorf("opening the evidence store: %w", full(err))
		}
	}
	return s, nil
}

var _ vault.Store = (*Store)(nil)

func (s *Store) path(p vault.Place, key vault.Key) string {
	return filepath.Join(s.dir, name(p, key))
}

// has reports whether there is a blob at a place.
func (s *Store) has(p vault.Place, key vault.Key) (bool, error) {
	_, err := os.Lstat(s.path(p, key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// final reports with vault.ErrConflict that the blob is at one of the places.
func (s *Store) final(key vault.Key, places ...vault.Place) error {
	for _, p := range places {
		there, err := s.has(p, key)
		if err != nil {
			return err
		}
		if there {
			return fmt.Errorf("it is %s: %w", p, vault.ErrConflict)
		}
	}
	return nil
}

// claim makes an upload the only one of its key.
func (s *Store) claim(key vault.Key, u *upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] != nil {
		return fmt.Errorf("another upload of it is running: %w", vault.ErrConflict)
	}
	s.open[key] = u
	return nil
}

func (s *Store) release(key vault.Key, u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] == u {
		delete(s.open, key)
	}
}

// Create implements vault.Store.
func (s *Store) Create(ctx context.Context, key vault.Key, header []byte) (vault.Upload, error) {
	u, err := s.create(ctx, key, header, vault.Committed, vault.Quarantined)
	if err != nil {
		return nil, fmt.Errorf("beginning blob %s: %w", key, full(err))
	}
	return u, nil
}

// Heal implements vault.Store.
func (s *Store) Heal(ctx context.Context, key vault.Key, header []byte) (vault.Upload, error) {
	u, err := s.create(ctx, key, header, vault.Committed)
	if err != nil {
		return nil, fmt.Errorf("healing blob %s: %w", key, full(err))
	}
	return u, nil
}

// create begins an upload, unless there is a blob at one of the places.
func (s *Store) create(ctx context.Context, key vault.Key, header []byte, not ...vault.Place) (_ *upload, err error) {
	if err := errors.Join(ctx.Err(), key.Check()); err != nil {
		return nil, err
	}
	if len(header) == 0 || len(header) > vault.MaxHeader {
		return nil, fmt.Errorf("its header has %d bytes, want 1 to %d", len(header), vault.MaxHeader)
	}
	u := &upload{store: s, key: key, not: not, base: int64(len(header)), short: noShort}
	if err := s.claim(key, u); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.release(key, u)
		}
	}()
	if err := s.final(key, not...); err != nil {
		return nil, err
	}
	// What was begun may go on; its new segments are judged one by one.
	if begun, err := s.has(vault.Partial, key); err != nil {
		return nil, err
	} else if n := uint64(len(header)); !begun {
		if err := s.reserve.take(n, true); err != nil {
			return nil, err
		}
		defer s.reserve.done(n)
	}
	path := s.path(vault.Partial, key)
	if err := s.made.make(filepath.Dir(path)); err != nil {
		return nil, err
	}
	switch u.file, err = s.flushes.CreateFile(path, fileMode); {
	case err == nil:
		u.length = u.base
		_, err = u.file.WriteAt(header, 0)
	case errors.Is(err, fs.ErrExist):
		if u.file, err = durable.OpenFile(path); err == nil {
			err = u.resume(header)
		}
	}
	if err != nil && u.file != nil {
		err = errors.Join(err, u.file.Close())
	}
	return u, err
}

// resume makes an existing partial file fit to be written on: with its header.
// What is behind its last whole segment may be the short last one.
func (u *upload) resume(header []byte) error {
	size, err := u.file.Size()
	if err != nil {
		return err
	}
	have := make([]byte, len(header))
	if size >= u.base {
		if _, err := u.file.ReadAt(have, 0); err != nil {
			return err
		}
	}
	switch {
	case bytes.Equal(have, header):
		u.length = size
		if rest := (size - u.base) % vault.SealedSegment; rest != 0 {
			u.short = (size - u.base) / vault.SealedSegment
		}
		return nil
	case bytes.Equal(have, make([]byte, len(header))):
		// A crash came before the first Sync: nothing was acknowledged.
		if err := u.file.Truncate(0); err != nil {
			return err
		}
		u.length = u.base
		_, err := u.file.WriteAt(header, 0)
		return err
	}
	return fmt.Errorf("it was begun with another header: %w", vault.ErrConflict)
}

// Remove implements vault.Store.
func (s *Store) Remove(ctx context.Context, key vault.Key) error {
	err := errors.Join(ctx.Err(), key.Check())
	if err == nil {
		guard := &upload{}
		if err = s.claim(key, guard); err == nil {
			defer s.release(key, guard)
			err = s.final(key, vault.Committed, vault.Quarantined)
		}
	}
	if err == nil {
		err = durable.Remove(s.path(vault.Partial, key))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dropping partial blob %s: %w", key, err)
	}
	return nil
}

// Quarantine implements vault.Store. An open upload of the blob is dead
// afterwards.
func (s *Store) Quarantine(ctx context.Context, key vault.Key) error {
	if err := errors.Join(ctx.Err(), key.Check()); err != nil {
		return err
	}
	if err := s.quarantine(key); err != nil {
		return fmt.Errorf("moving blob %s into quarantine: %w", key, full(err))
	}
	return nil
}

func (s *Store) quarantine(key vault.Key) error {
	s.mu.Lock()
	running := s.open[key]
	s.mu.Unlock()
	if running != nil {
		running.stop()
	}
	aside, err := s.aside(key)
	if err != nil {
		return err
	}
	for _, p := range []vault.Place{vault.Committed, vault.Partial} {
		there, err := s.has(p, key)
		switch {
		case err != nil:
			return err
		case there && aside == vault.MaxAside:
			return fmt.Errorf("there are %d in quarantine and one that is %s: %w", aside, p, vault.ErrConflict)
		case there:
			return s.moveAside(s.path(p, key), filepath.Join(s.dir, asideName(key, aside+1)))
		}
	}
	if aside == 0 {
		return fs.ErrNotExist
	}
	return durable.SyncDir(filepath.Dir(s.path(vault.Quarantined, key))) // an earlier move may not have been flushed
}

// aside is how many blobs of a key are in quarantine.
func (s *Store) aside(key vault.Key) (n int, err error) {
	for ; n < vault.MaxAside; n++ {
		_, err := os.Lstat(filepath.Join(s.dir, asideName(key, n+1)))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (s *Store) moveAside(from, to string) error {
	if err := s.made.make(filepath.Dir(to)); err != nil {
		return err
	}
	f, err := durable.OpenFile(from)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return durable.Rename(from, to)
}

// full marks errors of a full medium.
func full(err error) error {
	if err != nil && durable.IsFull(err) && !errors.Is(err, vault.ErrFull) {
		return fmt.Errorf("%w: %w", vault.ErrFull, err)
	}
	return err
}

// folders makes each folder durable once.
type folders struct {
	mu   sync.Mutex // guards made
	made map[string]bool
}

func (f *folders) make(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.made[path] {
		return nil
	}
	if err := durable.MkdirAll(path, folderMode); err != nil {
		return err
	}
	if f.made == nil {
		f.made = map[string]bool{}
	}
	f.made[path] = true
	return nil
}
