package tlog

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Entries calls fn with each of the first size entries in order, from the entry
// bundles alone; whether they are those of the tree is [Check]'s business. The
// entry is valid during the call. An error of fn ends the walk and is returned.
func Entries(ctx context.Context, t Tiles, size int64, fn func(index int64, entry []byte) error) error {
	tree, err := openTree(ctx, t, size)
	if err != nil {
		return err
	}
	for n := int64(0); n*tileWidth < size; n++ {
		entries, _, err := tree.bundle(n)
		if err != nil {
			return err
		}
		for i, e := range entries {
			if err := fn(n*tileWidth+int64(i), e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check recomputes the tree of size entries from the entry bundles, compares every
// tile with it, and returns the root, to be compared with a signed checkpoint. It
// shares no step with [Append]. The first resource that differs is [ErrDamaged]
// and named; a missing one is fs.ErrNotExist.
func Check(ctx context.Context, t Tiles, size int64) (root Hash, err error) {
	tree, err := openTree(ctx, t, size)
	if err != nil {
		return Hash{}, err
	}
	c := checker{tree: tree}
	err = Entries(ctx, t, size, func(index int64, entry []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return c.add(index, LeafHash(entry))
	})
	if err != nil {
		return Hash{}, fmt.Errorf("checking the log: %w", err)
	}
	return c.root(), nil
}

// checker walks over the leaves of a tree and holds, as RFC 6962 builds its root,
// the roots of the perfect subtrees so far. A subtree whose height is a multiple
// of 8 is a hash in a tile, which is compared when the subtree is complete.
type checker struct {
	tree  *tree
	roots []Hash             // of perfect subtrees, from the left, largest first
	tiles [treeLevels][]byte // the stored tile that is being compared, per level
}

// add takes in the leaf at index; after it the tree has index+1 leaves.
func (c *checker) add(index int64, leaf Hash) error {
	hash := leaf
	if err := c.compare(0, index, hash); err != nil {
		return err
	}
	for height := 1; height <= bits.TrailingZeros64(uint64(index+1)); height++ {
		left := c.roots[len(c.roots)-1]
		c.roots = c.roots[:len(c.roots)-1]
		hash = tlog.NodeHash(left, hash)
		if err := c.compare(height, index>>height, hash); err != nil {
			return err
		}
	}
	c.roots = append(c.roots, hash)
	return nil
}

// compare looks hash n of a height up in its tile, if the height is stored.
func (c *checker) compare(height int, n int64, hash Hash) error {
	level := height / tileHeight
	if height%tileHeight != 0 || level >= treeLevels {
		return nil
	}
	tile, at := n/tileWidth, n%tileWidth
	if at == 0 {
		var err error
		if c.tiles[level], err = c.tree.tile(level, tile); err != nil {
			return err
		}
	}
	if !bytes.Equal(hash[:], c.tiles[level][at*tlog.HashSize:][:tlog.HashSize]) {
		path := tilePath(level, tile, widthAt(level, tile, c.tree.size))
		return fmt.Errorf("%s: hash %d is not that of the entries: %w", path, at, ErrDamaged)
	}
	return nil
}

// root joins the perfect subtrees from the right.
func (c *checker) root() Hash {
	if len(c.roots) == 0 {
		return emptyRoot()
	}
	root := c.roots[len(c.roots)-1]
	for i := len(c.roots) - 2; i >= 0; i-- {
		root = tlog.NodeHash(c.roots[i], root)
	}
	return root
}
