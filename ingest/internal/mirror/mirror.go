package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
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
	burst    = 4 << 20 // bytes that may be read at once
	page     = 100     // items that are looked up at once
	again    = time.Minute
	mirrorIs = "server:mirror"
)

// Config is what a Service stands on. All fields are required.
type Config struct {
	Check  fsck.Config // of the store; Pace is not used
	Agency evidence.AgencyID
	// Open opens the mirror, with an error while it is not there.
	Open func(context.Context) (vault.Store, error)
	// Prove has an item of the store read again: a copy of it did not hold.
	Prove  func(context.Context, evidence.EvidenceID) (proven bool, bytes int64, err error)
	Cycle  time.Duration // in which each copy is read again; 0: none is
	Most   int64         // bytes a second
	Now    func() time.Time
	Logger *slog.Logger
}

// Service keeps the mirror.
type Service struct {
	Config
	limit *rate.Limiter
}

// New returns a Service.
func New(c Config) *Service {
	s := &Service{Config: c, limit: rate.NewLimiter(rate.Limit(c.Most), burst)}
	s.Check.Pace = s.limit.WaitN
	return s
}

// Status is how far the mirror has come.
type Status struct {
	catalog.ProvenTotals       // of the copies
	Stored               int64 // items that are to have one
}

// StatusOf looks into the catalog.
func StatusOf(ctx context.Context, db *sqldb.DB, agency evidence.AgencyID) (is Status, err error) {
	if is.ProvenTotals, err = db.MirrorTotals(ctx, agency); err != nil {
		return is, err
	}
	stored, err := db.ProvenTotals(ctx, agency)
	is.Stored = stored.Items
	return is, err
}

// Run keeps the mirror until ctx ends. Failures of the catalog are logged, and tried
// again.
func (s *Service) Run(ctx context.Context) error {
	for {
		err := s.Pass(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.Logger.ErrorContext(ctx, "keeping the mirror stopped, and is tried again", "error", err)
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// pass is one going over what is to be copied or read again.
type pass struct {
	*Service
	store                         vault.Store // the mirror
	copied, read, damaged, failed int64
	bytes                         int64
	why                           error // the first failure
}

// Pass copies what has no copy and reads again what is due. What is wrong with the
// mirror or an item is alerted; the error is one of the catalog.
func (s *Service) Pass(ctx context.Context) error {
	store, err := s.Open(ctx)
	if err != nil {
		return s.failing(ctx, fmt.Errorf("it cannot be used: %w", err))
	}
	p := &pass{Service: s, store: store}
	due := time.UnixMicro(1) // those without a copy
	if s.Cycle > 0 {
		due = s.Now().Add(-s.Cycle / 2)
	}
	for after := (catalog.Proven{}); ; {
		found, err := s.Check.Catalog.LeastMirrored(ctx, s.Agency, due, after, page)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return p.ended(ctx)
		}
		for _, after = range found {
			err := p.one(ctx, after.ID)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				if p.failed++; p.why == nil {
					p.why = err
				}
				s.Logger.WarnContext(ctx, "an item was not mirrored", "item", after.ID, "error", err)
			}
			if errors.Is(err, vault.ErrFull) {
				return p.ended(ctx)
			}
			if p.failed >= page { // not this item's fault, it seems
				return p.ended(ctx)
			}
		}
	}
}

// one copies an item, or reads its copy again.
func (p *pass) one(ctx context.Context, id evidence.EvidenceID) error {
	row, err := p.Check.Catalog.Item(ctx, p.Agency, id)
	if err != nil {
		return err
	}
	if row.State != catalog.StateStored {
		return nil // since it was listed
	}
	if row.MirroredAt.IsZero() {
		return p.copy(ctx, row)
	}
	p.read++
	problems, err := p.prove(ctx, row)
	if err == nil && len(problems) > 0 { // read again: a disk that errs once is not a changed blob
		problems, err = p.prove(ctx, row)
	}
	if err != nil || len(problems) == 0 {
		return err
	}
	p.damaged++
	if err := p.setAside(ctx, row, &problems[0]); err != nil {
		return err
	}
	return p.copy(ctx, row)
}

// copy makes the copy of an item and reads it back.
func (p *pass) copy(ctx context.Context, row *catalog.Item) error {
	err := vault.Copy(ctx, blobOf(row), row.Header, p.Check.Vault, p.store, p.limit.WaitN)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, _, err := p.Prove(ctx, row.ID) // which tells people
		return errors.Join(fmt.Errorf("item %s is not in the store", row.ID), err)
	case err != nil && !errors.Is(err, vault.ErrConflict): // a conflict: it is there, from before the catalog was told
		return err
	}
	problems, err := p.prove(ctx, row)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		p.copied++
		p.bytes += int64(row.Length)
		return nil
	}
	err = p.store.Quarantine(ctx, blobOf(row))
	_, _, unread := p.Prove(ctx, row.ID) // the copy may be a true one of damaged bytes
	return errors.Join(fmt.Errorf("the copy of item %s does not hold: %s", row.ID, problems[0].What), err, unread)
}

