package mhl

import (
	"crypto/fips140"
	"crypto/md5"  //nolint:gosec // to compare with a card's list, not to prove anything
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"math/big"
	"strings"
)

// The algorithms of the schema.
const (
	C4     = "c4"
	MD5    = "md5"
	SHA1   = "sha1"
	XXH64  = "xxh64"
	XXH3   = "xxh3"
	XXH128 = "xxh128"
)

const (
	c4Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz" // base 58, SMPTE ST 2114 section 6
	c4Length = 90
)

// hexBytes is how many bytes of hash an algorithm writes in hex; 0 for others.
func hexBytes(algorithm string) int {
	switch algorithm {
	case MD5, XXH128:
		return 16
	case SHA1:
		return 20
	case XXH64, XXH3:
		return 8
	}
	return 0
}

func isAlgorithm(name string) bool { return name == C4 || hexBytes(name) > 0 }

// normal gives a hash in the form in which it is compared, empty when it is none.
func normal(algorithm, value string) string {
	if algorithm == C4 {
		if len(value) != c4Length || !strings.HasPrefix(value, "c4") || strings.Trim(value[2:], c4Digits) != "" {
			return ""
		}
		return value
	}
	if b, err := hex.DecodeString(value); err != nil || len(b) != hexBytes(algorithm) {
		return ""
	}
	return strings.ToLower(value)
}

// newHash gives an algorithm's hash, nil for one that is not computed here.
func newHash(algorithm string) (h hash.Hash) {
	weak(func() {
		switch algorithm {
		case C4:
			h = sha512.New()
		case MD5:
			h = md5.New() //nolint:gosec // see the import
		case SHA1:
			h = sha1.New() //nolint:gosec // see the import
		case XXH64:
			h = newXXH64()
		}
	})
	return h
}

// weak runs what a FIPS 140 module in enforcing mode would refuse: MD5 and SHA-1 are
// compared with a card's list here, and nothing rests on their strength.
func weak(f func()) { fips140.WithoutEnforcement(f) }

// text writes a hash as the lists do.
func text(algorithm string, sum []byte) string {
	if algorithm != C4 {
		return hex.EncodeToString(sum)
	}
	var id [c4Length]byte
	copy(id[:], "c4")
	number, base, digit := new(big.Int).SetBytes(sum), big.NewInt(58), new(big.Int)
	for i := c4Length - 1; i >= 2; i-- {
		number.DivMod(number, base, digit)
		id[i] = c4Digits[digit.Int64()]
	}
	return string(id[:])
}
