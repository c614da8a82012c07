package pki

import (
	"crypto/x509"
	"testing"
	"testing/synctest"
	"time"
)

func TestCertificatesVerifyOnRealAndOnVirtualTime(t *testing.T) {
	verify := func(t *testing.T) {
		authority := NewAuthority(t)
		server := authority.Server(t, "ingest.example", "127.0.0.1")
		for _, name := range []string{"ingest.example", "127.0.0.1"} {
			if _, err := server.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: authority.Pool(), CurrentTime: time.Now()}); err != nil {
				t.Errorf("server as %s: %v", name, err)
			}
		}
		dock := authority.Dock(t, "north", "dock-1")
		usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if _, err := dock.Leaf.Verify(x509.VerifyOptions{Roots: authority.Pool(), CurrentTime: time.Now(), KeyUsages: usage}); err != nil {
			t.Errorf("dock: %v", err)
		}
		if got := dock.Leaf.URIs[0].String(); got != "sealdock://north/dock/dock-1" {
			t.Errorf("dock is named %s", got)
		}
		if _, err := dock.Leaf.Verify(x509.VerifyOptions{Roots: NewAuthority(t).Pool(), CurrentTime: time.Now(), KeyUsages: usage}); err == nil {
			t.Error("a dock of one authority passes at another")
		}
	}
	t.Run("real", verify)
	synctest.Test(t, verify)
}
