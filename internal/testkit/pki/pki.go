package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"
)

// ALPN is the protocol name in the configurations made here.
const ALPN = "sealdock/1"

// Authority is a certificate authority with its key in memory. It is safe for
// concurrent use.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes a new authority; any failure ends the test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber:          serial(t),
		Subject:               pkix.Name{CommonName: "throw-away authority"},
		NotBefore:             date(1990),
		NotAfter:              date(2090),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatalf("making test authority: %v", err)
	}
	return &Authority{Certificate: parse(t, der), key: key}
}

// Pool holds the authority's certificate alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate)
	return pool
}

// Issue makes a certificate with a new P-256 key. The adjust functions may
// change the template before it is signed.
func (a *Authority) Issue(t testing.TB, adjust ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: serial(t),
		Subject:      pkix.Name{CommonName: "throw-away"},
		NotBefore:    date(1990),
		NotAfter:     date(2090),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	for _, change := range adjust {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, key.Public(), a.key)
	if err != nil {
		t.Fatalf("issuing test certificate: %v", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parse(t, der)}
}

// Server issues a certificate for host names or IP addresses.
func (a *Authority) Server(t testing.TB, hosts ...string) tls.Certificate {
	t.Helper()
	return a.Issue(t, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, host := range hosts {
			if ip := net.ParseIP(host); ip != nil {
				c.IPAddresses = append(c.IPAddresses, ip)
			} else {
				c.DNSNames = append(c.DNSNames, host)
			}
		}
	})
}

// Dock issues a dock's certificate with the name sealdock://AGENCY/dock/ID.
func (a *Authority) Dock(t testing.TB, agency, dock string) tls.Certificate {
	t.Helper()
	return a.Issue(t, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		c.URIs = []*url.URL{{Scheme: "sealdock", Host: agency, Path: "/dock/" + dock}}
	})
}

// ServerTLS is a TLS 1.3 server configuration that demands a certificate of
// this authority from the client.
func (a *Authority) ServerTLS(certificate tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{certificate},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              a.Pool(),
		NextProtos:             []string{ALPN},
		SessionTicketsDisabled: true,
	}
}

// DockTLS is a TLS 1.3 client configuration that trusts this authority alone.
func (a *Authority) DockTLS(certificate tls.Certificate, serverName string) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{certificate},
		RootCAs:      a.Pool(),
		ServerName:   serverName,
		NextProtos:   []string{ALPN},
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("making test key: %v", err)
	}
	return key
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatalf("drawing test serial number: %v", err)
	}
	return n.Add(n, big.NewInt(1))
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("parsing test certificate: %v", err)
	}
	return certificate
}

func date(year int) time.Time { return time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC) }
