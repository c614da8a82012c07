package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// compare holds the newest checkpoint that a dock has kept against the custody log. A
// dock remembers what a server that was set back has forgotten: then no recording is
// taken, and people are told.
func (c *Custody) compare(ctx context.Context, peer receive.Peer, shown []byte) (*audit.Comparison, error) {
	found, err := c.Log.Compare(ctx, shown)
	switch {
	case errors.Is(err, audit.ErrForeign):
		const why = "the checkpoint that this dock has kept is not of this server's custody log: enrol the dock anew"
		c.noteRefusal(ctx, evidence.EventDockRefused, peer, evidence.DockObject(peer.Dock), why, nil)
		return nil, upload.Errorf(upload.CodeUnknownDevice, "%s", why)
	case errors.Is(err, audit.ErrRolledBack):
		if err := c.told(ctx, peer, catalog.AlertLogSetBack, fmt.Sprintf("dock %s shows what this server has signed and does not know any more: %v", peer.Dock, err)); err != nil {
			return nil, err
		}
		return nil, upload.Errorf(upload.CodeSetBack, "this server was set back to an earlier state: what docks have receipts for may be lost, so that nothing must be erased; its administrator has to restore its newest state")
	case err != nil:
		return nil, err
	}
	if found.Lost() == 0 {
		return found, nil
	}
	return found, c.told(ctx, peer, catalog.AlertLogLost, fmt.Sprintf("dock %s has seen the custody log %s with %d entries, and the backup that this server was restored from had %d: "+
		"what was stored in between is not here. The dock reads anew what cameras still have", peer.Dock, found.Shown.Origin, found.Shown.Size, found.Surviving))
}

// told alerts people to something about the custody log that a dock has shown.
func (c *Custody) told(ctx context.Context, peer receive.Peer, code catalog.AlertCode, message string) error {
	err := c.Catalog.Update(context.WithoutCancel(ctx), func(tx *sqldb.Tx) error {
		return c.raiser(tx, peer).raise(ctx, code, evidence.LogObject(c.LogOrigin), string(peer.Dock), "%s", message)
	})
	if err != nil {
		return fmt.Errorf("telling of the custody log: %w", err)
	}
	return nil
}
