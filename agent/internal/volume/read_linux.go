package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

const (
	window  = 1 << 20 // bytes that are read at a time
	maxHeld = 512     // files that stay open at most
)

// mostHeld is how many files one link keeps open: a thirty-second of what this
// process may have open, so that eight bays take a quarter. A file that was closed
// is known again by its inode for as long as the kernel remembers that.
func mostHeld() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1
	}
	return int(max(1, min(limit.Cur/32, maxHeld)))
}

// held is a file that was opened for reading. It stays open so that what is erased is
// what was read.
type held struct {
	file    *os.File
	opened  unix.Stat_t
	next    int64 // where the last read ended
	dropped int64 // up to where its pages were dropped in this reading
}

// ReadAt implements camera.Link. A read that does not go on where the last one of
// the same file ended begins a new reading, which comes from the device.
func (l *link) ReadAt(ctx context.Context, object camera.Object, off int64, p []byte) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("reading %s: negative offset %d", object.Path, off)
	}
	done := 0
	for {
		want := min(len(p)-done, window)
		data, err := run(ctx, l, func() ([]byte, error) {
			n, err := l.readInto(&object, off+int64(done), want)
			return l.buffer[:n], err
		})
		done += copy(p[done:], data)
		if err != nil && !errors.Is(err, io.EOF) {
			return done, fmt.Errorf("reading %s at byte %d: %w", object.Path, off+int64(done), err)
		}
		if err != nil || done == len(p) {
			return done, err
		}
	}
}

// readInto reads up to want bytes into the link's buffer; io.EOF at the file's end.
func (l *link) readInto(o *camera.Object, off int64, want int) (int, error) {
	if err := l.settle(); err != nil {
		return 0, err
	}
	h, err := l.open(o, off == 0)
	if err != nil {
		return 0, err
	}
	if err := h.unchanged(); err != nil {
		return 0, err
	}
	if l.buffer == nil {
		l.buffer = make([]byte, window)
	}
	n, err := h.read(l.buffer[:want], off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = l.judge(err)
		if errors.Is(err, unix.EIO) && !errors.Is(err, camera.ErrGone) {
			err = fmt.Errorf("the card has a bad place there; the file stays on it: %w", err)
		}
	}
	return n, err
}

// open opens the file of an object, or gives the one that is open already. Anew says
// that a reading begins; otherwise it has to be the file that was read before.
func (l *link) open(o *camera.Object, anew bool) (*held, error) {
	if h := l.held[o.Handle]; h != nil {
		if err := fits(o, &h.opened); err != nil {
			l.drop(o.Handle)
			return nil, err
		}
		return h, nil
	}
	f := l.files[o.Handle]
	if f == nil || f.storage != o.Storage {
		return nil, fmt.Errorf("%w: it is not in the last listing", camera.ErrChanged)
	}
	s, err := l.storage(f.storage)
	if err != nil {
		return nil, err
	}
	opened, err := s.openBeneath(f.path, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("%w: it is no longer there", camera.ErrChanged)
	}
	if err != nil {
		return nil, l.judge(err)
	}
	h := &held{file: opened}
	if err := unix.Fstat(int(opened.Fd()), &h.opened); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	if err := fits(o, &h.opened); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	if before, read := l.inodes[o.Handle]; read && !anew && before != h.opened.Ino {
		return nil, errors.Join(fmt.Errorf("%w: the kernel no longer knows that it is the file that was read", camera.ErrChanged), opened.Close())
	}
	l.inodes[o.Handle] = h.opened.Ino
	for len(l.order) >= l.most {
		l.drop(l.order[0])
	}
	l.held[o.Handle] = h
	l.order = append(l.order, o.Handle)
	return h, nil
}

// drop closes a held file.
func (l *link) drop(handle uint32) {
	if h := l.held[handle]; h != nil {
		_ = h.file.Close() // it was only read
		delete(l.held, handle)
	}
	for i, other := range l.order {
		if other == handle {
			l.order = append(l.order[:i], l.order[i+1:]...)
			return
		}
	}
}

// fits says whether an open file is the one that was listed.
func fits(o *camera.Object, st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG || o.SizeKnown && uint64(st.Size) != o.Size || stamp(st.Mtim) != o.ModifiedRaw {
		return fmt.Errorf("%w: it has %d bytes and the time %s, listed were %d bytes and %s", camera.ErrChanged, st.Size, stamp(st.Mtim), o.Size, o.ModifiedRaw)
	}
	return nil
}

// unchanged says whether the open file still is what it was when it was opened.
func (h *held) unchanged() error {
	var now unix.Stat_t
	if err := unix.Fstat(int(h.file.Fd()), &now); err != nil {
		return err
	}
	if now.Size != h.opened.Size || now.Mtim != h.opened.Mtim {
		return fmt.Errorf("%w: it changed while it was read, from %d bytes and %s to %d bytes and %s", camera.ErrChanged, h.opened.Size, stamp(h.opened.Mtim), now.Size, stamp(now.Mtim))
	}
	return nil
}

// read fills p from off on. Pages of an earlier reading are dropped first, and
// those of this one behind it, so that each reading comes from the device and memory
// does not fill up.
func (h *held) read(p []byte, off int64) (int, error) {
	fd := int(h.file.Fd())
	if off != h.next || off == 0 {
		if err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED); err != nil {
			return 0, fmt.Errorf("dropping what is cached: %w", err)
		}
		if err := unix.Fadvise(fd, 0, 0, unix.FADV_SEQUENTIAL); err != nil {
			return 0, fmt.Errorf("asking for reading ahead: %w", err)
		}
		h.dropped = off &^ (pageSize - 1)
	}
	done := 0
	for done < len(p) {
		n, err := unix.Pread(fd, p[done:], off+int64(done))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			h.next = -1
			return done, err
		}
		if n == 0 {
			h.next = off + int64(done)
			return done, io.EOF
		}
		done += n
	}
	h.next = off + int64(done)
	if end := h.next &^ (pageSize - 1); end > h.dropped {
		_ = unix.Fadvise(fd, h.dropped, end-h.dropped, unix.FADV_DONTNEED) // to save memory; the next reading drops all
		h.dropped = end
	}
	return done, nil
}

const pageSize = 4096 // bytes; the smallest of any system, so that no page stays in between
