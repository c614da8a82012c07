package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	// superBatch is how many datagrams one system call brings at most, to a
	// listener and to a dialler, of which there may be many.
	superBatch        = 16
	diallerSuperBatch = 4
	// superSize holds the largest UDP datagram, coalesced or not.
	superSize = 1 << 16
	// superControl holds every control message that quic-go and we ask for:
	// traffic class and packet info of both IP versions, and the segment size.
	superControl = 256
)

// coalescedConn receives with UDP_GRO: the kernel joins datagrams of one
// sender into one large one and names the size of the parts. quic-go uses a
// connection's own ReadBatch when there is one; here it returns the parts, each
// with the sender and control messages of the whole.
//
// ReadBatch belongs to one goroutine at a time, quic-go's reader; the counters
// may be read by any.
type coalescedConn struct {
	*net.UDPConn
	batch batchReader

	supers  []ipv4.Message
	lull    lull
	filled  int // supers read by the last call
	next    int // first super not yet cut up
	parts   parts
	scratch [superControl]byte

	calls, datagrams, packets atomic.Uint64
}

// batchReader is what ipv4.PacketConn offers for sockets of both IP versions.
type batchReader interface {
	ReadBatch(messages []ipv4.Message, flags int) (int, error)
}

// newCoalescedConn turns UDP_GRO on; it fails where the kernel has none.
func newCoalescedConn(c *net.UDPConn, supers int) (*coalescedConn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("coalesced receive: %w", err)
	}
	var refused error
	if err := raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	}); err != nil {
		return nil, fmt.Errorf("coalesced receive: %w", err)
	}
	if refused != nil {
		return nil, fmt.Errorf("coalesced receive: setting UDP_GRO: %w", refused)
	}
	return newCoalescedReader(c, ipv4.NewPacketConn(c), supers), nil
}

func newCoalescedReader(c *net.UDPConn, batch batchReader, supers int) *coalescedConn {
	g := &coalescedConn{UDPConn: c, batch: batch, supers: make([]ipv4.Message, supers)}
	for i := range g.supers {
		g.supers[i].Buffers = [][]byte{make([]byte, superSize)}
		g.supers[i].OOB = make([]byte, superControl)
	}
	return g
}

func (g *coalescedConn) counts() (calls, datagrams, packets uint64) {
	return g.calls.Load(), g.datagrams.Load(), g.packets.Load()
}

// ReadBatch fills messages with single datagrams, from what the last system
// call left over or else from a new one. Like the socket itself it cuts off
// what does not fit into a message's buffer. The flags are not used.
func (g *coalescedConn) ReadBatch(messages []ipv4.Message, _ int) (int, error) {
	for {
		if n := g.deliver(messages); n > 0 {
			g.packets.Add(uint64(n))
			return n, nil
		}
		if g.filled < len(g.supers) { // the kernel had no more
			g.lull.rest()
		}
		n, err := g.batch.ReadBatch(g.supers, 0)
		if err != nil {
			return 0, err
		}
		g.lull.note(alone(g.supers[:n]), time.Now())
		g.filled, g.next = n, 0
		g.parts = parts{}
		g.calls.Add(1)
		g.datagrams.Add(uint64(n))
	}
}

// alone counts the packets of bulk that the kernel has not joined.
func alone(supers []ipv4.Message) int {
	n := 0
	for _, m := range supers {
		if m.N >= bulkPacket && m.N <= usualSegment+50 {
			n++
		}
	}
	return n
}

// deliver moves parts of the supers at hand into messages.
func (g *coalescedConn) deliver(messages []ipv4.Message) int {
	n := 0
	for n < len(messages) {
		if g.parts.done() && !g.advance() {
			break
		}
		m := &messages[n]
		if len(m.Buffers) == 0 {
			break
		}
		m.N = copy(m.Buffers[0], g.parts.take())
		m.NN = copyControl(m.OOB[:cap(m.OOB)], g.parts.control)
		m.Addr = g.parts.from
		m.Flags = 0
		n++
	}
	return n
}

// advance opens the next usable super. One whose control messages were cut off
// may have lost the size of its parts: it is dropped, which QUIC takes for loss.
func (g *coalescedConn) advance() bool {
	for g.next < g.filled {
		super := &g.supers[g.next]
		g.next++
		if super.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			continue
		}
		opened, err := openSuper(super, g.scratch[:0])
		if err != nil {
			continue
		}
		g.parts = opened
		return true
	}
	return false
}

// parts is a super being cut up.
type parts struct {
	left    []byte
	size    int // of every part but the last; 0 when nothing is open
	from    net.Addr
	control []byte // control messages without the segment size
}

func (p *parts) done() bool { return p.size == 0 }

// take returns the next part; the last one closes the super. An empty datagram
// is one empty part.
func (p *parts) take() []byte {
	n := min(p.size, len(p.left))
	part := p.left[:n]
	p.left = p.left[n:]
	if len(p.left) == 0 {
		p.size = 0
	}
	return part
}

var errSegmentSize = errors.New("control message UDP_GRO of a wrong form")

// openSuper reads the segment size from the control messages and keeps the
// others in kept, whose memory they share.
func openSuper(m *ipv4.Message, kept []byte) (parts, error) {
	whole := m.Buffers[0][:m.N]
	p := parts{left: whole, size: max(len(whole), 1), from: m.Addr}
	for control := m.OOB[:m.NN]; len(control) > 0; {
		header, body, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return parts{}, fmt.Errorf("control messages of a datagram: %w", err)
		}
		if header.Level == unix.IPPROTO_UDP && header.Type == unix.UDP_GRO {
			if len(body) != 4 {
				return parts{}, errSegmentSize
			}
			size := int32(binary.NativeEndian.Uint32(body))
			if size <= 0 {
				return parts{}, errSegmentSize
			}
			p.size = int(size)
		} else {
			kept = append(kept, control[:len(control)-len(rest)]...)
		}
		control = rest
	}
	p.control = kept
	return p, nil
}

// copyControl copies as many whole control messages as fit.
func copyControl(dst, control []byte) int {
	if len(control) <= len(dst) {
		return copy(dst, control)
	}
	n := 0
	for n < len(control) {
		_, _, rest, err := unix.ParseOneSocketControlMessage(control[n:])
		if err != nil {
			break
		}
		length := len(control) - n - len(rest)
		if n+length > len(dst) {
			break
		}
		copy(dst[n:], control[n:n+length])
		n += length
	}
	return n
}
