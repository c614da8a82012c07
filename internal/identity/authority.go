package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 398 * 24 * time.Hour // CA/Browser Forum baseline requirements, 6.3.2
	dockLife      = 90 * 24 * time.Hour
	clockSlack    = time.Hour // certificates begin this long ago, for docks whose clock is late
	maxRequest    = 16 << 10  // bytes of a certificate request
	maxHosts      = 100

	authorityKeyFile         = "authority.key"
	authorityCertificateFile = "authority.crt"
)

// Authority is an agency's own certificate authority: an ECDSA P-256 key and its
// self-signed certificate. Safe for concurrent use.
type Authority struct {
	agency      evidence.AgencyID
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// NewAuthority makes an authority, valid for ten years.
func NewAuthority(agency evidence.AgencyID, now time.Time) (*Authority, error) {
	if err := evidence.CheckName("agency", string(agency)); err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	key, err := NewTLSKey()
	if err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Sealdock authority of " + string(agency)},
		URIs:                  []*url.URL{authorityURI(agency)},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making an authority: %w", err)
	}
	return &Authority{agency, key, certificate}, nil
}

// Save writes key and certificate into dir, which is made when it is missing.
func (a *Authority) Save(dir string) error {
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("saving the authority: %w", err)
	}
	if err := SaveKey(filepath.Join(dir, authorityKeyFile), a.key); err != nil {
		return fmt.Errorf("saving the authority: %w", err)
	}
	if err := SaveCertificate(filepath.Join(dir, authorityCertificateFile), a.certificate.Raw); err != nil {
		return fmt.Errorf("saving the authority: %w", err)
	}
	return nil
}

// LoadAuthority reads what [Authority.Save] wrote and checks that it is one.
func LoadAuthority(dir string) (*Authority, error) {
	key, err := LoadTLSKey(filepath.Join(dir, authorityKeyFile))
	if err != nil {
		return nil, fmt.Errorf("loading the authority: %w", err)
	}
	path := filepath.Join(dir, authorityCertificateFile)
	chain, err := LoadCertificate(path)
	if err != nil {
		return nil, fmt.Errorf("loading the authority: %w", err)
	}
	c := chain[0]
	agency, err := agencyOfAuthority(c)
	switch {
	case err != nil:
		return nil, fmt.Errorf("loading the authority: %s: %w", path, err)
	case !key.PublicKey.Equal(c.PublicKey):
		return nil, fmt.Errorf("loading the authority: the key in %s does not belong to %s", dir, path)
	}
	return &Authority{agency, key, c}, nil
}

// Agency returns whose authority it is.
func (a *Authority) Agency() evidence.AgencyID { return a.agency }

// Certificate returns the authority's certificate; do not change it.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// Pool returns a pool with this authority only.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// IssueServer makes a key and a certificate for a server reached under the given
// names or addresses, valid for 398 days. The chain carries the authority's
// certificate too, so that an enrolling dock can pin it ([EnrolTLS]).
func (a *Authority) IssueServer(hosts []string, now time.Time) (tls.Certificate, error) {
	if len(hosts) == 0 || len(hosts) > maxHosts {
		return tls.Certificate{}, fmt.Errorf("issuing a server certificate: %d host names, want 1 to %d", len(hosts), maxHosts)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "Sealdock server of " + string(a.agency)},
		NotBefore:   now.Add(-clockSlack),
		NotAfter:    now.Add(serverLife - clockSlack),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else if host == "" || len(host) > 253 {
			return tls.Certificate{}, fmt.Errorf("issuing a server certificate: %q is not a host name", host)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := NewTLSKey()
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issuing a server certificate: %w", err)
	}
	leaf, err := a.issue(template, &key.PublicKey)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issuing a server certificate: %w", err)
	}
	return TLSCertificate([]*x509.Certificate{leaf, a.certificate}, key)
}

// IssueDock makes a dock's certificate for the key of a certificate request
// (PKCS #10, DER), valid for 90 days. Only the key is taken from the request: it
// must be P-256 or P-384 and have signed the request.
func (a *Authority) IssueDock(csrDER []byte, dock evidence.DockID, now time.Time) (certDER []byte, err error) {
	if err := evidence.CheckName("dock", string(dock)); err != nil {
		return nil, fmt.Errorf("issuing a dock certificate: %w", err)
	}
	if len(csrDER) > maxRequest {
		return nil, fmt.Errorf("issuing a dock certificate: the request has %d bytes, at most %d are read", len(csrDER), maxRequest)
	}
	request, err := x509.ParseCertificateRequest(csrDER)
	if err != nil {
		return nil, fmt.Errorf("issuing a dock certificate: reading the request: %w", err)
	}
	key, err := strongECDSA(request.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("issuing a dock certificate: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("issuing a dock certificate: the request is not signed by its key: %w", err)
	}
	leaf, err := a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: string(dock)},
		URIs:        []*url.URL{dockURI(a.agency, dock)},
		NotBefore:   now.Add(-clockSlack),
		NotAfter:    now.Add(dockLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
	if err != nil {
		return nil, fmt.Errorf("issuing a dock certificate: %w", err)
	}
	return leaf.Raw, nil
}

// issue signs a leaf. Its life never goes beyond the authority's own.
func (a *Authority) issue(template *x509.Certificate, key *ecdsa.PublicKey) (*x509.Certificate, error) {
	template.BasicConstraintsValid = true
	if template.NotAfter.After(a.certificate.NotAfter) {
		template.NotAfter = a.certificate.NotAfter
	}
	if !template.NotAfter.After(template.NotBefore.Add(clockSlack)) {
		return nil, errors.New("the authority's own certificate has expired")
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
