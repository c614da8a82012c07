package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/edge"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// CertificateConfig is where the certificate for browsers comes from.
type CertificateConfig struct {
	File       string `toml:"file" help:"File with the agency's certificate for public_names, PEM, behind it the chain that issued it. It is read again when it changes. Empty: none."`
	Key        string `toml:"key" help:"File with its key, PEM, without a passphrase, not to be read by everybody."`
	ACME       string `toml:"acme" help:"Address of an ACME server's directory that issues it, for example https://acme-v02.api.letsencrypt.org/directory. Its terms of service are agreed to. Empty: none."`
	Roots      string `toml:"acme_authority" help:"File with the CA certificate (PEM) that the ACME server's own must lead to. Empty: those that this machine trusts."`
	Contact    string `toml:"acme_contact" help:"Mail address that the ACME server may write to. Empty: none."`
	KeyID      string `toml:"acme_key_id" help:"Key id of external account binding, if the ACME server wants one. Empty: none."`
	KeyFile    string `toml:"acme_key_file" help:"File that holds the MAC key for it in one line (base64url, as the ACME server gives it), readable by the server's user alone."`
	ListenHTTP string `toml:"listen_http" help:"TCP address where the ACME server checks names without TLS, :80 (HTTP-01); everybody else is sent on to HTTPS. Empty: none, then it checks at listen_https, which it must reach as port 443 (TLS-ALPN-01)."`
}

// relativeTo makes paths count from the folder of the configuration.
func (c *CertificateConfig) relativeTo(base string) {
	for _, path := range []*string{&c.File, &c.Key, &c.Roots, &c.KeyFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(base, *path)
		}
	}
}

func (c *Config) checkCertificate() error {
	o := &c.Certificate
	switch {
	case (o.File == "") != (o.Key == ""):
		return errors.New("certificate.file and certificate.key go together: name both or none")
	case o.File != "" && o.ACME != "":
		return errors.New("certificate.file and certificate.acme are two sources of one thing: name one")
	case (o.KeyID == "") != (o.KeyFile == ""):
		return errors.New("certificate.acme_key_id and certificate.acme_key_file go together: name both or none")
	}
	if o.ACME != "" {
		if u, err := url.Parse(o.ACME); err != nil || u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("certificate.acme: %q is no address of an ACME directory; an example is https://acme-v02.api.letsencrypt.org/directory", o.ACME)
		}
	}
	if o.ListenHTTP != "" {
		if _, _, err := net.SplitHostPort(o.ListenHTTP); err != nil {
			return fmt.Errorf("certificate.listen_http: %q is not host:port; an example is :80", o.ListenHTTP)
		}
	}
	return nil
}

// openEdge returns who keeps the certificate for browsers.
func (c *Config) openEdge(db *sqldb.DB, own func(*tls.ClientHelloInfo) (*tls.Certificate, error), log *slog.Logger, now func() time.Time) (*edge.Service, error) {
	o := &c.Certificate
	config := edge.Config{
		Catalog: db, Agency: c.agency(), Names: c.PublicNames, Web: c.webAddress(), Own: own, File: o.File, Key: o.Key, Reread: c.Reread, Now: now, Log: telemetry.Component(log, "edge"),
	}
	if o.ACME != "" {
		config.ACME = &edge.ACME{Directory: o.ACME, Contact: o.Contact, Folder: c.acmeDir(), KeyID: o.KeyID}
		if o.Roots != "" {
			text, err := os.ReadFile(o.Roots)
			if err != nil {
				return nil, fmt.Errorf("certificate.acme_authority: %w", err)
			}
			config.ACME.Roots = x509.NewCertPool()
			if !config.ACME.Roots.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("certificate.acme_authority: %s holds no certificate in PEM", o.Roots)
			}
		}
		if o.KeyFile != "" {
			text, err := os.ReadFile(o.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("certificate.acme_key_file: %w", err)
			}
			if config.ACME.KeyMAC, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(string(text)), "=")); err != nil {
				return nil, fmt.Errorf("certificate.acme_key_file: %s is not one line of base64url", o.KeyFile)
			}
		}
	}
	s, err := edge.New(config)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return s, nil
}

// webTLS is the HTTPS address: for browsers and programs under the certificate that the
// agency brings and with the oldest TLS that it takes, for docks that enrol under the
// server's own certificate, whatever browsers get.
func (p *parts) webTLS() *tls.Config {
	old := identity.WebTLS(tls.Certificate{})
	old.Certificates, old.GetCertificate = nil, p.edge.Get
	modern := old.Clone()
	modern.MinVersion = tls.VersionTLS13
	dock := modern.Clone()
	dock.GetCertificate, dock.NextProtos = p.certificates.get, []string{"http/1.1"}
	choose := old.Clone()
	choose.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, identity.EnrolProtocol) {
			return dock, nil
		}
		if get := p.edge.Challenged(hello); get != nil {
			challenge := old.Clone()
			challenge.GetCertificate, challenge.NextProtos = get, []string{edge.ChallengeProtocol}
			return challenge, nil
		}
		if p.settings.Value(hello.Context(), settings.TLSMinimum) == "1.2" {
			return old, nil
		}
		return modern, nil
	}
	return choose
}

// certificateFact tells of the certificate that browsers get.
func (p *parts) certificateFact() settings.Fact {
	f := settings.Fact{Name: "tls.certificate", Title: "Certificate for browsers", Standing: settings.Stronger}
	state := p.edge.State()
	own, err := p.certificates.get(nil)
	switch {
	case !state.Ends.IsZero():
		source := map[string]string{"file": "the agency’s own", "acme": "by ACME"}[state.Source]
		f.Value = fmt.Sprintf("%s, for %s, ends %s", source, state.Shown, state.Ends.UTC().Format("2006-01-02 15:04 UTC"))
		if len(state.Bare) > 0 {
			f.Value += "; not for " + strings.Join(state.Bare, ", ")
		}
	case err != nil:
		f.Value, f.Standing, f.Todo = "none: "+err.Error(), settings.Weaker, "See the server's log."
		return f
	default:
		f.Value = fmt.Sprintf("by the server's own authority, ends %s", own.Leaf.NotAfter.UTC().Format("2006-01-02 15:04 UTC"))
		f.Standing, f.Todo = settings.AsDefault, "Browsers trust it only where your own authority's certificate is installed."
	}
	switch {
	case state.Fault != "":
		f.Standing, f.Todo = settings.Weaker, "Its replacement cannot be taken: "+state.Fault
	case state.Near:
		f.Standing, f.Todo = settings.Weaker, "It ends soon, and should have been replaced."
	}
	return f
}
