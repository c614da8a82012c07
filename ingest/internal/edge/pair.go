package edge

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/identity"
)

// maxPair bounds a file of certificates or a key in bytes; maxChain the certificates.
const (
	maxPair  = 256 << 10
	maxChain = 10
)

// pair is what the two files held at one look.
type pair struct {
	certificate, key []byte
}

func (p pair) digest() [32]byte { return sha256.Sum256(slices.Concat(p.certificate, []byte{0}, p.key)) }

// readPair reads both files whole. They may be links to others, which are swapped.
func readPair(certificate, key string) (p pair, err error) {
	if p.certificate, err = readFile(certificate, false); err != nil {
		return p, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	if p.key, err = readFile(key, true); err != nil {
		return p, fmt.Errorf("the key cannot be read: %w", err)
	}
	return p, nil
}

func readFile(path string, secret bool) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would be waited for
		return nil, fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); secret && runtime.GOOS != "windows" && mode&0o007 != 0 {
		return nil, fmt.Errorf("everybody on this machine may use %s (mode %04o): run chmod 640 on it, and get a new key if somebody may have read it", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPair+1))
	if err == nil && len(data) > maxPair {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxPair)
	}
	return data, err
}

// judge returns the pair as it is shown, or what is wrong with it.
func (p pair) judge(names []string, now time.Time) (*tls.Certificate, error) {
	c, err := tls.X509KeyPair(p.certificate, p.key)
	if err != nil {
		if strings.Contains(string(p.key), "ENCRYPTED") {
			return nil, errors.New("the key is under a passphrase: give the server one that is not")
		}
		return nil, fmt.Errorf("certificate and key do not make a pair: %w", trimmed(err))
	}
	return &c, judge(&c, names, now)
}

// trimmed is an error of crypto/tls without its prefix.
func trimmed(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "tls: ")) }

// judge reports why a certificate cannot be shown to browsers.
func judge(c *tls.Certificate, names []string, now time.Time) error {
	if err := identity.CheckWebKey(c.Leaf.PublicKey); err != nil {
		return err
	}
	if len(c.Certificate) > maxChain {
		return fmt.Errorf("the chain has %d certificates, %d are taken", len(c.Certificate), maxChain)
	}
	under := c.Leaf
	for _, der := range c.Certificate[1:] {
		above, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("a certificate of the chain cannot be read: %w", err)
		}
		if err := under.CheckSignatureFrom(above); err != nil {
			return fmt.Errorf("the chain is not in order: %q is not issued by %q, which follows it: the file wants the server's certificate first, and behind each the one that issued it", under.Subject, above.Subject)
		}
		under = above
	}
	if use := c.Leaf.ExtKeyUsage; len(use) > 0 && !slices.Contains(use, x509.ExtKeyUsageServerAuth) && !slices.Contains(use, x509.ExtKeyUsageAny) {
		return errors.New("the certificate is not for servers (its extended key usage lacks server authentication)")
	}
	if len(covered(c.Leaf, names)) == 0 {
		return fmt.Errorf("the certificate is for %s, and for none of public_names: %s", named(c.Leaf), strings.Join(names, ", "))
	}
	switch {
	case now.Before(c.Leaf.NotBefore):
		return fmt.Errorf("the certificate holds only from %s on", day(c.Leaf.NotBefore))
	case !now.Before(c.Leaf.NotAfter):
		return fmt.Errorf("the certificate ended at %s", day(c.Leaf.NotAfter))
	}
	return nil
}

// covered are those of names that a certificate is for.
func covered(leaf *x509.Certificate, names []string) (of []string) {
	for _, name := range names {
		if leaf.VerifyHostname(name) == nil {
			of = append(of, name)
		}
	}
	return of
}

// named are the names and addresses in a certificate, a few of them, as they stand there.
func named(leaf *x509.Certificate) string {
	all := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	switch {
	case len(all) == 0:
		return "no name at all (browsers read subject alternative names only)"
	case len(all) > 5:
		all = append(all[:5], fmt.Sprintf("and %d more", len(all)-5))
	}
	return strings.Join(all, ", ")
}

func day(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }
