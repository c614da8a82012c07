package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/testkit/pebble"
	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/proto/evidence"
)

// shown is the certificate that a browser gets which asks for a name and trusts pool.
func (r *running) shown(name string, pool *x509.CertPool) (*x509.Certificate, error) {
	d := &tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: name, NextProtos: []string{"h2", "http/1.1"}}}
	c, err := d.DialContext(r.ctx, "tcp", r.ready.HTTPS.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// awaitShown waits until a browser gets a certificate of pool's other than former, and
// returns it. turn is called before each try.
func (r *running) awaitShown(name string, pool *x509.CertPool, former *x509.Certificate, turn func()) *x509.Certificate {
	r.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		turn()
		c, err := r.shown(name, pool)
		if err == nil && (former == nil || !c.Equal(former)) {
			return c
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.t.Fatalf("%v\n%s", err, r.log.String())
		}
	}
}

func writePair(t *testing.T, c tls.Certificate, certificate, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBrowsersGetTheAgencysCertificateAndDocksTheirOwn: with a certificate of the
// agency's PKI, a dock enrols and uploads as before, and a new file counts without a
// restart.
func TestBrowsersGetTheAgencysCertificateAndDocksTheirOwn(t *testing.T) {
	r := newServer(t)
	dir := t.TempDir()
	c := &r.config.Certificate
	c.File, c.Key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	agencys := pki.NewAuthority(t)
	writePair(t, agencys.Server(t, "localhost"), c.File, c.Key)
	hangup := make(chan os.Signal, 1)
	r.config.Reread = hangup
	r.start()
	first, err := r.shown("localhost", agencys.Pool())
	r.must(err)
	own := x509.NewCertPool()
	own.AddCert(r.authority())
	if _, err := r.shown("localhost", own); err == nil {
		t.Error("browsers get the server's own certificate")
	}
	d := r.enrol("front-desk") // which pins the server's own authority
	r.store(d, d.Record(t, "A.MP4", footage(100_000)))

	writePair(t, agencys.Server(t, "localhost"), c.File, c.Key)
	hangup <- syscall.SIGHUP
	second := r.awaitShown("localhost", agencys.Pool(), first, func() {})
	r.must(os.WriteFile(c.Key, []byte("hello"), 0o600))
	hangup <- syscall.SIGHUP
	for !r.alerted(catalog.AlertCertificate) {
		r.must(r.ctx.Err())
	}
	if c, err := r.shown("localhost", agencys.Pool()); err != nil || !c.Equal(second) {
		t.Errorf("a broken key took the place of a good pair: %v", err)
	}
	other := r.enrol("back-door")
	r.store(other, other.Record(t, "B.MP4", footage(100_000)))
	r.end()
	if n := len(r.events(evidence.EventCertificateTaken)); n != 2 {
		t.Errorf("%d events of two certificates", n)
	}
}

// TestCertificatesComeByACME from Pebble, an ACME server that is not ours, in both ways
// in which it checks names, under an account that it must know; they are renewed, and
// survive a restart.
func TestCertificatesComeByACME(t *testing.T) {
	mac := base64.RawURLEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, way := range []string{"http-01", "tls-alpn-01"} {
		t.Run(way, func(t *testing.T) {
			web, plain := pebble.Port(t), pebble.Port(t)
			o := pebble.Options{TLS: web, HTTP: plain, Life: 12 * time.Second, KeyID: "agency-1", KeyMAC: mac}
			if way == "http-01" {
				o.TLS, o.Life = pebble.Port(t), 90*24*time.Hour
			} else {
				o.HTTP = pebble.Port(t)
			}
			acme := pebble.Start(t, o)
			r := newServer(t)
			key := filepath.Join(t.TempDir(), "mac")
			r.must(os.WriteFile(key, []byte(mac+"\n"), 0o600))
			r.config.PublicNames = []string{"evidence.example.org", "localhost", "127.0.0.1"}
			r.config.ListenHTTPS = "127.0.0.1:" + strconv.Itoa(web)
			r.config.Certificate = CertificateConfig{ACME: acme.Directory, Roots: acme.Authority, Contact: "it@example.org", KeyID: "agency-1", KeyFile: key}
			if way == "http-01" {
				r.config.Certificate.ListenHTTP = "127.0.0.1:" + strconv.Itoa(plain)
			}
			hangup := make(chan os.Signal, 1)
			r.config.Reread = hangup
			r.start()
			first := r.awaitShown("evidence.example.org", acme.Issuers, nil, func() {})
			if first.PublicKeyAlgorithm != x509.ECDSA {
				t.Errorf("a key of kind %s", first.PublicKeyAlgorithm)
			}
			own := x509.NewCertPool()
			own.AddCert(r.authority())
			for _, name := range []string{"other.example.org", "sub.evidence.example.org"} { // nothing is asked for that is not configured
				if _, err := r.shown(name, acme.Issuers); err == nil {
					t.Errorf("there is a certificate for %s", name)
				}
			}
			if _, err := r.shown("localhost", own); err != nil {
				t.Errorf("a name inside the house: %v", err)
			}
			d := r.enrol("front-desk")
			r.store(d, d.Record(t, "A.MP4", footage(1000)))
			if way == "http-01" {
				r.plainLeadsToHTTPS(plain)
			} else {
				renewed := r.awaitShown("evidence.example.org", acme.Issuers, first, func() {
					select {
					case hangup <- syscall.SIGHUP:
					default:
					}
				})
				if !renewed.NotAfter.After(first.NotAfter) {
					t.Errorf("renewed until %s, the former was until %s", renewed.NotAfter, first.NotAfter)
				}
			}
			r.kept()
			r.end()
			if n := len(r.events(evidence.EventCertificateTaken)); n == 0 {
				t.Error("no event tells of it")
			}
			if way == "http-01" {
				r.config.Certificate.ACME = strings.Replace(acme.Directory, "/dir", "/gone", 1) // nobody is asked
				r.start()
				if again := r.awaitShown("evidence.example.org", acme.Issuers, nil, func() {}); !again.Equal(first) {
					t.Error("another certificate after a restart")
				}
				r.end()
				if n := len(r.events(evidence.EventCertificateTaken)); n != 1 {
					t.Errorf("%d events of one certificate", n)
				}
			}
		})
	}
}

// kept looks at what ACME leaves in the data folder.
func (r *running) kept() {
	r.t.Helper()
	folder, err := os.Stat(r.config.acmeDir())
	r.must(err)
	entries, err := os.ReadDir(r.config.acmeDir())
	r.must(err)
	if folder.Mode().Perm() != 0o700 || len(entries) < 2 {
		r.t.Errorf("mode %o, %d files", folder.Mode().Perm(), len(entries))
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			r.t.Errorf("%s has mode %o", e.Name(), info.Mode().Perm())
		}
	}
}

