package evidence

import (
	"slices"
	"testing"
)

func someLeaves(n int) []Digest {
	leaves := make([]Digest, n)
	for i := range leaves {
		leaves[i] = LeafHash([]byte{byte(i), byte(i >> 8)})
	}
	return leaves
}

func TestEveryRangeOfLeavesIsProven(t *testing.T) {
	for n := 1; n <= 33; n++ {
		leaves := someLeaves(n)
		root := MerkleRoot(leaves)
		for from := range n {
			for to := from + 1; to <= n; to++ {
				proof := ProveRange(leaves, uint64(from), uint64(to))
				if len(proof) > 2*6 {
					t.Errorf("%d to %d of %d: a proof of %d hashes", from, to, n, len(proof))
				}
				if got, err := RangeRoot(uint64(n), uint64(from), leaves[from:to], proof); err != nil || got != root {
					t.Fatalf("%d to %d of %d: %v", from, to, n, err)
				}
			}
		}
	}
}

func TestARangeThatIsAnotherIsNotProven(t *testing.T) {
	const n = 13
	leaves := someLeaves(n)
	root := MerkleRoot(leaves)
	proof := ProveRange(leaves, 4, 7)
	holds := func(count, from uint64, part, proof []Digest) bool {
		got, err := RangeRoot(count, from, part, proof)
		return err == nil && got == root
	}
	if !holds(n, 4, leaves[4:7], proof) {
		t.Fatal("the range itself")
	}
	other := slices.Clone(leaves[4:7])
	other[1][0] ^= 1
	wrong := slices.Clone(proof)
	wrong[0][0] ^= 1
	for name, held := range map[string]bool{
		"another leaf":     holds(n, 4, other, proof),
		"another hash":     holds(n, 4, leaves[4:7], wrong),
		"another place":    holds(n, 5, leaves[4:7], proof),
		"fewer leaves":     holds(n, 4, leaves[4:6], proof),
		"more leaves":      holds(n, 4, leaves[4:8], proof),
		"a hash missing":   holds(n, 4, leaves[4:7], proof[:len(proof)-1]),
		"a hash too many":  holds(n, 4, leaves[4:7], append(slices.Clone(proof), root)),
		"no leaves":        holds(n, 4, nil, proof),
		"beyond the end":   holds(n, 11, leaves[4:7], proof),
		"a number too big": holds(n, 1<<64-2, leaves[4:7], proof),
	} {
		if held {
			t.Errorf("%s was taken", name)
		}
	}
}
