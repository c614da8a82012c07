package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// flushData is fdatasync: the bytes and the metadata needed to read them back
// (the length), not the times.
func flushData(f *os.File) error {
	return onDescriptor(f, "fdatasync", unix.Fdatasync)
}

func dropCache(f *os.File) error {
	return onDescriptor(f, "fadvise", func(fd int) error {
		return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
	})
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