// plainLeadsToHTTPS: without TLS there is nothing but the way to where there is.
func (r *running) plainLeadsToHTTPS(port int) {
	r.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		method, path, host string
		status             int
		location           string
	}{
		{"GET", "/evidence?q=secret", "evil.example.com", 307, r.config.webAddress() + "/evidence"},
		{"GET", "//evil.example.com/", "evidence.example.org", 307, r.config.webAddress() + "//evil.example.com/"},
		{"POST", "/sign-in", "evidence.example.org", 400, ""},
		{"GET", "/.well-known/acme-challenge/x", "evil.example.com", 403, ""},
		{"GET", "/.well-known/acme-challenge/../../keys/root.key", "evidence.example.org", 307, ""},
		{"GET", "/.well-known/acme-challenge/acme_account", "evidence.example.org", 404, ""},
	} {
		request, err := http.NewRequestWithContext(r.ctx, c.method, "http://127.0.0.1:"+strconv.Itoa(port)+c.path, nil)
		r.must(err)
		request.Host = c.host
		answer, err := client.Do(request)
		r.must(err)
		body, err := io.ReadAll(answer.Body)
		r.must(err)
		answer.Body.Close()
		if got := answer.Header.Get("Location"); answer.StatusCode != c.status && c.location != "" || got != c.location && c.location != "" || strings.Contains(string(body), "PRIVATE") {
			r.t.Errorf("%s %s: %d to %q: %.100s", c.method, c.path, answer.StatusCode, got, body)
		}
	}
}

// TestADockThatEnrolsSaysSo: by that it gets the own certificate, with TLS 1.3.
func TestADockThatEnrolsSaysSo(t *testing.T) {
	r := newServer(t)
	r.start()
	config := identity.EnrolTLS(identity.Fingerprint(r.authority()), "localhost", time.Now)
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
	defer cancel()
	c, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", r.ready.HTTPS.String())
	r.must(err)
	defer c.Close()
	if s := c.(*tls.Conn).ConnectionState(); s.NegotiatedProtocol != "http/1.1" || s.Version != tls.VersionTLS13 {
		t.Errorf("%q over TLS %#x", s.NegotiatedProtocol, s.Version)
	}
}

// TestEveryAnswerIsGuarded: what stands outside of the pages too, in HTTP/1.1 and
// HTTP/2; a request with too long headers gets no answer from anything of ours.
func TestEveryAnswerIsGuarded(t *testing.T) {
	r := newServer(t)
	r.start()
	pool := x509.NewCertPool()
	pool.AddCert(r.authority())
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: version == "HTTP/2.0", TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer client.CloseIdleConnections()
		at := "https://" + r.ready.HTTPS.String()
		r.logged(client)
		for _, c := range []struct {
			method, path string
			status       int
		}{
			{"GET", "/healthz", 200}, {"GET", "/log/checkpoint", 200}, {"GET", "/log/checkpoint.witnessed", 404}, {"GET", "/log/tile/9/9/9", 404}, {"POST", "/api/v1/enrol", 400},
			{"GET", "/sign-in", 200}, {"GET", "/", 303}, {"GET", "/api/v1/me", 401}, {"GET", "/.well-known/security.txt", 404}, {"DELETE", "/healthz", 401}, {"GET", "//evil.example.com/", 307},
		} {
			request, err := http.NewRequestWithContext(r.ctx, c.method, at+c.path, nil)
			r.must(err)
			request.Header.Set("Accept", "text/html")
			answer, err := client.Do(request)
			r.must(err)
			answer.Body.Close()
			if answer.Proto != version || answer.StatusCode != c.status && c.path != "//evil.example.com/" {
				t.Errorf("%s %s: %s, %s", c.method, c.path, answer.Proto, answer.Status)
			}
			for name, value := range map[string]string{
				"Strict-Transport-Security": "max-age=63072000; includeSubDomains", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Resource-Policy": "same-origin", "Server": "",
			} {
				if got := answer.Header.Get(name); got != value {
					t.Errorf("%s %s: %s is %q", c.method, c.path, name, got)
				}
			}
			if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("%s %s: %q", c.method, c.path, policy)
			}
		}
		request, err := http.NewRequestWithContext(r.ctx, "GET", at+"/healthz", nil)
		r.must(err)
		request.Header.Set("X-Long", strings.Repeat("x", 64<<10))
		if answer, err := client.Do(request); err == nil {
			answer.Body.Close()
			if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("64 KiB of headers over %s: %s", version, answer.Status)
			}
		}
	}
}
