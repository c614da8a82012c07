package webhook

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Config is what a Service stands on. All fields but Roots, Resolver, Random
// and Patience are required.
type Config struct {
	Catalog *sqldb.DB
	Agency  evidence.AgencyID
	// Key seals secrets in the catalog: 32 bytes that are not in it.
	Key []byte
	// Networks are those that are not public and may be reached all the same.
	Networks func(context.Context) []netip.Prefix
	Node     string         // this server's name: it may take its own leases over at once after a crash
	Roots    *x509.CertPool // that receivers' certificates must lead to; nil: those that this machine trusts
	Resolver *net.Resolver  // nil: that of this machine
	Random   func() float64 // from 0 up to but without 1, for the pauses; nil: a good one
	Patience time.Duration  // how long one attempt may take in all; 0: 15 s
	Now      func() time.Time
	Log      *slog.Logger
}

// Service keeps an agency's webhooks and sends for them. Make it with New.
type Service struct {
	Config
	holder string
	aead   cipher.AEAD
	client *http.Client

	mu      sync.Mutex
	letIn   string           // networks that the client's connections were made under
	scanned map[string]int64 // by webhook: up to where of the log nothing more is wanted
	running map[string]bool
	workers sync.WaitGroup
}

// New returns a Service. It sends nothing before Run.
func New(c Config) (*Service, error) {
	block, err := aes.NewCipher(c.Key)
	if err != nil {
		return nil, fmt.Errorf("sealing webhooks' secrets: %w", err)
	}
	if c.Random == nil {
		c.Random = mathrand.Float64
	}
	if c.Patience <= 0 {
		c.Patience = postTime
	}
	s := &Service{Config: c, holder: c.Node + "#" + rand.Text(), scanned: map[string]int64{}, running: map[string]bool{}}
	if s.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("sealing webhooks' secrets: %w", err)
	}
	s.client = s.newClient()
	return s, nil
}

func (s *Service) instant() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// seal encrypts a webhook's secret with AES-256-GCM, for this webhook alone.
func (s *Service) seal(id string, secret []byte) string {
	return base64.RawStdEncoding.EncodeToString(s.aead.Seal(nil, nil, secret, s.secretOf(id)))
}

func (s *Service) open(id, sealed string) ([]byte, error) {
	b, err := base64.RawStdEncoding.DecodeString(sealed)
	if err == nil {
		b, err = s.aead.Open(nil, nil, b, s.secretOf(id))
	}
	if err != nil {
		return nil, fmt.Errorf("opening the secret of webhook %s: it was stored under another pepper file, or is damaged; give the webhook a new secret: %w", id, err)
	}
	return b, nil
}

func (s *Service) secretOf(id string) []byte {
	return []byte("sealdock/webhook/v1\n" + string(s.Agency) + "\n" + id)
}
