package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Purpose is what a statement key may sign.
type Purpose string

const (
	// PurposeDock signs manifests, inventories, releases and the requests by
	// which cameras open to the dock.
	PurposeDock Purpose = "dock"
	// PurposeReceipt signs receipts.
	PurposeReceipt Purpose = "receipt"
	// PurposeCheckpoint signs checkpoints of the custody log, and no statements.
	PurposeCheckpoint Purpose = "checkpoint"
	// PurposeCamera signs what an agency tells its cameras: their certificates,
	// whom they trust, their settings.
	PurposeCamera Purpose = "camera"
	// PurposeDerivative signs what the server makes of recordings.
	PurposeDerivative Purpose = "derivative"
)

// payloadTypes lists the statements of a purpose; ok is false for an unknown one.
func (p Purpose) payloadTypes() (types []string, ok bool) {
	switch p {
	case PurposeDock:
		return []string{evidence.TypeManifest, evidence.TypeInventory, evidence.TypeRelease, evidence.TypeDockUnlock, evidence.TypeCarriage}, true
	case PurposeReceipt:
		return []string{evidence.TypeReceipt}, true
	case PurposeCheckpoint:
		return nil, true
	case PurposeDerivative:
		return []string{evidence.TypeDerivative}, true
	case PurposeCamera:
		return []string{evidence.TypeCameraCertificate, evidence.TypeCameraTrust, evidence.TypeCameraSettings}, true
	}
	return nil, false
}

// StatementKey is an Ed25519 key with one purpose. Safe for concurrent use.
type StatementKey struct {
	purpose Purpose
	private ed25519.PrivateKey
}

// NewStatementKey makes a key.
func NewStatementKey(purpose Purpose) (*StatementKey, error) {
	if _, ok := purpose.payloadTypes(); !ok {
		return nil, fmt.Errorf("making a statement key: the purpose %q is not known", purpose)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a statement key: %w", err)
	}
	return &StatementKey{purpose, private}, nil
}

// purposeLine stands before the key in its file, where PEM readers skip it.
func purposeLine(purpose Purpose) string {
	return "Sealdock statement key, purpose: " + string(purpose) + "\n"
}

// Save writes the key and its purpose, mode 0600.
func (k *StatementKey) Save(path string) error {
	return savePrivate(path, purposeLine(k.purpose), k.private)
}

// LoadStatementKey reads what [StatementKey.Save] wrote. A key of another purpose
// is refused.
func LoadStatementKey(path string, purpose Purpose) (*StatementKey, error) {
	key, text, err := loadPrivate(path)
	if err != nil {
		return nil, err
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("loading the key %s: it is %s, want Ed25519", path, keyName(key.Public()))
	}
	if _, known := purpose.payloadTypes(); !known || text != purposeLine(purpose) {
		return nil, fmt.Errorf("loading the key %s: it is not marked as a statement key with the purpose %q", path, purpose)
	}
	return &StatementKey{purpose, private}, nil
}

// Purpose returns what the key may sign.
func (k *StatementKey) Purpose() Purpose { return k.purpose }

// Public returns the public half.
func (k *StatementKey) Public() ed25519.PublicKey {
	return k.private.Public().(ed25519.PublicKey)
}

// Private returns the secret half, for the checkpoint signer.
func (k *StatementKey) Private() ed25519.PrivateKey { return k.private }

// ID names the key: see [KeyID].
func (k *StatementKey) ID() string { return KeyID(k.purpose, k.Public()) }

// KeyID is "ed25519:" and 16 hex digits, the first 8 bytes of the SHA-256 over
// purpose and public key. It is a hint for finding a key, never a proof.
func KeyID(purpose Purpose, public ed25519.PublicKey) string {
	sum := sha256.Sum256(append([]byte(purpose), public...))
	return "ed25519:" + hex.EncodeToString(sum[:8])
}

// Sign wraps a statement into a signed envelope. A kind that is not of the key's
// purpose is refused.
func (k *StatementKey) Sign(payloadType string, payload []byte) (*evidence.Envelope, error) {
	if types, _ := k.purpose.payloadTypes(); !slices.Contains(types, payloadType) {
		return nil, fmt.Errorf("signing a statement: a key with the purpose %q does not sign %q", k.purpose, payloadType)
	}
	return evidence.Sign(payloadType, payload, k.ID(), k.private), nil
}
