package server

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"

	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// openWebhooks returns what sends for webhooks. Their secrets are sealed under a key of
// the pepper file, as those of authenticator apps are.
func (p *parts) openWebhooks() (*webhook.Service, error) {
	key, err := hkdf.Key(sha256.New, p.secrets.pepper, nil, "sealdock/webhook/v1", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of webhooks' secrets: %w", err)
	}
	node, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for this machine's name: %w", err)
	}
	roots, err := p.config.webhookRoots()
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Config{Catalog: p.catalog, Agency: p.config.agency(), Key: key, Networks: p.webhookNetworks, Node: node, Roots: roots, Now: p.now, Log: telemetry.Component(p.log, "webhook")})
}

// webhookNetworks are the inside networks that the agency lets webhooks reach now.
func (p *parts) webhookNetworks(ctx context.Context) (all []netip.Prefix) {
	for _, line := range p.settings.Lines(ctx, settings.WebhookNetworks) {
		all = append(all, netip.MustParsePrefix(line)) // canonical
	}
	return all
}

// webhookRoots are what receivers' certificates must lead to; nil for those that this
// machine trusts. With an authority of the agency's own these go on to count.
func (c *Config) webhookRoots() (*x509.CertPool, error) {
	if c.WebhookRoots == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.WebhookRoots)
	if err != nil {
		return nil, fmt.Errorf("webhook_authority: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("webhook_authority: reading what this machine trusts: %w", err)
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("webhook_authority: %s holds no certificate in PEM", c.WebhookRoots)
	}
	return roots, nil
}
