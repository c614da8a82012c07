package custody

import (
	"slices"
	"sync"

	"github.com/sealdock/sealdock/ingest/internal/vault"
)

// maxKept bounds the items whose segments are remembered: a list takes 16 KiB at
// most, and 130 bytes for a recording of a gigabyte.
const maxKept = 1024

// kept remembers which segments of unfinished items this process itself has
// verified, written and synced: at a takeover they need not be proven again,
// since the whole is read back from the medium in the end. Safe for concurrent
// use.
type kept struct {
	mu    sync.Mutex // guards what follows
	sets  map[vault.Key]vault.Set
	order []vault.Key // oldest first
}

// put remembers the segments of an item that is given free.
func (k *kept) put(key vault.Key, segments vault.Set) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(key)
	if len(k.order) == maxKept {
		k.drop(k.order[0])
	}
	if k.sets == nil {
		k.sets = map[vault.Key]vault.Set{}
	}
	k.sets[key] = segments
	k.order = append(k.order, key)
}

// take returns what is remembered of an item, and forgets it: from now on its
// intake knows better.
func (k *kept) take(key vault.Key) (vault.Set, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	segments, ok := k.sets[key]
	k.drop(key)
	return segments, ok
}

// drop runs with the lock held.
func (k *kept) drop(key vault.Key) {
	if _, ok := k.sets[key]; !ok {
		return
	}
	delete(k.sets, key)
	k.order = slices.DeleteFunc(k.order, func(other vault.Key) bool { return other == key })
}
