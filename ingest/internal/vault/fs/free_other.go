//go:build !linux

package fs

import (
	"errors"
	"fmt"
)

// freeSpace is known on Linux only.
func freeSpace(string) (uint64, error) {
	return 0, fmt.Errorf("asking for the free space: %w", errors.ErrUnsupported)
}
