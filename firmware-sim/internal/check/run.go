package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/firmware-sim/internal/control"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// Options say what is played and with what.
type Options struct {
	Programs station.Programs
	Dir      string // for the station; must be empty and short, as sockets are in it
	Short    bool
	Only     string        // regular expression over names and what rows cover
	AtOnce   int           // rows
	Patience time.Duration // all is done so long after a fault has ended (I7), and people are told so long after it began
	Log      *slog.Logger
}

const (
	startLimit      = 2 * time.Minute // for the station to be ready
	longestPatience = time.Minute     // what the promise I7 says
)

// kit is a running station and what listens to it.
type kit struct {
	options Options
	station *station.Station
	control *control.Client
	watch   *watch

	mu sync.Mutex // one look at the store at a time: each runs a program
}

// Run plays the rows that were chosen.
func Run(ctx context.Context, options Options) (_ *Report, err error) {
	if options.Patience <= 0 || options.Patience > longestPatience {
		return nil, fmt.Errorf("patience of %v: want more than 0, at most %v", options.Patience, longestPatience)
	}
	rows, err := choose(Rows(), options.Short, options.Only)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	k := &kit{options: options}
	if err := k.start(ctx, rows); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the station: %w", err), k.stop())
	}
	listening, cancel := context.WithCancel(ctx)
	var listeners sync.WaitGroup
	listeners.Go(func() { k.watch.run(listening) })
	results, err := k.playAll(ctx, rows)
	cancel()
	listeners.Wait()
	up := k.stayedUp()
	if err = errors.Join(err, k.stop()); err != nil {
		return nil, err
	}
	if k.station.Agent != nil {
		results = append(results, up, k.proveStore(ctx))
	}
	return report(results, time.Since(began)), ctx.Err()
}

// start makes a station with the cameras that the rows need, all of them out of their bays.
func (k *kit) start(ctx context.Context, rows []Row) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if k.station, err = station.New(ctx, k.options.Dir, k.options.Programs, station.Options{}); err != nil {
		return err
	}
	k.control = control.NewClient(k.station.ControlSocket())
	k.watch = &watch{station: k.station}
	cameras, plain := bays(rows)
	if cameras == 0 {
		return nil
	}
	args := []string{"--unplugged", "--cameras", fmt.Sprint(cameras), "--plain", fmt.Sprint(plain), "--files", fmt.Sprint(files), "--file-size", fmt.Sprint(int64(fileSize))}
	return firstError(
		func() error { return k.station.StartSimulator(ctx, args...) },
		func() error { return k.station.StartIngest(ctx) },
		func() error { return k.station.Enrol(ctx) },
		func() error { return k.station.StartAgent(ctx) },
	)
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the station's programs. It works after ctx has ended too.
func (k *kit) stop() error {
	if k.station == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return k.station.Stop(ctx)
}

// playAll plays rows several at a time, then those that want to be alone.
func (k *kit) playAll(ctx context.Context, rows []Row) ([]Result, error) {
	results := make([]Result, len(rows))
	_, extended := bays(rows) // the first of those comes after the plain ones
	plain := 0
	var scenes []*scene
	for _, r := range rows {
		s, next := &scene{kit: k, verdict: Kept}, &plain
		if r.Extended {
			next = &extended
		}
		for range r.Cameras {
			*next++
			s.bays = append(s.bays, simulator.BusID(*next))
		}
		scenes = append(scenes, s)
	}
	for _, alone := range []bool{false, true} {
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(max(1, k.options.AtOnce))
		if alone {
			work.SetLimit(1)
		}
		for i, r := range rows {
			if r.Alone != alone {
				continue
			}
			work.Go(func() (err error) {
				results[i], err = k.play(ctx, r, scenes[i])
				return err
			})
		}
		if err := work.Wait(); err != nil {
			return nil, err
		}
	}
	return results, ctx.Err()
}

