//go:build !linux

package hotplug

import (
	"errors"
	"fmt"
)

// openSource says that there are no uevents: they are Linux's.
func openSource() (source, error) {
	return nil, fmt.Errorf("opening a uevent socket: %w", errors.ErrUnsupported)
}
