package wire

import "sync"

// chunkSizes are the lengths of receive buffers, in bytes. What comes first fills
// the last buffer of its stream, so that small pieces weigh what they are.
var chunkSizes = [...]int{2 << 10, 16 << 10, maxData}

var chunkPools [len(chunkSizes)]sync.Pool

// chunk is a receive buffer: bytes from r to w are unread. The connection's
// reader fills it behind w, the stream's reader empties it from r.
type chunk struct {
	bytes []byte
	pool  int
	r, w  int
}

// newChunk gives a buffer for n bytes, or for as many as one takes.
func newChunk(n int) *chunk {
	pool := 0
	for pool < len(chunkSizes)-1 && chunkSizes[pool] < n {
		pool++
	}
	if c, ok := chunkPools[pool].Get().(*chunk); ok {
		c.r, c.w = 0, 0
		return c
	}
	return &chunk{bytes: make([]byte, chunkSizes[pool]), pool: pool}
}

// recycle gives the buffer to others. Nobody may use it any more.
func (c *chunk) recycle() { chunkPools[c.pool].Put(c) }
