//go:build !linux

package wire

import (
	"errors"
	"net"
)

// enlargeBuffers asks for WantedBuffer bytes; what came of it is not known.
func enlargeBuffers(c *net.UDPConn) (receive, send int) {
	_ = c.SetReadBuffer(WantedBuffer)
	_ = c.SetWriteBuffer(WantedBuffer)
	return 0, 0
}

// coalescedConn exists on Linux only.
type coalescedConn struct{ *net.UDPConn }

const superBatch, diallerSuperBatch = 0, 0

func newCoalescedConn(*net.UDPConn, int) (*coalescedConn, error) {
	return nil, errors.New("coalesced receive: not on this system")
}

func (*coalescedConn) counts() (calls, datagrams, packets uint64) { return 0, 0, 0 }
