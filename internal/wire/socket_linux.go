package wire

import (
	"net"

	"golang.org/x/sys/unix"
)

// enlargeBuffers asks for WantedBuffer bytes, past the system's limit if this
// process may, and returns what the kernel gave.
func enlargeBuffers(c *net.UDPConn) (receive, send int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0
	}
	if raw.Control(func(fd uintptr) {
		receive = enlarge(int(fd), unix.SO_RCVBUF, unix.SO_RCVBUFFORCE)
		send = enlarge(int(fd), unix.SO_SNDBUF, unix.SO_SNDBUFFORCE)
	}) != nil {
		return 0, 0
	}
	return receive, send
}

func enlarge(fd, option, force int) int {
	size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
	if err == nil && size >= WantedBuffer {
		return size
	}
	// A refusal shows in the size that is read back.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, WantedBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, WantedBuffer)
	}
	size, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
	if err != nil {
		return 0
	}
	return size
}
