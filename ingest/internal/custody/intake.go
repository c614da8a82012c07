package custody

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// intake implements receive.Intake: one item on its way in.
type intake struct {
	custody *Custody
	offered *offered
	claim   *claim
	upload  vault.Upload // nil when the blob is whole already
	arrived func()       // says, once, that the committer need not wait for the item
	flush   flush        // one sync at a time, shared by all who wait for it

	mu       sync.Mutex // guards what follows
	written  vault.Set  // segments verified and written
	unsynced []uint64   // those of written that no sync has begun to cover
	durable  vault.Set  // segments synced
	began    uint64     // how many were durable at the beginning
	dead     bool       // a sync has failed: what is on the medium must be proven
	sealed   bool       // nothing more is written
	finished bool       // the item is stored
}

// Durable implements receive.Intake.
func (in *intake) Durable() receive.Durable {
	in.mu.Lock()
	defer in.mu.Unlock()
	return receive.Durable{First: in.durable.First(), All: in.durable.Count()}
}

// Held implements receive.Intake.
func (in *intake) Held(from uint64) []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.durable.From(from)
}

// Interrupted implements receive.Intake.
func (in *intake) Interrupted() <-chan struct{} { return in.claim.interrupted }

// Segment opens the segment, compares its leaf hash with the manifest's, and
// writes the ciphertext as it came.
func (in *intake) Segment(ctx context.Context, index uint64, sealed []byte) (fresh bool, err error) {
	if index >= in.offered.segments() {
		return false, upload.Errorf(upload.CodeBadFrame, "segment %d came of a recording of %d", index, in.offered.segments())
	}
	if !in.custody.opens(in.offered, sealed, index) {
		return false, in.refuse(ctx, index)
	}
	if in.has(index) {
		return false, nil
	}
	err = in.custody.step(StepWritten, func() error { return in.upload.WriteSegment(index, sealed) })
	if errors.Is(err, vault.ErrFull) {
		return false, full()
	}
	if err != nil {
		return false, fmt.Errorf("writing segment %d of blob %v: %w", index, in.offered.key(), err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if fresh = in.written.Add(index); fresh {
		in.unsynced = append(in.unsynced, index)
	}
	return fresh, nil
}

// refuse tells of a segment that is not what the manifest says.
func (in *intake) refuse(ctx context.Context, index uint64) error {
	refused := upload.Errorf(upload.CodeDigestMismatch, "segment %d is not what the manifest says: check the spooled copy, else read the camera again", index)
	refused.Segment = index
	details := in.offered.facts()
	details["segment"] = fmt.Sprint(index)
	in.custody.noteRefusal(ctx, evidence.EventTransferRefused, in.offered.peer, evidence.ItemObject(in.offered.manifest.Evidence), refused.Message, details)
	return refused
}

func (in *intake) has(index uint64) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.written.Has(index)
}

// Sync makes durable what Segment wrote.
func (in *intake) Sync(context.Context) (receive.Durable, error) {
	err := in.sync()
	if errors.Is(err, vault.ErrFull) {
		return receive.Durable{}, full()
	}
	if err != nil {
		return receive.Durable{}, fmt.Errorf("syncing blob %v: %w", in.offered.key(), err)
	}
	return in.Durable(), nil
}

func (in *intake) sync() error {
	return in.flush.do(func() error {
		in.mu.Lock()
		covered := in.unsynced // before the sync: what comes during it may miss it
		in.unsynced = nil
		in.mu.Unlock()
		if len(covered) == 0 {
			return nil
		}
		err := in.custody.step(StepSynced, in.upload.Sync)
		in.mu.Lock()
		defer in.mu.Unlock()
		if err != nil {
			in.dead = true
			return err
		}
		for _, index := range covered {
			in.durable.Add(index)
		}
		return nil
	})
}

// Close gives the item free for another try. What was written and not yet
// synced is synced now: a break costs nothing that was read whole.
func (in *intake) Close() error {
	defer in.claim.release()
	in.arrived()
	if in.upload == nil {
		return nil
	}
	var failed error
	if !in.sealed && !in.dead && in.custody.life.Err() == nil {
		failed = in.sync()
	}
	failed = errors.Join(failed, in.upload.Close())
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.finished || in.sealed {
		return failed
	}
	if !in.dead {
		in.custody.kept.put(in.offered.key(), in.durable.Clone())
	}
	if in.durable.Count() == in.began {
		return failed
	}
	// How far it came is for people to see; resuming asks the blob itself.
	ctx, cancel := context.WithTimeout(in.custody.life, noteTime)
	defer cancel()
	m := &in.offered.manifest
	return errors.Join(failed, in.custody.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		return tx.SetDurableSegments(ctx, m.Agency, m.Evidence, m.Attempt, in.durable.Count())
	}))
}

