package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/sealdock/sealdock/internal/durable"
)

// ACME says whom to ask for certificates (RFC 8555).
type ACME struct {
	Directory string         // address of the server's directory, https
	Roots     *x509.CertPool // whom its certificate must lead to; nil: those that this machine trusts
	Contact   string         // a mail address; "": none
	Folder    string         // for account key, certificates and their keys
	KeyID     string         // of the account there that this one belongs to (external account binding); "": none
	KeyMAC    []byte         // its key
}

// acmeSource asks an ACME server.
type acmeSource struct {
	manager *autocert.Manager
	names   []string // those that it can be asked for
}

func newACME(c Config) (*acmeSource, error) {
	a := &acmeSource{}
	for _, name := range c.Names {
		if net.ParseIP(name) == nil && strings.Contains(strings.Trim(name, "."), ".") {
			a.names = append(a.names, strings.ToLower(name))
		}
	}
	if len(a.names) == 0 {
		return nil, fmt.Errorf("by ACME there are certificates for names with a dot alone, and public_names has none: %s", strings.Join(c.Names, ", "))
	}
	if err := durable.MkdirAll(c.ACME.Folder, 0o700); err != nil {
		return nil, err
	}
	a.manager = &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: folder(c.ACME.Folder), HostPolicy: autocert.HostWhitelist(a.names...), Email: c.ACME.Contact,
		Client: &acme.Client{DirectoryURL: c.ACME.Directory, UserAgent: "sealdock-ingest", HTTPClient: &http.Client{
			Timeout: time.Minute, Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.ACME.Roots},
				TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
			},
		}},
	}
	if c.ACME.KeyID != "" {
		a.manager.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: c.ACME.KeyID, Key: c.ACME.KeyMAC}
	}
	return a, nil
}

// obtain asks for each name's certificate; what is there already and not near its end
// costs nothing. It may take minutes.
func (s *Service) obtain(ctx context.Context) error {
	var all []*tls.Certificate
	var failed []string
	for _, name := range s.acme.names {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c, err := s.acme.get(ctx, name)
		if err == nil {
			err = judge(c, s.Names, s.Now())
		}
		if err != nil {
			failed = append(failed, fmt.Sprintf("ACME gave none for %s: %v", name, err))
			c = s.showing(name)
		}
		if c != nil {
			all = append(all, c)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var err error
	if len(failed) > 0 {
		err = errors.New(strings.Join(failed, "; "))
	}
	s.show(all, err)
	return err
}

// get asks for one name's certificate until ctx ends; autocert itself knows no context.
func (a *acmeSource) get(ctx context.Context, name string) (c *tls.Certificate, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err = a.manager.GetCertificate(&tls.ClientHelloInfo{
			ServerName: name, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256},
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		})
	}()
	select {
	case <-done:
		return c, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// showing returns what is shown for a name now.
func (s *Service) showing(name string) *tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.shown {
		if c.Leaf.VerifyHostname(name) == nil {
			return c
		}
	}
	return nil
}

// Challenged returns how to answer an ACME server that checks a name of ours by TLS
// (RFC 8737), nil when hello is of nobody such.
func (s *Service) Challenged(hello *tls.ClientHelloInfo) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.acme == nil || len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != acme.ALPNProto {
		return nil
	}
	return s.acme.manager.GetCertificate // of a challenge that was asked for, or an error
}

// ChallengeProtocol is the ALPN name of such a check.
const ChallengeProtocol = acme.ALPNProto

// Plain is what is served without TLS: answers to ACME servers that check a name by
// HTTP (RFC 8555 section 8.3), and to all others where to go.
func (s *Service) Plain() http.Handler {
	elsewhere := http.HandlerFunc(s.elsewhere)
	if s.acme == nil {
		return elsewhere
	}
	challenges := s.acme.manager.HTTPHandler(elsewhere)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil { // autocert knows names without ports
			r = r.Clone(r.Context())
			r.Host = host
		}
		challenges.ServeHTTP(w, r)
	})
}

func (s *Service) elsewhere(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "Nothing is taken without TLS.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Location", s.Web+r.URL.EscapedPath()) // never whatever host the request names
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// folder is autocert's cache in a folder: each file whole, or as it was, mode 0600.
type folder string

func (f folder) path(name string) (string, error) {
	if name == "" || len(name) > 300 || filepath.Base(name) != name || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("%.40q is no name of what ACME leaves here", name)
	}
	return filepath.Join(string(f), name), nil
}

// Get implements autocert.Cache.
func (f folder) Get(_ context.Context, name string) ([]byte, error) {
	path, err := f.path(name)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, autocert.ErrCacheMiss
	}
	return data, err
}

// Put implements autocert.Cache.
func (f folder) Put(_ context.Context, name string, data []byte) error {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o600)
}

// Delete implements autocert.Cache.
func (f folder) Delete(_ context.Context, name string) error {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	if err := durable.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
