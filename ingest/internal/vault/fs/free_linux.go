package fs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace is how many bytes the file system of dir can still take.
func freeSpace(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}
