package scrub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Source is a store that may have good bytes of what is damaged here.
type Source struct {
	Store vault.Store
	Name  string // for people and the record: "mirror", or where it is
}

// ErrNoCopy: the source has no good bytes of an item either.
var ErrNoCopy = errors.New("there is no good copy")

// Heal puts an item that is damaged, or gone from the store, back from a source: what
// is there of it goes into quarantine, with an event and an alert, good bytes are copied
// into its place and read back, and it is stored again, with an event. It says false
// for an item that holds. Killed at any step it is begun again by the next call or pass.
// The error wraps ErrNotStored, ErrNoCopy, or is one of the catalog or the store.
func (s *Service) Heal(ctx context.Context, id evidence.EvidenceID, from Source) (healed bool, err error) {
	row, err := s.Check.Catalog.Item(ctx, s.Agency, id)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return false, fmt.Errorf("item %s is unknown: %w", id, ErrNotStored)
	case err != nil:
		return false, err
	case row.State == catalog.StateStored:
		problems, _, err := s.check(ctx, id)
		if err != nil {
			return false, err
		}
		if f := ofBlob(problems); f != nil {
			_, err := s.mend(ctx, row, f, from)
			return err == nil, err
		}
		if len(problems) > 0 {
			return false, fmt.Errorf("healing item %s: its bytes hold, its records do not: %s", id, problems[0])
		}
		return false, nil
	case row.State != catalog.StateQuarantined || row.EventID == 0:
		return false, fmt.Errorf("item %s is %s and was never stored: %w", id, row.State, ErrNotStored)
	}
	err = s.resume(ctx, row, from)
	return err == nil, err
}

// ofBlob is the first of the problems that good bytes would end.
func ofBlob(problems []fsck.Finding) *fsck.Finding {
	for i := range problems {
		if problems[i].Kind != "" {
			return &problems[i]
		}
	}
	return nil
}

// mend heals a stored item of which f was found, if the source has good bytes; without
// them nothing is changed. aside says whether the item went into quarantine.
func (s *Service) mend(ctx context.Context, row *catalog.Item, f *fsck.Finding, from Source) (aside bool, err error) {
	if err := s.good(ctx, row, from); err != nil {
		return false, err
	}
	if err := s.quarantine(ctx, row, f); err != nil {
		return false, err
	}
	return true, s.replace(ctx, row, from)
}

// good says whether the source's bytes of an item are right, with ErrNoCopy if not.
func (s *Service) good(ctx context.Context, row *catalog.Item, from Source) error {
	config := s.Check
	config.Vault = from.Store
	problems, _, err := fsck.Blob(ctx, config, row)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("item %s in the %s: %w: %s", row.ID, from.Name, ErrNoCopy, problems[0].What)
	}
	return nil
}

// resume goes on with an item in quarantine that was stored: good bytes may be in its
// place already, or what is there was not moved aside yet.
func (s *Service) resume(ctx context.Context, row *catalog.Item, from Source) error {
	problems, _, err := fsck.Blob(ctx, s.Check, row)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		return s.healed(ctx, row, from)
	}
	if err := s.good(ctx, row, from); err != nil {
		return err
	}
	if problems[0].Kind != fsck.Missing {
		if err := s.Check.Vault.Quarantine(ctx, blobOf(row)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return s.replace(ctx, row, from)
}

func blobOf(row *catalog.Item) vault.Key {
	return vault.Key{Agency: row.Agency, ID: row.ID, Attempt: row.Attempt}
}

// replace puts the source's good bytes into the empty place of an item in quarantine,
// reads them back, and makes the item stored again.
func (s *Service) replace(ctx context.Context, row *catalog.Item, from Source) error {
	if err := vault.Copy(ctx, blobOf(row), row.Header, from.Store, s.Check.Vault, s.limit.WaitN); err != nil {
		return fmt.Errorf("healing item %s from the %s: %w", row.ID, from.Name, err)
	}
	problems, _, err := fsck.Blob(ctx, s.Check, row)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		err := s.Check.Vault.Quarantine(ctx, blobOf(row))
		return errors.Join(fmt.Errorf("healing item %s from the %s: what was copied does not hold either: %s: look at the disk of the store", row.ID, from.Name, problems[0].What), err)
	}
	return s.healed(ctx, row, from)
}

// healed enters that an item is stored again.
func (s *Service) healed(ctx context.Context, row *catalog.Item, from Source) error {
	at := s.Now().UTC().Truncate(time.Microsecond)
	object := evidence.ItemObject(row.ID)
	err := s.Check.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.HealItem(ctx, s.Agency, row.ID, row.Attempt, at); err != nil {
			return err
		}
		if _, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: s.Agency, Type: evidence.EventHealed, At: at, Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Source: "local",
			Object: object, Outcome: evidence.OutcomeDone, Reason: "good bytes were put back and read back from the medium",
			Details: map[string]string{"from": from.Name, "sha256": row.SHA256.String()},
		}); err != nil {
			return err
		}
		for _, code := range []catalog.AlertCode{catalog.AlertDamaged, catalog.AlertUnproven} {
			if err := alarm.Clear(ctx, tx, s.alert(code, "", object, ""), "the item was healed", nil); err != nil {
				return err
			}
		}
		return alarm.Raise(ctx, tx, s.alert(catalog.AlertHealed, catalog.SeverityWarning, object,
			"What is stored of %s (camera %s) was damaged or gone, and was put back from the %s. The disk of the store may be failing.", row.Path, row.Camera, from.Name), nil)
	})
	if errors.Is(err, catalog.ErrExists) {
		return fmt.Errorf("healing item %s: its recording was stored as another item in the meantime, which is the one that counts: %w", row.ID, err)
	}
	if err != nil {
		return fmt.Errorf("healing item %s: %w", row.ID, err)
	}
	s.Logger.WarnContext(ctx, "damaged evidence was healed", "item", row.ID, "from", from.Name)
	return nil
}

// mirror is the source that the server has, if it has one and that is there.
func (s *Service) mirror(ctx context.Context) (from Source, there bool) {
	if s.Mirror == nil {
		return Source{}, false
	}
	store, err := s.Mirror(ctx)
	if err != nil {
		s.Logger.WarnContext(ctx, "the mirror cannot be asked for a good copy", "error", err)
		return Source{}, false
	}
	return Source{store, "mirror"}, true
}

// healAll goes on with what is damaged since an earlier pass.
func (s *Service) healAll(ctx context.Context) error {
	from, there := s.mirror(ctx)
	if !there {
		return nil
	}
	for after := (evidence.EvidenceID{}); ; {
		ids, err := s.Check.Catalog.Damaged(ctx, s.Agency, after, page)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, after = range ids {
			_, err := s.Heal(ctx, after, from)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil { // the next ones may be healed
				s.Logger.WarnContext(ctx, "an item in quarantine could not be healed", "item", after, "error", err)
			}
		}
	}
}
