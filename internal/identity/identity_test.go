package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

const testHost = "ingest.example"

func testTime() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// pki is an agency with a server and a dock.
type pki struct {
	authority *Authority
	server    tls.Certificate
	dock      tls.Certificate
}

func newPKI(t *testing.T, agency evidence.AgencyID) *pki {
	t.Helper()
	a, err := NewAuthority(agency, testTime())
	must(t, err)
	server, err := a.IssueServer([]string{testHost, "127.0.0.1"}, testTime())
	must(t, err)
	key, err := NewTLSKey()
	must(t, err)
	return &pki{a, server, issueDock(t, a, key, "dock-1", testTime())}
}

func issueDock(t *testing.T, a *Authority, key *ecdsa.PrivateKey, dock evidence.DockID, now time.Time) tls.Certificate {
	t.Helper()
	request, err := CSR(key, "a name that does not matter")
	must(t, err)
	der, err := a.IssueDock(request, dock, now)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	c, err := TLSCertificate([]*x509.Certificate{leaf}, key)
	must(t, err)
	return c
}

// issueAny signs a leaf that the authority's own functions would not.
func issueAny(t *testing.T, a *Authority, template *x509.Certificate, key crypto.Signer) tls.Certificate {
	t.Helper()
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = testTime().Add(-time.Hour), testTime().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// handshake connects both configurations over a socket, moves one byte each way,
// and returns what each side met.
func handshake(t *testing.T, server, client *tls.Config) (serverState, clientState tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	server, client = server.Clone(), client.Clone()
	server.Time, client.Time = testTime, testTime
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var accepted net.Conn
		if accepted, serverErr = listener.Accept(); serverErr == nil {
			serverState, serverErr = exchange(tls.Server(accepted, server))
		}
	}()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	clientState, clientErr = exchange(tls.Client(dialled, client))
	<-done
	return
}

func exchange(c *tls.Conn) (tls.ConnectionState, error) {
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return tls.ConnectionState{}, err
	}
	if _, err := c.Write([]byte{1}); err != nil {
		return tls.ConnectionState{}, err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return c.ConnectionState(), err
}

func TestDockAndServerProveThemselves(t *testing.T) {
	p := newPKI(t, "north")
	serverState, clientState, serverErr, clientErr := handshake(t, ServerTLS(p.server, p.authority.Pool()), DockTLS(p.dock, p.authority.Pool(), testHost))
	must(t, errors.Join(serverErr, clientErr))
	if clientState.Version != tls.VersionTLS13 || clientState.CurveID != tls.X25519MLKEM768 || clientState.NegotiatedProtocol != "sealdock/1" {
		t.Errorf("version %x, exchange %v, protocol %q", clientState.Version, clientState.CurveID, clientState.NegotiatedProtocol)
	}
	agency, dock, err := DockFromCertificate(serverState.PeerCertificates[0])
	if err != nil || agency != "north" || dock != "dock-1" {
		t.Errorf("the dock is %q of %q, %v", dock, agency, err)
	}
	_, _, serverErr, clientErr = handshake(t, ServerTLS(p.server, p.authority.Pool()), DockTLS(p.dock, p.authority.Pool(), "127.0.0.1"))
	must(t, errors.Join(serverErr, clientErr))
}

func TestAnOlderPeerStillGetsAKeyExchange(t *testing.T) {
	p := newPKI(t, "north")
	for _, only := range []tls.CurveID{tls.X25519MLKEM768, tls.CurveP256, tls.CurveP384} {
		server, dock := ServerTLS(p.server, p.authority.Pool()), DockTLS(p.dock, p.authority.Pool(), testHost)
		dock.CurvePreferences = []tls.CurveID{only}
		_, state, serverErr, clientErr := handshake(t, server, dock)
		must(t, errors.Join(serverErr, clientErr))
		if state.CurveID != only || state.DidResume {
			t.Errorf("exchange %v of %v, resumed %v", state.CurveID, only, state.DidResume)
		}
	}
}

