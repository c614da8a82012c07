package server

import (
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/identity"
)

// renewBefore is how long before its end the server's certificate is replaced.
const renewBefore = 60 * 24 * time.Hour

// certificates gives out the server's certificate, a new one when the old one
// nears its end. It lives in memory only: each start issues one.
type certificates struct {
	authority *identity.Authority
	hosts     []string
	now       func() time.Time

	mu      sync.Mutex // guards current
	current *tls.Certificate
}

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.now().Before(c.current.Leaf.NotAfter.Add(-renewBefore)) {
		return c.current, nil
	}
	issued, err := c.authority.IssueServer(c.hosts, c.now())
	if err != nil {
		return nil, fmt.Errorf("issuing the server's certificate: %w", err)
	}
	c.current = &issued
	return c.current, nil
}

// renewing makes a TLS configuration ask for the certificate at each
// handshake.
func (c *certificates) renewing(make func(tls.Certificate) *tls.Config) (*tls.Config, error) {
	first, err := c.get(nil)
	if err != nil {
		return nil, err
	}
	config := make(*first)
	config.Certificates = nil
	config.GetCertificate = c.get
	return config, nil
}
