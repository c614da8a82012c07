package fsck

import (
	"crypto/sha256"

	"github.com/sealdock/sealdock/internal/tlog"
)

// tree takes the RFC 6962 section 2.1 root over a growing list of leaves. It is
// written here once more on purpose: the check must not trust the arithmetic
// that made the log.
type tree struct {
	size  int64
	roots []tlog.Hash // of perfect subtrees, from the left, largest first
}

// add appends a leaf.
func (t *tree) add(leaf tlog.Hash) {
	t.roots = append(t.roots, leaf)
	for n := t.size; n&1 == 1; n >>= 1 { // as many full pairs as size ends in ones
		last := len(t.roots) - 1
		t.roots[last-1] = join(t.roots[last-1], t.roots[last])
		t.roots = t.roots[:last]
	}
	t.size++
}

// root returns the root of all leaves so far.
func (t *tree) root() tlog.Hash {
	if len(t.roots) == 0 {
		return sha256.Sum256(nil)
	}
	root := t.roots[len(t.roots)-1]
	for n := len(t.roots) - 2; n >= 0; n-- {
		root = join(t.roots[n], root)
	}
	return root
}

func join(left, right tlog.Hash) tlog.Hash {
	node := append([]byte{1}, left[:]...)
	return sha256.Sum256(append(node, right[:]...))
}