func TestLinkIsRefused(t *testing.T) {
	p, foreign := newPKI(t, "north"), newPKI(t, "north")
	pool := p.authority.Pool()
	key, err := NewTLSKey()
	must(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	must(t, err)
	serverUse := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	clientUse := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	dockName := []*url.URL{dockURI("north", "dock-1")}
	goodServer, goodDock := ServerTLS(p.server, pool), DockTLS(p.dock, pool, testHost)
	dockWith := func(c tls.Certificate) *tls.Config { return DockTLS(c, pool, testHost) }
	serverWith := func(c tls.Certificate) *tls.Config { return ServerTLS(c, pool) }
	old := func(c *tls.Config) *tls.Config { c.MinVersion, c.MaxVersion = 0, tls.VersionTLS12; return c }
	for _, test := range []struct {
		name         string
		server, dock *tls.Config
		want         string
	}{
		{"dock of a foreign authority", goodServer, dockWith(foreign.dock), "unknown authority"},
		{"server of a foreign authority", serverWith(foreign.server), goodDock, "unknown authority"},
		{"server with another name", goodServer, DockTLS(p.dock, pool, "other.example"), "not other.example"},
		{"dock without a certificate", goodServer, DockTLS(tls.Certificate{}, pool, testHost), "didn't provide a certificate"},
		{"dock whose certificate has expired", goodServer, dockWith(issueDock(t, p.authority, key, "dock-1", testTime().Add(-90*24*time.Hour-time.Second))), "expired"},
		{"dock whose certificate is of the future", goodServer, dockWith(issueDock(t, p.authority, key, "dock-1", testTime().Add(2*time.Hour))), "not yet valid"},
		{"dock with a server's certificate", goodServer, dockWith(p.server), "incompatible key usage"},
		{"server with a dock's certificate", serverWith(issueAny(t, p.authority, &x509.Certificate{DNSNames: []string{testHost}, ExtKeyUsage: clientUse}, key)), goodDock, "incompatible key usage"},
		{"dock without a name", goodServer, dockWith(issueAny(t, p.authority, &x509.Certificate{ExtKeyUsage: clientUse}, key)), "0 URIs"},
		{"dock with an RSA key", goodServer, dockWith(issueAny(t, p.authority, &x509.Certificate{URIs: dockName, ExtKeyUsage: clientUse}, weak)), "RSA with 2048 bits"},
		{"dock on P-521", goodServer, dockWith(issueAny(t, p.authority, &x509.Certificate{URIs: dockName, ExtKeyUsage: clientUse}, p521)), "P-521"},
		{"server with a weak RSA key", serverWith(issueAny(t, p.authority, &x509.Certificate{DNSNames: []string{testHost}, ExtKeyUsage: serverUse}, weak)), goodDock, "RSA with 2048 bits"},
		{"dock that speaks TLS 1.2", goodServer, old(DockTLS(p.dock, pool, testHost)), "protocol version"},
		{"server that speaks TLS 1.2", old(ServerTLS(p.server, pool)), goodDock, "protocol version"},
		{"another protocol", goodServer, func() *tls.Config { c := goodDock.Clone(); c.NextProtos = []string{"h3"}; return c }(), "application protocol"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, serverErr, clientErr := handshake(t, test.server, test.dock)
			if serverErr == nil || clientErr == nil {
				t.Fatalf("accepted: server %v, dock %v", serverErr, clientErr)
			}
			if err := errors.Join(serverErr, clientErr); !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v does not say %q", err, test.want)
			}
		})
	}
}

func TestCertificatesHaveTheirLifeAndUse(t *testing.T) {
	p := newPKI(t, "north")
	for name, test := range map[string]struct {
		leaf *x509.Certificate
		use  x509.ExtKeyUsage
		days int
	}{
		"server": {p.server.Leaf, x509.ExtKeyUsageServerAuth, 398},
		"dock":   {p.dock.Leaf, x509.ExtKeyUsageClientAuth, 90},
	} {
		if !slices.Equal(test.leaf.ExtKeyUsage, []x509.ExtKeyUsage{test.use}) || test.leaf.IsCA {
			t.Errorf("%s: uses %v, authority %t", name, test.leaf.ExtKeyUsage, test.leaf.IsCA)
		}
		if life := test.leaf.NotAfter.Sub(test.leaf.NotBefore); life > time.Duration(test.days)*24*time.Hour+time.Hour || life < time.Duration(test.days)*24*time.Hour-time.Hour {
			t.Errorf("%s: valid for %v, want %d days", name, life, test.days)
		}
		if test.leaf.SerialNumber.BitLen() < 64 {
			t.Errorf("%s: serial number %v is not random enough", name, test.leaf.SerialNumber)
		}
	}
	late := testTime().Add(authorityLife - 24*time.Hour)
	c, err := p.authority.IssueServer([]string{testHost}, late)
	if err != nil || c.Leaf.NotAfter.After(p.authority.certificate.NotAfter) {
		t.Errorf("a leaf outlives its authority: %v", err)
	}
	if _, err := p.authority.IssueServer([]string{testHost}, late.Add(48*time.Hour)); err == nil {
		t.Error("an expired authority issued a certificate")
	}
	for name, hosts := range map[string][]string{"none": nil, "empty": {""}, "long": {strings.Repeat("a", 254)}, "many": make([]string, maxHosts+1)} {
		if _, err := p.authority.IssueServer(hosts, testTime()); err == nil {
			t.Errorf("hosts, %s: accepted", name)
		}
	}
}

