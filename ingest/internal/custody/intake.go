package custody

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// intake implements receive.Intake: one item on its way in.
type intake struct {
	custody *Custody
	offered *offered
	claim   *claim
	upload  vault.Upload // nil when the blob is whole already
	resume  uint64
	arrived func() // says, once, that the committer need not wait for the item

	written  atomic.Uint64 // segments verified and written, from the first
	durable  uint64        // segments synced; belongs to Sync's goroutine, then to Close
	plain    []byte        // memory for opening; belongs to Segment's goroutine
	finished bool          // the item is stored; belongs to Finish's goroutine, then to Close
}

// Resume implements receive.Intake.
func (in *intake) Resume() uint64 { return in.resume }

// Interrupted implements receive.Intake.
func (in *intake) Interrupted() <-chan struct{} { return in.claim.interrupted }

// Segment opens the segment, compares its leaf hash with the manifest's, and
// writes the ciphertext as it came.
func (in *intake) Segment(ctx context.Context, index uint64, sealed []byte) error {
	if in.upload == nil || index != in.written.Load() || index >= in.offered.segments() {
		return upload.Errorf(upload.CodeBadFrame, "segment %d came where %d of %d was expected", index, in.written.Load(), in.offered.segments())
	}
	if in.plain == nil {
		in.plain = in.offered.buffer()
	}
	if !in.offered.check(in.plain, sealed, index) {
		refused := upload.Errorf(upload.CodeDigestMismatch, "segment %d is not what the manifest says: check the spooled copy, else read the camera again", index)
		refused.Segment = index
		details := in.offered.facts()
		details["segment"] = fmt.Sprint(index)
		in.custody.noteRefusal(ctx, evidence.EventTransferRefused, in.offered.peer, evidence.ItemObject(in.offered.manifest.Evidence), refused.Message, details)
		return refused
	}
	err := in.custody.step(StepWritten, func() error { return in.upload.WriteSegment(index, sealed) })
	if errors.Is(err, vault.ErrFull) {
		return full()
	}
	if err != nil {
		return fmt.Errorf("writing segment %d of blob %v: %w", index, in.offered.key(), err)
	}
	in.written.Store(index + 1)
	return nil
}

// Sync makes durable what Segment wrote.
func (in *intake) Sync(context.Context) (uint64, error) {
	written := in.written.Load() // before the sync: what comes during it may miss it
	if in.upload == nil {
		return written, nil
	}
	err := in.custody.step(StepSynced, in.upload.Sync)
	if errors.Is(err, vault.ErrFull) {
		return 0, full()
	}
	if err != nil {
		return 0, fmt.Errorf("syncing blob %v: %w", in.offered.key(), err)
	}
	in.durable = written
	return written, nil
}

// Close gives the item free for another try.
func (in *intake) Close() error {
	defer in.claim.release()
	in.arrived()
	if in.upload == nil {
		return nil
	}
	err := in.upload.Close()
	if in.finished || in.durable == in.resume {
		return err
	}
	// How far it came is for people to see; resuming asks the blob itself.
	ctx, cancel := context.WithTimeout(in.custody.life, noteTime)
	defer cancel()
	m := &in.offered.manifest
	return errors.Join(err, in.custody.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		return tx.SetDurableSegments(ctx, m.Agency, m.Evidence, m.Attempt, in.durable)
	}))
}

const noteTime = 10 * time.Second

// prove finds how many segments of a partial blob, from the first, are what the
// manifest says, and forgets the rest. What is on the medium is believed only
// after it was opened and hashed.
func (c *Custody) prove(ctx context.Context, in *intake) (uint64, error) {
	o := in.offered
	present, err := in.upload.Segments()
	if err != nil {
		return 0, fmt.Errorf("looking at the partial blob %v: %w", o.key(), err)
	}
	var next, good atomic.Uint64
	good.Store(min(present, o.segments()))
	group, ctx := errgroup.WithContext(ctx)
	for range min(uint64(runtime.GOMAXPROCS(0)), good.Load()) {
		group.Go(func() error {
			sealed, plain := make([]byte, vault.SealedSegment), o.buffer()
			for {
				index := next.Add(1) - 1
				if index >= good.Load() {
					return nil
				}
				if err := in.interrupted(ctx); err != nil {
					return err
				}
				n, err := in.upload.ReadSegment(index, sealed)
				if err != nil && err != io.EOF {
					return fmt.Errorf("reading segment %d of the partial blob %v: %w", index, o.key(), err)
				}
				if err == io.EOF || !o.check(plain, sealed[:n], index) {
					lower(&good, index)
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	if good.Load() < present {
		if err := in.upload.Truncate(good.Load()); err != nil {
			return 0, fmt.Errorf("cutting the partial blob %v after %d good segments: %w", o.key(), good.Load(), err)
		}
	}
	return good.Load(), nil
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

// lower makes v at most limit.
func lower(v *atomic.Uint64, limit uint64) {
	for {
		have := v.Load()
		if have <= limit || v.CompareAndSwap(have, limit) {
			return
		}
	}
}

// full is told when the store has no room. The item stays as it is.
func full() *upload.Error {
	refused := upload.Errorf(upload.CodeFull, "the evidence store is full: the administrator must add storage. The dock keeps the recording and tries again")
	refused.RetryAfter = 10 * time.Second
	return refused
}
