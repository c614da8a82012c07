package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	noShort     = -1
	maxSegments = evidence.MaxLength / evidence.LeafSize
)

var errEnded = errors.New("the upload has ended")

// upload is a vault.Upload on a partial file.
type upload struct {
	store *Store
	key   vault.Key
	not   []vault.Place // where no blob of the key may be
	base  int64         // length of the header
	file  *durable.File

	mu     sync.RWMutex // writers of ended hold it alone, users of file share it
	ended  bool         // committed, quarantined or closed
	closed bool

	tail   sync.Mutex // guards short, length and filled
	short  int64      // index of the short last segment, or noShort
	length int64      // of the file, in bytes
	filled vault.Set  // places written to through this upload: they take no more room
}

// offset is where the place of a segment begins in the file.
func (u *upload) offset(index uint64) int64 { return u.base + int64(index)*vault.SealedSegment }

// use runs one step on the file while it is open.
func (u *upload) use(what string, step func() error) error {
	u.mu.RLock()
	defer u.mu.RUnlock()
	err := errEnded
	if !u.ended {
		err = step()
	}
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s of blob %s: %w", what, u.key, full(err))
	}
	return err
}

// stop keeps everything but Close from touching the file again.
func (u *upload) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
}

// Segments implements vault.Upload.
func (u *upload) Segments() (n uint64, err error) {
	err = u.use("counting the segments", func() error {
		size, err := u.file.Size()
		if err != nil {
			return err
		}
		n = uint64((size - u.base + vault.SealedSegment - 1) / vault.SealedSegment)
		return nil
	})
	return n, err
}

// ReadSegment implements vault.Upload.
func (u *upload) ReadSegment(index uint64, p []byte) (n int, err error) {
	err = u.use(fmt.Sprintf("reading segment %d", index), func() error {
		if len(p) < vault.SealedSegment {
			return io.ErrShortBuffer
		}
		if index >= maxSegments {
			return io.EOF
		}
		n, err = u.file.ReadAt(p[:vault.SealedSegment], u.offset(index))
		if err == io.EOF && n > 0 {
			return nil
		}
		return err
	})
	return n, err
}

// WriteSegment implements vault.Upload.
func (u *upload) WriteSegment(index uint64, sealed []byte) error {
	return u.use(fmt.Sprintf("writing segment %d", index), func() error {
		if index >= maxSegments || len(sealed) == 0 || len(sealed) > vault.SealedSegment {
			return fmt.Errorf("it has %d bytes, want 1 to %d, and an index below %d", len(sealed), vault.SealedSegment, uint64(maxSegments))
		}
		taken, err := u.room(int64(index), len(sealed))
		if err != nil {
			return err
		}
		defer u.store.reserve.done(taken)
		if len(sealed) < vault.SealedSegment {
			return u.writeShort(int64(index), sealed)
		}
		if _, err := u.file.WriteAt(sealed, u.offset(index)); err != nil {
			return err
		}
		u.tail.Lock()
		defer u.tail.Unlock()
		u.filled.Add(index)
		return nil
	})
}

// room takes the room that a segment needs, and reckons with its bytes in the
// file even when writing them fails: what is written of them then is unknown.
func (u *upload) room(index int64, length int) (taken uint64, err error) {
	u.tail.Lock()
	defer u.tail.Unlock()
	if u.short != noShort && index > u.short {
		return 0, fmt.Errorf("segment %d was written as the last one", u.short)
	}
	if !u.filled.Has(uint64(index)) {
		taken = uint64(length)
		if err := u.store.reserve.take(taken, false); err != nil {
			return 0, err
		}
	}
	if length == vault.SealedSegment {
		if index == u.short {
			u.short = noShort
		}
		u.length = max(u.length, u.offset(uint64(index))+int64(length))
	}
	return taken, nil
}

// writeShort writes the last segment, behind which nothing may stay from an
// earlier, longer life of the file.
func (u *upload) writeShort(index int64, sealed []byte) error {
	u.tail.Lock()
	defer u.tail.Unlock()
	end := u.offset(uint64(index)) + int64(len(sealed))
	behind := u.length > end
	u.length = max(u.length, end)
	if _, err := u.file.WriteAt(sealed, u.offset(uint64(index))); err != nil {
		return err
	}
	if behind {
		if err := u.file.Truncate(end); err != nil {
			return err
		}
		u.length = end
	}
	u.short = index
	u.filled.Add(uint64(index))
	return nil
}

// Truncate implements vault.Upload.
func (u *upload) Truncate(segments uint64) error {
	return u.use("cutting the segments", func() error {
		size, err := u.file.Size()
		if err != nil {
			return err
		}
		u.tail.Lock()
		defer u.tail.Unlock()
		if segments >= maxSegments || u.offset(segments) >= size {
			return nil
		}
		if u.short >= int64(segments) {
			u.short = noShort
		}
		u.filled.Cut(segments)
		u.length = u.offset(segments)
		return u.file.Truncate(u.length)
	})
}

// Sync implements vault.Upload. What is flushed is dropped from memory: it is
// read again only to prove what is on the medium.
func (u *upload) Sync() error {
	return u.use("flushing the segments", func() error {
		if err := u.file.Sync(); err != nil {
			return err
		}
		return u.file.DropCache()
	})
}

// Commit implements vault.Upload.
func (u *upload) Commit(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.commit(ctx); err != nil {
		return fmt.Errorf("committing blob %s: %w", u.key, full(err))
	}
	return nil
}

func (u *upload) commit(ctx context.Context) error {
	if u.ended {
		return errEnded
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	size, err := u.file.Size()
	if err != nil {
		return err
	}
	if rest := (size - u.base) % vault.SealedSegment; rest != 0 && u.short != (size-u.base)/vault.SealedSegment {
		return fmt.Errorf("its last %d bytes are no whole segment", rest)
	}
	if err := u.store.final(u.key, u.not...); err != nil {
		return err
	}
	to := u.store.path(vault.Committed, u.key)
	if err := u.store.made.make(filepath.Dir(to)); err != nil {
		return err
	}
	if hook := u.store.hooks.beforeRename; hook != nil {
		if err := hook(); err != nil {
			return err
		}
	}
	u.ended = true // whatever comes now, the file may have its final name
	return u.store.flushes.Place(u.file, to)
}

// Close implements vault.Upload.
func (u *upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.ended, u.closed = true, true
	defer u.store.release(u.key, u)
	if err := u.file.Close(); err != nil {
		return fmt.Errorf("closing blob %s: %w", u.key, err)
	}
	return nil
}
