package audit

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/tlog"
)

// run is one sequencing and those who wait for it.
type run struct {
	done chan struct{} // closed at the end; then head and err are set
	head Head
	err  error
}

// Sequence integrates all events that were committed before the call, and
// returns a checkpoint that covers them, signed and durable. Calls that come
// while one is running share the next one. catalog.ErrLease when another node
// writes the log.
func (l *Log) Sequence(ctx context.Context) (tlog.Checkpoint, []byte, error) {
	l.mu.Lock()
	r := l.next
	if r == nil {
		r = &run{done: make(chan struct{})}
		l.next, l.last = r, r
		go l.lead(context.WithoutCancel(ctx), r) // the others rely on it when this caller gives up
	}
	l.mu.Unlock()
	select {
	case <-r.done:
		return r.head.Checkpoint, r.head.Text, r.err
	case <-ctx.Done():
		return tlog.Checkpoint{}, nil, fmt.Errorf("sequencing the custody log: %w", ctx.Err())
	}
}

// lead waits for the running sequencing to end and does the next.
func (l *Log) lead(ctx context.Context, r *run) {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	l.next = nil // who comes from here on may have an event that this run does not see
	l.mu.Unlock()
	defer close(r.done)
	if r.err = l.standing(); r.err == nil {
		r.err = l.sequence(ctx)
	}
	if r.err != nil {
		r.err = fmt.Errorf("sequencing the custody log: %w", r.err)
		return
	}
	r.head = l.Head()
}

// sequence takes batch after batch until nothing is pending. It runs in its turn.
func (l *Log) sequence(ctx context.Context) error {
	for {
		var state *catalog.LogState
		err := l.step(StepAssign, func() (err error) {
			state, err = l.Catalog.AssignIndices(ctx, l.holder, leaseTime, batchSize)
			return err
		})
		if err != nil {
			return err
		}
		if err := l.integrate(ctx, state); err != nil {
			return err
		}
		if state.Assigned-state.Size < batchSize {
			return nil
		}
	}
}

// integrate brings the log from state.Size to state.Assigned: steps tiles to
// publish.
func (l *Log) integrate(ctx context.Context, state *catalog.LogState) error {
	if state.Size == state.Assigned && state.Checkpoint != nil {
		l.setHead(l.headOf(state))
		return nil
	}
	entries, err := l.entries(ctx, state.Size, state.Assigned)
	if err != nil {
		return err
	}
	head := Head{Checkpoint: tlog.Checkpoint{Origin: l.Origin}}
	c := &head.Checkpoint
	if err := l.step(StepTiles, func() (err error) {
		c.Size, c.Root, err = tlog.Append(ctx, l.Tiles, state.Size, entries)
		return err
	}); err != nil {
		return err
	}
	if err := l.step(StepNote, func() error { return l.note(ctx, *c) }); err != nil {
		return err
	}
	if err := l.step(StepSign, func() (err error) {
		head.Text, err = tlog.SignCheckpoint(*c, l.signer)
		return err
	}); err != nil {
		return err
	}
	if err := l.step(StepSave, func() error {
		return l.Catalog.SaveCheckpoint(ctx, state.Fence, c.Size, c.Root, head.Text)
	}); err != nil {
		return err
	}
	if err := l.step(StepPublish, func() error { return l.Tiles.Put(ctx, checkpointPath, head.Text) }); err != nil {
		return err
	}
	head.At = l.Now()
	l.setHead(head)
	return nil
}

func (l *Log) headOf(state *catalog.LogState) Head {
	return Head{Checkpoint: tlog.Checkpoint{Origin: l.Origin, Size: state.Size, Root: state.Root}, Text: state.Checkpoint, At: l.Now()}
}

// note makes sure that c is no step back from what was ever signed, and notes
// it. Another node may have written meanwhile, so the note is read again.
func (l *Log) note(ctx context.Context, c tlog.Checkpoint) error {
	before, err := l.readNote(ctx)
	if err != nil {
		return err
	}
	if err := l.extends(ctx, c, before); err != nil {
		return err
	}
	after := noted{l.Origin, c.Size, c.Root}
	if after == before {
		return nil
	}
	return l.Tiles.Put(ctx, notePath, after.text())
}

// extends reports with ErrRolledBack when a tree is not a continuation of what
// was noted before.
func (l *Log) extends(ctx context.Context, c tlog.Checkpoint, before noted) error {
	if before == (noted{}) {
		return nil
	}
	if c.Size < before.size {
		return fmt.Errorf("%w: a checkpoint of %d events is to be signed, but one of %d was signed before: "+
			"the catalog was restored from an older backup; restore its newest state", ErrRolledBack, c.Size, before.size)
	}
	root, err := l.rootAt(ctx, before.size)
	if err != nil {
		return err
	}
	if root != before.root {
		return fmt.Errorf("%w: the first %d events are not those of the checkpoint that was signed of them: "+
			"the catalog was restored from an older backup or changed by other hands; restore its newest state", ErrRolledBack, before.size)
	}
	return nil
}

// entries returns the log entries of the events with indices from..to-1.
func (l *Log) entries(ctx context.Context, from, to int64) ([][]byte, error) {
	entries := make([][]byte, 0, to-from)
	err := l.Catalog.EventsByIndex(ctx, from, to, func(e *catalog.EventRow) error {
		if want := from + int64(len(entries)); *e.LogIndex != want {
			return fmt.Errorf("%w: the catalog has no event for log index %d; restore its newest state", ErrRolledBack, want)
		}
		entries = append(entries, tlog.Entry(e.Salt, e.JSON))
		return nil
	})
	if err == nil && int64(len(entries)) != to-from {
		err = fmt.Errorf("%w: the catalog has no event for log index %d; restore its newest state", ErrRolledBack, from+int64(len(entries)))
	}
	return entries, err
}
