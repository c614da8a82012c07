package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/sealdock/sealdock/internal/durable"
)

const (
	keyBlock         = "PRIVATE KEY" // PKCS #8, RFC 5958
	certificateBlock = "CERTIFICATE"
	maxFile          = 256 << 10 // bytes of a PEM file
	maxChain         = 8
	minServerRSA     = 3072 // bits, on dock links
	minWebRSA        = 2048 // bits, of a certificate that the operator brings for the dashboard
)

// NewTLSKey makes an ECDSA P-256 key.
func NewTLSKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// CSR makes a certificate request (PKCS #10, DER) for [Authority.IssueDock]. The
// name is for people; the authority decides on the real one.
func CSR(key *ecdsa.PrivateKey, dockName string) ([]byte, error) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: dockName}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate request: %w", err)
	}
	return der, nil
}

// SaveKey writes a private key as PKCS #8 in PEM, mode 0600.
func SaveKey(path string, key crypto.Signer) error {
	return savePrivate(path, "", key)
}

// savePrivate writes a key with one line of text before it.
func savePrivate(path, text string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("saving a key: %w", err)
	}
	defer clear(der)
	block := append([]byte(text), pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})...)
	defer clear(block)
	if err := durable.WriteFile(path, block, 0o600); err != nil {
		return fmt.Errorf("saving a key: %w", err)
	}
	return nil
}

// LoadTLSKey reads an ECDSA P-256 or P-384 key. A file that others than its owner
// may read or write is refused.
func LoadTLSKey(path string) (*ecdsa.PrivateKey, error) {
	key, _, err := loadPrivate(path)
	if err != nil {
		return nil, err
	}
	if _, err := strongECDSA(key.Public()); err != nil {
		return nil, fmt.Errorf("loading the key %s: %w", path, err)
	}
	return key.(*ecdsa.PrivateKey), nil
}

// loadPrivate returns the key of a file and the text before it.
func loadPrivate(path string) (key crypto.Signer, text string, err error) {
	data, err := readSmall(path, true)
	if err != nil {
		return nil, "", fmt.Errorf("loading the key %s: %w", path, err)
	}
	defer clear(data)
	text, _, _ = strings.Cut(string(data), "-----BEGIN")
	block, rest := pem.Decode(data)
	if block == nil || block.Type != keyBlock || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, "", fmt.Errorf("loading the key %s: want one PEM block of type %s", path, keyBlock)
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, "", fmt.Errorf("loading the key %s: %w", path, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, "", fmt.Errorf("loading the key %s: a %T cannot sign", path, parsed)
	}
	return key, text, nil
}

// readSmall reads a file of bounded size; a secret one must be its owner's only.
func readSmall(path string, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); secret && runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others than its owner may use this file (mode %04o): run chmod 600 %s, and make a new key if somebody may have read it", mode.Perm(), path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("longer than %d bytes", maxFile)
	}
	return data, nil
}

// SaveCertificate writes a chain of DER certificates as PEM, the leaf first, mode 0644.
func SaveCertificate(path string, chain ...[]byte) error {
	var text []byte
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})...)
	}
	if err := durable.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("saving a certificate: %w", err)
	}
	return nil
}

// LoadCertificate reads a chain of at least one certificate, the leaf first.
func LoadCertificate(path string) ([]*x509.Certificate, error) {
	data, err := readSmall(path, false)
	if err != nil {
		return nil, fmt.Errorf("loading the certificate %s: %w", path, err)
	}
	var chain []*x509.Certificate
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		if block.Type != certificateBlock || len(chain) == maxChain {
			return nil, fmt.Errorf("loading the certificate %s: want 1 to %d PEM blocks of type %s and nothing else", path, maxChain, certificateBlock)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("loading the certificate %s: %w", path, err)
		}
		chain, data = append(chain, c), rest
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("loading the certificate %s: no PEM block of type %s in it", path, certificateBlock)
	}
	return chain, nil
}

// TLSCertificate joins a chain, leaf first, and the leaf's key.
func TLSCertificate(chain []*x509.Certificate, key crypto.Signer) (tls.Certificate, error) {
	if len(chain) == 0 {
		return tls.Certificate{}, errors.New("joining certificate and key: no certificate")
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(chain[0].PublicKey) {
		return tls.Certificate{}, errors.New("joining certificate and key: they do not belong together")
	}
	c := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, link := range chain {
		c.Certificate = append(c.Certificate, link.Raw)
	}
	return c, nil
}

// LoadTLS reads a certificate chain and its key, for a link or for the dashboard.
// ECDSA P-256 and P-384 are accepted, and RSA of at least 2048 bits, which an
// operator's own dashboard certificate may have; dock links want more ([DockTLS]).
func LoadTLS(certificatePath, keyPath string) (tls.Certificate, error) {
	chain, err := LoadCertificate(certificatePath)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, _, err := loadPrivate(keyPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := checkStrength(key.Public(), minWebRSA); err != nil {
		return tls.Certificate{}, fmt.Errorf("loading the key %s: %w", keyPath, err)
	}
	c, err := TLSCertificate(chain, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s and %s: %w", certificatePath, keyPath, err)
	}
	return c, nil
}

// strongECDSA returns public when it is ECDSA on P-256 or P-384.
func strongECDSA(public crypto.PublicKey) (*ecdsa.PublicKey, error) {
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
		return nil, fmt.Errorf("the key is %s, want ECDSA on P-256 or P-384", keyName(public))
	}
	return key, nil
}

// CheckWebKey reports a key that the certificate for browsers may not have: anything
// but ECDSA on P-256 or P-384 and RSA of at least 2048 bits.
func CheckWebKey(public crypto.PublicKey) error { return checkStrength(public, minWebRSA) }

// checkStrength accepts ECDSA on P-256 and P-384, and RSA from minRSA bits on.
func checkStrength(public crypto.PublicKey, minRSA int) error {
	if key, ok := public.(*rsa.PublicKey); ok && key.N.BitLen() >= minRSA {
		return nil
	}
	if _, err := strongECDSA(public); err != nil {
		return fmt.Errorf("%w, or RSA with at least %d bits", err, minRSA)
	}
	return nil
}

func keyName(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA with %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA on " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("a %T", public)
}
