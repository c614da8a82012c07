//go:build !linux

package server

import "errors"

// freeSpace is known on Linux only.
func freeSpace(string) (uint64, error) {
	return 0, errors.New("the free space is not known on this system")
}
