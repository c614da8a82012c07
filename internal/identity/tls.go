package identity

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Protocol is the ALPN name of the link between dock and server.
const Protocol = "sealdock/1"

// EnrolProtocol is the ALPN name by which a dock that enrols says that it is one: it is
// shown the certificate of the server's own authority, whichever browsers get. What is
// spoken then is HTTP/1.1.
const EnrolProtocol = "sealdock-enrol/1"

// ServerTLS is the server's side of a dock link: TLS 1.3, a dock certificate of
// one of the authorities in pool required, no session tickets, so that every
// connection proves itself. Whether the dock is still welcome is for the caller
// to look up.
func ServerTLS(cert tls.Certificate, pool *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{cert},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              pool,
		NextProtos:             []string{Protocol},
		CurvePreferences:       exchanges(),
		SessionTicketsDisabled: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("the dock showed no certificate")
			}
			if _, err := strongECDSA(s.PeerCertificates[0].PublicKey); err != nil {
				return fmt.Errorf("dock certificate: %w", err)
			}
			_, _, err := DockFromCertificate(s.PeerCertificates[0])
			return err
		},
	}
}

// DockTLS is the dock's side: TLS 1.3, the server proven by one of the
// authorities in pool under serverName, with an ECDSA key or RSA of at least
// 3072 bits.
func DockTLS(cert tls.Certificate, pool *x509.CertPool, serverName string) *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		Certificates:     []tls.Certificate{cert},
		RootCAs:          pool,
		ServerName:       serverName,
		NextProtos:       []string{Protocol},
		CurvePreferences: exchanges(),
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("the server showed no certificate")
			}
			if err := checkStrength(s.PeerCertificates[0].PublicKey, minServerRSA); err != nil {
				return fmt.Errorf("server certificate: %w", err)
			}
			return nil
		},
	}
}

// WebTLS is for dashboard and API: TLS 1.2 and 1.3, in 1.2 only suites with
// forward secrecy and authenticated encryption.
func WebTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS12,
		Certificates:     []tls.Certificate{cert},
		NextProtos:       []string{"h2", "http/1.1"},
		CurvePreferences: exchanges(),
		// A ticket's key, which this process holds for a week, would open what was
		// sent over TLS 1.2 meanwhile. A connection more costs a signature.
		SessionTicketsDisabled: true,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		},
	}
}

// EnrolTLS is for a dock that knows nothing of the server but the fingerprint in
// its enrolment token: the server must show the authority's certificate with that
// fingerprint in its chain, and be proven by it under serverName.
func EnrolTLS(fingerprint evidence.Digest, serverName string, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         serverName,
		CurvePreferences:   exchanges(),
		NextProtos:         []string{EnrolProtocol, "http/1.1"},
		InsecureSkipVerify: true, // verified below, against the pinned authority alone
		VerifyConnection: func(s tls.ConnectionState) error {
			return verifyPinned(s.PeerCertificates, fingerprint, serverName, now())
		},
	}
}

func verifyPinned(chain []*x509.Certificate, fingerprint evidence.Digest, serverName string, now time.Time) error {
	if len(chain) == 0 || serverName == "" {
		return errors.New("the server showed no certificate, or its name is not known")
	}
	for _, c := range chain {
		sum := Fingerprint(c)
		if subtle.ConstantTimeCompare(sum[:], fingerprint[:]) != 1 {
			continue
		}
		pool := x509.NewCertPool()
		pool.AddCert(c)
		if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: serverName, Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
			return fmt.Errorf("the server is not proven by the authority of the enrolment token: %w", err)
		}
		return checkStrength(chain[0].PublicKey, minServerRSA)
	}
	return errors.New("the server does not know the authority of the enrolment token: is it the right server, and the newest token?")
}

// exchanges lists key exchanges, the hybrid post-quantum one first; all are
// allowed by FIPS mode.
func exchanges() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.CurveP256, tls.CurveP384}
}
