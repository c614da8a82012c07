package evidence

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Payload types, one per kind of statement. A signature over one kind is never
// a signature over another: the type is part of what is signed.
const (
	TypeManifest  = "application/vnd.sealdock.manifest.v1+json"
	TypeInventory = "application/vnd.sealdock.inventory.v1+json"
	TypeReceipt   = "application/vnd.sealdock.receipt.v1+json"
	TypeRelease   = "application/vnd.sealdock.release.v1+json"
)

// MaxEnvelope bounds an envelope's JSON in bytes.
const MaxEnvelope = 6 << 20

// ErrSignature is returned when no signature of an envelope verifies.
var ErrSignature = errors.New("signature does not verify")

// Envelope is a signed statement: DSSE v1.0.2 (secure-systems-lab/dsse,
// envelope.md) with Ed25519 signatures (RFC 8032).
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"` // base64 in JSON; the bytes that are signed
	Signatures  []Signature `json:"signatures"`
}

// Signature is one signature of an Envelope.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// preAuthEncoding is DSSE's PAE (protocol.md): what is signed.
func preAuthEncoding(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len(payloadType)+len(payload)+32)
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(payloadType)), 10)
	b = append(b, ' ')
	b = append(b, payloadType...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(payload)), 10)
	b = append(b, ' ')
	return append(b, payload...)
}

// Sign wraps payload into an envelope signed by key.
func Sign(payloadType string, payload []byte, keyID string, key ed25519.PrivateKey) *Envelope {
	sig := ed25519.Sign(key, preAuthEncoding(payloadType, payload))
	return &Envelope{PayloadType: payloadType, Payload: payload, Signatures: []Signature{{KeyID: keyID, Sig: sig}}}
}

// Verify returns the payload if the envelope is of the wanted type and carries
// a signature by key. A KeyID is only a hint and is not looked at.
func (e *Envelope) Verify(payloadType string, key ed25519.PublicKey) ([]byte, error) {
	if e.PayloadType != payloadType {
		return nil, fmt.Errorf("statement is %q, want %q", clip(e.PayloadType), payloadType)
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("verifying a %s: public key has %d bytes, want %d", payloadType, len(key), ed25519.PublicKeySize)
	}
	signed := preAuthEncoding(e.PayloadType, e.Payload)
	for _, s := range e.Signatures {
		if len(s.Sig) == ed25519.SignatureSize && ed25519.Verify(key, signed, s.Sig) {
			return e.Payload, nil
		}
	}
	return nil, fmt.Errorf("verifying a %s: %w", payloadType, ErrSignature)
}

// Signed returns the bytes that the signatures are over, for other programs to
// check.
func (e *Envelope) Signed() []byte { return preAuthEncoding(e.PayloadType, e.Payload) }

// Marshal returns the envelope's JSON.
func (e *Envelope) Marshal() []byte {
	b, err := json.Marshal(e)
	if err != nil { // strings and byte slices always marshal
		panic(err)
	}
	return b
}

// ParseEnvelope reads an envelope's JSON. It checks form and bounds, not
// signatures.
func ParseEnvelope(b []byte) (*Envelope, error) {
	if len(b) > MaxEnvelope {
		return nil, fmt.Errorf("statement of %d bytes: at most %d are read", len(b), MaxEnvelope)
	}
	var e Envelope
	if err := DecodeStrict(b, &e); err != nil {
		return nil, fmt.Errorf("reading a signed statement: %w", err)
	}
	if e.PayloadType == "" || len(e.Signatures) == 0 || len(e.Signatures) > 8 {
		return nil, fmt.Errorf("reading a signed statement: want a payload type and 1 to 8 signatures, have %q and %d", clip(e.PayloadType), len(e.Signatures))
	}
	return &e, nil
}
