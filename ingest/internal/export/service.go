package export

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/timeline"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The errors that callers tell apart with errors.Is.
var (
	// ErrForbidden: the person may not take these items away.
	ErrForbidden = auth.ErrForbidden
	// ErrUnproven: something does not hold; nothing was given out.
	ErrUnproven = errors.New("the item does not prove itself, so no package is made of it; tell the server's operator now")
	// ErrNotStored: the item is known, but is not a proven recording in the store.
	ErrNotStored = errors.New("the item is not in the store with a receipt, or not yet")
	// ErrRange: the part that is wanted of a recording does not exist.
	ErrRange = errors.New("there is no such part of the recording")
	// ErrBusy: as many packages are made as may be at once.
	ErrBusy = errors.New("other custody packages are being made at this moment; try again in a minute")
	// ErrUnlogged: the custody log could not take the event, so nothing was given
	// out (law 6).
	ErrUnlogged = errors.New("the custody log cannot be written at the moment, so no package is made; try again, and tell the server's operator if it stays")
)

// Blobs opens committed blobs. vault.Store fills it.
type Blobs interface {
	Open(ctx context.Context, key vault.Key) (vault.Blob, error)
}

// Keys opens the key of one attempt at one item. keys.Ring fills it.
type Keys interface {
	Unwrap(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (seal.Key, error)
}

// Log is who writes the custody log.
type Log interface {
	// Await returns when a signed, durable checkpoint covers the event of that
	// row, and all rows before it.
	Await(ctx context.Context, event int64) error
}

// Config is what a Service stands on. All fields are required but DerivativeKey and Page.
type Config struct {
	Catalog    *sqldb.DB
	Blobs      Blobs
	Keys       Keys
	Log        Log
	Tiles      tlog.Tiles
	Agency     evidence.AgencyID
	LogOrigin  string
	LogKey     ed25519.PublicKey
	ReceiptKey ed25519.PublicKey
	// DerivativeKey judges derivatives; nil: there are none.
	DerivativeKey ed25519.PublicKey
	Restored      []int64  // as in proof.Trust
	Host          string   // this server's name, for the ASC MHL
	Program       string   // this program and its version
	Witnesses     []string // verifier keys of the log's witnesses; none: packages go without
	Page          []byte   // the verifier's page; nil: packages go without
	Now           func() time.Time
	Logger        *slog.Logger
}

// atOnce is how many packages may be in the making, or on their way out.
const atOnce = 8

// Service makes packages.
type Service struct {
	Config
	turns chan struct{}
}

// New returns a Service.
func New(c Config) *Service { return &Service{c, make(chan struct{}, atOnce)} }

// By is who wants a package.
type By struct {
	Actor  evidence.Actor
	Source string // network address, or "local"
}

// CommandLine is whoever may run the server's commands.
func CommandLine() By {
	return By{evidence.Actor{Kind: "server", ID: "local"}, "local"}
}

// Wanted is an item that goes into a package, or a part of it.
type Wanted struct {
	ID       evidence.EvidenceID
	From, To uint64 // bytes From..To-1, widened to whole parts of 1 MiB; To 0: all of it
	Times    *Times // in place of bytes: those that hold this time
}

// Times are a span of an MP4 recording, from its beginning.
type Times struct{ From, To time.Duration }

// Whole wants items as they are.
func Whole(ids ...evidence.EvidenceID) []Wanted {
	all := make([]Wanted, len(ids))
	for i, id := range ids {
		all[i].ID = id
	}
	return all
}

// part widens what is wanted to whole leaves; nil for all of the recording.
func (w Wanted) part(item *catalog.Item) (*pack.Part, error) {
	switch {
	case w.To == 0 && w.From == 0:
		return nil, nil
	case w.From >= w.To || w.To > item.Length:
		return nil, fmt.Errorf("bytes %d to %d of item %s, which has %d: %w", w.From, w.To, item.ID, item.Length, ErrRange)
	case item.Encoding != evidence.EncodedAsIs:
		return nil, fmt.Errorf("item %s is stored compressed and goes out as a whole: %w", item.ID, ErrRange)
	}
	from := w.From / evidence.LeafSize * evidence.LeafSize
	return &pack.Part{From: from, To: min((w.To+evidence.LeafSize-1)/evidence.LeafSize*evidence.LeafSize, item.Length)}, nil
}

// timed finds the bytes that hold the time that is wanted, by the tables of the
// recording itself.
func (m *making) timed(ctx context.Context, w Wanted, item *catalog.Item) (*pack.Part, error) {
	if w.From != 0 || w.To != 0 || item.Encoding != evidence.EncodedAsIs {
		return nil, fmt.Errorf("a time of item %s, which is named by bytes too or is stored compressed: %w", item.ID, ErrRange)
	}
	f, err := m.open(ctx, item, nil)
	if err != nil {
		return nil, err
	}
	x, err := timeline.Read(f, item.Length)
	var span *timeline.Span
	if err == nil {
		span, err = x.Span(w.Times.From, w.Times.To)
	}
	if err = errors.Join(err, f.Close()); errors.Is(err, timeline.ErrForm) {
		err = fmt.Errorf("%w: %w", ErrRange, err)
	}
	if err != nil {
		return nil, fmt.Errorf("item %s: %w", item.ID, err)
	}
	w.From, w.To = span.Bytes.From, span.Bytes.To
	part, err := w.part(item)
	if err == nil {
		part.Span = &pack.Span{AskedFrom: w.Times.From.Microseconds(), AskedTo: w.Times.To.Microseconds(), From: span.From.Microseconds(), To: span.To.Microseconds()}
	}
	return part, err
}

// ForPerson makes a package for a signed-in person, who must be allowed to download
// each item. progress may be nil.
func (s *Service) ForPerson(ctx context.Context, actor *auth.Actor, wanted []Wanted, progress *Progress) (*Package, error) {
	act := auth.Act{Do: auth.DownloadItem, Kind: evidence.EventPackaged, Later: true}
	for _, w := range wanted[:min(len(wanted), pack.MaxItems)] {
		item, err := auth.Find(ctx, &s.Catalog.Reader, actor, auth.DownloadItem, s.Agency, w.ID)
		if actor != nil && (errors.Is(err, ErrForbidden) || errors.Is(err, catalog.ErrNotFound)) {
			s.note(ctx, By{actor.Custody(), actor.Origin.Address}, wanted, evidence.OutcomeRefused, auth.Refusal(err, auth.DownloadItem))
		}
		if err != nil {
			return nil, err
		}
		act.On = append(act.On, auth.ItemObject(item))
	}
	if actor == nil {
		return nil, ErrForbidden
	}
	if len(act.On) == 1 {
		act.About = evidence.ItemObject(wanted[0].ID)
	}
	if err := auth.Clear(ctx, actor, act); err != nil {
		if errors.Is(err, auth.ErrFreshFactor) || errors.Is(err, auth.ErrTokenAct) {
			s.note(ctx, By{actor.Custody(), actor.Origin.Address}, wanted, evidence.OutcomeRefused, err.Error())
		}
		return nil, err
	}
	return s.makeWatched(ctx, By{actor.Custody(), actor.Origin.Address}, wanted, progress)
}

// Make makes a package of the items, each of them once, in that order. Close it.
// Errors wrap catalog.ErrNotFound, ErrNotStored, ErrUnproven, ErrUnlogged or ErrBusy.
func (s *Service) Make(ctx context.Context, by By, wanted []Wanted) (*Package, error) {
	return s.makeWatched(ctx, by, wanted, nil)
}

func (s *Service) makeWatched(ctx context.Context, by By, wanted []Wanted, progress *Progress) (*Package, error) {
	if len(wanted) == 0 || len(wanted) > pack.MaxItems {
		return nil, fmt.Errorf("making a custody package of %d items: 1 to %d are taken", len(wanted), pack.MaxItems)
	}
	select {
	case s.turns <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	m := &making{Service: s, by: by, progress: progress}
	p, err := m.make(ctx, wanted)
	if err == nil {
		return p, nil
	}
	m.close()
	if errors.Is(err, ErrUnproven) {
		s.Logger.ErrorContext(ctx, "no custody package is made", "error", err)
		s.note(ctx, by, wanted, evidence.OutcomeFailed, "the package would not prove itself")
	}
	return nil, fmt.Errorf("making a custody package: %w", err)
}

// note enters that no package was made.
func (s *Service) note(ctx context.Context, by By, wanted []Wanted, outcome evidence.Outcome, why string) {
	err := s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		for _, item := range wanted {
			e := s.event(by, item.ID, outcome)
			e.Reason = why
			if _, err := tx.AppendEvent(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.Logger.ErrorContext(ctx, "a package that was not made could not be recorded", "error", err)
	}
}

func (s *Service) event(by By, id evidence.EvidenceID, outcome evidence.Outcome) evidence.Event {
	return evidence.Event{
		Version: 1, Agency: s.Agency, Type: evidence.EventPackaged, At: s.Now().UTC().Truncate(time.Microsecond), Actor: by.Actor, Source: by.Source,
		Object: evidence.ItemObject(id), Outcome: outcome,
	}
}

// stored returns an item that is in the store and has its receipt.
func (s *Service) stored(ctx context.Context, id evidence.EvidenceID) (*catalog.Item, error) {
	item, err := s.Catalog.Item(ctx, s.Agency, id)
	if err != nil {
		return nil, err
	}
	if item.State != catalog.StateStored || item.Receipt == nil {
		return nil, fmt.Errorf("item %s is %s: %w", id, item.State, ErrNotStored)
	}
	return item, nil
}
