//go:build !linux

package durable

import (
	"errors"
	"os"
)

// flushData is what the system offers as its strongest flush: F_FULLFSYNC on
// macOS, FlushFileBuffers on Windows (see os.File.Sync).
func flushData(f *os.File) error {
	return f.Sync()
}

// dropCache has no counterpart here; reads may come from memory.
func dropCache(*os.File, int64, int64) error {
	return nil
}

// setDirect has no counterpart here that is worth it.
func setDirect(_ *os.File, on bool) error {
	if on {
		return errors.ErrUnsupported
	}
	return nil
}

func isAlignment(error) bool { return false }

func preadOnce(f *os.File, p []byte, off int64) (int, error) {
	return f.ReadAt(p, off)
}
