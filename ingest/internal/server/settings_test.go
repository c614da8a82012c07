package server

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/settings"
)

// R41 to R43: what is older than the agency takes, and what has no forward
// secrecy, gets no connection; a change holds without a restart.
func TestTheOldestTLSIsAsTheAgencyDecides(t *testing.T) {
	r := newServer(t)
	r.start()
	pool := x509.NewCertPool()
	pool.AddCert(r.authority())
	dial := func(version uint16, suites ...uint16) error {
		c, err := tls.Dial("tcp", r.ready.HTTPS.String(), &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: version, MaxVersion: version, CipherSuites: suites})
		if err == nil {
			c.Close()
		}
		return err
	}
	older := []uint16{tls.VersionTLS10, tls.VersionTLS11}
	check := func(two bool) {
		t.Helper()
		if err := dial(tls.VersionTLS13); err != nil {
			t.Errorf("TLS 1.3: %v", err)
		}
		if err := dial(tls.VersionTLS12); (err == nil) != two {
			t.Errorf("TLS 1.2: %v", err)
		}
		for _, version := range older {
			if dial(version) == nil {
				t.Errorf("TLS version %#x is taken", version)
			}
		}
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			strong := suite.ID == tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 || suite.ID == tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
			if (dial(tls.VersionTLS12, suite.ID) == nil) && !(two && strong) {
				t.Errorf("%s is taken", suite.Name)
			}
		}
	}
	check(false)
	err := WithSettings(t.Context(), r.config, slog.New(slog.DiscardHandler), time.Now, func(d *settings.Desk) error {
		_, err := d.Set(t.Context(), settings.Change{Name: settings.TLSMinimum, Value: "1.2", Reason: "old terminals"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); dial(tls.VersionTLS12) != nil && time.Now().Before(deadline); {
	}
	check(true)
}
