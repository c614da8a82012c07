package fsck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// destructions reads which items are on record as destroyed. That the record is
// the one in the log is checked with the log.
func (c *check) destructions(ctx context.Context) error {
	agencies := map[evidence.AgencyID]bool{}
	if err := c.Catalog.EachItem(ctx, func(row *catalog.Item) error {
		agencies[row.Agency] = true
		return nil
	}); err != nil {
		return err
	}
	for agency := range agencies {
		filter := catalog.EventFilter{Agency: agency, Type: evidence.EventItemDestroyed}
		for {
			rows, err := c.Catalog.Events(ctx, filter, catalog.MaxPage)
			if err != nil {
				return err
			}
			for _, row := range rows {
				var event evidence.Event
				if json.Unmarshal(row.JSON, &event) == nil && event.Outcome == evidence.OutcomeDone {
					c.destroyed[string(agency)+" "+event.Object] = true
				}
				filter.Before = row.ID
			}
			if len(rows) < catalog.MaxPage {
				break
			}
		}
	}
	return nil
}

func (c *check) onRecord(row *catalog.Item) bool {
	return c.destroyed[string(row.Agency)+" "+evidence.ItemObject(row.ID)]
}

// checkDestroyed holds that a destroyed item was destroyed by people and not by
// whoever writes rows, that no attempt at it has a key any more, and that its
// sealed bytes, which nobody can open, lie where they were.
func (s *subject) checkDestroyed(ctx context.Context) error {
	recorded := s.onRecord(s.row)
	if !recorded { // destroyed since the record was read
		events, err := s.Catalog.Events(ctx, catalog.EventFilter{Agency: s.row.Agency, Type: evidence.EventItemDestroyed, Object: evidence.ItemObject(s.row.ID)}, 1)
		if err != nil {
			return err
		}
		recorded = len(events) > 0
	}
	if !recorded {
		s.problem(doCatalog, "its row says that it was destroyed, and no event tells of that")
	}
	err := s.Catalog.EachOffer(ctx, s.row.Agency, s.row.ID, func(o *catalog.Offer) error {
		if len(bytes.Trim(o.WrappedKey, "\x00")) > 0 {
			s.problem(doDestroy, "it is destroyed, and attempt %d still has a key", o.Attempt)
		}
		return nil
	})
	if err != nil {
		return err
	}
	blob, err := s.Vault.Open(ctx, vault.Key{Agency: s.row.Agency, ID: s.row.ID, Attempt: s.row.Attempt})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.note("it is destroyed, and its sealed bytes are gone too")
		return nil
	case err != nil:
		s.problem(doBlob, "the blob cannot be read: %v", err)
		return nil
	}
	defer blob.Close()
	if want := seal.SealedSize(s.manifest.Sealed().Length); uint64(blob.Size()) != want {
		s.problem(doBlob, "the blob has %d bytes, want %d", blob.Size(), want)
	}
	return nil
}