func TestRequestsAreChecked(t *testing.T) {
	p := newPKI(t, "north")
	request := func(key crypto.Signer) []byte {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
			Subject: pkix.Name{CommonName: "dock-9"}, URIs: []*url.URL{dockURI("south", "dock-9")}, DNSNames: []string{testHost},
		}, key)
		must(t, err)
		return der
	}
	ec := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		must(t, err)
		return key
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 3072)
	must(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	good := request(ec(elliptic.P256()))
	forged := slices.Clone(good)
	forged[len(forged)-1] ^= 1
	for _, test := range []struct {
		name string
		der  []byte
		dock evidence.DockID
		ok   bool
	}{
		{"P-256", good, "dock-1", true},
		{"P-384", request(ec(elliptic.P384())), "dock-1", true},
		{"P-224", request(ec(elliptic.P224())), "dock-1", false},
		{"P-521", request(ec(elliptic.P521())), "dock-1", false},
		{"RSA", request(rsaKey), "dock-1", false},
		{"Ed25519", request(edKey), "dock-1", false},
		{"forged signature", forged, "dock-1", false},
		{"nothing", nil, "dock-1", false},
		{"too long", append(slices.Clone(good), make([]byte, maxRequest)...), "dock-1", false},
		{"hostile name", good, "../x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			der, err := p.authority.IssueDock(test.der, test.dock, testTime())
			if (err == nil) != test.ok {
				t.Fatalf("error %v, want success %t", err, test.ok)
			}
			if !test.ok {
				return
			}
			c, err := x509.ParseCertificate(der)
			must(t, err)
			if agency, dock, err := DockFromCertificate(c); err != nil || agency != "north" || dock != test.dock || len(c.DNSNames) != 0 {
				t.Errorf("the request chose its own name: %q of %q, hosts %v, %v", dock, agency, c.DNSNames, err)
			}
		})
	}
}

func TestDockNamesAreReadStrictly(t *testing.T) {
	for text, ok := range map[string]bool{
		"sealdock://north/dock/dock-1":      true,
		"sealdock://north/dock/":            false,
		"sealdock://north/dock/a/b":         false,
		"sealdock://north/dock/a?x=1":       false,
		"sealdock://north/dock/a?":          false,
		"sealdock://north/dock/a#x":         false,
		"sealdock://user@north/dock/a":      false,
		"sealdock://north:1/dock/a":         false,
		"sealdock://NORTH/dock/a":           false,
		"sealdock://north/dock/%61":         false,
		"sealdock://north/authority":        false,
		"sealdock://north/a":                false,
		"sealdock:/north/dock/a":            false,
		"https://north/dock/a":              false,
		"sealdock://north/dock/..":          false,
		"sealdock://north/dock/dock%2Fdock": false,
	} {
		u, err := url.Parse(text)
		must(t, err)
		agency, dock, err := DockFromCertificate(&x509.Certificate{URIs: []*url.URL{u}})
		if (err == nil) != ok {
			t.Errorf("%s: dock %q of %q, error %v", text, dock, agency, err)
		}
	}
	if _, _, err := DockFromCertificate(&x509.Certificate{URIs: []*url.URL{dockURI("a", "b"), dockURI("c", "d")}}); err == nil {
		t.Error("a certificate with two names was accepted")
	}
}

func TestWebLinkHasOnlyStrongSuites(t *testing.T) {
	p := newPKI(t, "north")
	client := &tls.Config{RootCAs: p.authority.Pool(), ServerName: testHost}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		one := client.Clone()
		one.MaxVersion, one.CipherSuites = tls.VersionTLS12, []uint16{suite.ID}
		_, _, _, err := handshake(t, WebTLS(p.server), one)
		strong := strings.Contains(suite.Name, "_ECDHE_ECDSA_") && strings.Contains(suite.Name, "_GCM_")
		if (err == nil) != strong {
			t.Errorf("%s: %v", suite.Name, err)
		}
	}
	client.MaxVersion = tls.VersionTLS11
	if _, _, _, err := handshake(t, WebTLS(p.server), client); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestEnrollingDockKnowsTheServerByTheToken(t *testing.T) {
	p, foreign := newPKI(t, "north"), newPKI(t, "north")
	noAuthority := p.server
	noAuthority.Certificate = p.server.Certificate[:1]
	mixed := foreign.server
	mixed.Certificate = [][]byte{foreign.server.Certificate[0], p.authority.certificate.Raw}
	for _, test := range []struct {
		name   string
		server tls.Certificate
		host   string
		ok     bool
	}{
		{"right server", p.server, testHost, true},
		{"foreign server", foreign.server, testHost, false},
		{"foreign server that shows the right authority beside", mixed, testHost, false},
		{"server that hides its authority", noAuthority, testHost, false},
		{"other name", p.server, "other.example", false},
		{"a dock's certificate", tls.Certificate{Certificate: append(p.dock.Certificate, p.authority.certificate.Raw), PrivateKey: p.dock.PrivateKey}, testHost, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, _, err := handshake(t, WebTLS(test.server), EnrolTLS(Fingerprint(p.authority.certificate), test.host, testTime))
			if (err == nil) != test.ok {
				t.Errorf("error %v, want success %t", err, test.ok)
			}
		})
	}
}

func TestFilesComeBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	p := newPKI(t, "north")
	must(t, p.authority.Save(dir))
	again, err := LoadAuthority(dir)
	must(t, err)
	if again.Agency() != "north" || Fingerprint(again.Certificate()) != Fingerprint(p.authority.Certificate()) || !again.key.Equal(p.authority.key) {
		t.Error("another authority came back")
	}
	certificate, key := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	must(t, SaveCertificate(certificate, p.server.Certificate...))
	must(t, SaveKey(key, p.server.PrivateKey.(crypto.Signer)))
	c, err := LoadTLS(certificate, key)
	if err != nil || len(c.Certificate) != 2 || !c.Leaf.Equal(p.server.Leaf) {
		t.Errorf("another server came back: %v", err)
	}
	if _, err := LoadTLS(certificate, filepath.Join(dir, authorityKeyFile)); err == nil {
		t.Error("a certificate was joined with the key of another")
	}
	must(t, SaveCertificate(filepath.Join(dir, authorityCertificateFile), p.server.Certificate[0]))
	if _, err := LoadAuthority(dir); err == nil {
		t.Error("a server's certificate was taken for an authority's")
	}
	other, err := NewAuthority("north", testTime())
	must(t, err)
	must(t, SaveCertificate(filepath.Join(dir, authorityCertificateFile), other.certificate.Raw))
	if _, err := LoadAuthority(dir); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("an authority with a foreign key: %v", err)
	}
}

func TestSecretFilesThatOthersMayReadAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, err := NewTLSKey()
	must(t, err)
	must(t, SaveKey(path, key))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o660: false, 0o620: false, 0o644: false, 0o700: true} {
		must(t, os.Chmod(path, mode))
		_, err := LoadTLSKey(path)
		if (err == nil) != ok {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: %v does not say what to do", mode, err)
		}
	}
}

func TestMalformedFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	key, err := NewTLSKey()
	must(t, err)
	must(t, SaveKey(filepath.Join(dir, "good"), key))
	good, err := os.ReadFile(filepath.Join(dir, "good"))
	must(t, err)
	for name, text := range map[string]string{
		"empty": "", "no PEM": "hello", "broken": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "two": string(good) + string(good),
		"long": strings.Repeat("#", maxFile+1), "wrong block": strings.ReplaceAll(string(good), "PRIVATE KEY", "CERTIFICATE"),
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for _, name := range []string{"absent", "empty", "no PEM", "broken", "two", "long", "wrong block"} {
		if _, err := LoadTLSKey(filepath.Join(dir, name)); err == nil {
			t.Errorf("key %s: accepted", name)
		}
		if _, err := LoadCertificate(filepath.Join(dir, name)); err == nil {
			t.Errorf("certificate %s: accepted", name)
		}
	}
}

func TestWeakDashboardKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if fips140.Enforced() {
		if err == nil {
			t.Error("under fips140=only the module made a weak key")
		}
		return
	}
	must(t, err)
	must(t, SaveKey(filepath.Join(dir, "weak"), weak))
	if _, err := LoadTLSKey(filepath.Join(dir, "weak")); err == nil {
		t.Error("an RSA key was taken for a link")
	}
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "x"}, NotAfter: testTime()}
	der, err := x509.CreateCertificate(rand.Reader, c, c, weak.Public(), weak)
	must(t, err)
	must(t, SaveCertificate(filepath.Join(dir, "weak.crt"), der))
	if _, err := LoadTLS(filepath.Join(dir, "weak.crt"), filepath.Join(dir, "weak")); err == nil || !strings.Contains(err.Error(), "RSA with 1024 bits") {
		t.Errorf("a dashboard key of 1024 bits: %v", err)
	}
}
