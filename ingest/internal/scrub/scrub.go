package scrub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	slowest  = 4 << 20        // bytes a second: what is due is soon done
	burst    = 4 << 20        // bytes that may be read at once
	page     = 100            // items that are looked up at once
	longest  = time.Hour      // between two looks for what is due
	orphans  = 24 * time.Hour // between two looks for blobs without an item
	named    = 3              // things that an alert names
	storeIs  = "server:store"
	tryAgain = time.Minute
)

// Config is what a Service stands on. All fields but Mirror are required.
type Config struct {
	Check  fsck.Config // of what is checked; Pace is not used
	Agency evidence.AgencyID
	Cycle  time.Duration
	Most   int64 // bytes a second
	// Mirror opens the store that has a copy of each item; nil: there is none.
	Mirror func(context.Context) (vault.Store, error)
	Now    func() time.Time
	Logger *slog.Logger
}

// Service re-reads the store.
type Service struct {
	Config
	limit   *rate.Limiter
	looked  time.Time // for orphans
	unheard int64     // orphans found then
}

// New returns a Service.
func New(c Config) *Service {
	// Listing a large store is work, and a server that starts has other things to do.
	s := &Service{Config: c, limit: rate.NewLimiter(slowest, burst), looked: c.Now().Add(longest - orphans)}
	s.Check.Pace = s.limit.WaitN
	return s
}

// Status is how far re-reading has come.
type Status struct {
	catalog.ProvenTotals
	Due    int64 // items whose proof is older than half a cycle
	Behind bool  // the oldest proof is older than a cycle
}

// StatusOf looks into the catalog, as of now.
func StatusOf(ctx context.Context, db *sqldb.DB, agency evidence.AgencyID, cycle time.Duration, now time.Time) (Status, error) {
	totals, err := db.ProvenTotals(ctx, agency)
	if err != nil {
		return Status{}, err
	}
	is := Status{ProvenTotals: totals, Behind: totals.Items > 0 && now.Sub(totals.Oldest) > cycle}
	is.Due, err = db.CountProvenBefore(ctx, agency, now.Add(-cycle/2))
	return is, err
}

