package wire_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/internal/wire/wiretest"
)

// ends are a server and a dock that trust one authority, before they met.
type ends struct {
	authority    *pki.Authority
	server, dock *tls.Config
}

func newEnds(t *testing.T) ends {
	a := pki.NewAuthority(t)
	return ends{
		authority: a,
		server:    a.ServerTLS(a.Server(t, wiretest.ServerName)),
		dock:      a.DockTLS(a.Dock(t, "north", "dock-1"), wiretest.ServerName),
	}
}

func refusedWith(t *testing.T, err error, words string) {
	t.Helper()
	if !errors.Is(err, wire.ErrHandshake) || !strings.Contains(err.Error(), words) {
		t.Errorf("error %q, want ErrHandshake with %q", err, words)
	}
}

func TestWhatTheDockRefusesFailsTheDial(t *testing.T) {
	cases := map[string]struct {
		change func(t *testing.T, e *ends)
		words  string
	}{
		"unknown authority": {
			func(t *testing.T, e *ends) { e.dock.RootCAs = pki.NewAuthority(t).Pool() },
			"authority that is not trusted",
		},
		"other name": {
			func(t *testing.T, e *ends) { e.dock.ServerName = "other.example" },
			"other.example",
		},
		"expired certificate": {
			func(t *testing.T, e *ends) {
				e.server.Certificates = []tls.Certificate{e.authority.Issue(t, func(c *x509.Certificate) {
					c.DNSNames = []string{wiretest.ServerName}
					c.NotAfter = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
				})}
			},
			"expired, or a clock is wrong",
		},
		"foreign protocol": {
			func(t *testing.T, e *ends) { e.dock.NextProtos = []string{"h3"} },
			"does not speak our protocol",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, kind wire.Kind) {
				e := newEnds(t)
				c.change(t, &e)
				n := wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
				n.Listen(t, e.server, wire.Options{})
				_, err := n.Dials(t, kind, wire.Options{})(t.Context(), e.dock)
				refusedWith(t, err, c.words)
			})
		})
	}
}

func TestWhatTheServerRefusesShowsAtTheFirstRead(t *testing.T) {
	cases := map[string]struct {
		change func(t *testing.T, e *ends)
		words  string
	}{
		"unknown authority": {
			func(t *testing.T, e *ends) {
				e.dock.Certificates = []tls.Certificate{pki.NewAuthority(t).Dock(t, "north", "dock-1")}
				// Show it although the server names other authorities.
				e.dock.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &e.dock.Certificates[0], nil
				}
			},
			"the peer refuses our certificate",
		},
		"expired certificate": {
			func(t *testing.T, e *ends) {
				e.dock.Certificates = []tls.Certificate{e.authority.Issue(t, func(c *x509.Certificate) {
					c.NotAfter = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
				})}
			},
			"the peer refuses our certificate",
		},
		"no certificate": {
			func(t *testing.T, e *ends) { e.dock.Certificates = nil },
			"demands a certificate",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, kind wire.Kind) {
				e := newEnds(t)
				c.change(t, &e)
				n := wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
				l := n.Listen(t, e.server, wire.Options{})
				dock, err := n.Dials(t, kind, wire.Options{})(t.Context(), e.dock)
				if err != nil {
					t.Fatalf("the dial itself failed: %v", err)
				}
				stream, err := dock.OpenStream(t.Context())
				if err == nil {
					_, err = stream.Read(make([]byte, 1))
				}
				refusedWith(t, err, c.words)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := l.Accept(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the server accepted: %v", err)
				}
			})
		})
	}
}

func TestNobodyThereIsToldInPlainWords(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		e := newEnds(t)
		n := wiretest.New(t, wiretest.Conditions{})
		n.Blackout(true)
		began := time.Now()
		_, err := n.Dials(t, kind, wire.Options{})(t.Context(), e.dock)
		refusedWith(t, err, "is the server running")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestTLSThatProvesNothingIsNotUsed(t *testing.T) {
	e := newEnds(t)
	for name, c := range map[string]*tls.Config{
		"none":        nil,
		"no protocol": {RootCAs: e.authority.Pool()},
		"trusts all":  {NextProtos: []string{pki.ALPN}, InsecureSkipVerify: true},
	} {
		if _, err := wire.Dial(t.Context(), "127.0.0.1:9", c, wire.Options{}); err == nil || errors.Is(err, wire.ErrHandshake) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := wire.DialTCP(t.Context(), "127.0.0.1:9", c, wire.Options{}); err == nil || errors.Is(err, wire.ErrHandshake) {
			t.Errorf("%s over TCP: %v", name, err)
		}
	}
}

func TestSessionsAreTLS13AndNameThePeer(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		dock, server := wiretest.PairOf(t, kind, wiretest.New(t, wiretest.Conditions{}), wire.Options{})
		if dock.Kind() != kind || server.Kind() != kind {
			t.Errorf("a session of kind %s and %s", dock.Kind(), server.Kind())
		}
		for _, s := range []*wire.Session{dock, server} {
			state := s.ConnectionState()
			if state.CurveID != tls.X25519MLKEM768 {
				t.Errorf("key exchange %v", state.CurveID)
			}
			if state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != pki.ALPN || state.DidResume {
				t.Errorf("TLS %x, protocol %q, resumed %v", state.Version, state.NegotiatedProtocol, state.DidResume)
			}
		}
		if got := server.PeerCertificate().URIs[0].String(); got != "sealdock://north/dock/dock-1" {
			t.Errorf("the dock is called %s", got)
		}
		if got := dock.PeerCertificate().DNSNames[0]; got != wiretest.ServerName {
			t.Errorf("the server is called %s", got)
		}
	})
}
