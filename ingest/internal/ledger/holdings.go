package ledger

import (
	"iter"
	"maps"
	"slices"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Holdings finds the item of a recording that a camera has shown.
type Holdings struct {
	byPlace map[evidence.Digest]*catalog.Item
	byHash  map[evidence.Digest]*catalog.Item
	byPath  map[path]*catalog.Item
}

// path is how items of servers without a ledger are found.
type path struct {
	path   string
	length uint64
}

// Hold makes Holdings of all items of one camera. It keeps pointers to them.
func Hold(items []catalog.Item) *Holdings {
	h := &Holdings{byPlace: map[evidence.Digest]*catalog.Item{}, byHash: map[evidence.Digest]*catalog.Item{}, byPath: map[path]*catalog.Item{}}
	for i := range items {
		item := &items[i]
		if !item.Placed.IsZero() {
			better(h.byPlace, item.Placed, item)
		} else {
			better(h.byPath, path{item.Path, item.Length}, item)
		}
		better(h.byHash, item.SHA256, item)
	}
	return h
}

// better keeps the item that says most for a recording's being here.
func better[K comparable](m map[K]*catalog.Item, key K, item *catalog.Item) {
	if old := m[key]; old == nil || rank(item) > rank(old) {
		m[key] = item
	}
}

func rank(i *catalog.Item) int {
	switch i.State {
	case catalog.StateStored, catalog.StateDestroyed:
		return 3
	case catalog.StateReceiving:
		return 2
	case catalog.StateQuarantined:
		return 1
	}
	return 0
}

// Of returns the item of a recording, the stored one where there are several;
// nil when the catalog has none.
func (h *Holdings) Of(s *catalog.Shown) *catalog.Item {
	found := []*catalog.Item{h.byPlace[s.Place], h.byPlace[byName(s)], h.byPlace[byNumber(s)]}
	if s.Signed != nil {
		found = append(found, h.byHash[*s.Signed])
	}
	found = append(found, h.byPath[path{s.Path, s.LargestSize}])
	var best *catalog.Item
	for _, item := range found {
		if item != nil && (best == nil || rank(item) > rank(best)) {
			best = item
		}
	}
	return best
}

// byName and byNumber are the places that a recording has when its camera is
// read by one door and by another, see Known.Place.
func byName(s *catalog.Shown) evidence.Digest {
	return catalog.Place(&evidence.RecordingInfo{Path: s.Path, CapturedRaw: s.CapturedRaw})
}

func byNumber(s *catalog.Shown) evidence.Digest {
	return catalog.Place(&evidence.RecordingInfo{Sequence: s.Sequence, SequenceSource: s.SequenceSource, Signed: s.Signed})
}

func sortedKeys[V any](m map[uint64]V) iter.Seq[uint64] {
	return slices.Values(slices.Sorted(maps.Keys(m)))
}
