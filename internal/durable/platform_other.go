//go:build !linux

package durable

import "os"

// flushData is what the system offers as its strongest flush: F_FULLFSYNC on
// macOS, FlushFileBuffers on Windows (see os.File.Sync).
func flushData(f *os.File) error {
	return f.Sync()
}

// dropCache has no counterpart here; reads may come from memory.
func dropCache(*os.File) error {
	return nil
}
