package lanes

import (
	"fmt"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// Thresholds of the plan.
const (
	pays      = 1.10   // another lane is kept when the whole carries so much more
	harm      = 0.08   // more lanes are not kept when so much more is lost, and twice as much
	beyond    = 2      // so much more is no matter of what is lost
	same      = 0.95   // fewer lanes are kept when the whole carries so much still
	stronger  = 1.5    // one kind's lane carries clearly more than the other's
	lossy     = 0.0005 // share of packets lost at a short queue that makes a path a lossy one
	fewLosses = 4      // of which so many were seen at least,
	signs     = 2      // and so many for a first lane to get one of TCP beside it
	fast      = 300e6 / 8

	windowLasts = 1500 * time.Millisecond
	windowRTTs  = 12
	settleLasts = 1500 * time.Millisecond // until a new lane has found its rate
	settleRTTs  = 20
	tellLasts   = 500 * time.Millisecond // until a first lane may show that the path is a lossy one
	tellRTTs    = 6
	deniedAfter = 6 * time.Second // a lane that does not come about
	idleAfter   = 10 * time.Second
	recall      = 10 * time.Minute // what was found good before an idle time
	reviewFirst = 2 * time.Minute
	reviewLast  = 4 * time.Minute
	retryFirst  = 15 * time.Second // until more lanes are tried again, then twice that
)

// Mix is how many lanes of each kind.
type Mix struct{ QUIC, TCP int }

func (m Mix) total() int { return m.QUIC + m.TCP }

func (m Mix) of(kind wire.Kind) int {
	if kind == wire.TCP {
		return m.TCP
	}
	return m.QUIC
}

func only(kind wire.Kind, n int) Mix {
	if kind == wire.TCP {
		return Mix{TCP: n}
	}
	return Mix{QUIC: n}
}

// measure is what the present mix carried through a window.
type measure struct {
	quic, tcp float64 // bytes a second, what was lost taken off
	lossy     bool    // the path loses packets without a queue
	lost      float64 // share of packets lost, for whatever reason
}

func (m measure) rate() float64 { return m.quic + m.tcp }

// cause is why there are more lanes than one, or other ones than QUIC.
type cause string

const (
	causeNone      cause = ""
	causeLoss      cause = "loss"
	causeProcessor cause = "processor"
)

// trial is a mix that is being measured against the one before.
type trial struct {
	before  Mix
	why     cause // of the mix before
	rate    float64
	lost    float64
	atLeast float64 // times rate, to be kept
	step    stepKind
}

// good says whether what was tried is to be kept. What overflows the path's
// queue is counted as lost a while after it was counted as sent: much more of it
// means that the path carries no more, unless the gain is beyond all doubt. A new
// lane overflows the queue once, when it looks for its rate.
func (t *trial) good(m measure) bool {
	doubtful := t.atLeast > 1 && m.rate() < beyond*t.rate
	return m.rate() >= t.rate*t.atLeast && !(doubtful && m.lost > max(2*t.lost, t.lost+harm))
}

// stepKind is what a trial changes.
type stepKind string

const (
	addTCP   stepKind = "a TCP lane more"
	compare  stepKind = "a TCP lane beside QUIC"
	shed     stepKind = "without the weaker kind"
	double   stepKind = "twice the lanes"
	simplify stepKind = "fewer lanes"
)

// plan decides the mix: measures in, mix out. Pure: it is told the time, and
// jitter comes from random.
type plan struct {
	most, cores int
	quic, tcp   bool // kinds that may be used
	random      func() float64

	mix      Mix
	why      cause
	trial    *trial
	refused  map[stepKind]bool // steps from this mix that did not pay
	reviewAt time.Time
	retryAt  time.Time // when what was refused may be tried again
	retries  time.Duration
	idleFrom time.Time // zero while busy
	kept     Mix       // before the idle time; zero: nothing
	keptWhy  cause
	window   window
}

func newPlan(most, cores int, quic, tcp bool, random func() float64) *plan {
	p := &plan{most: most, cores: cores, quic: quic, tcp: tcp, random: random}
	p.restart()
	return p
}

// restart begins with one lane of the preferred kind.
func (p *plan) restart() {
	p.mix, p.why, p.trial, p.refused = only(p.preferred(), 1), causeNone, nil, map[stepKind]bool{}
	p.kept, p.reviewAt, p.retries = Mix{}, time.Time{}, retryFirst
	p.window.restart()
}

func (p *plan) preferred() wire.Kind {
	if p.quic {
		return wire.QUIC
	}
	return wire.TCP
}

// allow says which kinds get through; a change begins anew.
func (p *plan) allow(quic, tcp bool) {
	if quic != p.quic || tcp != p.tcp {
		p.quic, p.tcp = quic, tcp
		p.restart()
	}
}

// judge takes in what the present mix carried and decides the next.
func (p *plan) judge(now time.Time, m measure) {
	if p.reviewAt.IsZero() {
		p.review(now)
	}
	due := !now.Before(p.reviewAt)
	if t := p.trial; t != nil {
		p.trial = nil
		if !t.good(m) {
			p.mix, p.why = t.before, t.why
			p.refuse(now, t.step)
			p.window.restart()
			return
		}
		if t.step != compare { // nothing is decided yet
			p.accepted(t.step)
		}
		due = due || t.step == simplify
	}
	if now.After(p.retryAt) && len(p.refused) > 0 {
		p.refused = map[stepKind]bool{}
	}
	switch {
	case p.grow(now, m):
	case due:
		p.review(now)
		p.reconsider(m)
	}
}

// accepted keeps what a trial was of.
func (p *plan) accepted(step stepKind) {
	noTCP := p.refused[addTCP]
	p.refused, p.retries = map[stepKind]bool{}, retryFirst
	switch {
	case step == simplify:
		p.refused[addTCP], p.refused[compare], p.refused[double], p.retryAt = true, true, true, p.reviewAt
	case noTCP:
		p.refused[addTCP] = true
	}
}

// refuse takes a step for one that does not pay, for a while.
func (p *plan) refuse(now time.Time, step stepKind) {
	if len(p.refused) == 0 {
		p.retryAt = now.Add(p.retries/2 + time.Duration(p.random()*float64(p.retries)))
		p.retries = min(2*p.retries, reviewLast)
	}
	p.refused[step] = true
}

// hurry says whether the next step on a lossy path is to add a TCP lane: its gain
// is so large that it need not wait for an exact measure of what one lane carries.
func (p *plan) hurry() bool {
	return p.trial == nil && p.mix == Mix{QUIC: 1} && p.tcp && !p.refused[addTCP]
}

// review sets when the mix is looked at anew.
func (p *plan) review(now time.Time) {
	p.reviewAt = now.Add(reviewFirst + time.Duration(p.random()*float64(reviewLast-reviewFirst)))
}

// try begins a trial unless it was refused from here.
func (p *plan) try(m measure, step stepKind, next Mix, why cause, atLeast float64) bool {
	if p.refused[step] || next == p.mix || next.total() == 0 || next.total() > p.most {
		return false
	}
	p.trial = &trial{before: p.mix, why: p.why, rate: m.rate(), lost: m.lost, atLeast: atLeast, step: step}
	p.mix, p.why = next, why
	p.window.restart()
	return true
}

// grow tries what could carry more.
func (p *plan) grow(now time.Time, m measure) bool {
	if p.mix.QUIC > 0 && p.mix.TCP > 0 {
		return p.part(now, m)
	}
	if !m.lossy {
		// So fast a lane may be bounded by the processor, of which TCP takes a
		// quarter: side by side it shows, even when the camera is slower than both.
		if m.rate() <= fast || p.mix.total() > 1 {
			return false
		}
		return p.mix.TCP == 0 && p.tcp && p.try(m, compare, Mix{p.mix.QUIC, 1}, causeProcessor, same) ||
			p.cores > 1 && p.try(m, double, twice(p.mix), causeProcessor, pays)
	}
	if p.mix.TCP == 0 && p.tcp && p.try(m, addTCP, Mix{min(p.mix.QUIC, p.most-1), 1}, causeLoss, pays) {
		return true
	}
	return p.try(m, double, twice(p.mix), causeLoss, pays)
}

// part ends a mix of both kinds, which is there to compare them: with the
// stronger kind alone, or, when they are alike, with QUIC.
func (p *plan) part(now time.Time, m measure) bool {
	quic, tcp := m.quic/float64(p.mix.QUIC), m.tcp/float64(p.mix.TCP)
	switch {
	case tcp > stronger*quic:
		// One TCP lane is worth several of QUIC.
		alone := Mix{TCP: p.mix.TCP}
		if m.tcp >= same*m.rate() { // no trial is needed
			p.mix = alone
			p.window.restart()
			return true
		}
		if p.try(m, shed, alone, p.why, same) {
			return true
		}
		return m.lossy && p.try(m, double, Mix{p.mix.QUIC, 2 * p.mix.TCP}, causeLoss, pays)
	case m.lossy:
		p.refuse(now, addTCP)
		if p.try(m, double, Mix{QUIC: min(2*p.mix.total(), p.most)}, causeLoss, same) {
			return true
		}
	case p.why == causeProcessor:
		p.refuse(now, compare)
		p.mix, p.why = Mix{QUIC: p.mix.QUIC}, causeNone
		p.window.restart()
		return true
	}
	return p.try(m, shed, Mix{QUIC: p.mix.total()}, causeLoss, same)
}

func twice(m Mix) Mix { return Mix{2 * m.QUIC, 2 * m.TCP} }

// reconsider tries, from time to time, whether less does as well, and forgets
// what was refused long ago. By halves, because lanes that fill the path hide
// whether it still loses packets without them.
func (p *plan) reconsider(m measure) {
	p.refused = map[stepKind]bool{}
	fewer := Mix{(p.mix.QUIC + 1) / 2, (p.mix.TCP + 1) / 2}
	if fewer == p.mix {
		if m.lossy {
			return
		}
		fewer = only(p.preferred(), 1)
	}
	why := p.why
	if fewer == only(p.preferred(), 1) {
		why = causeNone
	}
	p.try(m, simplify, fewer, why, same)
}

// denied says that the mix does not come about: have is what there is.
func (p *plan) denied(now time.Time, have Mix) {
	p.window.restart()
	if t := p.trial; t != nil {
		p.mix, p.why, p.trial = t.before, t.why, nil
		p.refuse(now, t.step)
		return
	}
	if have.total() > 0 {
		p.mix = have
	}
}

// abandon ends a trial without a verdict.
func (p *plan) abandon() {
	if t := p.trial; t != nil {
		p.mix, p.why, p.trial = t.before, t.why, nil
	}
	p.window.restart()
}

// limited says that the limit is reached: no mix could carry more, so the one
// that is being tried is kept, and from time to time fewer are tried.
func (p *plan) limited(now time.Time, m measure) {
	p.window.begin()
	if p.reviewAt.IsZero() {
		p.review(now)
	}
	due := !now.Before(p.reviewAt)
	if t := p.trial; t != nil {
		p.trial = nil
		p.accepted(t.step)
		due = due || t.step == simplify
	}
	if due {
		p.review(now)
		p.reconsider(m)
	}
}

// idle shrinks to one lane when there has been little to send for a while, and
// comes back to what was good before.
func (p *plan) idle(now time.Time, busy bool) {
	switch {
	case busy && p.kept.total() > 0:
		if now.Sub(p.idleFrom) < recall {
			p.mix, p.why = p.kept, p.keptWhy
		}
		p.kept, p.idleFrom = Mix{}, time.Time{}
		p.window.restart()
	case busy:
		p.idleFrom = time.Time{}
	case p.idleFrom.IsZero():
		p.idleFrom = now
		p.window.restart()
	case now.Sub(p.idleFrom) >= idleAfter && p.mix.total() > 1:
		p.abandon()
		p.kept, p.keptWhy = p.mix, p.why
		kind := wire.QUIC
		if p.mix.TCP > 0 {
			kind = wire.TCP // it was kept for carrying more
		}
		p.mix = only(kind, 1)
	}
}

// String is the mix in words.
func (m Mix) String() string {
	switch {
	case m.TCP == 0:
		return connections(m.QUIC) + " over QUIC"
	case m.QUIC == 0:
		return connections(m.TCP) + " over TLS on TCP"
	}
	return fmt.Sprintf("%s over QUIC and %d over TLS on TCP", connections(m.QUIC), m.TCP)
}

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}
