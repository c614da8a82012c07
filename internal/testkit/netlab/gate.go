package netlab

import (
	"sync"
	"time"
)

// verdict is what the gate says of a packet.
type verdict int

const (
	open verdict = iota
	inOutage
	atFirewall
)

// gate closes the link, or keeps UDP out, at given times and on command. Safe
// for concurrent use.
type gate struct {
	mu       sync.Mutex // guards all below
	started  time.Time  // zero before Begin
	outages  []Span
	udpDrops []Span
	closed   bool
	noUDP    bool
}

func (g *gate) begin(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.started = now
}

func (g *gate) set(closed, noUDP *bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if closed != nil {
		g.closed = *closed
	}
	if noUDP != nil {
		g.noUDP = *noUDP
	}
}

func (g *gate) at(now time.Time, p []byte) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	within := func(spans []Span) bool {
		if g.started.IsZero() {
			return false
		}
		for _, s := range spans {
			if s.holds(now.Sub(g.started)) {
				return true
			}
		}
		return false
	}
	switch {
	case g.closed || within(g.outages):
		return inOutage
	case len(p) > 9 && p[9] == protocolUDP && (g.noUDP || within(g.udpDrops)):
		return atFirewall
	}
	return open
}
