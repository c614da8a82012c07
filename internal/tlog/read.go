package tlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles is the storage of a log, addressed by C2SP tlog-tiles paths (see
// [ValidPath]). Safe for concurrent use.
type Tiles interface {
	// Get returns the whole resource. A missing one is fs.ErrNotExist.
	Get(ctx context.Context, path string) ([]byte, error)
	// Put stores the resource, replacing what was there as one step, and returns
	// when it is durable.
	Put(ctx context.Context, path string, data []byte) error
}

// ErrDamaged means that stored tiles or bundles are malformed or contradict each
// other or the root.
var ErrDamaged = errors.New("the stored log is damaged")

// tree reads one tree out of a storage. It is made for one call of the package
// and not safe for concurrent use.
type tree struct {
	ctx   context.Context
	tiles Tiles
	size  int64
	read  map[string][]byte // tiles and bundles seen in this call
}

func openTree(ctx context.Context, t Tiles, size int64) (*tree, error) {
	if size < 0 || size > MaxSize {
		return nil, fmt.Errorf("reading a log of %d entries: the size is outside 0 to %d", size, int64(MaxSize))
	}
	return &tree{ctx: ctx, tiles: t, size: size, read: map[string][]byte{}}, nil
}

// tile returns the hashes of a tile as wide as it is in this tree. Where the
// partial tile has gone, the beginning of the full one serves (C2SP tlog-tiles,
// "Partial Tiles").
func (t *tree) tile(level int, n int64) ([]byte, error) {
	width := widthAt(level, n, t.size)
	path := tilePath(level, n, width)
	data, full, err := t.get(path, level, n)
	if err != nil {
		return nil, err
	}
	if want := width * tlog.HashSize; len(data) != want && !(full && len(data) == tileWidth*tlog.HashSize) {
		return nil, fmt.Errorf("reading %s: it has %d bytes, want %d: %w", path, len(data), want, ErrDamaged)
	}
	return data[:width*tlog.HashSize], nil
}

// bundle returns the entries of a bundle of this tree, and its bytes.
func (t *tree) bundle(n int64) (entries [][]byte, data []byte, err error) {
	width := widthAt(entryLevel, n, t.size)
	path := tilePath(entryLevel, n, width)
	data, full, err := t.get(path, entryLevel, n)
	if err == nil && full {
		data, err = cutBundle(data, width)
	}
	if err == nil {
		entries, err = ParseBundle(data, width)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && t.ctx.Err() == nil {
		return nil, nil, fmt.Errorf("%s: %w: %w", path, err, ErrDamaged)
	}
	return entries, data, err
}

// get reads a resource of this tree; full reports that the full one was read in
// place of a partial one.
func (t *tree) get(path string, level int, n int64) (data []byte, full bool, err error) {
	if data, ok := t.read[path]; ok {
		return data, false, nil
	}
	data, err = t.tiles.Get(t.ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		if wide := tilePath(level, n, tileWidth); wide != path {
			data, fullErr := t.tiles.Get(t.ctx, wide)
			if fullErr == nil {
				return data, true, nil
			}
			err = errors.Join(err, fullErr)
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, false, nil
}

// ReadHashes is tlog.HashReader, without any check of what the tiles say.
func (t *tree) ReadHashes(indexes []int64) ([]Hash, error) {
	hashes := make([]Hash, len(indexes))
	for i, index := range indexes {
		at := tlog.TileForIndex(tileHeight, index)
		at.W = widthAt(at.L, at.N, t.size)
		data, err := t.keep(at.L, at.N)
		if err != nil {
			return nil, err
		}
		if hashes[i], err = tlog.HashFromTile(at, data, index); err != nil {
			return nil, fmt.Errorf("reading %s: %w", tilePath(at.L, at.N, at.W), err)
		}
	}
	return hashes, nil
}

// keep reads a tile once.
func (t *tree) keep(level int, n int64) ([]byte, error) {
	data, err := t.tile(level, n)
	if err == nil {
		t.read[tilePath(level, n, widthAt(level, n, t.size))] = data
	}
	return data, err
}

// root computes the root from the right edge.
func (t *tree) root() (Hash, error) {
	root, err := tlog.TreeHash(t.size, t)
	if err != nil {
		return Hash{}, fmt.Errorf("computing the root of %d entries: %w", t.size, err)
	}
	return root, nil
}

// proven returns a reader of hashes that checks each tile against the root.
func (t *tree) proven() (tlog.HashReader, error) {
	root, err := t.root()
	if err != nil {
		return nil, err
	}
	return tlog.TileHashReader(tlog.Tree{N: t.size, Hash: root}, tileReader{t}), nil
}

// tileReader is the tlog.TileReader of a tree.
type tileReader struct{ t *tree }

func (tileReader) Height() int                     { return tileHeight }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var err error
		if data[i], err = r.t.keep(tile.L, tile.N); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// Root returns the root of the first size entries, from the tiles of its right
// edge. It checks no inner tile; compare it with a signed checkpoint.
func Root(ctx context.Context, t Tiles, size int64) (Hash, error) {
	tree, err := openTree(ctx, t, size)
	if err != nil {
		return Hash{}, err
	}
	return tree.root()
}

// ProveInclusion returns the proof for [CheckInclusion] that entry index is in
// the tree of size entries. Tiles that contradict each other are [ErrDamaged].
func ProveInclusion(ctx context.Context, t Tiles, size, index int64) ([]Hash, error) {
	tree, err := openTree(ctx, t, size)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= size {
		return nil, fmt.Errorf("proving entry %d: the log has %d entries", index, size)
	}
	reader, err := tree.proven()
	if err != nil {
		return nil, err
	}
	proof, err := tlog.ProveRecord(size, index, reader)
	if err != nil {
		return nil, fmt.Errorf("proving entry %d of %d: %w", index, size, damaged(ctx, err))
	}
	return proof, nil
}

// ProveConsistency returns the proof for [CheckConsistency] that the tree of
// oldSize entries is a beginning of that of newSize.
func ProveConsistency(ctx context.Context, t Tiles, newSize, oldSize int64) ([]Hash, error) {
	tree, err := openTree(ctx, t, newSize)
	if err != nil {
		return nil, err
	}
	if oldSize < 0 || oldSize > newSize {
		return nil, fmt.Errorf("proving growth: from %d to %d entries is none", oldSize, newSize)
	}
	if oldSize == 0 {
		return nil, nil
	}
	reader, err := tree.proven()
	if err != nil {
		return nil, err
	}
	proof, err := tlog.ProveTree(newSize, oldSize, reader)
	if err != nil {
		return nil, fmt.Errorf("proving growth from %d to %d: %w", oldSize, newSize, damaged(ctx, err))
	}
	return proof, nil
}

// damaged marks an error of x/mod's arithmetic, which has no sentinel of its own,
// unless the storage or the context is to blame.
func damaged(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
