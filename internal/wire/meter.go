package wire

import "net"

// meter tells what the network saw of a session over TCP.
type meter interface {
	traffic() Traffic
	stats() SocketStats
	congestion() string
}

// tcpHeader is the length of a TCP header with time stamps, in bytes.
const tcpHeader = 32

// meterOf asks the kernel where it can, else what was read and written.
func meterOf(c *corked) meter {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		if m, err := newKernelMeter(tcp); err == nil {
			return m
		}
	}
	return countMeter{c}
}

// countMeter estimates from what passed.
type countMeter struct{ conn *corked }

func (m countMeter) traffic() Traffic {
	pieces := m.conn.pieces.Load()
	return Traffic{
		SentBytes:       m.conn.sent.Load() + pieces*(tcpHeader+ipHeader(m.conn.RemoteAddr())),
		SentPackets:     pieces,
		ReceivedPackets: m.conn.received.Load(),
	}
}

func (m countMeter) stats() SocketStats { return SocketStats{} }
func (m countMeter) congestion() string { return "" }
