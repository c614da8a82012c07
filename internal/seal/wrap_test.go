package seal

import (
	"bytes"
	"errors"
	"testing"
)

func TestSelfTestPasses(t *testing.T) {
	must(t, SelfTest())
}

func TestWrappedKeyOpensOnlyForItsAgencyAndItem(t *testing.T) {
	private, err := GeneratePrivateKey()
	must(t, err)
	stranger, err := GeneratePrivateKey()
	must(t, err)
	key, err := NewKey()
	must(t, err)
	aad := AAD("north", [16]byte{1}, 1)
	wrapped, err := Wrap(private.Public(), key, aad)
	must(t, err)
	if len(wrapped) != WrappedSize {
		t.Fatalf("%d bytes, WrappedSize says %d", len(wrapped), WrappedSize)
	}
	if got, err := Unwrap(private, wrapped, aad); err != nil || got != key {
		t.Fatalf("came back other: %v", err)
	}
	changed := func(i int) []byte {
		b := bytes.Clone(wrapped)
		b[i] ^= 1
		return b
	}
	for _, test := range []struct {
		name    string
		private *PrivateKey
		wrapped []byte
		aad     []byte
	}{
		{"other agency's key", stranger, wrapped, aad},
		{"other agency's item", private, wrapped, AAD("south", [16]byte{1}, 1)},
		{"other item", private, wrapped, AAD("north", [16]byte{2}, 1)},
		{"other attempt", private, wrapped, AAD("north", [16]byte{1}, 2)},
		{"version changed", private, changed(0), aad},
		{"post-quantum part changed", private, changed(1), aad},
		{"elliptic part changed", private, changed(1 + 1088 + 5), aad},
		{"tag changed", private, changed(WrappedSize - 1), aad},
		{"cut", private, wrapped[:WrappedSize-1], aad},
		{"too long", private, append(bytes.Clone(wrapped), 0), aad},
		{"empty", private, nil, aad},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := Unwrap(test.private, test.wrapped, test.aad); !errors.Is(err, ErrUnwrap) || got != (Key{}) {
				t.Errorf("error %v, want ErrUnwrap", err)
			}
		})
	}
}

func TestAgencyKeysComeBackFromBytes(t *testing.T) {
	private, err := GeneratePrivateKey()
	must(t, err)
	secret, err := private.MarshalBinary()
	must(t, err)
	public, err := private.Public().MarshalBinary()
	must(t, err)
	again, err := ParsePrivateKey(secret)
	must(t, err)
	if b, err := again.Public().MarshalBinary(); err != nil || !bytes.Equal(b, public) {
		t.Errorf("the public half changed: %v", err)
	}
	parsed, err := ParsePublicKey(public)
	must(t, err)
	if b, err := parsed.MarshalBinary(); err != nil || !bytes.Equal(b, public) {
		t.Errorf("the public key changed: %v", err)
	}
	badPoint := bytes.Clone(public)
	badPoint[2+1184+3] ^= 1
	badID := bytes.Clone(public)
	badID[1] = 0x20
	for name, b := range map[string][]byte{"empty": nil, "short": public[:9], "long": append(bytes.Clone(public), 0), "algorithm": badID, "not on the curve": badPoint} {
		if _, err := ParsePublicKey(b); err == nil {
			t.Errorf("public key, %s: accepted", name)
		}
	}
	for name, b := range map[string][]byte{"empty": nil, "short": secret[:33], "long": append(bytes.Clone(secret), 0), "algorithm": append([]byte{0, 0x20}, secret[2:]...)} {
		if _, err := ParsePrivateKey(b); err == nil {
			t.Errorf("private key, %s: accepted", name)
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	private, err := GeneratePrivateKey()
	must(f, err)
	public, err := private.Public().MarshalBinary()
	must(f, err)
	f.Add(public)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := ParsePublicKey(b)
		if err != nil {
			return
		}
		if again, err := key.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x came back as %x, %v", b, again, err)
		}
	})
}
