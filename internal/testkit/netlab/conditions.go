package netlab

import (
	"fmt"
	"time"
)

// Conditions describe a link. The zero value is unlimited, at once and whole.
type Conditions struct {
	Rate     float64       // bits a second each way, of whole IP packets; 0 is unlimited
	RateDown float64       // server to client, where it differs
	RTT      time.Duration // added; half each way
	Jitter   time.Duration // added one way, uniform below it
	Queue    int           // bytes before the rate; 0 is one Rate x RTT, at least 64 KiB

	Loss      float64   // share of packets lost one by one
	BurstLoss float64   // share of packets lost in bursts (two-state Gilbert model)
	BurstLen  float64   // mean length of a burst in packets; 0 is 5
	Lossy     Direction // where there is loss

	// Times below count from [Lab.Begin].
	Outages   []Span          // nothing passes
	UDPDrops  []Span          // a firewall drops UDP both ways
	Rebinds   []time.Duration // the translator forgets: the client has other source ports from here
	Readdress []time.Duration // the same, and another source address

	MTU   int    // 0 is 1500
	Seed  uint64 // of loss and jitter
	TCPCC string // congestion control of TCP in both namespaces; "" is the system's
}

// Direction is one way of the link or both.
type Direction int

const (
	Both Direction = iota
	Up             // client to server
	Down           // server to client
)

// Span is a time from one moment to just before another.
type Span struct{ From, To time.Duration }

func (s Span) holds(t time.Duration) bool { return t >= s.From && t < s.To }

// Presets are named conditions.
func Presets() map[string]Conditions {
	return map[string]Conditions{
		"office":   {Rate: 50e6, RTT: 20 * time.Millisecond},
		"wan":      {Rate: 100e6, RTT: 80 * time.Millisecond},
		"wan-loss": {Rate: 100e6, RTT: 80 * time.Millisecond, Loss: 0.01},
		"lte-poor": {Rate: 20e6, RTT: 40 * time.Millisecond, Jitter: 5 * time.Millisecond, BurstLoss: 0.03, BurstLen: 5},
		"lan":      {Rate: 1e9, RTT: time.Millisecond},
		"flaky":    {Rate: 50e6, RTT: 30 * time.Millisecond, Outages: []Span{{5 * time.Second, 8 * time.Second}, {15 * time.Second, 23 * time.Second}}},
	}
}

func (c Conditions) check() error {
	switch {
	case c.Rate < 0 || c.RateDown < 0 || c.RTT < 0 || c.Jitter < 0 || c.Queue < 0:
		return fmt.Errorf("a link with a negative rate, time or queue: %+v", c)
	case !share(c.Loss) || !share(c.BurstLoss):
		return fmt.Errorf("a loss of %v and %v in bursts: want at least 0 and below 1", c.Loss, c.BurstLoss)
	case c.BurstLen != 0 && c.BurstLen < 1:
		return fmt.Errorf("bursts of %v packets: want at least 1", c.BurstLen)
	case c.MTU != 0 && (c.MTU < 576 || c.MTU > 65535):
		return fmt.Errorf("an MTU of %d: want 576 to 65535", c.MTU)
	}
	return nil
}

func share(v float64) bool { return v >= 0 && v < 1 }

// way is one direction of a link.
type way struct {
	bitsPerSec float64
	delay      time.Duration
	jitter     time.Duration
	queueBytes int
	loss       float64
	toBad      float64 // chance to enter the losing state of the Gilbert model
	toGood     float64 // and to leave it
}

// ways splits the conditions in the two directions.
func (c Conditions) ways() (up, down way) {
	one := func(d Direction, rate float64) way {
		w := way{bitsPerSec: rate, delay: c.RTT / 2, jitter: c.Jitter, queueBytes: c.Queue}
		if w.queueBytes == 0 {
			w.queueBytes = max(64<<10, int(rate/8*c.RTT.Seconds()))
		}
		if c.Lossy != Both && c.Lossy != d {
			return w
		}
		w.loss = c.Loss
		if c.BurstLoss > 0 {
			length := c.BurstLen
			if length == 0 {
				length = 5
			}
			// The share of time in the losing state: toBad / (toBad + toGood).
			w.toGood = 1 / length
			w.toBad = w.toGood * c.BurstLoss / (1 - c.BurstLoss)
		}
		return w
	}
	back := c.RateDown
	if back == 0 {
		back = c.Rate
	}
	return one(Up, c.Rate), one(Down, back)
}
