package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// flushData is fdatasync: the bytes and the metadata needed to read them back
// (the length), not the times.
func flushData(f *os.File) error {
	return onDescriptor(f, "fdatasync", unix.Fdatasync)
}

// dropCache forgets the cached pages of a range; a length of 0 reaches to the end.
func dropCache(f *os.File, from, length int64) error {
	return onDescriptor(f, "fadvise", func(fd int) error {
		return unix.Fadvise(fd, from, length, unix.FADV_DONTNEED)
	})
}

// setDirect turns direct I/O on or off; an error where the file system has none.
func setDirect(f *os.File, on bool) error {
	return onDescriptor(f, "fcntl", func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return err
		}
		if flags &^= unix.O_DIRECT; on {
			flags |= unix.O_DIRECT
		}
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
		return err
	})
}

// isAlignment says whether direct I/O failed for its alignment.
func isAlignment(err error) bool { return errors.Is(err, unix.EINVAL) }

func preadOnce(f *os.File, p []byte, off int64) (n int, err error) {
	err = onDescriptor(f, "pread64", func(fd int) (err error) {
		n, err = unix.Pread(fd, p, off)
		return err
	})
	return max(n, 0), err
}

// onDescriptor runs one call on the descriptor of f while f cannot be closed
// under it. An interrupted call has done nothing yet and is called again.
func onDescriptor(f *os.File, name string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	if err := conn.Control(func(fd uintptr) {
		for callErr = unix.EINTR; callErr == unix.EINTR; {
			callErr = call(int(fd))
		}
	}); err != nil {
		return err
	}
	if callErr != nil {
		return os.NewSyscallError(name, callErr)
	}
	return nil
}
