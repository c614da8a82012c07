package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"testing"
)

// reference seals after the text of C2SP FLOE.md, with the header IV and the
// nonces given, sharing nothing with the product but the standard library's
// primitives: HKDF from HMAC, GCM with the caller's nonce, which the product never
// gives and GODEBUG=fips140=only forbids. It is the oracle.
func reference(t *testing.T, sealedSegment int, rotation uint, key, aad, iv []byte, nonces, plain [][]byte) (header []byte, segments [][]byte) {
	t.Helper()
	params := append([]byte{0, 0}, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(sealedSegment)), 32)...)
	kdf := func(key []byte, purpose string, length int) []byte {
		m := hmac.New(sha512.New384, key) // one block of HKDF-Expand: no output here is longer
		m.Write(bytes.Join([][]byte{params, iv, []byte(purpose), aad, {1}}, nil))
		return m.Sum(nil)[:length]
	}
	header = bytes.Join([][]byte{params, iv, kdf(key, "HEADER_TAG:", 32)}, nil)
	message := kdf(key, "MESSAGE_KEY:", 48)
	for i, p := range plain {
		masked := uint64(i) &^ (1<<rotation - 1)
		block, err := aes.NewCipher(kdf(message, "DEK:"+string(binary.BigEndian.AppendUint64(nil, masked)), 32))
		must(t, err)
		marker, tail := uint32(0xFFFFFFFF), byte(0)
		if i == len(plain)-1 {
			marker, tail = uint32(len(p)+32), 1
		}
		place := append(binary.BigEndian.AppendUint64(nil, uint64(i)), tail)
		s := append(binary.BigEndian.AppendUint32(nil, marker), nonces[i]...)
		fips140.WithoutEnforcement(func() {
			gcm, err := cipher.NewGCM(block)
			must(t, err)
			segments = append(segments, gcm.Seal(s, nonces[i], p, place))
		})
	}
	return header, segments
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// split cuts b into pieces of n bytes; the last is shorter or full, and there is
// one even when b is empty.
func split(b []byte, n int) [][]byte {
	var pieces [][]byte
	for len(b) > n {
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return append(pieces, b)
}
