//go:build unix

package durable

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	errDiskFull = syscall.ENOSPC
	errQuota    = syscall.EDQUOT
)

// syncDir flushes the entries of one directory.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("flushing directory: %w", err)
	}
	if err := d.Sync(); err != nil {
		return errors.Join(fmt.Errorf("flushing directory: %w", explain(err, path)), d.Close())
	}
	return d.Close()
}

// tryLock takes the advisory lock that ends with the open file.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
