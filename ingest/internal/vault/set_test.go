package vault_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/ingest/internal/vault"
)

// TestASetIsASet compares it with a map over random additions and cuts.
func TestASetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set vault.Set
		want := map[uint64]bool{}
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			index := rapid.Uint64Range(0, 200).Draw(t, "index")
			if rapid.IntRange(0, 30).Draw(t, "kind") == 0 {
				set.Cut(index)
				for have := range want {
					if have >= index {
						delete(want, have)
					}
				}
			} else if fresh := set.Add(index); fresh == want[index] {
				t.Fatalf("adding %d: fresh is %t", index, fresh)
			} else {
				want[index] = true
			}
			compare(t, &set, want)
		}
	})
}

func compare(t *rapid.T, set *vault.Set, want map[uint64]bool) {
	var first, end uint64
	for want[first] {
		first++
	}
	for have := range want {
		end = max(end, have+1)
	}
	clone := set.Clone()
	if set.Count() != uint64(len(want)) || set.First() != first || set.End() != end || clone.First() != first {
		t.Fatalf("count %d first %d end %d, want %d %d %d", set.Count(), set.First(), set.End(), len(want), first, end)
	}
	from := min(end, 5)
	told := set.From(from)
	for index := uint64(0); index < 260; index++ {
		if set.Has(index) != want[index] {
			t.Fatalf("%d is in the set: %t", index, set.Has(index))
		}
		if at := index - from; index >= from {
			in := at/8 < uint64(len(told)) && told[at/8]>>(at%8)&1 == 1
			if in != want[index] {
				t.Fatalf("bits from %d on: %d is in them: %t", from, index, in)
			}
		}
	}
}