// play plays one row and judges it.
func (k *kit) play(ctx context.Context, r Row, s *scene) (Result, error) {
	result := Result{Name: r.Name, Covers: r.Covers, Done: r.Done, Holds: r.Holds, Verdict: Elsewhere, Bays: s.bays}
	if r.Play == nil {
		return result, nil
	}
	s.since = time.Now()
	limited, cancel := context.WithTimeout(ctx, rowLimit)
	defer cancel()
	s.ctx = limited
	for bay := range s.bays {
		s.serials = append(s.serials, s.look(bay).Serial)
	}
	r.Play(s)
	if limited.Err() != nil && ctx.Err() == nil {
		s.found(Slow, "the row was not over after %v", rowLimit)
	}
	s.ctx = ctx
	k.judge(s)
	result.Verdict, result.Why, result.Told, result.Took = s.verdict, s.why, s.heard, time.Since(s.since)
	if s.verdict != Kept {
		for _, bay := range s.bays {
			result.Why = append(result.Why, k.watch.complaints(bay)...)
		}
	}
	k.options.Log.Info("row played", "verdict", string(s.verdict), "row", r.Name, "took", result.Took.Round(100*time.Millisecond))
	return result, k.cleared(ctx, s)
}

// cleared takes a scene's cameras out, so that a row that went wrong disturbs no other.
func (k *kit) cleared(ctx context.Context, s *scene) error {
	var errs []error
	for _, bay := range s.bays {
		errs = append(errs, k.control.Clear(ctx, bay), k.control.Unplug(ctx, bay))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("the simulator cannot be controlled any more: %w", err)
	}
	return nil
}

// judge checks the promises over the oracle.
func (k *kit) judge(s *scene) {
	broken, err := k.broken(s.ctx)
	if err != nil {
		s.found(Slow, "the kit could not check the store: %v", err)
	}
	s.judge(broken)
}

// judge weighs the broken promises that are about this scene's cameras, or about none.
func (s *scene) judge(broken []station.Violation) {
	for _, v := range broken {
		if v.Camera != "" && !slices.Contains(s.serials, v.Camera) {
			continue // of another row
		}
		s.found(weight(v.Promise), "%v", v)
	}
}

// weight is the verdict of a broken promise.
func weight(promise string) Verdict {
	switch promise {
	case "I1":
		return Lost
	case "I4":
		return ErasedEarly
	}
	return AcceptedWrong
}

func (k *kit) broken(ctx context.Context) ([]station.Violation, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.station.Broken(ctx)
}

func (k *kit) rows(ctx context.Context) ([]station.Row, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.station.Rows(ctx)
}

// stayedUp says whether every program runs and none panicked.
func (k *kit) stayedUp() Result {
	r := Result{Name: "the programs stay up", Covers: "I6", Done: "all rows above", Verdict: Kept, Holds: "agent and server run to the end, and neither panics"}
	for _, p := range []*station.Process{k.station.Agent, k.station.Ingest} {
		switch {
		case p == nil:
		case !p.Running():
			r.Verdict, r.Why = Silent, append(r.Why, p.Name+" ended: "+p.Tail(20))
		case strings.Contains(p.Tail(1<<20), "panic:"):
			r.Verdict, r.Why = Silent, append(r.Why, p.Name+" panicked, see its log")
		}
	}
	return r
}

// proveStore reads all that was stored back, with everything stopped.
func (k *kit) proveStore(ctx context.Context) Result {
	began := time.Now()
	r := Result{Name: "the store proves itself", Covers: "I2, I3", Done: "all rows above", Verdict: Kept,
		Holds: "fsck reads every stored byte back and finds nothing wrong"}
	if report, err := k.station.Fsck(ctx); err != nil {
		r.Verdict, r.Why = AcceptedWrong, append([]string{err.Error()}, strings.Split(report, "\n")...)
	}
	r.Took = time.Since(began)
	return r
}
