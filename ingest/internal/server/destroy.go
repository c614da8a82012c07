package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	acts, err := c.keyActs(ctx, db, now)
	if err != nil {
		return done, err
	}
	return acts.destroy(ctx, id, reason, acts.both(requester, approver))
}

// destroyable refuses what may not be destroyed.
func destroyable(ctx context.Context, db *sqldb.Reader, agency evidence.AgencyID, id evidence.EvidenceID) (*catalog.Item, error) {
	item, err := db.ItemRow(ctx, agency, id)
	if err != nil {
		return nil, err
	}
	if item.State != catalog.StateStored || item.EventIndex < 0 {
		return nil, refuse("item %s is %s: only what is stored and has its receipt is destroyed", id, item.State)
	}
	made, err := db.DerivativesOf(ctx, agency, id, 1)
	if err != nil {
		return nil, err
	}
	if len(made) > 0 {
		return nil, refuse("item %s lives on in what was made of it, item %s for one: destroy that first", id, made[0].ID)
	}
	camera, err := db.Camera(ctx, agency, item.Camera)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	if err == nil && !camera.HeldAt.IsZero() {
		return nil, refuse("item %s is of camera %s, which is held (%q): end the hold first", id, item.Camera, camera.HoldReason)
	}
	return item, nil
}

// reasonFor bounds a reason that the custody log keeps.
func reasonFor(what, reason string) (string, error) {
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > maxReason || strings.ToValidUTF8(reason, "") != reason {
		return "", fmt.Errorf("say why %s, in at most %d bytes: the custody log keeps it", what, maxReason)
	}
	return reason, nil
}
