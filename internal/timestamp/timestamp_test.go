package timestamp_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/tsa"
	"github.com/sealdock/sealdock/internal/timestamp"
)

var text = []byte("example.org/custody\n7\n\n")

func stamped(t *testing.T, a *tsa.Authority) (token []byte, digest [32]byte) {
	t.Helper()
	digest = sha256.Sum256(text)
	query, err := timestamp.Request(digest, big.NewInt(1<<60+5))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := a.Reply(query)
	if err != nil {
		t.Fatal(err)
	}
	if token, err = timestamp.ParseResponse(reply); err != nil {
		t.Fatal(err)
	}
	return token, digest
}

func roots(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in", file)
	}
	return pool
}

func TestATokenOfOpenSSLHoldsAndSaysWhen(t *testing.T) {
	a := tsa.Start(t)
	token, digest := stamped(t, a)
	is, err := timestamp.Verify(token, digest, roots(t, a.Roots))
	if err != nil {
		t.Fatal(err)
	}
	if is.Trusted != nil {
		t.Error("the authority is not trusted:", is.Trusted)
	}
	if off := time.Since(is.Time).Abs(); off > time.Minute {
		t.Error("the token is of", is.Time)
	}
	if is.Authority() != "Example Court Time Stamps" || is.Policy != "1.2.3.4.1" || is.Accuracy != 1500100*time.Microsecond || is.Nonce.Cmp(big.NewInt(1<<60+5)) != 0 {
		t.Errorf("got %s, policy %s, accuracy %s, nonce %s", is.Authority(), is.Policy, is.Accuracy, is.Nonce)
	}
	// What openssl says of it.
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "token"), token, 0o600)
	os.WriteFile(filepath.Join(dir, "text"), text, 0o600)
	told, err := exec.Command("openssl", "ts", "-verify", "-data", filepath.Join(dir, "text"), "-in", filepath.Join(dir, "token"), "-token_in", "-CAfile", a.Roots).CombinedOutput()
	if err != nil || !bytes.Contains(told, []byte("Verification: OK")) {
		t.Errorf("openssl: %v: %s", err, told)
	}
}

func TestWhatATokenDoesNotShowIsSaid(t *testing.T) {
	a, foreign := tsa.Start(t), tsa.Start(t)
	token, digest := stamped(t, a)
	if is, err := timestamp.Verify(token, digest, nil); err != nil || is.Trusted == nil {
		t.Errorf("without roots: %v", err)
	}
	if is, err := timestamp.Verify(token, digest, roots(t, foreign.Roots)); err != nil || is.Trusted == nil {
		t.Errorf("under another authority's root: %v", err)
	}
	if _, err := timestamp.Verify(token, sha256.Sum256([]byte("another text")), nil); !errors.Is(err, timestamp.ErrToken) {
		t.Errorf("over another text: %v", err)
	}
	for _, usage := range []string{"timeStamping", "critical,timeStamping,serverAuth", "critical,serverAuth"} {
		b := tsa.Start(t)
		query, _ := timestamp.Request(digest, big.NewInt(5))
		b.Issue(t, usage)
		reply, err := b.Reply(query)
		if err != nil {
			continue // openssl does not sign with it either
		}
		token, err := timestamp.ParseResponse(reply)
		if errors.Is(err, timestamp.ErrRefused) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if _, err := timestamp.Verify(token, digest, nil); !errors.Is(err, timestamp.ErrToken) {
			t.Errorf("signed by a certificate for %s: %v", usage, err)
		}
	}
}

// What a changed token says, it does not say. Its headers, of which the signed part
// repeats what matters, and certificates that it carries for convenience are not
// signed: there a changed byte changes nothing.
func TestEveryChangedByteOfATokenIsFound(t *testing.T) {
	a := tsa.Start(t)
	token, digest := stamped(t, a)
	pool := roots(t, a.Roots)
	want, err := timestamp.Verify(token, digest, pool)
	if err != nil || want.Trusted != nil {
		t.Fatal(err, want.Trusted)
	}
	text, err := os.ReadFile(a.Roots)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	root := bytes.Index(token, block.Bytes)
	if root < 0 {
		t.Fatal("the root is not in the token")
	}
	unsigned := 0
	for i := range token {
		if i >= root && i < root+len(block.Bytes) {
			continue
		}
		changed := bytes.Clone(token)
		changed[i] ^= 1 << (i % 8)
		is, err := timestamp.Verify(changed, digest, pool)
		if err != nil || is.Trusted != nil {
			continue
		}
		unsigned++
		is.Trusted, want.Trusted = nil, nil
		if !reflect.DeepEqual(is, want) {
			t.Errorf("byte %d of %d is changed, and the token says something else and holds", i, len(token))
		}
	}
	if unsigned > 40 {
		t.Errorf("%d changed bytes went by", unsigned)
	}
}

func TestAnAuthorityThatRefusesIsNamed(t *testing.T) {
	a := tsa.Start(t)
	reply, err := a.Reply([]byte("no request"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := timestamp.ParseResponse(reply); !errors.Is(err, timestamp.ErrRefused) {
		t.Errorf("got %v", err)
	}
	for _, bad := range [][]byte{nil, {0x30}, []byte("<html>"), append(reply, 0), make([]byte, timestamp.MaxToken+1)} {
		if _, err := timestamp.ParseResponse(bad); !errors.Is(err, timestamp.ErrToken) {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	digest := sha256.Sum256(text)
	for _, name := range []string{"token.der"} {
		token, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		is, err := timestamp.Verify(token, digest, nil)
		if err == nil && (is.Signer == nil || is.Trusted == nil) {
			t.Error("a token holds without a signer, or is trusted by nobody")
		}
		timestamp.ParseResponse(token)
	})
}