// Run re-reads until ctx ends. Failures of the catalog are logged, and tried again.
func (s *Service) Run(ctx context.Context) error {
	for {
		wait, err := s.Pass(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.Logger.ErrorContext(ctx, "re-reading the store stopped, and is tried again", "error", err)
			wait = tryAgain
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// pass is one going over what is due.
type pass struct {
	began                  time.Time
	items, bytes, unproven int64
}

// Pass re-reads what is due, and returns how long nothing is.
func (s *Service) Pass(ctx context.Context) (time.Duration, error) {
	totals, err := s.Check.Catalog.ProvenTotals(ctx, s.Agency)
	if err != nil {
		return 0, err
	}
	s.limit.SetLimit(rate.Limit(min(max(2*float64(totals.Bytes)/s.Cycle.Seconds(), slowest), float64(s.Most))))
	if err := s.healAll(ctx); err != nil {
		return 0, err
	}
	p := pass{began: s.Now()}
	due := p.began.Add(-s.Cycle / 2)
	for after := (catalog.Proven{}); ; {
		found, err := s.Check.Catalog.LeastProven(ctx, s.Agency, due, after, page)
		if err != nil {
			return 0, err
		}
		if len(found) == 0 {
			break
		}
		for _, after = range found {
			proven, bytes, err := s.Prove(ctx, after.ID)
			if errors.Is(err, ErrNotStored) {
				continue // since it was listed
			} else if err != nil {
				return 0, err
			}
			p.items++
			p.bytes += bytes
			if !proven {
				p.unproven++
			}
		}
	}
	if err := s.look(ctx); err != nil {
		return 0, err
	}
	if p.items > 0 {
		if err := s.ended(ctx, p); err != nil {
			return 0, err
		}
	}
	if totals, err = s.Check.Catalog.ProvenTotals(ctx, s.Agency); err != nil {
		return 0, err
	}
	next := totals.Oldest.Add(s.Cycle / 2).Sub(s.Now())
	if totals.Items == 0 {
		next = longest
	}
	return min(max(next, tryAgain), longest), nil
}

// ErrNotStored: there is no such item in the store, or not any more.
var ErrNotStored = errors.New("only what is stored can be proven")

// Prove reads one stored item and says whether it holds; what does not is healed from
// the mirror, in quarantine or alerted when it returns. The error is ErrNotStored, or one of the catalog.
func (s *Service) Prove(ctx context.Context, id evidence.EvidenceID) (proven bool, bytes int64, err error) {
	row, err := s.Check.Catalog.ItemRow(ctx, s.Agency, id)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return false, 0, fmt.Errorf("item %s is unknown: %w", id, ErrNotStored)
	case err != nil:
		return false, 0, err
	case row.State != catalog.StateStored:
		return false, 0, fmt.Errorf("item %s is %s: %w", id, row.State, ErrNotStored)
	}
	problems, bytes, err := s.check(ctx, id)
	if err == nil && ofBlob(problems) != nil { // read again: a disk that errs once is not a changed blob
		var more int64
		problems, more, err = s.check(ctx, id)
		bytes += more
	}
	switch {
	case err != nil:
		return false, bytes, err
	case len(problems) == 0:
		return true, bytes, s.proven(ctx, id)
	}
	if f := ofBlob(problems); f != nil {
		if done, healed, err := s.tryMirror(ctx, id, f); done || err != nil {
			return healed, bytes, err
		}
	}
	if f := damaged(problems); f != nil {
		return false, bytes, s.quarantine(ctx, row, f)
	}
	return false, bytes, s.unproven(ctx, id, &problems[0])
}

// tryMirror heals a stored item of which f was found twice from the mirror. done is
// false where that has no good copy, so that something else must be done about it.
func (s *Service) tryMirror(ctx context.Context, id evidence.EvidenceID, f *fsck.Finding) (done, healed bool, err error) {
	from, there := s.mirror(ctx)
	if !there {
		return false, false, nil
	}
	row, err := s.Check.Catalog.Item(ctx, s.Agency, id)
	if err != nil {
		return false, false, err
	}
	done, err = s.mend(ctx, row, f, from)
	if err != nil {
		s.Logger.ErrorContext(ctx, "damaged evidence could not be healed", "item", id, "error", err)
		return done, false, ctx.Err()
	}
	return true, true, nil
}

func (s *Service) check(ctx context.Context, id evidence.EvidenceID) (problems []fsck.Finding, bytes int64, err error) {
	found, bytes, err := fsck.Item(ctx, s.Check, s.Agency, id)
	for _, f := range found {
		if f.Severity == fsck.Problem {
			problems = append(problems, f)
		}
	}
	return problems, bytes, err
}

func damaged(problems []fsck.Finding) *fsck.Finding {
	for i := range problems {
		if problems[i].Kind == fsck.Damaged {
			return &problems[i]
		}
	}
	return nil
}

// alert is an alert about an item, as of now.
func (s *Service) alert(code catalog.AlertCode, severity catalog.Severity, object, format string, args ...any) *catalog.Alert {
	return &catalog.Alert{Agency: s.Agency, Code: code, Severity: severity, Object: object, Message: fmt.Sprintf(format, args...), LastAt: s.Now()}
}

func (s *Service) proven(ctx context.Context, id evidence.EvidenceID) error {
	err := s.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.MarkProven(ctx, s.Agency, id, s.Now()); err != nil {
			return err
		}
		return alarm.Clear(ctx, tx, s.alert(catalog.AlertUnproven, "", evidence.ItemObject(id), ""), "the item was read and holds", nil)
	})
	if errors.Is(err, catalog.ErrConflict) {
		return nil // quarantined or destroyed by people in the meantime
	}
	return err
}