// prove reads the copy of an item; when it holds, the catalog knows.
func (p *pass) prove(ctx context.Context, row *catalog.Item) ([]fsck.Finding, error) {
	config := p.Check
	config.Vault = p.store
	problems, _, err := fsck.Blob(ctx, config, row)
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	return nil, p.mark(ctx, row, p.Now())
}

func (p *pass) mark(ctx context.Context, row *catalog.Item, at time.Time) error {
	err := p.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error { return tx.MarkMirrored(ctx, p.Agency, row.ID, row.Attempt, at) })
	if errors.Is(err, catalog.ErrConflict) {
		return nil // quarantined or destroyed in the meantime
	}
	return err
}

// setAside notes that the copy of an item is no good, and moves it into the mirror's
// quarantine.
func (p *pass) setAside(ctx context.Context, row *catalog.Item, f *fsck.Finding) error {
	if err := p.mark(ctx, row, time.Time{}); err != nil {
		return err
	}
	if err := p.store.Quarantine(ctx, blobOf(row)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.Logger.ErrorContext(ctx, "a copy in the mirror is damaged and is made anew", "item", row.ID, "why", f.What)
	return p.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		return alarm.Raise(ctx, tx, &catalog.Alert{Agency: p.Agency, Code: catalog.AlertHealed, Severity: catalog.SeverityWarning, Object: evidence.ItemObject(row.ID), About: "mirror", LastAt: p.Now(),
			Message: fmt.Sprintf("The copy of %s (camera %s) in the mirror has changed: %s. It is made anew from the store. The disk of the mirror may be failing.", row.Path, row.Camera, f.What)}, nil)
	})
}

func blobOf(row *catalog.Item) vault.Key {
	return vault.Key{Agency: row.Agency, ID: row.ID, Attempt: row.Attempt}
}

// failing alerts that the mirror is not what it is for.
func (s *Service) failing(ctx context.Context, why error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		return alarm.Raise(ctx, tx, &catalog.Alert{Agency: s.Agency, Code: catalog.AlertMirror, Severity: catalog.SeverityWarning, Object: mirrorIs, LastAt: s.Now(),
			Message: fmt.Sprintf("The mirror: %v. What is stored now exists once.", why)}, nil)
	})
}

// ended enters into the record what a pass did, and ends or raises the alert.
func (p *pass) ended(ctx context.Context) error {
	if p.why != nil {
		if err := p.failing(ctx, fmt.Errorf("%d items were not copied: %w", p.failed, p.why)); err != nil {
			return err
		}
	}
	return p.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if p.why == nil {
			over := &catalog.Alert{Agency: p.Agency, Code: catalog.AlertMirror, Object: mirrorIs, LastAt: p.Now()}
			if err := alarm.Clear(ctx, tx, over, "the mirror has all that it is to have", nil); err != nil {
				return err
			}
		}
		if p.copied+p.read+p.failed == 0 {
			return nil
		}
		outcome := evidence.OutcomeDone
		if p.failed > 0 {
			outcome = evidence.OutcomeFailed
		}
		text := func(n int64) string { return strconv.FormatInt(n, 10) }
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: p.Agency, Type: evidence.EventMirrored, At: p.Now().UTC().Truncate(time.Microsecond), Actor: evidence.Actor{Kind: "server", ID: "ingest"},
			Source: "local", Object: mirrorIs, Outcome: outcome, Details: map[string]string{
				"copied": text(p.copied), "bytes": text(p.bytes), "read_again": text(p.read), "damaged": text(p.damaged), "failed": text(p.failed),
			},
		})
		return err
	})
}
