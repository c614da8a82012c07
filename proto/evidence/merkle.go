package evidence

import (
	"crypto/sha256"
	"fmt"
)

// LeafSize is the length in bytes of every leaf of a recording but the last.
// One leaf is one seal segment and one data frame of an upload.
const LeafSize = 1 << 20

// MaxLength is the longest recording that is taken, 128 GiB: its leaf list is
// 4 MiB long and must fit into one offer.
const MaxLength = 128 << 30

// LeafCount returns how many leaves a recording of length bytes has. An empty
// recording has one empty leaf.
func LeafCount(length uint64) uint64 {
	if length == 0 {
		return 1
	}
	return (length-1)/LeafSize + 1
}

// LeafHash returns the RFC 6962 section 2.1 leaf hash, SHA-256(0x00 || data).
func LeafHash(data []byte) Digest {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(data)
	var d Digest
	h.Sum(d[:0])
	return d
}

// MerkleRoot returns the RFC 6962 section 2.1 tree hash over leaf hashes. The
// root over no leaves is SHA-256 of the empty string; recordings have at least
// one leaf.
func MerkleRoot(leaves []Digest) Digest {
	switch len(leaves) {
	case 0:
		return SHA256(nil)
	case 1:
		return leaves[0]
	}
	k := split(uint64(len(leaves)))
	return nodeHash(MerkleRoot(leaves[:k]), MerkleRoot(leaves[k:]))
}

// ProveRange returns what proves that the leaves from..to-1 are in the tree over all
// leaves: the hashes of the largest subtrees beside them, from left to right. It is
// RFC 6962 section 2.1.1 for several leaves at once, and has at most two hashes for
// each level of the tree. The range must lie within the leaves.
func ProveRange(leaves []Digest, from, to uint64) []Digest {
	n := uint64(len(leaves))
	switch {
	case from == 0 && to >= n:
		return nil // all of them are in the range
	case from >= n || to == 0:
		return []Digest{MerkleRoot(leaves)}
	}
	k := split(n)
	return append(ProveRange(leaves[:k], min(from, n), min(to, k)), ProveRange(leaves[k:], max(from, k)-k, max(to, k)-k)...)
}

// RangeRoot returns the root of the tree of count leaves in which the given ones are
// those from the index from on, as the proof tells. A proof that does not belong to
// such a range is an error; whether the root is the right one, the caller compares.
// The count must be known from elsewhere, as from a signed length: the proof does not
// show it.
func RangeRoot(count, from uint64, leaves, proof []Digest) (Digest, error) {
	to := from + uint64(len(leaves))
	if len(leaves) == 0 || to < from || to > count || count > MaxLength/LeafSize || len(proof) > 128 {
		return Digest{}, fmt.Errorf("leaves %d to %d of %d with %d hashes are no range that can be proven", from, to, count, len(proof))
	}
	r := rangeProof{from: from, to: to, leaves: leaves, proof: proof}
	root := r.root(0, count)
	if r.short || len(r.proof) > 0 {
		return Digest{}, fmt.Errorf("the proof of leaves %d to %d of %d has not the right number of hashes", from, to, count)
	}
	return root, nil
}

// rangeProof is a proof that is being followed.
type rangeProof struct {
	from, to uint64
	leaves   []Digest
	proof    []Digest // what is left of it
	short    bool     // it ended too early
}

// root is that of the leaves lo..hi-1 of the tree.
func (r *rangeProof) root(lo, hi uint64) Digest {
	switch {
	case lo >= r.from && hi <= r.to:
		return MerkleRoot(r.leaves[lo-r.from : hi-r.from])
	case hi <= r.from || lo >= r.to:
		if len(r.proof) == 0 {
			r.short = true
			return Digest{}
		}
		next := r.proof[0]
		r.proof = r.proof[1:]
		return next
	}
	k := lo + split(hi-lo)
	left := r.root(lo, k)
	return nodeHash(left, r.root(k, hi))
}

// split is the largest power of two below n, which is 2 or more.
func split(n uint64) uint64 {
	k := uint64(1)
	for k*2 < n {
		k *= 2
	}
	return k
}

func nodeHash(left, right Digest) Digest {
	var node [1 + 2*sha256.Size]byte
	node[0] = 1
	copy(node[1:], left[:])
	copy(node[1+sha256.Size:], right[:])
	return SHA256(node[:])
}

// EncodeLeaves writes leaf hashes one after the other, 32 bytes each.
func EncodeLeaves(leaves []Digest) []byte {
	out := make([]byte, 0, len(leaves)*sha256.Size)
	for i := range leaves {
		out = append(out, leaves[i][:]...)
	}
	return out
}

// DecodeLeaves reads what EncodeLeaves wrote.
func DecodeLeaves(b []byte) ([]Digest, error) {
	if len(b)%sha256.Size != 0 {
		return nil, fmt.Errorf("leaf list of %d bytes: not a multiple of %d", len(b), sha256.Size)
	}
	leaves := make([]Digest, len(b)/sha256.Size)
	for i := range leaves {
		copy(leaves[i][:], b[i*sha256.Size:])
	}
	return leaves, nil
}
