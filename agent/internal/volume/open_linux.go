package volume

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

const (
	vanishTime  = time.Second // after an error, for the device to be seen gone
	vanishPause = 50 * time.Millisecond
)

// openBeneath opens a path of a storage, as it is there, without leaving the storage:
// step by step, each from the folder before, through no link and into no other file
// system. openat2(2) would do so in one call; the service's sandbox refuses it
// (RestrictSUIDSGID of systemd, which cannot look into its arguments).
func (s *storage) openBeneath(path string, flags int) (*os.File, error) {
	flags |= unix.O_RDONLY | unix.O_NONBLOCK
	if path == "" || path == "." {
		return s.step(s.root, ".", flags)
	}
	at, names := s.root, strings.Split(path, "/")
	for i, name := range names {
		if name == "" || name == "." || name == ".." {
			return nil, errors.Join(unix.EXDEV, s.leave(at))
		}
		how := flags
		if i < len(names)-1 {
			how = unix.O_PATH | unix.O_DIRECTORY
		}
		next, err := s.step(at, name, how)
		if err := errors.Join(err, s.leave(at)); err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// leave closes a folder on the way, but not the storage's root.
func (s *storage) leave(at *os.File) error {
	if at == s.root {
		return nil
	}
	return at.Close()
}

// step opens one name of an open folder, if it is on this storage.
func (s *storage) step(at *os.File, name string, flags int) (*os.File, error) {
	for {
		fd, err := unix.Openat(int(at.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f := os.NewFile(uintptr(fd), name)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if st.Dev != s.number {
			return nil, errors.Join(unix.EXDEV, f.Close())
		}
		return f, nil
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
