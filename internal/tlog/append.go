package tlog

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"
)

// putsAtOnce bounds the concurrent writes of one Append.
const putsAtOnce = 8

// Append adds entries to the tree of oldSize entries and returns the new size and
// root when every resource of the new tree is durable. It reads only the right
// edge of the old tree and refuses, with [ErrDamaged], an edge whose bundle and
// tile contradict each other. The same call after a crash writes the same bytes.
// An empty list of entries writes nothing.
func Append(ctx context.Context, t Tiles, oldSize int64, entries [][]byte) (newSize int64, root Hash, err error) {
	old, err := openTree(ctx, t, oldSize)
	if err != nil {
		return 0, Hash{}, err
	}
	newSize = oldSize + int64(len(entries))
	if newSize > MaxSize {
		return 0, Hash{}, fmt.Errorf("appending to the log: %d entries are more than %d", newSize, int64(MaxSize))
	}
	for i, e := range entries {
		if len(e) > MaxEntry {
			return 0, Hash{}, fmt.Errorf("appending to the log: entry %d has %d bytes, at most %d are allowed", oldSize+int64(i), len(e), MaxEntry)
		}
	}
	w, err := old.growing()
	if err != nil {
		return 0, Hash{}, fmt.Errorf("appending to the log: %w", err)
	}
	for _, e := range entries {
		w.add(e)
	}
	w.finish()
	if err := w.store(ctx, t); err != nil {
		return 0, Hash{}, fmt.Errorf("appending to the log: %w", err)
	}
	grown := &tree{ctx: ctx, tiles: t, size: newSize, read: old.read}
	for _, r := range w.ready {
		grown.read[r.path] = r.data
	}
	root, err = grown.root()
	return newSize, root, err
}

// writer grows the right edge of a tree in memory: per level the hashes of the
// tile that is not yet full, and the entry bundle beside level 0.
type writer struct {
	old    int64 // size at the beginning
	size   int64
	bundle []byte
	edge   [treeLevels][]byte
	count  [treeLevels]int64 // full tiles so far, per level
	ready  []resource
}

// resource is a tile or bundle to be stored.
type resource struct {
	path string
	data []byte
}

// growing reads the right edge into a writer.
func (t *tree) growing() (*writer, error) {
	w := &writer{old: t.size, size: t.size}
	for level := range w.edge {
		n := t.size >> (tileHeight * (level + 1))
		w.count[level] = n
		if widthAt(level, n, t.size) == 0 {
			continue
		}
		hashes, err := t.keep(level, n)
		if err != nil {
			return nil, err
		}
		w.edge[level] = bytes.Clone(hashes)
	}
	if len(w.edge[0]) == 0 {
		return w, nil
	}
	entries, data, err := t.bundle(w.count[0])
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if leaf := LeafHash(e); !bytes.Equal(leaf[:], w.edge[0][i*tlog.HashSize:][:tlog.HashSize]) {
			return nil, fmt.Errorf("entry %d is not the one in its tile: %w", w.count[0]*tileWidth+int64(i), ErrDamaged)
		}
	}
	w.bundle = bytes.Clone(data)
	return w, nil
}

// add takes one entry in and sets aside what becomes full by it.
func (w *writer) add(entry []byte) {
	w.size++
	w.bundle = appendBundle(w.bundle, entry)
	if w.size%tileWidth == 0 {
		w.ready = append(w.ready, resource{tilePath(entryLevel, w.count[0], tileWidth), w.bundle})
		w.bundle = nil
	}
	hash := LeafHash(entry)
	for level := range w.edge {
		w.edge[level] = append(w.edge[level], hash[:]...)
		if len(w.edge[level]) < tileWidth*tlog.HashSize {
			return
		}
		full := w.edge[level]
		w.ready = append(w.ready, resource{tilePath(level, w.count[level], tileWidth), full})
		w.edge[level] = nil
		w.count[level]++
		hash = subtree(full)
	}
}

// finish sets aside the partial bundle and tiles, but not those of levels that
// did not grow: they are durable since they belong to the old tree.
func (w *writer) finish() {
	for level, hashes := range w.edge {
		width := len(hashes) / tlog.HashSize
		if width == 0 || w.size>>(tileHeight*level) == w.old>>(tileHeight*level) {
			continue
		}
		w.ready = append(w.ready, resource{tilePath(level, w.count[level], width), hashes})
		if level == 0 {
			w.ready = append(w.ready, resource{tilePath(entryLevel, w.count[0], width), w.bundle})
		}
	}
}

// store makes all that was set aside durable.
func (w *writer) store(ctx context.Context, t Tiles) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(putsAtOnce)
	for _, r := range w.ready {
		group.Go(func() error {
			if err := t.Put(ctx, r.path, r.data); err != nil {
				return fmt.Errorf("writing %s: %w", r.path, err)
			}
			return nil
		})
	}
	return group.Wait()
}
