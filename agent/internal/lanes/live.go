package lanes

import (
	"context"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// Codes of closing, as in proto/upload/SPEC.md section 8.
const (
	endNormal    = 0
	endGoingAway = 3
)

// dial begins a lane. Called under mu.
func (l *Lanes) dial(ctx context.Context, kind wire.Kind, now time.Time) *Lane {
	ctx, cancel := context.WithCancelCause(ctx)
	lane := &Lane{all: l, kind: kind, retiring: make(chan struct{}), cancel: cancel, began: now}
	l.lanes = append(l.lanes, lane)
	l.group.Go(func() { l.live(ctx, lane) })
	return lane
}

// live is a lane's goroutine, from dialling to its end.
func (l *Lanes) live(ctx context.Context, lane *Lane) {
	err := l.use(ctx, lane)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	lane.cancel(nil)
	l.mu.Lock()
	lane.ended, lane.err = true, err
	l.mu.Unlock()
	l.wake()
}

func (l *Lanes) use(ctx context.Context, lane *Lane) error {
	s, err := l.opt.Dial(ctx, lane.kind)
	if err != nil {
		return err
	}
	l.limit.add(s)
	defer l.limit.remove(s)
	l.mu.Lock()
	lane.session, lane.dialled = s, true
	l.trips.see(l.opt.Now(), s.Traffic().RTT) // of the handshake, before we fill the queue
	l.mu.Unlock()
	if err = ctx.Err(); err == nil {
		err = l.opt.Serve(ctx, lane)
	}
	if err != nil {
		_ = s.Close(endGoingAway, "the lane ends")
		return err
	}
	_ = s.Close(endNormal, "")
	return nil
}

func (l *Lanes) welcome(lane *Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !lane.welcomed.IsZero() {
		return
	}
	now := l.opt.Now()
	if !l.route.round.began.IsZero() {
		silent := l.count(func(old *Lane) bool { return old.live() && old.kind == wire.QUIC && old.watch.silent(now) })
		l.route.reached(now, lane.kind, silent > 0)
		l.won = true
	}
	lane.welcomed = now
	l.failure = nil
	l.extras.Reset()
	l.wake()
}

func (l *Lanes) leave(lane *Lane, within time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.opt.Now()
	// The server says it on every lane: the first word counts.
	if !now.Before(l.redialAt) {
		l.redialAt = now.Add(time.Duration(l.opt.Random() * float64(within)))
	}
	l.retire(lane, now)
	l.wake()
}

// retire lets a lane end in order. Called under mu.
func (l *Lanes) retire(lane *Lane, now time.Time) {
	if lane.retiredAt.IsZero() {
		lane.retiredAt = now
		close(lane.retiring)
	}
}

// kill ends a lane at once. Called under mu.
func (l *Lanes) kill(lane *Lane, why error) {
	if lane.killed || lane.ended {
		return
	}
	lane.killed = true
	lane.cancel(why)
	if s := lane.session; s != nil {
		l.group.Go(func() { _ = s.Close(endGoingAway, why.Error()) })
	}
}
