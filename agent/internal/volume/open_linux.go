package volume

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

const (
	beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

	vanishTime  = time.Second // after an error, for the device to be seen gone
	vanishPause = 50 * time.Millisecond
)

// openBeneath opens a path of a storage, as it is there, without leaving the storage.
func (s *storage) openBeneath(path string, flags uint64) (*os.File, error) {
	if path == "" {
		path = "."
	}
	how := unix.OpenHow{Flags: flags | unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: beneath}
	for {
		fd, err := unix.Openat2(int(s.root.Fd()), path, &how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}

// stamp is a time as the card has it, in the form of PTP's: its own numbers, no zone.
func stamp(t unix.Timespec) string {
	return time.Unix(t.Sec, t.Nsec).UTC().Format("20060102T150405.99")
}

// judge turns the kernel's error into the camera package's. An error of input and output
// is what comes first when a device is pulled: it is given a moment to be seen gone.
// The caller has the turn.
func (l *link) judge(err error) error {
	lost := errors.Is(err, unix.EIO) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENOMEDIUM) || errors.Is(err, unix.ESHUTDOWN)
	if !lost {
		return err
	}
	for until := time.Now().Add(vanishTime); ; {
		if !l.present() {
			return fmt.Errorf("%w (%w)", l.goneError(), err)
		}
		if errors.Is(err, unix.ENOMEDIUM) {
			return fmt.Errorf("the card was taken out: %w (%w)", camera.ErrGone, err)
		}
		if time.Now().After(until) {
			return err
		}
		<-time.After(vanishPause)
	}
}
