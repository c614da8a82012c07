package lanes

import (
	"time"

	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/internal/wire"
)

const (
	probeFirst   = 40 * time.Second // the first pauses are 20 to 40 s
	probeLongest = 5 * time.Minute
	probeHolds   = 3 * time.Second // a probe that lived so long has shown that UDP gets through

	heardPatience = 3 // times as long a server that was heard may take
)

// route knows what kinds get through, and which is dialled next. Pure: it is
// told the time.
type route struct {
	noQUIC, noTCP bool // by the settings
	beside        time.Duration
	blocked       bool // UDP does not get through
	probes        *backoff.Backoff
	probeAt       time.Time
	round         round
}

// round is one attempt to reach the server, over one kind and then the other.
type round struct {
	began   time.Time // zero: there is none
	tried   map[wire.Kind]bool
	refused bool // the server was reached, and did not take us: another kind would not help
	least   time.Duration
}

func newRoute(noQUIC, noTCP bool, beside time.Duration, random func() float64) route {
	return route{noQUIC: noQUIC, noTCP: noTCP, beside: beside, probes: backoff.NewWith(probeFirst, probeLongest, random, nil)}
}

// order is which kinds are dialled, one after the other.
func (r *route) order(tcpFirst bool) []wire.Kind {
	switch {
	case r.noTCP:
		return []wire.Kind{wire.QUIC}
	case r.noQUIC:
		return []wire.Kind{wire.TCP}
	case r.blocked || tcpFirst:
		return []wire.Kind{wire.TCP, wire.QUIC}
	}
	return []wire.Kind{wire.QUIC, wire.TCP}
}

// next says what to dial now, if anything: dialling lanes are under way, and
// heard says that one of them has its keys and waits for the welcome alone, which
// a busy server may be slow with. done says that the round has failed.
func (r *route) next(now time.Time, tcpFirst bool, dialling int, heard bool) (kind wire.Kind, done bool) {
	beside := r.beside
	if heard {
		beside *= heardPatience
	}
	if r.round.began.IsZero() {
		r.round = round{began: now, tried: map[wire.Kind]bool{}}
	}
	for _, kind := range r.order(tcpFirst) {
		first := len(r.round.tried) == 0
		if r.round.tried[kind] || r.round.refused && !first {
			continue
		}
		if !first && dialling > 0 && now.Sub(r.round.began) < beside {
			return "", false
		}
		r.round.tried[kind] = true
		return kind, false
	}
	return "", dialling == 0
}

// reached says that a lane of this kind was welcomed.
func (r *route) reached(now time.Time, kind wire.Kind, quicIsSilent bool) {
	switch {
	case kind == wire.TCP && (r.round.tried[wire.QUIC] || quicIsSilent):
		r.block(now)
	case kind == wire.QUIC && !r.round.began.IsZero():
		r.open()
	}
	r.round = round{}
}

// block takes UDP for blocked.
func (r *route) block(now time.Time) {
	if !r.blocked && !r.noQUIC && !r.noTCP {
		r.blocked = true
		r.probes.Reset()
		r.probeAt = now.Add(r.probes.Pause())
	}
}

func (r *route) open() { r.blocked = false }

// failedProbe sets when QUIC is tried again.
func (r *route) failedProbe(now time.Time) { r.probeAt = now.Add(r.probes.Pause()) }
