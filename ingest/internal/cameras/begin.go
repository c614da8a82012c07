package cameras

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Begin decides that a camera's numbers count from number on: completeness does
// not look for those below, and says so. It is for a camera that was used
// elsewhere before it came to the agency. A reason is needed. The number must
// not be above the lowest that the camera has ever shown or announced, which
// could hide a real gap; 1 takes an earlier decision back. auth.ErrForbidden,
// catalog.ErrNotFound, ErrInput.
func (d *Desk) Begin(ctx context.Context, serial string, number uint64, reason string) error {
	if err := errors.Join(checkSerial(serial), checkText("the reason", reason, 1, maxReason)); err != nil {
		return err
	}
	if number == 0 {
		return fmt.Errorf("%w: cameras count from 1, so that is the lowest number to begin at", ErrInput)
	}
	object := evidence.CameraObject(serial)
	if err := d.allow(ctx, auth.BeginCamera, evidence.EventCameraBegun, serial); err != nil {
		return err
	}
	now := d.instant()
	return d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Camera(ctx, d.Agency, serial); err != nil {
			return err
		}
		if err := d.mayBegin(ctx, tx, serial, number); err != nil {
			return err
		}
		former, err := former(ctx, tx, d.Agency, serial)
		if err != nil {
			return err
		}
		if err := tx.InsertBeginning(ctx, &catalog.Beginning{Agency: d.Agency, Camera: serial, Number: number, Reason: reason, By: d.by.ID, At: now}); err != nil {
			return err
		}
		details := map[string]string{"number": strconv.FormatUint(number, 10), "former": strconv.FormatUint(former, 10)}
		if _, err := tx.AppendEvent(ctx, d.event(evidence.EventCameraBegun, object, reason, details)); err != nil {
			return err
		}
		return d.endGapAlert(ctx, tx, serial, number)
	})
}

// former is the number that the camera's count began at so far.
func former(ctx context.Context, tx *sqldb.Tx, agency evidence.AgencyID, serial string) (uint64, error) {
	switch b, err := tx.Beginning(ctx, agency, serial); {
	case errors.Is(err, catalog.ErrNotFound):
		return 1, nil
	case err != nil:
		return 0, err
	default:
		return b.Number, nil
	}
}

// mayBegin refuses a number that could hide a recording which the camera made
// after it was first seen here.
func (d *Desk) mayBegin(ctx context.Context, tx *sqldb.Tx, serial string, number uint64) error {
	lowest, err := tx.LowestNumber(ctx, d.Agency, serial)
	switch {
	case err != nil:
		return err
	case lowest == 0:
		return fmt.Errorf("%w: camera %s has shown no numbers of its own, so there is no count that could begin", ErrInput, serial)
	case number > lowest:
		return fmt.Errorf("%w: camera %s came with number %d, so a recording that is missing from there on was lost here, and beginning at %d could hide it. Choose %d, or a lower number", ErrInput, serial, lowest, number, lowest)
	}
	return nil
}

// endGapAlert ends the alert about numbers that were never shown when all that
// were are left out. Where some are missing still, it stands.
func (d *Desk) endGapAlert(ctx context.Context, tx *sqldb.Tx, serial string, first uint64) error {
	seen, err := tx.Numbers(ctx, d.Agency, serial, evidence.SequenceFromCamera)
	if err != nil {
		return err
	}
	next, err := tx.HighestNext(ctx, d.Agency, serial)
	if err != nil || len(ledger.Gaps(seen, first, next)) > 0 {
		return err
	}
	object := evidence.CameraObject(serial)
	n, err := tx.ClearAlerts(ctx, d.Agency, catalog.AlertGap, object, "", d.instant())
	if err != nil || n == 0 {
		return err
	}
	why := fmt.Sprintf("the camera's numbers count from %d, and all since then have been shown", first)
	_, err = tx.AppendEvent(ctx, d.event(evidence.EventAlertCleared, object, why, map[string]string{"code": string(catalog.AlertGap), "alerts": strconv.FormatInt(n, 10)}))
	return err
}
