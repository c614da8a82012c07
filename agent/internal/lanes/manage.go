package lanes

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

const (
	lookEvery     = 250 * time.Millisecond // while something is going on
	idleLookEvery = time.Second
	lived         = 10 * time.Second // a lane that lived so long was a good one,
	carried       = 1 << 20          // and one that sent so many bytes
	dead          = 5 * time.Second  // a silent lane is given up after so long when others live
	spreadFirsts  = 4                // in Options.First: after a break the next dial is within
	lingers       = 5 * time.Second  // a retiring lane disturbs a measurement for so long at most
)

var (
	errSilent    = errors.New("nothing was heard from the server any more while it was sent to")
	errNoWelcome = errors.New("the server did not take the connection in time")
	errNotNeeded = errors.New("another connection was there first")
	errNotLeft   = errors.New("the connection did not end in order in time")
)

// turn looks at everything once, does what is due, and says when to look again.
func (l *Lanes) turn(ctx context.Context) time.Duration {
	busy := l.opt.Busy() // without the lock: the caller may hold its own when it asks for State
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.opt.Now()
	l.reap(now)
	l.look(now)
	l.expire(now)
	if l.serving(now) == nil {
		l.connect(ctx, now)
	} else {
		l.settleRoute(ctx, now)
		l.decide(now, busy)
		l.reconcile(ctx, now)
	}
	l.describe(now)
	return l.pause(now, busy)
}

// reap forgets lanes that have ended, and draws the conclusions.
func (l *Lanes) reap(now time.Time) {
	ended := l.lanes
	l.lanes = nil
	for _, lane := range ended {
		if !lane.ended {
			l.lanes = append(l.lanes, lane)
		}
	}
	for _, lane := range ended {
		if lane.ended {
			l.conclude(lane, now)
		}
	}
}

func (l *Lanes) conclude(lane *Lane, now time.Time) {
	switch {
	case lane.probe:
		l.route.failedProbe(now)
		return
	case !lane.retiredAt.IsZero() || errors.Is(lane.err, errNotNeeded):
		return
	}
	if lane.err == nil {
		lane.err = errors.New("the connection was ended")
	}
	least := time.Duration(0)
	var patient interface{ Least() time.Duration }
	if errors.As(lane.err, &patient) {
		least = patient.Least()
	}
	l.failure = lane.err
	l.opt.Log.Info("a connection ended", "over", lane.kind, "error", lane.err)
	switch {
	case lane.welcomed.IsZero() && (l.serving(now) == nil || !l.route.round.began.IsZero()):
		l.route.round.refused = l.route.round.refused || lane.dialled
		l.route.round.least = max(l.route.round.least, least)
	case lane.welcomed.IsZero():
		l.extraAt = now.Add(max(l.extras.Pause(), least))
	case l.serving(now) != nil:
		l.extraAt = now.Add(max(time.Duration(l.opt.Random()*float64(l.opt.First)), least))
	case now.Sub(lane.welcomed) < lived && lane.watch.last.SentBytes < carried:
		l.postpone(now.Add(max(l.pauses.Pause(), least)))
	default:
		// All docks may have lost the server at this moment: they spread out.
		l.pauses.Reset()
		l.postpone(now.Add(least))
		if !now.Before(l.redialAt) { // not later for each lane that was lost with it
			l.redialAt = now.Add(time.Duration(l.opt.Random() * float64(l.comeBack())))
		}
	}
}

// comeBack is over what time docks spread when their server is lost: as it has
// said, else as if there were many.
func (l *Lanes) comeBack() time.Duration {
	if l.spread > 0 {
		return max(l.spread, l.opt.First)
	}
	return spreadFirsts * l.opt.First
}

// postpone lets nothing be dialled before at.
func (l *Lanes) postpone(at time.Time) {
	if at.After(l.redialAt) {
		l.redialAt = at
	}
}

// look takes in what the sessions have counted.
func (l *Lanes) look(now time.Time) {
	if now.Sub(l.lookedAt) < lookEvery/2 {
		return
	}
	lasted := now.Sub(l.lookedAt)
	if l.lookedAt.IsZero() {
		lasted = 0
	}
	l.lookedAt = now
	settled := l.plan.window.settled(now, l.rtt())
	if settled {
		l.plan.window.lasted += lasted
	}
	for _, lane := range l.lanes {
		if lane.session == nil || lane.ended {
			continue
		}
		s := lane.watch.look(now, lane.session.Traffic(), &l.trips)
		l.trips.see(now, lane.watch.last.RTT)
		lane.piece.Store(int64(lane.watch.rate * freeLasts.Seconds()))
		l.lately.add(s)
		if lane.live() {
			l.plan.window.tell(s)
		}
		if settled && lane.live() {
			l.plan.window.add(lane.kind, s)
		}
	}
	l.lately.turn(now)
}

