package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Batch is how many keys one commit holds: few enough that docks do not wait for
// the catalog, many enough that the log does not fill up with events.
const Batch = 500

// ErrUnopened is wrapped when keys were found that open with no pair.
var ErrUnopened = errors.New("keys open with none of the agency's key pairs")

// Step names a point at which a rotation can be stopped, for tests.
type Step string

// The steps.
const (
	StepRecorded  Step = "recorded"  // the event of the new pair is durable
	StepGenerated Step = "generated" // and so is the pair
	StepWrapped   Step = "wrapped"   // a batch is wrapped anew, and not committed
	StepCommitted Step = "committed" // and is
)

// Config is what a rotation works with. Batch, Workers and Fail may be zero.
type Config struct {
	Catalog *sqldb.DB
	Keys    *keys.Ring
	Agency  evidence.AgencyID
	Actor   evidence.Actor
	Source  string
	Now     func() time.Time
	Log     *slog.Logger

	Batch   int              // keys in one commit; 0: Batch
	Workers int              // keys that are wrapped at once; 0: as many as there are processors
	Fail    func(Step) error // for tests: an error stops the run there
}

// Summary tells what a run did.
type Summary struct {
	To        keys.Generation
	Made      bool // this run made it; otherwise it went on with a former one
	Rewrapped int64
	Unopened  int64 // left as they are
}

// Run rotates: it makes a new pair, unless a former run has left recordings' keys
// to older ones, and wraps the rest to the newest. With fresh it makes one in any
// case. progress is told what was done so far; it may be nil. The error wraps
// ErrUnopened when all others were wrapped.
func Run(ctx context.Context, c Config, fresh bool, progress func(Summary)) (Summary, error) {
	if c.Batch == 0 {
		c.Batch = Batch
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if progress == nil {
		progress = func(Summary) {}
	}
	r := &run{Config: c, progress: progress}
	err := r.run(ctx, fresh)
	return r.summary, err
}

// run is one rotation. It belongs to one goroutine.
type run struct {
	Config
	progress func(Summary)
	summary  Summary
}

func (r *run) step(s Step) error {
	if r.Fail == nil {
		return nil
	}
	return r.Fail(s)
}

func (r *run) run(ctx context.Context, fresh bool) error {
	newest, _, err := r.Keys.Newest(r.Agency)
	if err != nil {
		return err
	}
	unfinished, err := r.unfinished(ctx, newest)
	if err != nil {
		return err
	}
	if fresh || !unfinished {
		if newest, err = r.generate(ctx); err != nil {
			return err
		}
		r.summary.Made = true
	}
	r.summary.To = newest
	uses, err := r.Catalog.KeyUses(ctx, r.Agency)
	if err != nil {
		return err
	}
	for _, use := range uses {
		if use.AgencyKey != string(newest.ID) && use.Wrapped > 0 {
			if err := r.rewrap(ctx, use.AgencyKey); err != nil {
				return err
			}
		}
	}
	if r.summary.Unopened > 0 {
		return fmt.Errorf("wrapping keys anew: %d %w: fsck names the recordings", r.summary.Unopened, ErrUnopened)
	}
	return nil
}

// unfinished says whether a former run left something to do.
func (r *run) unfinished(ctx context.Context, newest keys.Generation) (bool, error) {
	if newest.Number == 1 {
		return false, nil
	}
	uses, err := r.Catalog.KeyUses(ctx, r.Agency)
	for _, use := range uses {
		if use.AgencyKey != string(newest.ID) && use.Wrapped > 0 {
			return true, err
		}
	}
	return false, err
}

func (r *run) event(kind evidence.EventType, id keys.ID, details map[string]string) evidence.Event {
	return evidence.Event{
		Version: 1, Agency: r.Agency, Type: kind, At: r.Now().UTC().Truncate(time.Microsecond), Actor: r.Actor, Source: r.Source,
		Object: evidence.KeyObject(string(id)), Outcome: evidence.OutcomeDone, Details: details,
	}
}

func (r *run) generate(ctx context.Context) (keys.Generation, error) {
	made, err := r.Keys.Generate(r.Agency, r.Now(), func(g keys.Generation) error {
		err := r.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.AppendEvent(ctx, r.event(evidence.EventKeyGenerated, g.ID, map[string]string{"number": strconv.Itoa(g.Number)}))
			return err
		})
		if err != nil {
			return fmt.Errorf("recording a new key of agency %s: %w: none was made", r.Agency, err)
		}
		return r.step(StepRecorded)
	})
	if err != nil {
		return made, err
	}
	r.Log.InfoContext(ctx, "the agency has a new key", "agency", r.Agency, "key", made.ID, "number", made.Number)
	return made, r.step(StepGenerated)
}

// rewrap wraps all keys anew that are wrapped to one older pair.
func (r *run) rewrap(ctx context.Context, from string) error {
	var after *catalog.WrappedKey
	for {
		batch, err := r.Catalog.WrappedKeys(ctx, r.Agency, from, after, r.Batch)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return nil
		}
		if err := r.batch(ctx, from, batch); err != nil {
			return err
		}
		after = &batch[len(batch)-1]
		r.progress(r.summary)
	}
}

// wrapped is a key with its new wrap, nil where it opened with no pair.
type wrapped struct {
	was *catalog.WrappedKey
	now []byte
}

func (r *run) batch(ctx context.Context, from string, batch []catalog.WrappedKey) error {
	to := r.summary.To.ID
	all := make([]wrapped, len(batch))
	var group errgroup.Group
	group.SetLimit(r.Workers)
	for i := range batch {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			was := &batch[i]
			now, id, err := r.Keys.Rewrap(was.Agency, was.ID, was.Attempt, was.Wrapped)
			switch {
			case errors.Is(err, seal.ErrUnwrap):
				r.Log.ErrorContext(ctx, "a recording's key opens with no key of the agency and was left as it is", "item", was.ID, "attempt", was.Attempt)
				now = nil
			case err != nil:
				return err
			case id != to:
				return fmt.Errorf("wrapping keys anew: the agency got key %s meanwhile: run it again", id)
			}
			all[i] = wrapped{was, now}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := r.step(StepWrapped); err != nil {
		return err
	}
	done, unopened, err := r.commit(ctx, from, all)
	if err != nil {
		return fmt.Errorf("wrapping keys anew: %w", err)
	}
	r.summary.Rewrapped += done
	r.summary.Unopened += unopened
	return r.step(StepCommitted)
}

// commit replaces a batch and records it.
func (r *run) commit(ctx context.Context, from string, all []wrapped) (done, unopened int64, err error) {
	err = r.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		done, unopened = 0, 0 // it may run again
		var first, last *catalog.WrappedKey
		for _, w := range all {
			if w.now == nil {
				unopened++
				continue
			}
			changed, err := tx.Rewrap(ctx, w.was, string(r.summary.To.ID), w.now)
			if err != nil {
				return err
			}
			if !changed {
				continue
			}
			if done++; first == nil {
				first = w.was
			}
			last = w.was
		}
		if done == 0 {
			return nil
		}
		_, err := tx.AppendEvent(ctx, r.event(evidence.EventKeysRewrapped, r.summary.To.ID, map[string]string{
			"from": from, "keys": strconv.FormatInt(done, 10), "first": first.ID.String(), "last": last.ID.String(),
		}))
		return err
	})
	return done, unopened, err
}
