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
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	var node [1 + 2*sha256.Size]byte
	node[0] = 1
	left, right := MerkleRoot(leaves[:k]), MerkleRoot(leaves[k:])
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
