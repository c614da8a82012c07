package webhook_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// came is a request that a receiver got.
type came struct {
	at     time.Time
	header http.Header
	body   []byte
}

// receiver is a real HTTPS server; answer says how it answers the nth request, from 0.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []came
	now    func() time.Time
	answer func(n int, w http.ResponseWriter, r *http.Request)
}

func newReceiver(t *testing.T, now func() time.Time, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	r := &receiver{now: now, answer: answer}
	r.Server = httptest.NewUnstartedServer(r)
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	n := len(r.got)
	r.got = append(r.got, came{r.now(), request.Header.Clone(), body})
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(n, w, request)
	}
}

func (r *receiver) all() []came {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

func (r *receiver) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.Certificate())
	return pool
}

type rig struct {
	*testing.T
	*readingtest.Store
	boss *auth.Actor
	key  []byte
}

func newRig(t *testing.T) *rig {
	g := &rig{T: t, Store: readingtest.New(t)}
	g.boss = g.Actor(t, g.SetUp(t))
	sum := sha256.Sum256([]byte("a pepper of a test"))
	g.key = sum[:]
	return g
}

func (g *rig) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// service is one sender; what a test sets goes over the defaults.
func (g *rig) service(set ...func(*webhook.Config)) *webhook.Service {
	g.Helper()
	c := webhook.Config{
		Catalog: g.DB, Agency: readingtest.Agency, Key: g.key, Node: "node", Now: g.Clock.Now, Log: slog.New(slog.DiscardHandler),
		Networks: func(context.Context) []netip.Prefix { return loopback }, Random: func() float64 { return 0.5 },
	}
	for _, set := range set {
		set(&c)
	}
	s, err := webhook.New(c)
	g.must(err)
	return s
}

func trusting(r *receiver) func(*webhook.Config) {
	return func(c *webhook.Config) { c.Roots = r.roots() }
}

// fresh is the administrator, who has just shown who they are.
func (g *rig) fresh() *auth.Actor {
	actor := *g.boss
	actor.FactorAt = g.Clock.Now()
	return &actor
}

func (g *rig) hook(s *webhook.Service, r *receiver, name string) (*catalog.Webhook, string) {
	g.Helper()
	w, secret, err := s.For(g.fresh()).Make(g.Context(), name, r.URL+"/in", []evidence.EventType{evidence.EventEvidenceStored, evidence.EventAlertRaised})
	g.must(err)
	return w, secret
}

// happen adds n events that are wanted, and as many that are not.
func (g *rig) happen(n int) {
	g.Helper()
	g.Update(g.T, func(ctx context.Context, tx *sqldb.Tx) error {
		for range n {
			for _, kind := range []evidence.EventType{evidence.EventEvidenceStored, evidence.EventDockConnected} {
				if _, err := tx.AppendEvent(ctx, evidence.Event{Agency: readingtest.Agency, Type: kind, Actor: evidence.Actor{Kind: "dock", ID: "front-desk", Name: "Jonah Reyes"}, Source: "192.0.2.9",
					Object: "item:00112233445566778899aabbccddeeff", Outcome: evidence.OutcomeDone, Reason: "a reason", Details: map[string]string{"path": "DCIM/SECRET.MP4"}}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	g.Sequence(g.T)
}

func (g *rig) round(s *webhook.Service) {
	g.Helper()
	g.must(s.Round(g.Context()))
}

func (g *rig) get(s *webhook.Service, id string) (*catalog.Webhook, []catalog.Delivery) {
	g.Helper()
	w, last, err := s.For(g.fresh()).Get(g.Context(), id)
	g.must(err)
	return w, last
}
