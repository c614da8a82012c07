package tlog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 of the tree.
type Hash = tlog.Hash

const (
	// MaxSize is the largest tree, in entries. It keeps hostile sizes away from
	// the index arithmetic.
	MaxSize = 1 << 48
	// MaxEntry is the longest entry in bytes: bundles have 16-bit lengths.
	MaxEntry = 1<<16 - 1
	// maxProof is the longest proof of a tree of MaxSize, with room to spare.
	maxProof = 64
)

// ErrProof means that a proof does not show what it should.
var ErrProof = errors.New("the log proof does not hold")

// entryLabel begins what a log entry hashes.
const entryLabel = "sealdock/log-entry/v1\n"

// Entry returns the 32-byte log entry of a custody event. The salt keeps
// strangers who see the log from guessing events; FORMAT.md section 2.
func Entry(salt []byte, event []byte) []byte {
	h := sha256.New()
	h.Write([]byte(entryLabel))
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(salt))))
	h.Write(salt)
	h.Write(event)
	return h.Sum(nil)
}

// LeafHash returns the RFC 6962 section 2.1 leaf hash of an entry.
func LeafHash(entry []byte) Hash {
	return tlog.RecordHash(entry)
}

// CheckInclusion reports whether proof shows that leaf is at index in the tree of
// size entries with that root (RFC 6962 section 2.1.1). The error is [ErrProof].
func CheckInclusion(proof []Hash, size, index int64, root Hash, leaf Hash) error {
	if size > MaxSize || len(proof) > maxProof {
		return fmt.Errorf("checking entry %d of a tree of %d: out of bounds: %w", index, size, ErrProof)
	}
	if err := tlog.CheckRecord(proof, size, root, index, leaf); err != nil {
		return fmt.Errorf("checking entry %d of a tree of %d: %w: %w", index, size, ErrProof, err)
	}
	return nil
}

// CheckConsistency reports whether proof shows that the older tree is a beginning
// of the newer one (RFC 6962 section 2.1.2). The empty tree is a beginning of
// every tree, with an empty proof. The error is [ErrProof].
func CheckConsistency(proof []Hash, newSize int64, newRoot Hash, oldSize int64, oldRoot Hash) error {
	switch {
	case newSize > MaxSize || len(proof) > maxProof:
		return fmt.Errorf("checking growth from %d to %d: out of bounds: %w", oldSize, newSize, ErrProof)
	case oldSize == 0 && newSize >= 0:
		if len(proof) != 0 || oldRoot != emptyRoot() || newSize == 0 && newRoot != oldRoot {
			return fmt.Errorf("checking growth from 0 to %d: %w", newSize, ErrProof)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, newSize, newRoot, oldSize, oldRoot); err != nil {
		return fmt.Errorf("checking growth from %d to %d: %w: %w", oldSize, newSize, ErrProof, err)
	}
	return nil
}

// emptyRoot is the root of the tree without entries, RFC 6962 section 2.1.
func emptyRoot() Hash {
	return sha256.Sum256(nil)
}

// subtree is the root of a full tile: 256 hashes, one after the other.
func subtree(hashes []byte) Hash {
	if len(hashes) == tlog.HashSize {
		return Hash(hashes)
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}
