package proof

import (
	"crypto/ed25519"
	"fmt"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Trust is what somebody must know of a server to judge its receipts. A dock
// gets it at enrolment and pins it.
type Trust struct {
	Agency           evidence.AgencyID `json:"agency"`
	LogOrigin        string            `json:"log_origin"`         // origin line of the custody log's checkpoints
	LogPublicKey     []byte            `json:"log_public_key"`     // Ed25519, 32 bytes; base64 in JSON
	ReceiptPublicKey []byte            `json:"receipt_public_key"` // Ed25519, 32 bytes; base64 in JSON
}

// Check reports the first value that is missing or out of bounds.
func (t *Trust) Check() error {
	if err := evidence.CheckName("agency", string(t.Agency)); err != nil {
		return fmt.Errorf("server keys: %w", err)
	}
	switch {
	case t.LogOrigin == "" || len(t.LogOrigin) > 255:
		return fmt.Errorf("server keys: log origin has %d bytes, want 1 to 255", len(t.LogOrigin))
	case len(t.LogPublicKey) != ed25519.PublicKeySize:
		return fmt.Errorf("server keys: log public key has %d bytes, want %d", len(t.LogPublicKey), ed25519.PublicKeySize)
	case len(t.ReceiptPublicKey) != ed25519.PublicKeySize:
		return fmt.Errorf("server keys: receipt public key has %d bytes, want %d", len(t.ReceiptPublicKey), ed25519.PublicKeySize)
	}
	return nil
}
