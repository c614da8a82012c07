package verifier

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// witness checks a C2SP tlog-cosignature (cosignature/v1, Ed25519).
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// noteHash is a key's hash in a signed note (C2SP signed-note, "Signatures"). raw is
// the algorithm and the key.
func noteHash(name string, raw []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return binary.BigEndian.Uint32(sum[:])
}

func newWitness(name string, key ed25519.PublicKey) *witness {
	return &witness{name, noteHash(name, append([]byte{algorithmCosignature}, key...)), key}
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

// Verify implements note.Verifier: 8 bytes of time and 64 of signature.
func (w *witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	return ed25519.Verify(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), text), signature[8:])
}

// at is when the witness signed the note, if its signature is on it and holds.
func (w *witness) at(checkpoint []byte) (at time.Time, ok bool) {
	n, err := note.Open(checkpoint, note.VerifierList(w))
	if err != nil || len(n.Sigs) != 1 {
		return time.Time{}, false
	}
	return cosignedAt(n.Sigs[0])
}
