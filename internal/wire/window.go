package wire

import "time"

// window bounds what a peer may have sent on a stream, or in a session, before
// it was read. It grows while the peer fills it faster than the way there and
// back lets us tell of room.
type window struct {
	size, highest uint64

	came    uint64 // received so far
	read    uint64 // of that, read or dropped
	allowed uint64 // what the peer may have sent in all

	epoch     time.Time // when the peer was last told
	epochRead uint64
}

func newWindow(size, highest uint64, now time.Time) window {
	return window{size: size, highest: highest, allowed: size, epoch: now}
}

// take counts n bytes that came, and says whether they were allowed.
func (w *window) take(n uint64) bool {
	w.came += n
	return w.came <= w.allowed
}

// free counts n bytes that were read, and gives how many more the peer is to be
// allowed now; 0 while it has enough. grow asks for leave to grow by so much.
func (w *window) free(n uint64, now time.Time, rtt time.Duration, grow func(uint64) bool) (more uint32) {
	w.read += n
	if w.allowed-w.read > w.size*3/4 {
		return 0
	}
	w.adjust(now, rtt, grow)
	return w.tell(now)
}

// tell allows the peer what the window has room for.
func (w *window) tell(now time.Time) (more uint32) {
	if w.read+w.size <= w.allowed {
		return 0
	}
	more = uint32(w.read + w.size - w.allowed)
	w.allowed += uint64(more)
	w.epoch, w.epochRead = now, w.read
	return more
}

// adjust doubles the window when a whole one would be read within four round
// trips.
func (w *window) adjust(now time.Time, rtt time.Duration, grow func(uint64) bool) {
	read := float64(w.read - w.epochRead)
	if w.size >= w.highest || float64(now.Sub(w.epoch))*float64(w.size) > 4*float64(rtt)*read {
		return
	}
	larger := min(2*w.size, w.highest)
	if grow(larger - w.size) {
		w.size = larger
	}
}
