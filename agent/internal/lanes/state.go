package lanes

import (
	"fmt"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// latelyLasts is what rate and losses of a State are of.
const latelyLasts = 2 * time.Second

// lately is what all lanes did in the last moments.
type lately struct {
	since                time.Time
	bytes, packets, lost uint64
	rate, ppm            uint64
}

func (a *lately) add(s step) {
	a.bytes += s.bytes
	a.packets += s.packets
	a.lost += s.lost
}

func (a *lately) turn(now time.Time) {
	lasted := now.Sub(a.since)
	if lasted < latelyLasts {
		return
	}
	if !a.since.IsZero() {
		a.rate = uint64(float64(a.bytes) / lasted.Seconds())
		a.ppm = 0
		if a.packets > 0 {
			a.ppm = min(a.lost*1e6/a.packets, 1e6)
		}
	}
	a.since, a.bytes, a.packets, a.lost = now, 0, 0, 0
}

// describe brings State up to date. Called under mu.
func (l *Lanes) describe(now time.Time) {
	s := State{Rate: l.lately.rate, LostPPM: l.lately.ppm, Failure: l.failure}
	carried := map[wire.Kind]float64{}
	for _, lane := range l.lanes {
		if !lane.live() {
			continue
		}
		s.Lanes++
		carried[lane.kind] += 1 + lane.watch.rate
		if rtt := lane.watch.last.RTT; rtt > 0 && (s.RTT == 0 || rtt < s.RTT) {
			s.RTT = rtt
		}
	}
	if s.Lanes > 0 {
		s.Over = wire.QUIC
		if carried[wire.TCP] > carried[wire.QUIC] {
			s.Over = wire.TCP
		}
	}
	s.Connected = l.serving(now) != nil
	s.Why = l.why(now, s)
	l.state = s
}

// why says in a sentence what is used and for what reason.
func (l *Lanes) why(now time.Time, s State) string {
	switch {
	case !s.Connected && s.Lanes > 0:
		return "Nothing is heard from the server any more; another connection is tried beside the old one."
	case !s.Connected && l.failure != nil:
		return "The server is not reached: " + l.failure.Error() + ". It is tried again by itself."
	case !s.Connected && now.Before(l.redialAt):
		return "The server asked to be left for a while; it is called again soon."
	case !s.Connected:
		return "Connecting to the server."
	}
	have := l.have()
	switch {
	case have.total() == 0:
		return "The connection is being replaced."
	case l.route.blocked:
		return fmt.Sprintf("UDP does not get through to the server: TLS over TCP is used (%s); QUIC is tried again in %s or so.",
			connections(have.TCP), round10(l.route.probeAt.Sub(now)))
	case l.opt.NoQUIC:
		return fmt.Sprintf("TLS over TCP is used, as the settings say (%s).", connections(have.TCP))
	case l.plan.trial != nil:
		return fmt.Sprintf("Using %s, to measure whether that is better than %s.", have, l.plan.trial.before)
	case l.plan.why == causeLoss && have.QUIC == 0:
		return fmt.Sprintf("The path loses packets, and TLS over TCP carries more on it than QUIC: %s.", have)
	case l.plan.why == causeLoss:
		return fmt.Sprintf("The path loses packets, and several connections carry more on it than one: %s.", have)
	case l.plan.why == causeProcessor && have.QUIC == 0:
		return fmt.Sprintf("The processor limits QUIC, and TLS over TCP carries more: %s.", have)
	case l.plan.why == causeProcessor:
		return fmt.Sprintf("The processor limits one connection, and two carry more: %s.", have)
	}
	return have.String() + "."
}

// round10 rounds to ten seconds, up.
func round10(d time.Duration) time.Duration {
	return max(0, d+10*time.Second-1).Truncate(10 * time.Second)
}
