package wire

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// corked is the connection under TLS. While it is corked, what TLS writes is
// gathered, so that a frame of many records is one system call. It counts what
// passes, and notes when the peer was last heard of.
type corked struct {
	net.Conn
	heard                  atomic.Int64 // when, in nanoseconds since 1970
	sent, pieces, received atomic.Uint64
	lull                   lull // of the one who reads

	mu     sync.Mutex // guards all below
	cork   bool
	buffer *[]byte // while corked; TLS alone decides the order in it
}

const (
	// corkSize holds a frame of maxData bytes in records, and some small ones.
	corkSize = maxData + 4<<10
	// maxCorked is far above what we gather ourselves: only answers that a peer
	// forces upon TLS, and does not read, reach it.
	maxCorked = 1 << 20
)

var corkPool = sync.Pool{New: func() any {
	b := make([]byte, 0, corkSize)
	return &b
}}

// Read implements io.Reader.
func (c *corked) Read(p []byte) (int, error) {
	c.lull.rest()
	n, err := c.Conn.Read(p)
	if n > 0 {
		now := time.Now()
		c.received.Add(segments(n))
		c.heard.Store(now.UnixNano())
		c.lull.note(alonePieces(n), now)
	}
	return n, err
}

// alonePieces is how many segments of bulk n bytes are, when they are so few that
// they may have come one by one.
func alonePieces(n int) int {
	if n < bulkPacket || n > lullFrom*usualSegment {
		return 0
	}
	return int(segments(n))
}

// Write implements io.Writer.
func (c *corked) Write(p []byte) (int, error) {
	gathered, err := c.gathered(p)
	if gathered || err != nil {
		return len(p), err
	}
	return c.write(p)
}

func (c *corked) gathered(p []byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cork {
		return false, nil
	}
	if len(*c.buffer)+len(p) > maxCorked {
		return false, errors.New("too much waits to be sent")
	}
	*c.buffer = append(*c.buffer, p...)
	return true, nil
}

// gather corks the connection.
func (c *corked) gather() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cork, c.buffer = true, corkPool.Get().(*[]byte)
}

// release writes what was gathered, and takes the cork out.
func (c *corked) release() error {
	for {
		full := c.drawOff()
		if full == nil {
			return nil
		}
		_, err := c.write(*full)
		if cap(*full) <= 2*corkSize {
			*full = (*full)[:0]
			corkPool.Put(full)
		}
		if err != nil {
			return err
		}
	}
}

// drawOff gives what was gathered and makes room for more; nil, and the cork is
// out, when there is nothing.
func (c *corked) drawOff() *[]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	full := c.buffer
	if len(*full) == 0 {
		c.cork, c.buffer = false, nil
		corkPool.Put(full)
		return nil
	}
	c.buffer = corkPool.Get().(*[]byte)
	return full
}

func (c *corked) write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(uint64(n))
	c.pieces.Add(segments(n))
	return n, err
}

// CloseWrite ends the write side where the connection can.
func (c *corked) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// usualSegment is what a segment of TCP usually carries, in bytes.
const usualSegment = 1448

func segments(n int) uint64 { return uint64((n + usualSegment - 1) / usualSegment) }
