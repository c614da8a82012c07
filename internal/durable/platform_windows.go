package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const (
	errDiskFull = windows.ERROR_DISK_FULL
	errQuota    = windows.ERROR_DISK_QUOTA_EXCEEDED
)

// lockOffset is where the locked byte lies: far past the process id, since a
// locked range cannot be read by others on this system.
const lockOffset = 1 << 20

// syncDir has no counterpart on this system: NTFS journals names by itself.
func syncDir(path string) error {
	_, err := os.Stat(path)
	return err
}

func tryLock(f *os.File) (bool, error) {
	at := &windows.Overlapped{Offset: lockOffset}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
