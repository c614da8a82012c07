package reading

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The errors that callers tell apart with errors.Is.
var (
	// ErrForbidden: the person may not do this.
	ErrForbidden = auth.ErrForbidden
	// ErrUnrecorded: the custody event could not be written, so nothing was
	// done (law 6).
	ErrUnrecorded = errors.New("the custody record cannot be written at the moment, so nothing is shown; try again, and tell the server's operator if it stays")
	// ErrNotStored: the item is known, but is not a proven recording in the store.
	ErrNotStored = errors.New("the item is not in the store, or not yet")
	// ErrMissing: the catalog says stored, and the store has no such blob.
	ErrMissing = errors.New("the stored bytes of this item are missing from the evidence store; tell the server's operator now")
	// ErrChanged: stored bytes are not those that were sealed at the dock.
	ErrChanged = errors.New("the stored bytes of this item are not the ones that were proven on arrival; tell the server's operator now")
	// ErrNoReceipt: the item has no receipt yet.
	ErrNoReceipt = errors.New("no receipt has been signed for this item yet")
)

// Blobs opens committed blobs. vault.Store fills it.
type Blobs interface {
	Open(ctx context.Context, key vault.Key) (vault.Blob, error)
}

// Keys opens the key of one attempt at one item. keys.Ring fills it. The
// caller zeroes the key.
type Keys interface {
	Unwrap(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (seal.Key, error)
}

// Config is what a Service stands on. All fields but DerivativeKey and Space are required.
type Config struct {
	Catalog    *sqldb.DB
	Blobs      Blobs
	Keys       Keys
	Live       LiveSource
	ReceiptKey ed25519.PublicKey // verifies this server's receipts
	// DerivativeKey verifies derivatives; nil: none is.
	DerivativeKey ed25519.PublicKey
	Agency        evidence.AgencyID
	// Space tells the bytes that the store can still take; nil when unknown.
	Space func() (free uint64, err error)
	Now   func() time.Time
	Log   *slog.Logger
}

// Service answers the read side's questions.
type Service struct {
	Config
	segments sync.Pool // of *segmentBuffers
	plays    plays
}

// New returns a Service.
func New(c Config) *Service {
	s := &Service{Config: c, plays: plays{now: c.Now, open: map[playKey]*play{}}}
	s.segments.New = func() any {
		return &segmentBuffers{sealed: make([]byte, vault.SealedSegment), plain: make([]byte, 0, seal.SegmentSize)}
	}
	return s
}

func (s *Service) clock() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// allow asks whether the person may do something at all; on what, the predicate of
// each list says.
func (s *Service) allow(actor *auth.Actor, do auth.Action) error {
	if auth.MaySome(actor, do, s.Agency) {
		return nil
	}
	return ErrForbidden
}

// find returns an item that the person may do something on. That they may not is
// entered into the custody record; so is it when there is no such item, for whoever
// may not see one must not learn whether it is there.
func (s *Service) find(ctx context.Context, actor *auth.Actor, do auth.Action, kind evidence.EventType, id evidence.EvidenceID) (*catalog.Item, error) {
	_, err := auth.Find(ctx, &s.Catalog.Reader, actor, do, s.Agency, id)
	if err == nil {
		return s.Catalog.Item(ctx, s.Agency, id)
	}
	if actor != nil && (errors.Is(err, ErrForbidden) || errors.Is(err, catalog.ErrNotFound)) {
		if err := s.record(ctx, actor, kind, evidence.ItemObject(id), evidence.OutcomeRefused, auth.Refusal(err, do), nil); err != nil {
			s.Log.ErrorContext(ctx, "a denied act could not be recorded", "action", string(do), "error", err)
		}
	}
	return nil, err
}

// within is on what a list for the person may hold.
func (s *Service) within(actor *auth.Actor, do auth.Action) *catalog.Reach {
	return auth.ReachOf(actor, do, s.Agency)
}

// record appends one custody event. The error wraps ErrUnrecorded.
func (s *Service) record(ctx context.Context, actor *auth.Actor, kind evidence.EventType, object string, outcome evidence.Outcome, reason string, details map[string]string) error {
	e := evidence.Event{
		Version: 1, Agency: s.Agency, Type: kind, At: s.clock(), Actor: actor.Custody(), Source: actor.Origin.Address,
		Object: object, Outcome: outcome, Reason: reason, Details: details,
	}
	err := s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	if err != nil {
		return fmt.Errorf("recording %s: %w (%w)", kind, ErrUnrecorded, err)
	}
	return nil
}
