package spool

import "golang.org/x/sys/unix"

// diskFree returns the bytes that an ordinary user may still write on the file
// system of path, if the system tells.
func diskFree(path string) (free uint64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}
