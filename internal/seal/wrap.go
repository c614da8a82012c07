package seal

import (
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"
)

// WrappedSize is the length in bytes of a wrapped key, FORMAT.md section 5.
const WrappedSize = 1 + encapsulated + len(Key{}) + tagSize

const (
	wrapVersion  = 1
	wrapLabel    = "sealdock/wrap/v1\n"
	kemID        = 0x0050 // MLKEM768-P256
	encapsulated = 1088 + 65
	publicSize   = 2 + 1184 + 65
	privateSize  = 2 + 32
)

// ErrUnwrap means that a wrapped key was not made for this private key and this
// associated data, or has changed.
var ErrUnwrap = errors.New("the wrapped key does not belong to this agency key and item, or is damaged")

// PublicKey is an agency's key to which recordings' keys are wrapped. Safe for
// concurrent use.
type PublicKey struct {
	key hpke.PublicKey
}

// PrivateKey opens what was wrapped to its [PublicKey]. Safe for concurrent use.
type PrivateKey struct {
	key hpke.PrivateKey
}

// GeneratePrivateKey makes a new agency key.
func GeneratePrivateKey() (*PrivateKey, error) {
	key, err := hpke.MLKEM768P256().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("making an agency key: %w", err)
	}
	return &PrivateKey{key}, nil
}

// Public returns the public half.
func (p *PrivateKey) Public() *PublicKey {
	return &PublicKey{p.key.PublicKey()}
}

// MarshalBinary returns the secret bytes of the key, FORMAT.md section 5.
func (p *PrivateKey) MarshalBinary() ([]byte, error) {
	seed, err := p.key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding an agency key: %w", err)
	}
	return append(binary.BigEndian.AppendUint16(nil, kemID), seed...), nil
}

// MarshalBinary returns the bytes of the key, FORMAT.md section 5.
func (p *PublicKey) MarshalBinary() ([]byte, error) {
	return append(binary.BigEndian.AppendUint16(nil, kemID), p.key.Bytes()...), nil
}

// ParsePrivateKey reads what [PrivateKey.MarshalBinary] wrote.
func ParsePrivateKey(b []byte) (*PrivateKey, error) {
	if err := checkKey(b, privateSize); err != nil {
		return nil, fmt.Errorf("reading an agency's private key: %w", err)
	}
	key, err := hpke.MLKEM768P256().NewPrivateKey(b[2:])
	if err != nil {
		return nil, fmt.Errorf("reading an agency's private key: %w", err)
	}
	return &PrivateKey{key}, nil
}

// ParsePublicKey reads what [PublicKey.MarshalBinary] wrote.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	if err := checkKey(b, publicSize); err != nil {
		return nil, fmt.Errorf("reading an agency's public key: %w", err)
	}
	key, err := hpke.MLKEM768P256().NewPublicKey(b[2:])
	if err != nil {
		return nil, fmt.Errorf("reading an agency's public key: %w", err)
	}
	return &PublicKey{key}, nil
}

func checkKey(b []byte, size int) error {
	if len(b) != size {
		return fmt.Errorf("it has %d bytes, want %d", len(b), size)
	}
	if id := binary.BigEndian.Uint16(b); id != kemID {
		return fmt.Errorf("its algorithm is 0x%04x, want 0x%04x (MLKEM768-P256)", id, kemID)
	}
	return nil
}

// Wrap encrypts a recording's key to an agency. The result, WrappedSize bytes,
// opens only with the same aad.
func Wrap(pub *PublicKey, key Key, aad []byte) ([]byte, error) {
	sealed, err := hpke.Seal(pub.key, hpke.HKDFSHA256(), hpke.AES256GCM(), wrapInfo(aad), key[:])
	if err != nil {
		return nil, fmt.Errorf("wrapping a recording's key: %w", err)
	}
	return append([]byte{wrapVersion}, sealed...), nil
}

// Unwrap returns the key that [Wrap] encrypted. The error is [ErrUnwrap] for
// whatever does not fit.
func Unwrap(priv *PrivateKey, wrapped, aad []byte) (Key, error) {
	if len(wrapped) != WrappedSize || wrapped[0] != wrapVersion {
		return Key{}, fmt.Errorf("unwrapping a recording's key: %w", ErrUnwrap)
	}
	plain, err := hpke.Open(priv.key, hpke.HKDFSHA256(), hpke.AES256GCM(), wrapInfo(aad), wrapped[1:])
	if err != nil {
		return Key{}, fmt.Errorf("unwrapping a recording's key: %w: %w", ErrUnwrap, err)
	}
	defer clear(plain)
	return Key(plain), nil
}

func wrapInfo(aad []byte) []byte {
	return append([]byte(wrapLabel), aad...)
}

// SelfTest wraps and unwraps a key that is then forgotten. A program that will
// need it calls it when it starts: what the FIPS 140-3 module refuses is better
// known before a recording was read.
func SelfTest() error {
	private, err := GeneratePrivateKey()
	if err != nil {
		return err
	}
	key, err := NewKey()
	if err != nil {
		return err
	}
	aad := AAD("self-test", [16]byte{}, 1)
	wrapped, err := Wrap(private.Public(), key, aad)
	if err != nil {
		return fmt.Errorf("this program can wrap no keys as it was built and started (a build with FIPS 140-3 module v1.0.0 runs without GODEBUG=fips140=only): %w", err)
	}
	if again, err := Unwrap(private, wrapped, aad); err != nil || again != key {
		return fmt.Errorf("a key that was just wrapped does not come back: do not trust this machine: %w", errors.Join(err, ErrUnwrap))
	}
	return nil
}
