package custody

import (
	"context"
	"errors"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// corrected returns when a recording began, by the server's clock, and how
// wrong that may be either way; zero when the camera's clock was not measured or
// the camera told no time.
func corrected(m *evidence.Manifest) (time.Time, time.Duration) {
	raw := m.Claims.StartedAt
	if raw.IsZero() {
		raw = listed(m.Recording.CapturedRaw)
	}
	at, ok := m.Clocks.Correct(raw)
	if !ok || at.At.Year() < 1970 || at.At.Year() > 9999 || at.Uncertainty < 0 {
		return time.Time{}, 0
	}
	return at.At.UTC().Truncate(time.Microsecond), at.Uncertainty.Truncate(time.Microsecond)
}

// listed reads the time that a camera lists for a recording (PIMA 15740 section
// 5.3.5.2), in UTC's numbers where it names no zone, as its clock is read too.
// Anything else is the zero time: it is shown as it came.
func listed(raw string) time.Time {
	for _, layout := range []string{"20060102T150405Z0700", "20060102T150405"} {
		if at, err := time.Parse(layout, raw); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// wornBy names the officer to whom the camera was assigned when the recording
// began, where that is known.
func wornBy(ctx context.Context, tx *sqldb.Tx, row *catalog.Item) error {
	at := row.CorrectedAt
	if at.IsZero() {
		at = row.StartedAt
	}
	row.Wearer, row.WearerID = "", "" // the transaction may run again
	if at.IsZero() {
		return nil
	}
	worn, err := tx.AssignmentAt(ctx, row.Agency, row.Camera, at)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	if err == nil {
		row.Wearer, row.WearerID = worn.Officer, worn.OfficerID
	}
	return err
}
