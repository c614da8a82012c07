package wire

import (
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unsentLimit is how many bytes the kernel takes that it cannot send yet: what
// is urgent waits behind no more.
const unsentLimit = 256 << 10

// prepareTCP sets what a session's socket needs. All are wishes: a kernel that
// knows one not, or does not let us have it, carries the session as well.
func prepareTCP(c *net.TCPConn, idle time.Duration) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr")
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentLimit)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(idle.Milliseconds()))
	})
}

// kernelMeter asks the kernel about a TCP connection.
type kernelMeter struct {
	raw syscall.RawConn
	ip  uint64 // length of the IP header

	mu   sync.Mutex // guards last
	last Traffic    // stays when the socket is gone
}

func newKernelMeter(c *net.TCPConn) (meter, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &kernelMeter{raw: raw, ip: ipHeader(c.RemoteAddr())}, nil
}

func (m *kernelMeter) traffic() Traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		m.last = Traffic{
			SentBytes:       info.Bytes_sent + uint64(info.Segs_out)*(tcpHeader+m.ip),
			SentPackets:     uint64(info.Segs_out),
			LostPackets:     uint64(info.Total_retrans),
			ReceivedPackets: uint64(info.Segs_in),
			InFlight:        info.Unacked > 0,
			RTT:             time.Duration(info.Rtt) * time.Microsecond,
		}
	})
	return m.last
}

func (m *kernelMeter) stats() SocketStats {
	var s SocketStats
	_ = m.raw.Control(func(fd uintptr) {
		s.ReceiveBuffer, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		s.SendBuffer, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return s
}

func (m *kernelMeter) congestion() string {
	var name string
	_ = m.raw.Control(func(fd uintptr) {
		name, _ = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	})
	return name
}
