package audit_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/internal/tlog"
)

// countedTiles counts reads.
type countedTiles struct {
	tlog.Tiles
	reads atomic.Int64
}

func (c *countedTiles) Get(ctx context.Context, path string) ([]byte, error) {
	c.reads.Add(1)
	return c.Tiles.Get(ctx, path)
}

func TestProofsOfOneCheckpointReadItsTilesOnce(t *testing.T) {
	const events = 300 // more than one tile
	w := newWorld(t)
	config := w.config()
	tiles := &countedTiles{Tiles: config.Tiles}
	config.Tiles = tiles
	l, err := audit.Open(t.Context(), config)
	w.must(err)
	last := w.append(events)
	checkpoint, _, err := l.Sequence(t.Context())
	w.must(err)
	tiles.reads.Store(0)
	for event := last - events + 1; event <= last; event++ {
		index, size, proof, _, err := l.Prove(t.Context(), event)
		w.must(err)
		row, err := w.db.Event(t.Context(), "metro-pd", event)
		w.must(err)
		w.must(tlog.CheckInclusion(proof, size, index, checkpoint.Root, tlog.LeafHash(tlog.Entry(row.Salt, row.JSON))))
	}
	if n := tiles.reads.Load(); n > 10 {
		t.Errorf("%d proofs read %d tiles", events, n)
	}
}
