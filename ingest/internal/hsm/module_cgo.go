//go:build cgo

package hsm

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/ThalesGroup/crypto11"
)

const (
	nonceSize = 12
	tagSize   = 16
	patience  = 10 * time.Second // for a session
)

// Make makes the key of that name in the token, unless it is there.
func (m Module) Make(key string, pin []byte) error {
	return m.session(pin, func(token *crypto11.Context) error {
		found, err := token.FindKeys(nil, []byte(key))
		if err != nil || len(found) > 0 {
			return err
		}
		id := make([]byte, 16)
		rand.Read(id) // never fails: crypto/rand ends the program instead
		_, err = token.GenerateSecretKeyWithLabel(id, []byte(key), 256, crypto11.CipherAES)
		return err
	})
}

// Wrap encrypts plain in the HSM.
func (m Module) Wrap(key string, pin, plain, bound []byte) (wrapped []byte, err error) {
	err = m.withKey(key, pin, func(aead cipher.AEAD) (err error) {
		defer func() { // what crypto11 does about a refusal of the module
			if r := recover(); r != nil {
				err = fmt.Errorf("the module refused to encrypt: %v", r)
			}
		}()
		nonce := make([]byte, nonceSize)
		rand.Read(nonce)
		wrapped = aead.Seal(nonce, nonce, plain, bound)
		return nil
	})
	return wrapped, err
}

// Unwrap decrypts in the HSM what Wrap made.
func (m Module) Unwrap(key string, pin, wrapped, bound []byte) (plain []byte, err error) {
	if len(wrapped) < nonceSize+tagSize {
		return nil, errors.New("what the HSM is to decrypt is cut short")
	}
	err = m.withKey(key, pin, func(aead cipher.AEAD) (err error) {
		plain, err = aead.Open(nil, wrapped[:nonceSize], wrapped[nonceSize:], bound)
		return err
	})
	return plain, err
}

func (m Module) withKey(key string, pin []byte, step func(cipher.AEAD) error) error {
	return m.session(pin, func(token *crypto11.Context) error {
		found, err := token.FindKeys(nil, []byte(key))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("it has %d keys named %q, want one", len(found), key)
		}
		aead, err := found[0].NewGCM()
		if err != nil {
			return err
		}
		return step(aead)
	})
}

func (m Module) session(pin []byte, step func(*crypto11.Context) error) (err error) {
	token, err := crypto11.Configure(&crypto11.Config{
		Path: m.Path, TokenLabel: m.Token, Pin: string(pin), MaxSessions: 2, PoolWaitTimeout: patience, GCMIVLength: nonceSize,
	})
	if err == nil {
		err = errors.Join(step(token), token.Close())
	}
	if err != nil {
		return fmt.Errorf("asking the HSM (%s, token %q): %w", m.Path, m.Token, err)
	}
	return nil
}
