package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// ErrNoAuthority: the key of the agency's camera authority is not on this
// server.
var ErrNoAuthority = errors.New("the key of the camera authority is not on this server: restore keys/camera-authority.key from your backup; in a folder from before there was one, the next start of the server makes it")

// Config is what a Service works with. All fields but Key and Certificate are required.
type Config struct {
	Catalog     *sqldb.DB
	Agency      evidence.AgencyID
	Key         *identity.StatementKey // the camera authority's; nil: lost, so cameras are told nothing new, and what was signed stays in force
	Certificate *x509.Certificate      // of the authority by which docks know this server; nil: no enrolment tokens are made
	ReceiptKeys [][]byte               // Ed25519 public keys whose receipts count
	Images      string                 // folder of firmware images, made when needed
	Now         func() time.Time
	Log         *slog.Logger
}

// Service answers for one agency.
type Service struct {
	Config
	compared atomic.Pointer[string] // how the docks were when the trust was compared with them; nil: never
	crowded  atomic.Bool            // it was said that there are more docks than cameras can be told of

	mu     sync.Mutex // guards the fields below, and is held while the policy is made
	policy *upload.PolicyAnswer
	made   time.Time
}

// New returns a Service. A key of another purpose is refused.
func New(c Config) (*Service, error) {
	if c.Key != nil && c.Key.Purpose() != identity.PurposeCamera {
		return nil, fmt.Errorf("opening the camera authority: its key is for %q, want one for %q", c.Key.Purpose(), identity.PurposeCamera)
	}
	return &Service{Config: c}, nil
}

// By is who does something, for the custody record.
type By struct {
	Actor  evidence.Actor
	Source string // network address, or "local"
}

// Server is the server itself.
func Server() By { return By{Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Source: "local"} }

// CommandLine is whoever may run the server's commands.
func CommandLine() By {
	return By{Actor: evidence.Actor{Kind: "server", ID: "local"}, Source: "local"}
}

func (s *Service) instant() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// event is a custody event of something that was done.
func (s *Service) event(kind evidence.EventType, by By, object string, details map[string]string) evidence.Event {
	return evidence.Event{
		Version: 1, Agency: s.Agency, Type: kind, At: s.instant(), Actor: by.Actor, Source: by.Source, Object: object,
		Outcome: evidence.OutcomeDone, Details: details,
	}
}

// update changes the catalog, and the policy with it.
func (s *Service) update(ctx context.Context, change func(*sqldb.Tx) error) error {
	err := s.Catalog.Update(ctx, change)
	if !sqldb.Behind(ctx, func(context.Context) { s.Forget() }) {
		s.Forget()
	}
	return err
}

// Forget makes the next question read the policy anew: for who has changed it
// through the catalog.
func (s *Service) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy = nil
}

// sign signs a statement of the camera authority.
func (s *Service) sign(payloadType string, statement evidence.Statement) ([]byte, error) {
	if s.Key == nil {
		return nil, ErrNoAuthority
	}
	payload, err := evidence.Encode(statement)
	if err != nil {
		return nil, err
	}
	envelope, err := s.Key.Sign(payloadType, payload)
	if err != nil {
		return nil, err
	}
	return envelope.Marshal(), nil
}

// next is the number after last. Counting goes by seconds since 1970 where that
// is more, so that a catalog restored from an older backup gives out no number
// that cameras have seen with something else.
func (s *Service) next(last uint64) uint64 {
	return max(last+1, uint64(max(s.Now().Unix(), 1)))
}

// Certify returns the envelope of a certificate that a key belongs to a camera
// of this agency. Whether people approved that is the caller's to know and to
// record.
func (s *Service) Certify(serial string, key []byte) ([]byte, error) {
	envelope, err := s.sign(evidence.TypeCameraCertificate, &evidence.CameraCertificate{
		Version: 1, Agency: s.Agency, Serial: serial, Key: key, IssuedAt: s.instant(),
	})
	if err != nil {
		return nil, fmt.Errorf("certifying a camera's key: %w", err)
	}
	return envelope, nil
}

// Authority returns the public key of the agency's camera authority, nil where
// its key is not on this server.
func (s *Service) Authority() ed25519.PublicKey {
	if s.Key == nil {
		return nil
	}
	return s.Key.Public()
}
