package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked means that another holder has the lock of a directory.
var ErrLocked = errors.New("in use by another process")

// LockDir takes the exclusive lock of dir, held on the file dir/lock until
// release or the end of the process, whichever comes first; a crash leaves
// nothing behind. When it is taken, the error is [ErrLocked] and its text names
// the holder's process id. The file stays after release: removing it would let
// two processes hold two different files of that name.
func LockDir(dir string) (release func() error, err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, explain(err, dir))
	}
	taken, err := tryLock(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), f.Close())
	}
	if !taken {
		return nil, errors.Join(fmt.Errorf("locking %s: %w (%s): stop it first, or use another directory", dir, ErrLocked, holder(f)), f.Close())
	}
	if err := writeHolder(f); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, explain(err, dir)), f.Close())
	}
	return f.Close, nil
}

// writeHolder notes this process in the lock file, for the eyes of people only.
func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder describes the process that wrote the lock file.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return "process id unknown"
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return "process id unknown"
	}
	return "process id " + strconv.Itoa(pid)
}
