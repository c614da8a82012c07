//go:build unix

package simulate

import (
	"runtime"
	"syscall"
)

// Used fills in what this process has used.
func (r *Report) Used() {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return
	}
	r.CPUSeconds = float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	r.PeakMiB = float64(u.Maxrss) / 1024
	if runtime.GOOS == "darwin" { // counts bytes
		r.PeakMiB /= 1024
	}
}
