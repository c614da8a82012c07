package server

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// Items gives every item of the catalog, oldest arrival first, whole. The
// server may be running. An error of each ends it and is returned.
func Items(ctx context.Context, c Config, now func() time.Time, each func(*catalog.Item) error) (err error) {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
	}()
	for cursor := ""; ; {
		page, err := db.Items(ctx, catalog.ItemFilter{Agency: c.agency()}, catalog.OldestArrival, cursor, catalog.MaxPage)
		if err != nil {
			return fmt.Errorf("listing the evidence: %w", err)
		}
		for i := range page.Items {
			item, err := db.Item(ctx, c.agency(), page.Items[i].ID)
			if err != nil {
				return fmt.Errorf("reading item %s: %w", page.Items[i].ID, err)
			}
			if err := each(item); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		cursor = page.Next
	}
}
