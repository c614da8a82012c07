package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

// Key is the secret key of one recording. It never shows itself in texts, logs
// or JSON.
type Key [32]byte

// NewKey makes a random key. One recording (one attempt) has one key.
func NewKey() (Key, error) {
	var k Key
	if _, err := rand.Read(k[:]); err != nil {
		return Key{}, fmt.Errorf("making a key: %w", err)
	}
	return k, nil
}

// Zero overwrites the key. Copies made elsewhere stay.
func (k *Key) Zero() {
	clear(k[:])
}

// Format hides the key from every verb of package fmt.
func (Key) Format(w fmt.State, _ rune) {
	io.WriteString(w, "(secret key)")
}

// MarshalText refuses: a key leaves only wrapped.
func (Key) MarshalText() ([]byte, error) {
	return nil, errors.New("a secret key is never written as text")
}