// rtt is the longest round trip of the lanes in use.
func (l *Lanes) rtt() time.Duration {
	longest := time.Duration(0)
	for _, lane := range l.lanes {
		if lane.live() {
			longest = max(longest, lane.watch.last.RTT)
		}
	}
	return longest
}

// rate is what the lanes in use send at the moment, in bytes a second.
func (l *Lanes) rate() (sum float64) {
	for _, lane := range l.lanes {
		if lane.live() {
			sum += lane.watch.rate
		}
	}
	return sum
}

// live says whether a lane is in use. Called under mu.
func (lane *Lane) live() bool {
	return !lane.welcomed.IsZero() && lane.retiredAt.IsZero() && !lane.ended && !lane.killed
}

// young says whether a lane is on its way.
func (lane *Lane) young() bool {
	return lane.welcomed.IsZero() && lane.retiredAt.IsZero() && !lane.ended && !lane.killed
}

// serving is a lane in use whose server answers, or nil.
func (l *Lanes) serving(now time.Time) *Lane {
	for _, lane := range l.lanes {
		if lane.live() && !lane.watch.silent(now) {
			return lane
		}
	}
	return nil
}

// count counts lanes.
func (l *Lanes) count(which func(*Lane) bool) (n int) {
	for _, lane := range l.lanes {
		if which(lane) {
			n++
		}
	}
	return n
}

// expire ends lanes that take too long to be welcomed, to retire, or to answer.
func (l *Lanes) expire(now time.Time) {
	serving := l.serving(now)
	for _, lane := range l.lanes {
		switch {
		case lane.young() && now.Sub(lane.began) >= l.opt.Answer:
			l.kill(lane, errNoWelcome)
		case !lane.retiredAt.IsZero() && now.Sub(lane.retiredAt) >= l.opt.Retire:
			l.kill(lane, errNotLeft)
		case serving != nil && lane.live() && lane.watch.silentFor(now) >= dead && lane.watch.silent(now):
			l.kill(lane, errSilent)
		}
	}
}

// connect dials while no lane serves.
func (l *Lanes) connect(ctx context.Context, now time.Time) {
	l.plan.abandon()
	if now.Before(l.redialAt) {
		return
	}
	// TCP first beside a lane of QUIC that has fallen silent, and where it is what
	// the path is known to carry best.
	tcpFirst := l.plan.mix.QUIC == 0
	for _, lane := range l.lanes {
		tcpFirst = tcpFirst || lane.live() && lane.kind == wire.QUIC
	}
	dialling := l.count((*Lane).young)
	heard := l.count(func(lane *Lane) bool { return lane.young() && lane.dialled }) > 0
	kind, failed := l.route.next(now, tcpFirst, dialling, heard)
	switch {
	case failed:
		l.redialAt = now.Add(max(l.pauses.Pause(), l.route.round.least))
		l.route.round = round{}
	case kind != "" && l.room():
		l.dial(ctx, kind, now)
	case kind != "":
		delete(l.route.round.tried, kind)
	}
}

// room says whether one more connection may be dialled: there are never more
// than twice as many as are wanted.
func (l *Lanes) room() bool {
	wanted := max(1, l.plan.mix.total(), l.count((*Lane).live))
	return len(l.lanes) < 2*wanted
}

// settleRoute draws what follows from a lane that serves: the race is over,
// silent lanes are given up for it, and UDP is probed where it was blocked.
func (l *Lanes) settleRoute(ctx context.Context, now time.Time) {
	r := &l.route
	if l.won || !r.round.began.IsZero() {
		l.winner(now)
	}
	if !r.blocked {
		return
	}
	var probe *Lane
	for _, lane := range l.lanes {
		if lane.probe && !lane.ended && !lane.killed {
			probe = lane
		}
	}
	switch {
	case probe == nil:
		if !now.Before(r.probeAt) && !now.Before(l.redialAt) && l.room() {
			l.dial(ctx, wire.QUIC, now).probe = true
		}
	case probe.live() && probe.watch.silent(now):
		l.kill(probe, errSilent)
	case probe.live() && probe.watch.asked.IsZero() && now.Sub(probe.welcomed) >= probeHolds:
		probe.probe = false
		r.open()
	}
	l.plan.allow(!r.blocked && !r.noQUIC, !r.noTCP)
}

