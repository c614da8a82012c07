package wire

import (
	"fmt"
	"net"
)

// WantedBuffer is what is asked of the kernel for each socket buffer, in bytes: enough
// for the bursts of a fast link while this process is not scheduled.
const WantedBuffer = 7 << 20

// SocketStats tells what a UDP socket achieved and how much it received.
type SocketStats struct {
	// Bytes of buffer as the kernel counts them; 0 when unknown. Wanted are
	// WantedBuffer; net.core.rmem_max and wmem_max are the usual limits.
	ReceiveBuffer, SendBuffer int
	// Coalesced says that the kernel joins received datagrams (UDP_GRO).
	Coalesced bool
	// With Coalesced: system calls that brought datagrams, datagrams as the
	// kernel gave them, and packets after cutting.
	Calls, Datagrams, Packets uint64
}

// socket is a packet connection and what is known about it.
type socket struct {
	conn    net.PacketConn
	receive *coalescedConn // nil without coalesced receive
	base    SocketStats
}

// openSocket opens a UDP socket, enlarges its buffers and, if wanted and
// possible, turns coalesced receive on, for so many datagrams in a call.
func openSocket(network string, local *net.UDPAddr, plain bool, supers int) (*socket, error) {
	udp, err := net.ListenUDP(network, local)
	if err != nil {
		return nil, fmt.Errorf("opening UDP socket: %w", err)
	}
	s := &socket{conn: udp}
	s.base.ReceiveBuffer, s.base.SendBuffer = enlargeBuffers(udp)
	if plain {
		return s, nil
	}
	if coalesced, err := newCoalescedConn(udp, supers); err == nil {
		s.conn, s.receive, s.base.Coalesced = coalesced, coalesced, true
	}
	return s, nil
}

func (s *socket) stats() SocketStats {
	all := s.base
	if s.receive != nil {
		all.Calls, all.Datagrams, all.Packets = s.receive.counts()
	}
	return all
}
