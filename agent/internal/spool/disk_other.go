//go:build !linux

package spool

// diskFree is not known here: a full disk shows when a write fails.
func diskFree(string) (free uint64, known bool) { return 0, false }