// winner clears up after a round: the first lane that was welcomed is used, or
// an old one that is heard again.
func (l *Lanes) winner(now time.Time) {
	l.won, l.route.round = false, round{}
	var first *Lane
	for _, lane := range l.lanes {
		if lane.live() && !lane.watch.silent(now) && (first == nil || lane.welcomed.Before(first.welcomed)) {
			first = lane
		}
	}
	for _, lane := range l.lanes {
		switch {
		case lane.young() && lane.kind == wire.QUIC && l.route.blocked:
			lane.probe = true
		case lane.young():
			l.kill(lane, errNotNeeded)
		case lane.live() && lane.watch.silent(now):
			l.kill(lane, errSilent)
		case lane.live() && lane != first && lane.kind == wire.QUIC && l.route.blocked:
			lane.probe = true
		}
	}
	l.plan.allow(!l.route.blocked && !l.route.noQUIC, !l.route.noTCP)
}

// decide asks the plan.
func (l *Lanes) decide(now time.Time, busy bool) {
	p := l.plan
	have := l.have()
	p.idle(now, busy)
	rtt := l.rtt()
	switch {
	case have != p.mix || !busy || l.leaving(now):
		p.window.restart()
	case p.window.complete.IsZero():
		p.window.complete = now
	case l.limit.held():
		if p.window.settled(now, rtt) {
			p.limited(now, measure{quic: l.rate(), lossy: p.window.lossy()})
		} else {
			p.window.begin()
		}
	case p.window.full(rtt) || p.hurry() && p.window.telling(now, rtt):
		mix, m := p.mix, p.window.measure()
		if !p.window.full(rtt) {
			m.quic, m.lost, m.lossy = l.rate(), p.window.lost/p.window.calm, true
		}
		p.judge(now, m)
		if p.mix == mix {
			p.window.fade()
		} else {
			l.opt.Log.Debug("connections", "before", mix.String(), "now", p.mix.String(), "trial", p.trial != nil)
		}
	}
	l.deny(now, have)
}

// leaving says whether a lane that retires still disturbs a measurement.
func (l *Lanes) leaving(now time.Time) bool {
	return l.count(func(lane *Lane) bool { return !lane.retiredAt.IsZero() && now.Sub(lane.retiredAt) < lingers }) > 0
}

// deny tells the plan what does not come about.
func (l *Lanes) deny(now time.Time, have Mix) {
	missing := have.QUIC < l.plan.mix.QUIC || have.TCP < l.plan.mix.TCP
	switch {
	case !missing || now.Before(l.redialAt):
		l.missingSince = time.Time{}
	case l.missingSince.IsZero():
		l.missingSince = now
	case now.Sub(l.missingSince) >= deniedAfter:
		l.missingSince = time.Time{}
		if have.QUIC == 0 && l.plan.mix.QUIC > 0 && have.TCP > 0 {
			l.route.block(now)
		}
		l.plan.denied(now, have)
		l.plan.allow(!l.route.blocked && !l.route.noQUIC, !l.route.noTCP)
	}
}

// have is the mix in use.
func (l *Lanes) have() Mix {
	var m Mix
	for _, lane := range l.lanes {
		switch {
		case !lane.live() || lane.probe:
		case lane.kind == wire.TCP:
			m.TCP++
		default:
			m.QUIC++
		}
	}
	return m
}

// reconcile brings what there is to what is wanted: first what is missing, then
// what is too much.
func (l *Lanes) reconcile(ctx context.Context, now time.Time) {
	have, complete := l.have(), true
	for _, kind := range []wire.Kind{wire.QUIC, wire.TCP} {
		young := l.count(func(lane *Lane) bool { return lane.young() && lane.kind == kind && !lane.probe })
		missing := l.plan.mix.of(kind) - have.of(kind)
		complete = complete && missing <= 0
		for n := young; n < missing && l.room() && !now.Before(l.extraAt) && !now.Before(l.redialAt); n++ {
			l.dial(ctx, kind, now)
		}
		for _, lane := range slices.Backward(l.lanes) {
			if young > max(missing, 0) && lane.young() && lane.kind == kind && !lane.probe {
				l.kill(lane, errNotNeeded)
				young--
			}
		}
	}
	if !complete {
		return
	}
	for _, kind := range []wire.Kind{wire.QUIC, wire.TCP} {
		surplus := have.of(kind) - l.plan.mix.of(kind)
		for _, lane := range slices.Backward(l.lanes) {
			if surplus > 0 && lane.live() && lane.kind == kind && !lane.probe {
				l.retire(lane, now)
				surplus--
			}
		}
	}
}

// pause is until when nothing is due.
func (l *Lanes) pause(now time.Time, busy bool) time.Duration {
	if len(l.lanes) == 0 {
		return max(l.redialAt.Sub(now), 0)
	}
	for _, lane := range l.lanes {
		if busy || lane.young() || !lane.watch.asked.IsZero() {
			return lookEvery
		}
	}
	return idleLookEvery
}
