package lanes

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/internal/wire"
)

// Options are the settings of Lanes.
type Options struct {
	// Dial opens a session of a kind; TLS is done when it returns.
	Dial func(ctx context.Context, kind wire.Kind) (Session, error)
	// Serve greets the server on a lane, calls Welcomed, and uses the lane until
	// it ends: its own failure, Retiring, or ctx. It is called in a goroutine for
	// each lane. Its error says why the lane ended, nil after a retirement; one
	// with a method Least() time.Duration keeps from dialling again for so long.
	// Serve may close the session with a code of its own; it is closed after it in
	// any case.
	Serve func(ctx context.Context, lane *Lane) error
	// Busy says whether there is enough to send that another lane could help. It
	// is asked a few times a second and must not wait.
	Busy func() bool

	NoQUIC, NoTCP bool // kinds that are not to be used; not both
	Most          int  // lanes in use at once, default 16
	Cores         int  // processors, default those of the machine

	First, Longest time.Duration  // pauses between failures: default 1 s and 20 s
	Beside         time.Duration  // without a welcome for so long the other kind is dialled too: default 1.5 s
	Answer         time.Duration  // how long a lane may take to be welcomed: default 15 s
	Retire         time.Duration  // how long a lane may take to retire: default 2 min
	Random         func() float64 // from 0 up to but without 1; default math/rand
	Now            func() time.Time
	Log            *slog.Logger
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&o.First, time.Second)
	set(&o.Longest, 20*time.Second)
	set(&o.Beside, 1500*time.Millisecond)
	set(&o.Answer, 15*time.Second)
	set(&o.Retire, 2*time.Minute)
	if o.Most <= 0 {
		o.Most = 16
	}
	if o.Cores <= 0 {
		o.Cores = runtime.NumCPU()
	}
	if o.Busy == nil {
		o.Busy = func() bool { return false }
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Lanes keeps connections. Its methods are safe for concurrent use; Run runs
// once.
type Lanes struct {
	opt   Options
	limit *limiter
	poke  chan struct{} // has room for one: something happened
	group sync.WaitGroup

	mu           sync.Mutex // guards all below
	lanes        []*Lane    // all that have not ended
	route        route
	won          bool // a lane was welcomed, and what else was tried is not yet cleared up
	plan         *plan
	trips        trips
	lately       lately
	lookedAt     time.Time
	missingSince time.Time // since when lanes of the plan are missing; zero: none is

	pauses   *backoff.Backoff // between attempts to reach the server
	redialAt time.Time        // nothing is dialled before
	spread   time.Duration    // as SetSpread said
	extras   *backoff.Backoff // between attempts to have another lane
	extraAt  time.Time        // no other lane is dialled before
	failure  error            // of the last lane that did not end in order
	state    State
}

// State is how the connections are doing, for people and for figures.
type State struct {
	Connected bool
	Over      wire.Kind     // what most goes over
	Lanes     int           // in use
	Why       string        // what they go over and why, in a sentence for people
	RTT       time.Duration // of the best lane; 0 when unknown
	LostPPM   uint64        // packets lost lately, of a million
	Rate      uint64        // bytes a second sent lately, counted as IP bytes
	Failure   error         // why the last lane ended that did not end in order; nil after a welcome
}

// New makes Lanes; Run begins.
func New(opt Options) *Lanes {
	l := &Lanes{opt: opt.withDefaults(), poke: make(chan struct{}, 1)}
	l.limit = newLimiter(l.opt.Now)
	l.pauses = backoff.NewWith(l.opt.First, l.opt.Longest, l.opt.Random, nil)
	l.extras = backoff.NewWith(l.opt.First, l.opt.Longest, l.opt.Random, nil)
	l.route = newRoute(l.opt.NoQUIC, l.opt.NoTCP, l.opt.Beside, l.opt.Random)
	l.plan = newPlan(l.opt.Most, l.opt.Cores, !l.opt.NoQUIC, !l.opt.NoTCP, l.opt.Random)
	l.state.Why = "Connecting to the server."
	return l
}

// SetLimit bounds what all lanes send together, in IP bytes a second with all
// headers and all that is sent again. Limited to 0, nothing that Write carries
// moves.
func (l *Lanes) SetLimit(limited bool, bytesPerSecond uint64) { l.limit.set(limited, bytesPerSecond) }

// SetSpread says over what time the dock's likes come back when the server is
// lost to all of them: the server knows how many they are.
func (l *Lanes) SetSpread(within time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spread = within
}

// State tells how the connections are doing.
func (l *Lanes) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Run keeps lanes until ctx ends; its error is ctx's. No lane is left when it
// returns.
func (l *Lanes) Run(ctx context.Context) error {
	defer l.limit.stop()
	defer l.group.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			l.stopped()
			return ctx.Err()
		case <-timer.C:
		case <-l.poke:
		}
		timer.Reset(l.turn(ctx))
	}
}

func (l *Lanes) stopped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = State{Why: "Stopped."}
}

// wake lets the manager look again.
func (l *Lanes) wake() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}
