package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxReason bounds why an item is destroyed, in bytes.
const maxReason = 1000

// Destroyed tells what became of an item's key.
type Destroyed struct {
	Path      string
	Original  bool // the camera's original was erased, as its dock tells
	Forgotten bool // the catalog's files hold no former row any more; false: they may, for a while
}

// DestroyItem overwrites the keys of a stored item. Two administrators sign in for
// it, and each has an event, in the same commit as the act. An item of a camera
// that is held is refused, and one that is frozen. The server may be running.
func DestroyItem(ctx context.Context, c Config, id evidence.EvidenceID, reason string, requester, approver Credentials, now func() time.Time) (done Destroyed, err error) {
	if reason, err = reasonFor("it is destroyed", reason); err != nil {
		return done, err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := destroyable(ctx, &db.Reader, c.agency(), id); err != nil {
		return done, err
	}
	people, err := c.twoPeople(ctx, db, requester, approver, now)
	if err != nil {
		return done, err
	}
	err = db.Update(ctx, func(tx *sqldb.Tx) error {
		item, err := destroyable(ctx, &tx.Reader, c.agency(), id)
		if err != nil {
			return err
		}
		done.Path, done.Original = item.Path, !item.ErasedAt.IsZero()
		facts := map[string]string{"path": item.Path, "sha256": item.SHA256.String(), "requested_by": people[0].User, "requested_by_name": people[0].Name}
		wanted := c.peopleEvent(evidence.EventDestructionWanted, evidence.ItemObject(id), people, facts)
		act := c.peopleEvent(evidence.EventItemDestroyed, evidence.ItemObject(id), people, facts)
		act.Actor = people[1].Custody()
		wanted.Reason, act.Reason = reason, reason
		for _, event := range []evidence.Event{wanted, act} {
			if _, err := tx.AppendEvent(ctx, event); err != nil {
				return err
			}
		}
		return tx.DestroyKeys(ctx, c.agency(), id, now())
	})
	if err != nil {
		return done, fmt.Errorf("destroying item %s: %w", id, err)
	}
	done.Forgotten, err = db.Forget(ctx)
	return done, err
}

// destroyable refuses what may not be destroyed.
func destroyable(ctx context.Context, db *sqldb.Reader, agency evidence.AgencyID, id evidence.EvidenceID) (*catalog.Item, error) {
	item, err := db.ItemRow(ctx, agency, id)
	if err != nil {
		return nil, err
	}
	if item.State != catalog.StateStored || item.EventIndex < 0 {
		return nil, fmt.Errorf("item %s is %s: only what is stored and has its receipt is destroyed", id, item.State)
	}
	made, err := db.DerivativesOf(ctx, agency, id, 1)
	if err != nil {
		return nil, err
	}
	if len(made) > 0 {
		return nil, fmt.Errorf("item %s lives on in what was made of it, item %s for one: destroy that first", id, made[0].ID)
	}
	camera, err := db.Camera(ctx, agency, item.Camera)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	if err == nil && !camera.HeldAt.IsZero() {
		return nil, fmt.Errorf("item %s is of camera %s, which is held (%q): end the hold first", id, item.Camera, camera.HoldReason)
	}
	return item, nil
}
