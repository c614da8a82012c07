package hotplug

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	udevControl   = "/run/udev/control" // there while udevd runs
	receiveBuffer = 1 << 20             // bytes; a hub with eight cameras sends some hundred messages
)

// socket is a netlink socket that is in the uevent groups.
type socket struct {
	file    *os.File
	raw     syscall.RawConn
	payload []byte
	control []byte
}

// openSource joins the kernel's group, which is there in containers too, and
// udevd's where it runs, whose messages come when the device may be opened.
func openSource() (source, error) {
	groups := uint32(1 << (groupKernel - 1))
	if _, err := os.Stat(udevControl); err == nil {
		groups |= 1 << (groupUdev - 1)
	}
	s, err := openSocket(groups)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openSocket(groups uint32) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, refused("opening a uevent socket", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
	}
	if err != nil {
		return nil, errors.Join(refused("joining the uevent groups", err), unix.Close(fd))
	}
	// More room than the system allows by default is better to have; less will do.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	file := os.NewFile(uintptr(fd), "uevents")
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening a uevent socket: %w", err), file.Close())
	}
	return &socket{file: file, raw: raw, payload: make([]byte, maxMessage), control: make([]byte, unix.CmsgSpace(unix.SizeofUcred))}, nil
}

// refused tells a system that has or allows no uevents from one that is in trouble
// for the moment.
func refused(doing string, err error) error {
	for _, lasting := range []error{unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.EPERM, unix.EACCES, unix.EINVAL} {
		if errors.Is(err, lasting) {
			return fmt.Errorf("%s: %w (%w)", doing, errors.ErrUnsupported, err)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// receive implements source.
func (s *socket) receive() (m message, err error) {
	var n, controls, flags int
	var from unix.Sockaddr
	waiting := s.raw.Read(func(fd uintptr) bool {
		for err = unix.EINTR; errors.Is(err, unix.EINTR); {
			n, controls, flags, from, err = unix.Recvmsg(int(fd), s.payload, s.control, 0)
		}
		return !errors.Is(err, unix.EAGAIN)
	})
	switch {
	case waiting != nil:
		return m, waiting
	case errors.Is(err, unix.ENOBUFS):
		return m, errLost
	case err != nil:
		return m, os.NewSyscallError("recvmsg", err)
	}
	address, ok := from.(*unix.SockaddrNetlink)
	if !ok {
		return m, nil // from nobody: not trusted
	}
	m = message{payload: s.payload[:n], sender: address.Pid, group: groupOf(address.Groups)}
	m.user, m.signed = userOf(s.control[:controls])
	if flags&unix.MSG_TRUNC != 0 && trusted(m) {
		return m, errLost
	}
	return m, nil
}

// groupOf gives the number of the one group in a mask, else 0.
func groupOf(mask uint32) uint32 {
	switch mask {
	case 1 << (groupKernel - 1):
		return groupKernel
	case 1 << (groupUdev - 1):
		return groupUdev
	}
	return 0
}

// userOf finds the sender's credentials among a message's controls.
func userOf(controls []byte) (user uint32, known bool) {
	list, err := unix.ParseSocketControlMessage(controls)
	if err != nil {
		return 0, false
	}
	for i := range list {
		if credentials, err := unix.ParseUnixCredentials(&list[i]); err == nil {
			return credentials.Uid, true
		}
	}
	return 0, false
}

// Close implements source.
func (s *socket) Close() error { return s.file.Close() }
