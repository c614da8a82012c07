package tlog

import (
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight // hashes in a full tile, entries in a full bundle
	treeLevels = 8               // levels of tiles that hold a tree of MaxSize, and more
	entryLevel = -1              // the "level" of entry bundles
)

// tilePath returns the C2SP tlog-tiles path of a tile or (entryLevel) a bundle.
func tilePath(level int, n int64, width int) string {
	path := tlog.Tile{H: tileHeight, L: level, N: n, W: width}.Path()
	path = strings.TrimPrefix(path, "tile/8/")
	if rest, ok := strings.CutPrefix(path, "data/"); ok {
		path = "entries/" + rest
	}
	return "tile/" + path
}

// ValidPath reports whether path is one that this package may ask a [Tiles] for,
// written in the one allowed way. Such a path has no "." or ".." in it: it may be
// joined to a directory, and may come from a stranger.
func ValidPath(path string) bool {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 64 || strings.HasPrefix(rest, "data/") {
		return false
	}
	if n, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = "data/" + n
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	return err == nil && t.L < treeLevels && t.N <= MaxSize && tilePath(t.L, t.N, t.W) == path
}

// widthAt returns how many hashes tile n of a level has in a tree of size
// entries; 0 when there is no such tile. Bundles are as wide as tiles of level 0.
func widthAt(level int, n, size int64) int {
	hashes := size >> (tileHeight * max(level, 0))
	return int(min(max(hashes-n*tileWidth, 0), tileWidth))
}
