package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/sealdock/sealdock/proto/evidence"
)

const uriScheme = "sealdock"

func dockURI(agency evidence.AgencyID, dock evidence.DockID) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: string(agency), Path: "/dock/" + string(dock)}
}

func authorityURI(agency evidence.AgencyID) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: string(agency), Path: "/authority"}
}

// DockFromCertificate returns the dock that a certificate names. The caller has
// verified the certificate, as [ServerTLS] does; here only the name is read, which
// must be the one URI, written in the one allowed way.
func DockFromCertificate(c *x509.Certificate) (evidence.AgencyID, evidence.DockID, error) {
	u, err := oneURI(c)
	if err != nil {
		return "", "", fmt.Errorf("reading a dock certificate: %w", err)
	}
	agency, dock := evidence.AgencyID(u.Host), evidence.DockID(strings.TrimPrefix(u.Path, "/dock/"))
	if err := errors.Join(evidence.CheckName("agency", string(agency)), evidence.CheckName("dock", string(dock))); err != nil {
		return "", "", fmt.Errorf("reading a dock certificate: %w", err)
	}
	if u.String() != dockURI(agency, dock).String() {
		return "", "", fmt.Errorf("reading a dock certificate: %q is not the name of a dock", u)
	}
	return agency, dock, nil
}

// agencyOfAuthority reads the agency that an authority's certificate names.
func agencyOfAuthority(c *x509.Certificate) (evidence.AgencyID, error) {
	if !c.IsCA || !c.BasicConstraintsValid {
		return "", errors.New("not the certificate of an authority")
	}
	u, err := oneURI(c)
	if err != nil {
		return "", err
	}
	agency := evidence.AgencyID(u.Host)
	if err := evidence.CheckName("agency", string(agency)); err != nil {
		return "", err
	}
	if u.String() != authorityURI(agency).String() {
		return "", fmt.Errorf("%q is not the name of an authority", u)
	}
	return agency, nil
}

func oneURI(c *x509.Certificate) (*url.URL, error) {
	if len(c.URIs) != 1 {
		return nil, fmt.Errorf("it names %d URIs, want one", len(c.URIs))
	}
	return c.URIs[0], nil
}

// Fingerprint is the SHA-256 of the certificate's DER bytes.
func Fingerprint(c *x509.Certificate) evidence.Digest {
	return sha256.Sum256(c.Raw)
}