const noteTime = 10 * time.Second

// prove finds the segments of a partial blob that are what the manifest says.
// What is on the medium is believed only after it was opened and hashed, unless
// this very process has written and synced it. What is behind the last good
// one is cut off: its end may be torn.
func (c *Custody) prove(ctx context.Context, in *intake) (vault.Set, error) {
	o := in.offered
	present, err := in.upload.Segments()
	if err != nil {
		return vault.Set{}, fmt.Errorf("looking at the partial blob %v: %w", o.key(), err)
	}
	good, known := c.kept.take(o.key())
	if known && good.End() <= present {
		c.Logger.DebugContext(ctx, "going on with what was written before", "blob", o.key(), "segments", good.Count())
	} else if good, err = c.examine(ctx, in, min(present, o.segments())); err != nil {
		return vault.Set{}, err
	}
	if end := good.End(); end < present {
		if err := in.upload.Truncate(end); err != nil {
			return vault.Set{}, fmt.Errorf("cutting the partial blob %v after segment %d: %w", o.key(), end, err)
		}
	}
	return good, nil
}

// examine opens and hashes what is in the first places of a partial blob, on all
// processors.
func (c *Custody) examine(ctx context.Context, in *intake, places uint64) (good vault.Set, err error) {
	o := in.offered
	var next atomic.Uint64
	var mu sync.Mutex // guards good
	group, ctx := errgroup.WithContext(ctx)
	for range min(uint64(runtime.GOMAXPROCS(0)), places) {
		group.Go(func() error {
			sealed := make([]byte, vault.SealedSegment)
			for {
				index := next.Add(1) - 1
				if index >= places {
					return nil
				}
				if err := in.interrupted(ctx); err != nil {
					return err
				}
				n, err := in.upload.ReadSegment(index, sealed)
				if err != nil && err != io.EOF {
					return fmt.Errorf("reading segment %d of the partial blob %v: %w", index, o.key(), err)
				}
				if err == nil && c.opens(o, sealed[:n], index) {
					mu.Lock()
					good.Add(index)
					mu.Unlock()
				}
			}
		})
	}
	err = group.Wait()
	return good, err
}

// opens says whether a sealed segment is what the manifest says, in memory that
// all recordings share.
func (c *Custody) opens(o *offered, sealed []byte, index uint64) bool {
	plain := <-c.plains
	defer func() { c.plains <- plain }()
	if plain == nil {
		plain = make([]byte, 0, seal.SegmentSize)
	}
	return o.check(plain, sealed, index)
}

func (in *intake) interrupted(ctx context.Context) error {
	select {
	case <-in.claim.interrupted:
		return upload.Errorf(upload.CodeRetryLater, "another stream of this dock goes on with the recording")
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
		return nil
	}
}

// full is told when the store has no room. The item stays as it is.
func full() *upload.Error {
	refused := upload.Errorf(upload.CodeFull, "the evidence store is full: the administrator must add storage. The dock keeps the recording and tries again")
	refused.RetryAfter = 10 * time.Second
	return refused
}
