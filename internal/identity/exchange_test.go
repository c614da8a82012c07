package identity

import (
	"crypto/fips140"
	"crypto/tls"
	"slices"
	"testing"
)

// Runs in every FIPS mode (scripts/fips): what is agreed on may not differ.
func TestKeyExchangeIsHybridAndFallsBack(t *testing.T) {
	p := newPKI(t, "north-yard")
	pool := p.authority.Pool()
	offering := func(c *tls.Config, groups ...tls.CurveID) *tls.Config {
		c.CurvePreferences = groups
		return c
	}
	server, dock := ServerTLS(p.server, pool), DockTLS(p.dock, pool, testHost)
	foreignServer := func(groups ...tls.CurveID) *tls.Config { return offering(ServerTLS(p.server, pool), groups...) }
	foreignDock := func(groups ...tls.CurveID) *tls.Config { return offering(DockTLS(p.dock, pool, testHost), groups...) }
	for name, test := range map[string]struct {
		server, client *tls.Config
		want           tls.CurveID
	}{
		"both ours":                              {server, dock, tls.X25519MLKEM768},
		"a dock with P-256 alone":                {server, foreignDock(tls.CurveP256), tls.CurveP256},
		"a dock with P-384 alone":                {server, foreignDock(tls.CurveP384), tls.CurveP384},
		"a server with P-256 alone":              {foreignServer(tls.CurveP256), dock, tls.CurveP256},
		"a server with P-384 alone":              {foreignServer(tls.CurveP384), dock, tls.CurveP384},
		"a dock that puts P-256 first":           {server, foreignDock(tls.CurveP256, tls.X25519MLKEM768), tls.X25519MLKEM768},
		"enrolment":                              {WebTLS(p.server), EnrolTLS(Fingerprint(p.authority.certificate), testHost, testTime), tls.X25519MLKEM768},
		"enrolment at a server with P-384 alone": {offering(WebTLS(p.server), tls.CurveP384), EnrolTLS(Fingerprint(p.authority.certificate), testHost, testTime), tls.CurveP384},
		"a browser with P-256 alone":             {WebTLS(p.server), &tls.Config{RootCAs: pool, ServerName: testHost, CurvePreferences: []tls.CurveID{tls.CurveP256}}, tls.CurveP256},
	} {
		t.Run(name, func(t *testing.T) {
			atServer, atClient, serverErr, clientErr := handshake(t, test.server, test.client)
			if serverErr != nil || clientErr != nil {
				t.Fatalf("server: %v, client: %v", serverErr, clientErr)
			}
			for side, s := range map[string]tls.ConnectionState{"server": atServer, "client": atClient} {
				if s.Version != tls.VersionTLS13 || s.CurveID != test.want || s.DidResume {
					t.Errorf("%s: %s, %s, resumed %v; want TLS 1.3, %s, a new session", side, tls.VersionName(s.Version), s.CurveID, s.DidResume, test.want)
				}
				suites := []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384}
				if !fips140.Enabled() {
					suites = append(suites, tls.TLS_CHACHA20_POLY1305_SHA256) // without AES instructions
				}
				if !slices.Contains(suites, s.CipherSuite) {
					t.Errorf("%s: %s is not allowed in this mode", side, tls.CipherSuiteName(s.CipherSuite))
				}
			}
		})
	}
}

func TestClassicX25519IsNotAgreedOn(t *testing.T) {
	p := newPKI(t, "north-yard")
	pool := p.authority.Pool()
	client := DockTLS(p.dock, pool, testHost)
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	server := ServerTLS(p.server, pool)
	server.CurvePreferences = []tls.CurveID{tls.X25519}
	for name, pair := range map[string][2]*tls.Config{"a dock that has no other": {ServerTLS(p.server, pool), client}, "a server that has no other": {server, DockTLS(p.dock, pool, testHost)}} {
		if _, _, serverErr, clientErr := handshake(t, pair[0], pair[1]); serverErr == nil || clientErr == nil {
			t.Errorf("%s: agreed on X25519 (server: %v, client: %v)", name, serverErr, clientErr)
		}
	}
}

func TestNothingIsSentBeforeTheHandshakeEnds(t *testing.T) {
	p := newPKI(t, "north-yard")
	pool := p.authority.Pool()
	client := DockTLS(p.dock, pool, testHost)
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1) // a dock of another make would keep tickets
	server := ServerTLS(p.server, pool)
	for range 2 {
		_, s, serverErr, clientErr := handshake(t, server, client)
		if serverErr != nil || clientErr != nil {
			t.Fatalf("server: %v, client: %v", serverErr, clientErr)
		}
		if s.DidResume {
			t.Error("a session was resumed: without tickets there is none, and no 0-RTT")
		}
		if _, kept := client.ClientSessionCache.Get(testHost); kept {
			t.Error("the server gave out a ticket")
		}
	}
}

func TestADockOffersOnlyWhatTheModeAllows(t *testing.T) {
	p := newPKI(t, "north-yard")
	pool := p.authority.Pool()
	var offered tls.ClientHelloInfo
	server := ServerTLS(p.server, pool)
	server.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered = *hello
		return nil, nil
	}
	if _, _, serverErr, clientErr := handshake(t, server, DockTLS(p.dock, pool, testHost)); serverErr != nil || clientErr != nil {
		t.Fatalf("server: %v, client: %v", serverErr, clientErr)
	}
	if want := []tls.CurveID{tls.X25519MLKEM768, tls.CurveP256, tls.CurveP384}; !slices.Equal(offered.SupportedCurves, want) {
		t.Errorf("key exchanges %v, want %v", offered.SupportedCurves, want)
	}
	if !slices.Equal(offered.SupportedVersions, []uint16{tls.VersionTLS13}) {
		t.Errorf("versions %x, want TLS 1.3 alone", offered.SupportedVersions)
	}
	want := []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384}
	if !fips140.Enabled() {
		want = append(want, tls.TLS_CHACHA20_POLY1305_SHA256)
	}
	got := slices.Clone(offered.CipherSuites)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("suites %x, want %x", got, want)
	}
}
