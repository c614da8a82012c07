package fsck

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/vault"
)

const (
	doOrphan  = "Do not delete it: the row may have been lost. Restore the catalog from a backup and compare"
	doPartial = "Nothing waits for it; it may be deleted"
	doForeign = "Find out who put it there; the server never reads it"
)

// files compares what is in the store with the catalog. A row is written before
// its blob is begun, so each blob must have one.
func (c *check) files(ctx context.Context) error {
	return c.Vault.List(ctx, func(info vault.Info) error {
		c.count(func(t *Summary) { t.Blobs++ })
		if info.Place == vault.Foreign {
			c.tell(Finding{Note, "blob", info.Name, "a file that is no blob", doForeign, ""})
			return nil
		}
		state, attempt := catalog.ItemState(""), uint32(0)
		row, err := c.Catalog.ItemRow(ctx, info.Key.Agency, info.Key.ID)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		if err == nil {
			state, attempt = row.State, row.Attempt
		}
		if f, ok := judge(info, state, attempt); ok {
			c.tell(f)
		}
		return nil
	})
}

// judge says what a blob means beside the state and attempt of its row; state ""
// is no row.
func judge(info vault.Info, state catalog.ItemState, attempt uint32) (Finding, bool) {
	found := Finding{Severity: Note, Object: "blob:" + info.Key.String(), Path: info.Name}
	current := attempt == info.Key.Attempt
	switch info.Place {
	case vault.Quarantined:
		found.What = fmt.Sprintf("in quarantine, %d bytes", info.Size)
		if state == "" {
			found.Severity, found.What, found.Do = Problem, "a blob in quarantine that no row knows", doOrphan
		}
	case vault.Partial:
		found.What = fmt.Sprintf("in progress, %d bytes so far", info.Size)
		if !current || state != catalog.StateReceiving {
			found.What, found.Do = "what is left of an upload that was given up", doPartial
		}
	case vault.Committed:
		switch {
		case current && (state == catalog.StateStored || state == catalog.StateDestroyed):
			return found, false // checked with its row
		case current && state == catalog.StateReceiving:
			found.What = "whole, but not proven yet: the dock's next connection does that"
		case current && state == catalog.StateQuarantined:
			found.What = "its item is in quarantine, the blob was not moved there yet"
		case state != "":
			found.What = "whole, but of an upload that was given up"
		default:
			found.Severity, found.What, found.Do = Problem, "a blob that no row knows", doOrphan
		}
	}
	return found, true
}
