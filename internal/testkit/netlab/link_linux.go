package netlab

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type packet struct {
	at   time.Time
	data []byte
}

// link moves packets one way, from one TUN device to the other.
type link struct {
	from, to *os.File
	gate     *gate
	through  func(p []byte) bool // the translator
	shaper   *shaper
	line     chan packet
	memory   sync.Pool
	count    counters
	flows    flows
}

// counters are of one direction.
type counters struct {
	packetsIn, packets, bytes, lost, queued, outage, firewall, strays atomic.Int64
}

func newLink(from, to *os.File, g *gate, through func([]byte) bool, s *shaper) *link {
	return &link{
		from: from, to: to, gate: g, through: through, shaper: s,
		line:   make(chan packet, 1<<16),
		memory: sync.Pool{New: func() any { b := make([]byte, 65536); return &b }},
	}
}

// read takes packets until the device is closed, and then closes the line.
func (l *link) read() {
	defer close(l.line)
	for {
		buf := *l.memory.Get().(*[]byte)
		n, err := l.from.Read(buf[:cap(buf)])
		if err != nil || n <= 0 {
			return
		}
		if !l.take(buf[:n]) {
			l.give(buf)
		}
	}
}

// take puts a packet on the line, or tells that it was dropped.
func (l *link) take(p []byte) bool {
	if p[0]>>4 != 4 { // the kernel's own words over IPv6
		return false
	}
	now := time.Now()
	l.count.packetsIn.Add(1)
	if !l.through(p) {
		l.count.strays.Add(1)
		return false
	}
	switch l.gate.at(now, p) {
	case inOutage:
		l.count.outage.Add(1)
		return false
	case atFirewall:
		l.count.firewall.Add(1)
		return false
	}
	at, what := l.shaper.admit(now, len(p))
	switch what {
	case queueDrop:
		l.count.queued.Add(1)
		return false
	case lost:
		l.count.lost.Add(1)
		return false
	}
	l.line <- packet{at, p}
	return true
}

func (l *link) give(buf []byte) {
	buf = buf[:cap(buf)]
	l.memory.Put(&buf)
}

func (l *link) deliver() {
	for p := range l.line {
		sleepUntil(p.at)
		if n, err := l.to.Write(p.data); err == nil {
			l.count.packets.Add(1)
			l.count.bytes.Add(int64(n))
			l.flows.add(p.data)
		}
		l.give(p.data)
	}
}

// sleepUntil uses nanosleep, not a timer of Go's: it wakes within tens of
// microseconds, so that packets do not leave in bursts of a millisecond.
func sleepUntil(t time.Time) {
	for {
		d := time.Until(t)
		if d < 20*time.Microsecond {
			return
		}
		ts := syscall.NsecToTimespec(int64(d))
		_ = syscall.Nanosleep(&ts, nil) // interrupted: the rest is slept
	}
}

func (c *counters) reset() {
	for _, v := range []*atomic.Int64{&c.packetsIn, &c.packets, &c.bytes, &c.lost, &c.queued, &c.outage, &c.firewall, &c.strays} {
		v.Store(0)
	}
}

func (c *counters) read() Traffic {
	return Traffic{
		PacketsIn: c.packetsIn.Load(), Packets: c.packets.Load(), Bytes: c.bytes.Load(), Lost: c.lost.Load(),
		QueueDropped: c.queued.Load(), OutageDropped: c.outage.Load(), FirewallDropped: c.firewall.Load(), Strays: c.strays.Load(),
	}
}
