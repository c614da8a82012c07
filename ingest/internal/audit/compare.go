package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/internal/tlog"
)

// ErrForeign: a checkpoint that somebody showed is not one of this log.
var ErrForeign = errors.New("the checkpoint is not of this custody log")

// Comparison is how a checkpoint that somebody has stands to the log.
type Comparison struct {
	Head        []byte // the newest checkpoint
	Shown       tlog.Checkpoint
	Surviving   int64       // how many of the entries under Shown are also this log's
	Consistency []tlog.Hash // that Shown is a beginning of Head; nil where fewer survive than it has
}

// Lost is how many entries under the checkpoint that was shown are not in the log.
func (c *Comparison) Lost() int64 { return c.Shown.Size - c.Surviving }

// Compare compares the log with a checkpoint of it that somebody else has kept; nil:
// with none. ErrForeign when it is of another log. ErrRolledBack when this server has
// signed it and knows less now, or something else: then nothing is signed any more, and
// the next Open refuses too.
func (l *Log) Compare(ctx context.Context, shown []byte) (*Comparison, error) {
	state, err := l.Catalog.LogState(ctx)
	if err != nil {
		return nil, fmt.Errorf("comparing the custody log: %w", err)
	}
	c := &Comparison{Head: state.Checkpoint}
	if len(shown) == 0 {
		return c, nil
	}
	if c.Shown, err = tlog.OpenEarlier(shown, l.Origin, l.public()); err != nil {
		return nil, fmt.Errorf("comparing the custody log: %w: %w", ErrForeign, err)
	}
	restores, err := l.Catalog.LogRestores(ctx)
	if err != nil {
		return nil, fmt.Errorf("comparing the custody log: %w", err)
	}
	sizes := make([]int64, len(restores))
	for i := range restores {
		sizes[i] = restores[i].Size
	}
	c.Surviving = c.Shown.Size
	if most := tlog.Surviving(l.Origin, c.Shown.Origin, sizes); most >= 0 {
		c.Surviving = min(most, c.Shown.Size)
	}
	if c.Lost() > 0 {
		return c, nil
	}
	if c.Shown.Size > state.Size {
		return nil, l.halt(ctx, c.Shown, fmt.Sprintf("it has %d events now, and a checkpoint of %d was signed", state.Size, c.Shown.Size))
	}
	root, err := l.rootAt(ctx, c.Shown.Size)
	if err != nil {
		return nil, fmt.Errorf("comparing the custody log: %w", err)
	}
	if root != c.Shown.Root {
		return nil, l.halt(ctx, c.Shown, fmt.Sprintf("a checkpoint of %d events was signed that are not its first %d", c.Shown.Size, c.Shown.Size))
	}
	if c.Consistency, err = tlog.ProveConsistency(ctx, &l.proofs, state.Size, c.Shown.Size); err != nil {
		l.proofs.forget() // what was read may have been damaged
		return nil, fmt.Errorf("comparing the custody log: %w", err)
	}
	return c, nil
}

// halt ends the signing for good: the log was set back, and what it signs now would
// contradict what it has signed. The note makes Open refuse after a restart.
func (l *Log) halt(ctx context.Context, shown tlog.Checkpoint, why string) error {
	err := fmt.Errorf("%w: %s: the server was set back to an earlier state, or its log was changed; stop it, and restore its newest state", ErrRolledBack, why)
	l.mu.Lock()
	before := l.setBack
	l.setBack = err
	l.mu.Unlock()
	if before != nil {
		return err
	}
	l.Logger.Error("nothing is signed any more", "error", err)
	l.turn.Lock() // a sequencing that runs writes the note too
	defer l.turn.Unlock()
	return errors.Join(err, l.Tiles.Put(ctx, notePath, noted{l.Origin, shown.Size, shown.Root}.text()))
}

// standing reports why nothing is signed any more.
func (l *Log) standing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.setBack
}
