package sealedfile

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/xts"
)

// The first vector of XTS-AES-256 in IEEE 1619-2007 (number 10), and another program's word
// for every length and many numbers.
func TestSectorsAreXTS(t *testing.T) {
	key, err := hex.DecodeString("27182818284590452353602874713526624977572470936999595749669676273141592653589793238462643383279502884197169399375105820974944592")
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSector(key)
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, 512)
	for i := range plain {
		plain[i] = byte(i)
	}
	sealed := make([]byte, 512)
	s.seal(sealed, plain, 0xff)
	if want, _ := hex.DecodeString("1c3b3a102f770386e4836c99e370cf9b"); !bytes.Equal(sealed[:16], want) {
		t.Errorf("it begins with %x, want %x", sealed[:16], want)
	}
	other, err := xts.NewCipher(aes.NewCipher, key)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 3))
	for length := 16; length <= pageSize; length += 16 {
		plain, got, want := make([]byte, length), make([]byte, length), make([]byte, length)
		for i := range plain {
			plain[i] = byte(random.Uint32())
		}
		number := random.Uint64() >> random.IntN(64)
		s.seal(got, plain, number)
		other.Encrypt(want, plain, number)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, number %d", length, number)
		}
		if s.open(got, number); !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes, number %d: it does not come back", length, number)
		}
	}
}
