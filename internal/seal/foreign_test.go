package seal

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForeignRecordingsOpen reads what other implementations of FLOE wrote, and
// holds the reference of these tests against them.
func TestForeignRecordingsOpen(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "foreign", "*_ct.txt"))
	must(t, err)
	if len(names) != 11 {
		t.Fatalf("%d known answers, want 11", len(names))
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), "_ct.txt"), func(t *testing.T) {
			sealed, plain := readHex(t, name), readHex(t, strings.Replace(name, "_ct.", "_pt.", 1))
			p := foreignParameters(name)
			aad := []byte("This is AAD")
			header, body := sealed[:HeaderSize], split(sealed[HeaderSize:], int(p.sealedSegment))
			o, err := newOpener(p, Key{}, aad, header)
			must(t, err)
			var got []byte
			for i, s := range body {
				if got, err = o.Open(got, s, uint64(i), i == len(body)-1); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, plain) {
				t.Fatalf("opened to %x, want %x", got, plain)
			}
			checkReference(t, p, aad, header, body, plain)
		})
	}
}

// checkReference seals again with the foreign IV and nonces and wants the same bytes.
func checkReference(t *testing.T, p parameters, aad, header []byte, body [][]byte, plain []byte) {
	var nonces, pieces [][]byte
	for _, s := range body {
		nonces = append(nonces, s[4:16])
		n := len(s) - Overhead
		pieces, plain = append(pieces, plain[:n]), plain[n:]
	}
	var key Key
	gotHeader, got := reference(t, int(p.sealedSegment), p.rotation, key[:], aad, header[10:42], nonces, pieces)
	if !bytes.Equal(gotHeader, header) || !bytes.Equal(bytes.Join(got, nil), bytes.Join(body, nil)) {
		t.Error("the reference seals to other bytes")
	}
}

func foreignParameters(name string) parameters {
	switch {
	case strings.Contains(name, "_64_"):
		return parameters{64, rotationBits}
	case strings.Contains(name, "_4K_"):
		return parameters{4096, rotationBits}
	}
	return parameters{40, 2}
}

func readHex(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	must(t, err)
	return b
}
