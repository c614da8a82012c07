package cases

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// MaxPut is how many items are put into a case at once.
const MaxPut = 100

// Put puts items into a case, all of them or none; those that are in it stay. It returns
// which are new in it. Who was let into the case sees them from then on.
// auth.ErrForbidden, auth.ErrBeyondCase, catalog.ErrNotFound, ErrClosed, *auth.PersonError.
func (d *Desk) Put(ctx context.Context, name string, items []evidence.EvidenceID) ([]evidence.EvidenceID, error) {
	return d.set(ctx, name, items, true)
}

// Take takes items out of a case; those that are not in it stay out. It returns which were
// in it. Errors as of Put.
func (d *Desk) Take(ctx context.Context, name string, items []evidence.EvidenceID) ([]evidence.EvidenceID, error) {
	return d.set(ctx, name, items, false)
}

func (d *Desk) set(ctx context.Context, name string, items []evidence.EvidenceID, in bool) (changed []evidence.EvidenceID, err error) {
	kind := evidence.EventCaseItemAdded
	if !in {
		kind = evidence.EventCaseItemRemoved
	}
	c, err := d.manages(ctx, name)
	if len(items) == 0 || len(items) > MaxPut { // nothing is tried before it is known what with
		if err == nil {
			err = &auth.PersonError{Field: "items", Text: fmt.Sprintf("choose 1 to %d recordings", MaxPut)}
		}
		return nil, err
	}
	details := map[string]string{"case": clip(name)}
	if err != nil {
		for _, item := range items {
			d.refuse(ctx, kind, evidence.ItemObject(item), err, details)
		}
		return nil, err
	}
	if err := d.clear(ctx, kind, c.ID); err != nil {
		return nil, err
	}
	details = map[string]string{"case": c.ID, "number": c.Number, "title": c.Title}
	var at evidence.EvidenceID // that was refused
	err = d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		changed = nil
		at = items[0]
		now, err := tx.Case(ctx, d.Agency, c.ID)
		if err != nil {
			return err
		}
		if now.Closed() {
			return ErrClosed
		}
		for _, at = range items {
			item, err := auth.Find(ctx, &tx.Reader, d.actor, auth.ViewItem, d.Agency, at)
			if err != nil {
				return err
			}
			if in {
				if err := d.Auth.BeyondCase(ctx, tx, d.actor, c.ID, item); err != nil {
					return err
				}
			}
			one, err := tx.SetInCase(ctx, d.Agency, catalog.CaseItem{Case: c.ID, Item: at, AddedAt: d.instant(), AddedBy: d.actor.User}, in)
			if err != nil {
				return err
			}
			if !one {
				continue
			}
			changed = append(changed, at)
			if err := d.append(ctx, tx, kind, evidence.ItemObject(at), details); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, d.refuse(ctx, kind, evidence.ItemObject(at), err, details)
	}
	return changed, nil
}
