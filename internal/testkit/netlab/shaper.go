package netlab

import (
	"math/rand/v2"
	"time"
)

// fate is what becomes of a packet.
type fate int

const (
	passes fate = iota
	queueDrop
	lost
)

// shaper decides, packet by packet, whether and when one passes. It holds no
// clock of its own. Not safe for concurrent use.
type shaper struct {
	way  way
	rng  *rand.Rand
	bad  bool
	free time.Time // when the transmitter has sent all that it accepted
	last time.Time // the last delivery: order is kept
}

func newShaper(w way, seed uint64) *shaper {
	return &shaper{way: w, rng: rand.New(rand.NewPCG(seed, 7))}
}

// admit gives the delivery time of a packet of n bytes that arrives at now.
func (s *shaper) admit(now time.Time, n int) (time.Time, fate) {
	leaves := now
	if s.way.bitsPerSec > 0 {
		if s.free.Before(now) {
			s.free = now
		}
		backlog := s.free.Sub(now).Seconds() * s.way.bitsPerSec / 8
		if int(backlog)+n > s.way.queueBytes {
			return time.Time{}, queueDrop
		}
		s.free = s.free.Add(time.Duration(float64(n*8) / s.way.bitsPerSec * 1e9))
		leaves = s.free
	}
	// Loss comes behind the bottleneck: a lost packet has used its share of the rate.
	if s.burst() || s.way.loss > 0 && s.rng.Float64() < s.way.loss {
		return time.Time{}, lost
	}
	at := leaves.Add(s.way.delay)
	if s.way.jitter > 0 {
		at = at.Add(time.Duration(s.rng.Int64N(int64(s.way.jitter))))
	}
	if at.Before(s.last) {
		at = s.last
	}
	s.last = at
	return at, passes
}

// burst moves the Gilbert model by one packet and tells whether it is lost.
func (s *shaper) burst() bool {
	if s.way.toBad == 0 {
		return false
	}
	if s.bad {
		s.bad = s.rng.Float64() >= s.way.toGood
	} else {
		s.bad = s.rng.Float64() < s.way.toBad
	}
	return s.bad
}