// quarantine puts a stored item aside whose bytes have changed.
func (s *Service) quarantine(ctx context.Context, row *catalog.Item, f *fsck.Finding) error {
	id, reason := row.ID, "re-read from the medium: "+f.What
	err := s.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.QuarantineItem(ctx, s.Agency, id, row.Attempt, reason); err != nil {
			return err
		}
		at := s.Now().UTC().Truncate(time.Microsecond)
		if _, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: s.Agency, Type: evidence.EventQuarantined, At: at, Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Source: "local",
			Object: evidence.ItemObject(id), Outcome: evidence.OutcomeDone, Reason: reason,
			Details: map[string]string{"damage": f.What, "sha256": row.SHA256.String(), "last_proven_at": row.ProvenAt.UTC().Format(time.RFC3339Nano)},
		}); err != nil {
			return err
		}
		return alarm.Raise(ctx, tx, s.alert(catalog.AlertDamaged, catalog.SeverityUrgent, evidence.ItemObject(id),
			"What is stored of %s (camera %s) has changed since %s: %s. It is in quarantine.", row.Path, row.Camera, row.ProvenAt.UTC().Format(time.DateTime+" UTC"), f.What), nil)
	})
	if err != nil {
		return fmt.Errorf("putting item %s into quarantine because %s: %w", id, f.What, err)
	}
	s.Logger.ErrorContext(ctx, "stored evidence is damaged and in quarantine", "item", id, "why", f.What)
	// The row decides: it is given to nobody, wherever the blob lies.
	if err := s.Check.Vault.Quarantine(ctx, blobOf(row)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Logger.ErrorContext(ctx, "moving a damaged blob into quarantine failed", "item", id, "error", err)
	}
	return nil
}

func (s *Service) unproven(ctx context.Context, id evidence.EvidenceID, f *fsck.Finding) error {
	s.Logger.ErrorContext(ctx, "stored evidence could not be proven", "item", id, "why", f.What)
	return s.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		return alarm.Raise(ctx, tx, s.alert(catalog.AlertUnproven, catalog.SeverityUrgent, evidence.ItemObject(id), "%s: %s. %s.", f.Path, f.What, f.Do), nil)
	})
}

// look looks, once a day, for committed blobs that no item names.
func (s *Service) look(ctx context.Context) error {
	if s.Now().Sub(s.looked) < orphans {
		return nil
	}
	var names []string
	var count int64
	err := s.Check.Vault.List(ctx, func(info vault.Info) error {
		if info.Place != vault.Committed || info.Key.Agency != s.Agency {
			return nil
		}
		_, err := s.Check.Catalog.Offer(ctx, info.Key.Agency, info.Key.ID, info.Key.Attempt)
		if errors.Is(err, catalog.ErrNotFound) {
			if count++; count <= named {
				names = append(names, info.Name)
			}
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for blobs without an item: %w", err)
	}
	s.looked, s.unheard = s.Now(), count
	return s.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		a := s.alert(catalog.AlertOrphans, catalog.SeverityWarning, storeIs, "The store holds %d blobs that no item names: %s", count, strings.Join(names, ", "))
		if count == 0 {
			return alarm.Clear(ctx, tx, a, "every blob belongs to an item", nil)
		}
		return alarm.Raise(ctx, tx, a, nil)
	})
}

// ended enters into the record that a pass is through.
func (s *Service) ended(ctx context.Context, p pass) error {
	text := func(n int64) string { return strconv.FormatInt(n, 10) }
	s.Logger.InfoContext(ctx, "what was due of the store is re-read", "items", p.items, "bytes", p.bytes, "unproven", p.unproven)
	return s.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		outcome := evidence.OutcomeDone
		if p.unproven > 0 {
			outcome = evidence.OutcomeFailed
		}
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: s.Agency, Type: evidence.EventScrubbed, At: s.Now().UTC().Truncate(time.Microsecond), Actor: evidence.Actor{Kind: "server", ID: "ingest"},
			Source: "local", Object: storeIs, Outcome: outcome, Details: map[string]string{
				"items": text(p.items), "bytes": text(p.bytes), "unproven": text(p.unproven), "orphans": text(s.unheard), "began_at": p.began.UTC().Format(time.RFC3339Nano),
			},
		})
		return err
	})
}
