package lanes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// path is a network between dock and server, as far as rates go.
type path struct {
	rate      float64       // of the link, IP bytes a second
	rtt       time.Duration // without a queue
	quic, tcp float64       // what a lane of a kind carries at most, bytes a second; 0: no bound
	loss      float64       // share of packets lost without a queue
	processor float64       // what one lane carries at most, and what all do: 1.5 times that; 0: no bound
	noise     float64       // how much the rate of a lane wavers
}

// world is a server behind a path, with the sessions that it has.
type world struct {
	mu       sync.Mutex // guards all below
	path     path
	at       time.Time
	sessions map[*fakeSession]bool
	blocked  map[wire.Kind]bool // packets of a kind do not get through
	refuse   error              // what Serve ends with
	slow     time.Duration      // how long the server thinks before it welcomes
	down     bool               // nobody listens
	dials    []dialled
	most     int // sessions at once, those being dialled with them
	dialling int
	random   *rand.Rand
	busy     bool
	use      func(ctx context.Context, lane *Lane) error
}

type dialled struct {
	at   time.Time
	kind wire.Kind
}

func newWorld(p path) *world {
	return &world{path: p, at: time.Now(), sessions: map[*fakeSession]bool{}, blocked: map[wire.Kind]bool{}, random: rand.New(rand.NewPCG(7, 7)), busy: true}
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	change()
}

type fakeSession struct {
	w      *world
	kind   wire.Kind
	ctx    context.Context
	cancel context.CancelCauseFunc

	// Guarded by w.mu.
	sent, packets, lost, received float64
	factor                        float64
	rtt                           time.Duration
	mute                          bool // its packets do not get through
}

func (s *fakeSession) OpenStream(context.Context) (Stream, error) {
	return nil, errors.New("no streams here")
}

func (s *fakeSession) Close(uint64, string) error {
	s.end(wire.ErrClosed)
	return nil
}

func (s *fakeSession) end(why error) {
	s.w.set(func() { delete(s.w.sessions, s) })
	s.cancel(why)
}

func (s *fakeSession) Context() context.Context { return s.ctx }
func (s *fakeSession) Err() error               { return context.Cause(s.ctx) }
func (s *fakeSession) Kind() wire.Kind          { return s.kind }

func (s *fakeSession) Traffic() wire.Traffic {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.advance()
	return wire.Traffic{SentBytes: uint64(s.sent), SentPackets: uint64(s.packets), LostPackets: uint64(s.lost), ReceivedPackets: uint64(s.received), RTT: s.rtt}
}

// advance lets the sessions send up to now. Called under mu.
func (w *world) advance() {
	now := time.Now()
	lasted := now.Sub(w.at).Seconds()
	if lasted == 0 {
		return
	}
	w.at = now
	p := w.path
	wish, whole := map[*fakeSession]float64{}, 0.0
	for s := range w.sessions {
		if lasted > 0.2 {
			s.factor = 1 + p.noise*(2*w.random.Float64()-1)
		}
		cap := p.rate
		if c := map[wire.Kind]float64{wire.QUIC: p.quic, wire.TCP: p.tcp}[s.kind]; c > 0 {
			cap = min(cap, c*s.factor)
		}
		if p.processor > 0 {
			cap = min(cap, p.processor)
		}
		if !w.busy {
			cap = 100
		}
		wish[s] = cap
		whole += cap
	}
	bound := p.rate
	if p.processor > 0 {
		bound = min(bound, 1.5*p.processor)
	}
	full := whole > p.rate*0.999
	share := min(1, bound/max(whole, 1))
	for s := range w.sessions {
		s.rtt = p.rtt
		if full && w.busy {
			s.rtt = 2*p.rtt + 3*time.Millisecond
		}
		if w.blocked[s.kind] || s.mute {
			s.packets += 2 * lasted // what is sent for want of an answer
			s.sent += 3000 * lasted
			continue
		}
		sent := wish[s] * share * lasted
		s.sent += sent
		s.packets += sent / 1400
		s.received += sent/2800 + lasted
		lost := p.loss
		if full {
			lost += 0.0003 // the queue overflows
		}
		s.lost += lost * sent / 1400
	}
}

// dial is Options.Dial.
func (w *world) dial(ctx context.Context, kind wire.Kind) (Session, error) {
	w.set(func() {
		w.dials = append(w.dials, dialled{time.Now(), kind})
		w.dialling++
		w.most = max(w.most, w.dialling+len(w.sessions))
	})
	defer w.set(func() { w.dialling-- })
	began := time.Now()
	for {
		var blocked, down bool
		var rtt time.Duration
		w.set(func() { blocked, down, rtt = w.blocked[kind], w.down, w.path.rtt })
		switch {
		case down && !blocked:
			<-time.After(rtt)
			return nil, errors.New("connection refused")
		case !blocked:
			<-time.After(2 * rtt)
			s := &fakeSession{w: w, kind: kind, factor: 1, rtt: rtt}
			s.ctx, s.cancel = context.WithCancelCause(context.Background())
			w.set(func() { w.sessions[s] = true })
			return s, nil
		case time.Since(began) > 5*time.Second:
			return nil, fmt.Errorf("no answer over %s", kind)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// serve is Options.Serve.
func (w *world) serve(ctx context.Context, lane *Lane) error {
	var refuse error
	var wait time.Duration
	w.set(func() { refuse, wait = w.refuse, w.path.rtt+w.slow })
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return ctx.Err()
	case <-lane.Session().Context().Done():
		return lane.Session().Err()
	}
	if refuse != nil {
		return refuse
	}
	lane.Welcomed()
	if w.use != nil {
		return w.use(ctx, lane)
	}
	select {
	case <-lane.Retiring():
		<-time.After(wait) // the last acknowledgement
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-lane.Session().Context().Done():
		return lane.Session().Err()
	}
}

// restart ends every session, as a server does that begins anew.
func (w *world) restart() {
	var all []*fakeSession
	w.set(func() {
		for s := range w.sessions {
			all = append(all, s)
		}
	})
	for _, s := range all {
		s.end(wire.ErrLost)
	}
}

func (w *world) isBusy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy
}

func (w *world) options() Options {
	return Options{Dial: w.dial, Serve: w.serve, Busy: w.isBusy, Cores: 4, Log: slog.New(slog.DiscardHandler)}
}

// begin runs lanes until the test ends.
func (w *world) begin(t *testing.T, change func(*Options)) *Lanes {
	opt := w.options()
	if change != nil {
		change(&opt)
	}
	l := New(opt)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if n := len(w.sessions); n > 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
	return l
}

// since are the dials since a moment.
func (w *world) since(at time.Time) (all []dialled) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.dials {
		if d.at.After(at) {
			all = append(all, d)
		}
	}
	return all
}

func (w *world) mix() (m Mix) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.sessions {
		if s.kind == wire.TCP {
			m.TCP++
		} else {
			m.QUIC++
		}
	}
	return m
}

// connectedWithin waits until a lane serves.
func connectedWithin(t *testing.T, l *Lanes, limit time.Duration, what func(State) bool) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		s := l.State()
		if s.Connected && what(s) {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			t.Fatalf("not within %v: %+v", limit, s)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func anything(State) bool { return true }

func over(kind wire.Kind) func(State) bool { return func(s State) bool { return s.Over == kind } }
