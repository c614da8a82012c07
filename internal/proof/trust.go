package proof

import (
	"crypto/ed25519"
	"fmt"

	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Trust is what somebody must know of a server to judge its receipts. A dock
// gets it at enrolment and pins it.
type Trust struct {
	Agency           evidence.AgencyID `json:"agency"`
	LogOrigin        string            `json:"log_origin"`         // origin line of the custody log's checkpoints
	LogPublicKey     []byte            `json:"log_public_key"`     // Ed25519, 32 bytes; base64 in JSON
	ReceiptPublicKey []byte            `json:"receipt_public_key"` // Ed25519, 32 bytes; base64 in JSON

	// Restored holds, for each time that the log was restored from a backup, how
	// many entries that had: receipts over more than these do not count any more.
	Restored []int64 `json:"restored,omitempty"`
}

// Continued is t after restores of the server that somebody has heard of since.
func (t Trust) Continued(restored []int64) Trust {
	if len(restored) > len(t.Restored) {
		first, _ := tlog.Restores(t.LogOrigin)
		t.LogOrigin, t.Restored = tlog.Continued(first, len(restored)), restored
	}
	return t
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
	return t.checkRestored()
}

func (t *Trust) checkRestored() error {
	if _, n := tlog.Restores(t.LogOrigin); n != len(t.Restored) {
		return fmt.Errorf("server keys: %d sizes of backups are named, and log %q was restored %d times", len(t.Restored), t.LogOrigin, n)
	}
	for _, size := range t.Restored {
		if size < 0 || size > tlog.MaxSize {
			return fmt.Errorf("server keys: a backup cannot have had %d entries", size)
		}
	}
	return nil
}
