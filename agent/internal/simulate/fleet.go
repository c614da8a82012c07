package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/internal/wire"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// Options are the settings of a Fleet.
type Options struct {
	Server  *Server
	Docks   []*Identity
	Dial    func(ctx context.Context, dock int, kind wire.Kind) (lanes.Session, error) // dock is its place in Docks
	Version string

	NoQUIC, NoTCP bool
	StatusEvery   time.Duration // how often an unchanged status is repeated, default 3 min, as a dock does
	PolicyEvery   time.Duration // for a server that does not tell of its policy, default 20 s, as a dock does
	InFlight      int           // recordings that a dock has under way at once, default 4
	Log           *slog.Logger  // of the connections; nil: none
}

func (o Options) withDefaults() Options {
	if o.StatusEvery <= 0 {
		o.StatusEvery = 3 * time.Minute
	}
	if o.PolicyEvery <= 0 {
		o.PolicyEvery = 20 * time.Second
	}
	if o.InFlight <= 0 {
		o.InFlight = 4
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Fleet runs docks. Connect, Idle and Burst are called one after the other; Line
// and Report at any moment; Stop at the end, always.
type Fleet struct {
	opt    Options
	maker  *maker
	docks  []*dock
	tally  *tally
	digest atomic.Pointer[[]byte] // of the policy that the docks were told: real ones keep it on disk
	bays   []*protocol.Bay        // of every dock

	ctx     context.Context // of all docks
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New makes a Fleet; nothing is dialled yet.
func New(opt Options) (*Fleet, error) {
	if len(opt.Docks) == 0 || opt.Server == nil {
		return nil, errors.New("no docks to simulate")
	}
	f := &Fleet{opt: opt.withDefaults(), tally: newTally(len(opt.Docks))}
	var err error
	if f.maker, err = newMaker(opt.Server, opt.Version); err != nil {
		return nil, err
	}
	for port := range 8 {
		f.bays = append(f.bays, &protocol.Bay{Port: fmt.Sprintf("1-1.%d", port+1), State: protocol.BayEmpty, BatteryPercent: -1})
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	for i, id := range opt.Docks {
		f.docks = append(f.docks, newDock(f, i, id))
	}
	return f, nil
}

// Stop ends all docks and waits for them.
func (f *Fleet) Stop() {
	f.tally.stop()
	f.cancel()
	f.running.Wait()
}

// waiting is how many docks may have been started and not yet be welcomed. All
// docks share one processor here: more would only keep each other from being in
// time.
const waiting = 64

// Connect starts the docks, at most pace of them a second and at most some dozens
// at once, and returns when the server has welcomed all. Patience is how long it may
// be that none is welcomed.
func (f *Fleet) Connect(ctx context.Context, pace float64, patience time.Duration) error {
	f.tally.begin()
	next := time.Now()
	for i, d := range f.docks {
		if err := until(ctx, next); err != nil {
			return err
		}
		if err := f.await(ctx, i+1-waiting, patience); err != nil {
			return err
		}
		next = time.Now().Add(time.Duration(float64(time.Second) / pace))
		f.running.Go(func() { _ = d.lanes.Run(f.ctx) }) // ends with f.ctx
	}
	return f.All(ctx, patience)
}

// All waits until all docks are connected. Patience is how long it may be that
// none is welcomed.
func (f *Fleet) All(ctx context.Context, patience time.Duration) error {
	return f.await(ctx, len(f.docks), patience)
}

// await waits until so many docks are connected.
func (f *Fleet) await(ctx context.Context, docks int, patience time.Duration) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		connected, changed := f.tally.connections()
		if connected >= docks {
			return nil
		}
		select {
		case <-changed:
			late.Reset(patience)
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("for %v no dock was welcomed, and only %d of %d are connected: %w", patience, connected, len(f.docks), f.failure())
		}
	}
}

// failure is why a dock that is not connected is not.
func (f *Fleet) failure() error {
	for _, d := range f.docks {
		if s := d.lanes.State(); !s.Connected && s.Failure != nil {
			return fmt.Errorf("dock %s: %w", d.id.Dock, s.Failure)
		}
	}
	return errors.New("the server has not answered yet")
}

// Idle lets the docks be connected for so long, and with nothing to send.
func (f *Fleet) Idle(ctx context.Context, d time.Duration) error {
	began := time.Now()
	defer func() { f.tally.idled(time.Since(began)) }()
	return until(ctx, began.Add(d))
}

// Burst makes every dock offer count recordings of size bytes at once, and returns
// when all have their receipts. What fails for good does not stop the others.
func (f *Fleet) Burst(ctx context.Context, count int, size uint64) error {
	work, err := f.prepare(ctx, count, size)
	if err != nil {
		return err
	}
	f.tally.burst(len(f.docks)*count, uint64(len(f.docks)*count)*size)
	var delivering sync.WaitGroup
	for i, d := range f.docks {
		mine := make(chan *recording, count)
		for _, r := range work[i] {
			mine <- r
		}
		close(mine)
		d.busy.Store(int32(count))
		for range min(f.opt.InFlight, count) {
			delivering.Go(func() {
				for r := range mine {
					d.deliver(ctx, r)
					d.busy.Add(-1)
				}
			})
		}
	}
	delivering.Wait()
	f.tally.burstEnds()
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.tally.complete()
}

// prepare makes the recordings of all docks, so that this takes no part in what is
// measured.
func (f *Fleet) prepare(ctx context.Context, count int, size uint64) ([][]*recording, error) {
	work := make([][]*recording, len(f.docks))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, d := range f.docks {
		group.Go(func() error {
			for n := range count {
				if err := ctx.Err(); err != nil {
					return err
				}
				r, err := f.maker.make(d.id, n+1, size)
				if err != nil {
					return fmt.Errorf("making a recording: %w", err)
				}
				work[i] = append(work[i], r)
			}
			return nil
		})
	}
	return work, group.Wait()
}

// Line says how it goes, in one line.
func (f *Fleet) Line() string { return f.tally.line() }

// Report tells what was done up to now.
func (f *Fleet) Report() Report {
	r := f.tally.report()
	r.Version, r.At = f.opt.Version, time.Now().UTC()
	for _, d := range f.docks {
		if d.lanes.State().Over == wire.TCP {
			r.OverTCP++
		}
	}
	return r
}

func until(ctx context.Context, at time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
