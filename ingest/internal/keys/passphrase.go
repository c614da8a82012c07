package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// How a passphrase becomes a key. In FIPS 140-3 mode only PBKDF2 is used: Argon2
// is not approved there.
const (
	Argon2id = "argon2id"
	PBKDF2   = "pbkdf2-hmac-sha512"
)

// What new files are made with: RFC 9106 section 4, second recommended option;
// OWASP Password Storage Cheat Sheet has 210,000 rounds for people who wait at a
// sign-in, here the program starts once and takes three times as many.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
	pbkdfRounds  = 600_000
)

// What is read: less would be weak, more would keep the program busy or take its
// memory before the passphrase is known to be right.
const (
	maxArgonTime    = 16
	minArgonMemory  = 19 << 10 // KiB
	maxArgonMemory  = 1 << 20
	maxArgonThreads = 16
	minPBKDFRounds  = 600_000
	maxPBKDFRounds  = 10_000_000
	kdfSaltSize     = 32
	maxHeaderLine   = 512
)

// The bounds of a passphrase, in characters and in bytes.
const (
	MinPassphrase = 15
	MaxPassphrase = 1024
)

// ErrPassphrase is wrapped when a passphrase does not open a file.
var ErrPassphrase = errors.New("the passphrase is wrong, or the file was changed")

// CheckPassphrase says why a new passphrase must not be used, or returns nil.
func CheckPassphrase(passphrase []byte) error {
	switch n := utf8.RuneCount(passphrase); {
	case len(passphrase) > MaxPassphrase:
		return fmt.Errorf("the passphrase has %d bytes, at most %d are taken", len(passphrase), MaxPassphrase)
	case n < MinPassphrase:
		return fmt.Errorf("the passphrase has %d characters: take at least %d, for example six words drawn by chance", n, MinPassphrase)
	case bytes.ContainsAny(passphrase, "\n\r\x00"):
		return errors.New("the passphrase has a line break or a zero byte in it: it could not be typed again")
	}
	return nil
}

// derivation is the second line of a file under a passphrase.
type derivation struct {
	KDF       string `json:"kdf"`
	Time      uint32 `json:"time,omitempty"`       // Argon2id: passes
	MemoryKiB uint32 `json:"memory_kib,omitempty"` // Argon2id
	Threads   uint8  `json:"threads,omitempty"`    // Argon2id
	Rounds    int    `json:"rounds,omitempty"`     // PBKDF2
	Salt      []byte `json:"salt"`
	Holder    string `json:"holder,omitempty"` // escrow: whose passphrase it is
}

// newDerivation chooses what the mode of this program allows.
func newDerivation() *derivation {
	d := &derivation{KDF: Argon2id, Time: argonTime, MemoryKiB: argonMemory, Threads: argonThreads}
	if fips140.Enabled() {
		d = &derivation{KDF: PBKDF2, Rounds: pbkdfRounds}
	}
	d.Salt = make([]byte, kdfSaltSize)
	rand.Read(d.Salt) // never fails: crypto/rand ends the program instead
	return d
}

// check bounds what a file asks for.
func (d *derivation) check() error {
	ok := false
	switch d.KDF {
	case Argon2id:
		ok = d.Time >= 1 && d.Time <= maxArgonTime && d.MemoryKiB >= minArgonMemory && d.MemoryKiB <= maxArgonMemory && d.Threads >= 1 && d.Threads <= maxArgonThreads && d.Rounds == 0
	case PBKDF2:
		ok = d.Rounds >= minPBKDFRounds && d.Rounds <= maxPBKDFRounds && d.Time == 0 && d.MemoryKiB == 0 && d.Threads == 0
	default:
		return fmt.Errorf("its passphrase is stretched by %q: this program knows %s and %s", d.KDF, Argon2id, PBKDF2)
	}
	if !ok || len(d.Salt) != kdfSaltSize || len(d.Holder) > maxHolder {
		return errors.New("how its passphrase is stretched is outside of what is taken: the file is damaged or was tampered with")
	}
	return nil
}

// cipher does the slow work.
func (d *derivation) cipher(passphrase []byte) (cipher.AEAD, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	var key []byte
	if d.KDF == Argon2id {
		if fips140.Enabled() {
			return nil, errors.New("its passphrase is stretched by Argon2id, which FIPS 140-3 does not allow: start once without FIPS mode and run sealdock-ingest keys passphrase --fips")
		}
		key = argon2.IDKey(passphrase, d.Salt, d.Time, d.MemoryKiB, d.Threads, 32)
	} else {
		// HMAC fills a short key up with zero bytes (RFC 2104 section 2): an end
		// that is not zero tells a passphrase from the same with zero bytes behind.
		var err error
		if key, err = pbkdf2.Key(sha512.New, string(passphrase)+"\x01", d.Salt, d.Rounds, 32); err != nil {
			return nil, fmt.Errorf("stretching the passphrase: %w", err)
		}
	}
	defer clear(key)
	return newCipher(key)
}

// lock encrypts plain under a passphrase. magic, which ends with a line break,
// says what the file is; another kind does not open in its place. The result is
// magic, the derivation as one line of JSON, and nonce, ciphertext and tag of
// AES-256-GCM, whose associated data are the two lines.
func lock(magic string, d *derivation, passphrase, plain []byte) ([]byte, error) {
	line, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	head := append(append([]byte(magic), line...), '\n')
	aead, err := d.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	return aead.Seal(bytes.Clone(head), nil, plain, head), nil
}

// unlock opens what lock wrote. The error is ErrPassphrase where the passphrase
// does not fit, or anything was changed.
func unlock(magic string, passphrase, file []byte) ([]byte, error) {
	d, head, sealed, err := readLocked(magic, file)
	if err != nil {
		return nil, err
	}
	aead, err := d.cipher(passphrase)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, head)
	if err != nil {
		return nil, ErrPassphrase
	}
	return plain, nil
}

// readLocked takes a file under a passphrase apart, and believes none of it.
func readLocked(magic string, file []byte) (d *derivation, head, sealed []byte, err error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok {
		return nil, nil, nil, errors.New("it is not a file of this kind and version")
	}
	line, sealed, ok := bytes.Cut(rest, []byte("\n"))
	if !ok || len(line) > maxHeaderLine {
		return nil, nil, nil, errors.New("its second line is missing or too long: the file is damaged")
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	d = &derivation{}
	if err := decoder.Decode(d); err != nil || decoder.More() {
		return nil, nil, nil, errors.New("its second line cannot be read: the file is damaged")
	}
	if err := d.check(); err != nil {
		return nil, nil, nil, err
	}
	return d, file[:len(magic)+len(line)+1], sealed, nil
}

func newCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
