package inspection

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The errors that callers tell apart with errors.Is. Their texts are for people.
var (
	// ErrUnrecorded: the search could not be written into the custody record, so
	// nothing is shown.
	ErrUnrecorded = errors.New("the custody record cannot be written at the moment, so nothing of it is shown; try again, and tell the server's operator if it stays")
	// ErrPending: no checkpoint is over the event yet.
	ErrPending = errors.New("the event is not in a signed checkpoint yet; try again in a second")
	// ErrBroad: the search took longer than searchTime.
	ErrBroad = errors.New("this search took too long and was stopped; narrow it by a time span, a person or an act")
)

const (
	searchTime = 10 * time.Second // of one page
	// MaxCount is up to where what was found is counted.
	MaxCount = 1000
)

// Config is what a Service stands on. All fields are required.
type Config struct {
	Catalog *sqldb.DB
	Tiles   tlog.Tiles        // of the custody log
	Origin  string            // the log's name
	LogKey  ed25519.PublicKey // verifies its checkpoints
	Agency  evidence.AgencyID
	Now     func() time.Time
	Log     *slog.Logger
}

// Service is the audit desk. Make it with New.
type Service struct {
	Config
	papers chan struct{} // who makes a PDF
}

// New returns a Service.
func New(c Config) *Service { return &Service{c, make(chan struct{}, 1)} }

// Page is one page of a search.
type Page struct {
	Entries []Entry
	Found   int64  // how many events the search finds; MaxCount+1: more than MaxCount
	This    string // cursor of this page: the same again, without a new search
	Next    string // of the page after it, "" at the end
}

// Search shows one page of what q finds, newest first. Without a cursor it begins a
// new search, which is an event; cursor is else This or Next of a page of the same
// search by the same person, or catalog.ErrCursor.
func (s *Service) Search(ctx context.Context, actor *auth.Actor, q Query, cursor string, limit int) (*Page, error) {
	if err := s.allow(ctx, actor, auth.ReadAudit, evidence.EventAuditRead, q); err != nil {
		return nil, err
	}
	people, err := s.people(ctx)
	if err != nil {
		return nil, err
	}
	f, err := s.resolve(ctx, q, people)
	if err != nil {
		return nil, err
	}
	var after catalog.EventPlace
	if cursor == "" {
		f.Until, err = s.record(ctx, actor, evidence.EventAuditRead, evidence.OutcomeDone, "", map[string]string{"search": q.Text()})
	} else {
		f.Until, after, err = s.resume(ctx, actor, q, cursor)
	}
	if err != nil {
		return nil, err
	}
	limit = min(max(limit, 1), catalog.MaxPage-1)
	bounded, done := context.WithTimeout(ctx, searchTime)
	defer done()
	rows, err := s.Catalog.SearchEvents(bounded, f, after, limit+1)
	if err == nil && len(rows) > 0 {
		p := &Page{This: place(f.Until, after)}
		if p.Found, err = s.Catalog.CountFound(bounded, f, MaxCount+1); err == nil {
			if len(rows) > limit {
				rows = rows[:limit]
				p.Next = place(f.Until, catalog.EventPlace{At: rows[limit-1].At, ID: rows[limit-1].ID})
			}
			p.Entries, err = s.entries(bounded, rows, people)
			return p, broad(ctx, err)
		}
	}
	return &Page{This: place(f.Until, after)}, broad(ctx, err)
}

// Follow enters into the custody record that a person who may search the log begins to
// follow it as it is written. Whoever may not follows less, and nothing is entered.
func (s *Service) Follow(ctx context.Context, actor *auth.Actor) error {
	if !auth.May(actor, auth.ReadAudit, auth.Object{Agency: s.Agency}) {
		return nil
	}
	_, err := s.record(ctx, actor, evidence.EventAuditRead, evidence.OutcomeDone, "", map[string]string{"search": "stream"})
	return err
}

// broad tells a search that was stopped from a caller who left.
func broad(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return ErrBroad
	}
	return err
}

func place(search int64, after catalog.EventPlace) string {
	if after.ID == 0 {
		return strconv.FormatInt(search, 10)
	}
	return fmt.Sprintf("%d.%d.%d", search, after.At.UnixMicro(), after.ID)
}

// resume reads a cursor. The search that it belongs to is in the custody record, or it
// is none.
func (s *Service) resume(ctx context.Context, actor *auth.Actor, q Query, cursor string) (search int64, after catalog.EventPlace, err error) {
	parts := strings.Split(cursor, ".")
	var n [3]int64
	if len(parts) != 1 && len(parts) != 3 {
		return 0, after, catalog.ErrCursor
	}
	for i, part := range parts {
		if n[i], err = strconv.ParseInt(part, 10, 64); err != nil || n[i] <= 0 {
			return 0, after, catalog.ErrCursor
		}
	}
	row, err := s.Catalog.Event(ctx, s.Agency, n[0])
	if errors.Is(err, catalog.ErrNotFound) {
		return 0, after, catalog.ErrCursor
	} else if err != nil {
		return 0, after, err
	}
	var e evidence.Event
	if err := evidence.Decode(row.JSON, &e); err != nil || e.Type != evidence.EventAuditRead || e.Outcome != evidence.OutcomeDone ||
		e.Actor.Kind != "user" || e.Actor.ID != actor.User || e.Details["search"] != q.Text() {
		return 0, after, catalog.ErrCursor
	}
	if n[2] != 0 {
		after = catalog.EventPlace{At: time.UnixMicro(n[1]).UTC(), ID: n[2]}
	}
	return n[0], after, nil
}

// allow asks auth.May. A denial is entered into the custody record.
func (s *Service) allow(ctx context.Context, actor *auth.Actor, do auth.Action, kind evidence.EventType, q Query) error {
	denied, why := auth.ErrForbidden, "the role does not allow "+string(do)
	if on := (auth.Object{Agency: s.Agency}); auth.May(actor, do, on) {
		if auth.Looks(do) {
			return nil
		}
		denied = auth.Clear(ctx, actor, auth.Act{Do: do, On: []auth.Object{on}, About: evidence.LogObject(s.Origin), Kind: kind, Later: true})
		if denied == nil || !errors.Is(denied, auth.ErrFreshFactor) && !errors.Is(denied, auth.ErrTokenAct) {
			return denied
		}
		why = denied.Error()
	}
	if actor != nil {
		if _, err := s.record(ctx, actor, kind, evidence.OutcomeRefused, why, map[string]string{"search": q.Text()}); err != nil {
			s.Log.ErrorContext(ctx, "a denied act could not be recorded", "action", string(do), "error", err)
		}
	}
	return denied
}

// record appends one event about the log and returns its row id. The error wraps
// ErrUnrecorded.
func (s *Service) record(ctx context.Context, actor *auth.Actor, kind evidence.EventType, outcome evidence.Outcome, reason string, details map[string]string) (id int64, err error) {
	e := evidence.Event{
		Version: 1, Agency: s.Agency, Type: kind, At: s.Now().UTC().Truncate(time.Microsecond), Actor: actor.Custody(), Source: actor.Origin.Address,
		Object: evidence.LogObject(s.Origin), Outcome: outcome, Reason: reason, Details: details,
	}
	err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		id, err = tx.AppendEvent(ctx, e)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("recording %s: %w (%w)", kind, ErrUnrecorded, err)
	}
	return id, nil
}
