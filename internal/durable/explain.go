package durable

import (
	"errors"
	"fmt"
	"syscall"
)

// IsFull reports whether err comes from a full disk or an exhausted quota.
func IsFull(err error) bool {
	return errors.Is(err, errDiskFull) || errors.Is(err, errQuota)
}

// explain puts the plain words for people before the few errors that an operator
// has to act on. errors.Is sees the cause as before.
func explain(err error, where string) error {
	switch {
	case errors.Is(err, errDiskFull):
		return fmt.Errorf("disk full: no space left on the file system of %s, free some space or add storage: %w", where, err)
	case errors.Is(err, errQuota):
		return fmt.Errorf("disk quota used up on the file system of %s, free some space or raise the quota: %w", where, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the file system of %s is read-only, look into the system log for a disk fault: %w", where, err)
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("the medium under %s failed, look into the system log and check the disk: %w", where, err)
	}
	return err
}
