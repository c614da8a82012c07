package upload

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/wire"
)

// station is a spool with an uploader that talks to an ingest.
type station struct {
	t      *testing.T
	spool  *spool.Spool
	key    *identity.StatementKey
	server *ingest
	tls    *tls.Config
	up     *Uploader
	opt    Options // that it runs with
}

// more gives the uploader another lane: package lanes alone would not, on a
// path that is clean.
func (s *station) more(kind wire.Kind) {
	s.t.Helper()
	l := lanes.New(lanes.Options{
		Serve: s.up.serve, Log: s.opt.Log, Most: 1, NoQUIC: kind == wire.TCP, NoTCP: kind == wire.QUIC, First: s.opt.First, Longest: s.opt.Longest,
		Dial: s.opt.Dial,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = l.Run(ctx) }()
	s.t.Cleanup(func() { cancel(); <-done })
}

func newStation(t *testing.T) *station {
	t.Helper()
	key, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{t: t, key: key, server: newIngest(t, key.Public())}
	s.server.listen("127.0.0.1:0")
	s.ready()
	return s
}

// ready gives the station a spool and a certificate.
func (s *station) ready() {
	t := s.t
	t.Helper()
	var err error
	s.spool, err = spool.Open(t.Context(), spool.Options{Dir: t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.spool.Close() })
	tlsKey, err := identity.NewTLSKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := identity.CSR(tlsKey, "front-desk")
	if err != nil {
		t.Fatal(err)
	}
	der, err := s.server.authority.IssueDock(csr, "front-desk", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.tls = identity.DockTLS(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: tlsKey, Leaf: leaf}, s.server.authority.Pool(), "localhost")
}

// run starts the uploader; the returned stop ends it and waits.
func (s *station) run(change ...func(*Options)) (stop func()) {
	s.t.Helper()
	agencyKey, err := s.server.private.Public().MarshalBinary()
	if err != nil {
		s.t.Fatal(err)
	}
	opt := Options{
		Spool: s.spool, Agency: "riverton", Dock: "front-desk", Trust: s.server.trust, AgencyKey: agencyKey, Version: "test", Now: time.Now,
		Log:   slog.New(slog.NewTextHandler(logWriter{s.t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		First: 10 * time.Millisecond, Longest: 50 * time.Millisecond, StatusEvery: 20 * time.Millisecond,
		Dial: func(ctx context.Context, kind wire.Kind) (lanes.Session, error) {
			dial := wire.Dial
			if kind == wire.TCP {
				dial = wire.DialTCP
			}
			session, err := dial(ctx, s.server.address, s.tls, wire.Options{})
			if err != nil {
				return nil, err
			}
			return lanes.Wired(session), nil
		},
	}
	for _, c := range change {
		c(&opt)
	}
	s.up, s.opt = New(opt), opt
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.up.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	s.t.Cleanup(stop)
	return stop
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	if testing.Verbose() {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
