package audit

import (
	"context"
	"sync"

	"github.com/sealdock/sealdock/internal/tlog"
)

// maxKept bounds the tiles kept for proofs: about 512 KiB.
const maxKept = 64

// keptTiles keeps tiles that proofs have read. The receipts of one batch, and
// those after it, are proven by the same few. A tile's path names its width, so
// what is under it never changes; whoever uses a proof checks it against the
// signed root. Writing and repairing the log read the storage itself.
type keptTiles struct {
	tlog.Tiles
	mu   sync.Mutex // guards kept
	kept map[string][]byte
}

// Get implements tlog.Tiles. What it returns is shared and not to be changed.
func (t *keptTiles) Get(ctx context.Context, path string) ([]byte, error) {
	t.mu.Lock()
	data, ok := t.kept[path]
	t.mu.Unlock()
	if ok {
		return data, nil
	}
	data, err := t.Tiles.Get(ctx, path)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil || len(t.kept) >= maxKept {
		t.kept = make(map[string][]byte, maxKept)
	}
	t.kept[path] = data
	return data, nil
}

func (t *keptTiles) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = nil
}
