package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/tlog"
)

// recover compares catalog, note, published checkpoint and tiles, and makes
// good what a crash left behind. It signs nothing.
func (l *Log) recover(ctx context.Context) error {
	state, err := l.Catalog.LogState(ctx)
	if err != nil {
		return err
	}
	if err := l.checkSaved(state); err != nil {
		return err
	}
	note, err := l.readNote(ctx)
	if err != nil {
		return err
	}
	if note.size > state.Assigned {
		return fmt.Errorf("%w: checkpoints of up to %d events were signed, but the catalog knows only %d: "+
			"it was restored from an older backup, or belongs to another server; restore its newest state", ErrRolledBack, note.size, state.Assigned)
	}
	if err := l.checkTiles(ctx, state); err != nil {
		return err
	}
	if note.size <= state.Size {
		if err := l.extends(ctx, tlog.Checkpoint{Size: state.Size, Root: state.Root}, note); err != nil {
			return err
		}
	}
	return l.checkPublished(ctx, state)
}

// checkSaved verifies the checkpoint in the catalog.
func (l *Log) checkSaved(state *catalog.LogState) error {
	if state.Checkpoint == nil {
		if state.Size != 0 {
			return fmt.Errorf("%w: the catalog says that %d events are signed, but has no checkpoint; restore its newest state", ErrRolledBack, state.Size)
		}
		return nil
	}
	c, err := tlog.OpenEarlier(state.Checkpoint, l.Origin, l.public())
	if err != nil {
		return fmt.Errorf("the checkpoint in the catalog: %w: either log_origin was changed since (it must stay as it was), or this is not the checkpoint key that signed it", err)
	}
	if c.Size != state.Size || c.Root != state.Root {
		return fmt.Errorf("%w: the catalog says %d events, its checkpoint is signed over %d: the row was changed by other hands", ErrRolledBack, state.Size, c.Size)
	}
	return nil
}

// checkPublished compares the checkpoint beside the tiles with the catalog's,
// and publishes that where a crash came before.
func (l *Log) checkPublished(ctx context.Context, state *catalog.LogState) error {
	text, err := l.get(ctx, checkpointPath)
	if err != nil || text == nil && state.Checkpoint == nil {
		return err
	}
	if text != nil {
		c, err := tlog.OpenEarlier(text, l.Origin, l.public())
		if err != nil {
			return fmt.Errorf("the published checkpoint: %w: either log_origin was changed since (it must stay as it was), or this is not its log folder or checkpoint key", err)
		}
		if c.Origin != l.Origin {
			return nil // of the log that ended when this one was restored: replaced by the first of this one
		}
		if c.Size > state.Size || c.Size == state.Size && c.Root != state.Root {
			return fmt.Errorf("%w: a checkpoint of %d events was published, the catalog's is of %d: "+
				"it was restored from an older backup; restore its newest state", ErrRolledBack, c.Size, state.Size)
		}
		if err := l.extends(ctx, tlog.Checkpoint{Size: state.Size}, noted{c.Origin, c.Size, c.Root}); err != nil {
			return err
		}
	}
	if bytes.Equal(text, state.Checkpoint) {
		return nil
	}
	return l.Tiles.Put(ctx, checkpointPath, state.Checkpoint)
}

// checkTiles makes sure that the tiles give the signed root at their right
// edge, and writes all of them anew from the catalog where they do not.
func (l *Log) checkTiles(ctx context.Context, state *catalog.LogState) error {
	if state.Size == 0 {
		return nil
	}
	root, err := tlog.Root(ctx, l.Tiles, state.Size)
	if err == nil && root == state.Root {
		// Appending needs the edge's bundle to fit its tile too.
		if _, _, err = tlog.Append(ctx, l.Tiles, state.Size, nil); err == nil {
			return nil
		}
	}
	if err != nil && !errors.Is(err, tlog.ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.Logger.Warn("the custody log's tiles are missing or damaged: writing them anew from the catalog", "events", state.Size, "error", err)
	return l.rebuild(ctx, state)
}

// rebuild writes all tiles anew, after it has made sure in memory that the
// catalog's events give the signed root: what is damaged is never replaced by
// something else.
func (l *Log) rebuild(ctx context.Context, state *catalog.LogState) error {
	root, err := l.build(ctx, &memory{}, state.Size)
	if err != nil {
		return err
	}
	if root != state.Root {
		return fmt.Errorf("%w: neither the log's tiles nor the catalog's events give the root that was signed over %d events: "+
			"restore both from the newest backup", ErrRolledBack, state.Size)
	}
	if _, err = l.build(ctx, l.Tiles, state.Size); err != nil {
		return fmt.Errorf("writing the log's tiles anew: %w", err)
	}
	return nil
}

// rootAt returns the root of the first size events: from the tiles, or from the
// catalog where the tiles of that size were never written.
func (l *Log) rootAt(ctx context.Context, size int64) (tlog.Hash, error) {
	root, err := tlog.Root(ctx, l.Tiles, size)
	if errors.Is(err, fs.ErrNotExist) {
		return l.build(ctx, &memory{}, size)
	}
	return root, err
}

// build writes the tree of the first size events and returns its root.
func (l *Log) build(ctx context.Context, t tlog.Tiles, size int64) (root tlog.Hash, err error) {
	for at := int64(0); at < size; {
		entries, err := l.entries(ctx, at, min(at+batchSize, size))
		if err != nil {
			return root, err
		}
		if at, root, err = tlog.Append(ctx, t, at, entries); err != nil {
			return root, err
		}
	}
	return root, nil
}

// memory is a tlog.Tiles for a sketch of the tree.
type memory struct {
	all sync.Map // path to bytes
}

func (m *memory) Get(_ context.Context, path string) ([]byte, error) {
	data, ok := m.all.Load(path)
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return data.([]byte), nil
}

func (m *memory) Put(_ context.Context, path string, data []byte) error {
	m.all.Store(path, bytes.Clone(data))
	return nil
}
