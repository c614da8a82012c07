package evidence

import (
	"crypto/sha256"
	"encoding/hex"
)

// Digest is a SHA-256 (FIPS 180-4). Its text is 64 lower-case hex digits.
type Digest [sha256.Size]byte

// SHA256 returns the digest of b.
func SHA256(b []byte) Digest { return sha256.Sum256(b) }

// ParseDigest reads the text form.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	return d, d.UnmarshalText([]byte(s))
}

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether the digest was never set.
func (d Digest) IsZero() bool { return d == Digest{} }

func (d Digest) MarshalText() ([]byte, error)  { return []byte(d.String()), nil }
func (d *Digest) UnmarshalText(b []byte) error { return unhex("SHA-256", d[:], b) }
