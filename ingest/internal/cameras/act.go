package cameras

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Hold keeps all recordings on a camera: no dock erases anything from it until
// the hold ends. A reason is needed. auth.ErrForbidden, catalog.ErrNotFound,
// ErrInput.
func (d *Desk) Hold(ctx context.Context, serial, reason string) error {
	if err := errors.Join(checkSerial(serial), checkText("the reason", reason, 1, maxReason)); err != nil {
		return err
	}
	object := evidence.CameraObject(serial)
	if err := d.allow(ctx, auth.HoldCamera, evidence.EventCameraHeld, serial); err != nil {
		return err
	}
	now := d.instant()
	return d.act(ctx, d.event(evidence.EventCameraHeld, object, reason, nil), func(tx *sqldb.Tx) error {
		return tx.HoldCamera(ctx, d.Agency, serial, reason, d.by.ID, now)
	})
}

// EndHold ends a hold. A reason is needed. Errors as Hold; catalog.ErrConflict
// when the camera is not held.
func (d *Desk) EndHold(ctx context.Context, serial, reason string) error {
	if err := errors.Join(checkSerial(serial), checkText("the reason", reason, 1, maxReason)); err != nil {
		return err
	}
	object := evidence.CameraObject(serial)
	if err := d.allow(ctx, auth.EndCameraHold, evidence.EventCameraHoldEnded, serial); err != nil {
		return err
	}
	return d.act(ctx, d.event(evidence.EventCameraHoldEnded, object, reason, nil), func(tx *sqldb.Tx) error {
		return tx.EndCameraHold(ctx, d.Agency, serial)
	})
}

// Assign says that a camera is an officer's from one moment, and until another
// or, with a zero until, from then on. A zero from is now. The officer becomes the wearer of
// what the camera recorded in that time. Where the camera is another's still,
// replace ends that assignment at from. auth.ErrForbidden, catalog.ErrNotFound
// for an unknown camera, catalog.ErrConflict when another assignment covers a
// part of that time, ErrInput.
func (d *Desk) Assign(ctx context.Context, serial, officer, officerID string, from, until time.Time, replace bool) error {
	now := d.instant()
	if from.IsZero() {
		from = now
	}
	from, until = from.UTC().Truncate(time.Microsecond), until.UTC().Truncate(time.Microsecond)
	if err := errors.Join(checkSerial(serial), checkText("the officer's name", officer, 1, maxOfficer), checkText("the officer's id", officerID, 0, maxOfficer), checkSpan(from, until)); err != nil {
		return err
	}
	object := evidence.CameraObject(serial)
	if err := d.allow(ctx, auth.AssignCamera, evidence.EventCameraAssigned, serial); err != nil {
		return err
	}
	details := map[string]string{"officer": officer, "officer_id": officerID, "from": from.Format(time.RFC3339Nano)}
	if !until.IsZero() {
		details["until"] = until.Format(time.RFC3339Nano)
	}
	return d.act(ctx, d.event(evidence.EventCameraAssigned, object, "", details), func(tx *sqldb.Tx) error {
		if _, err := tx.Camera(ctx, d.Agency, serial); err != nil {
			return err
		}
		if replace {
			if err := d.unassign(ctx, tx, serial, from); err != nil && !errors.Is(err, catalog.ErrNotFound) {
				return err
			}
		}
		return tx.InsertAssignment(ctx, &catalog.Assignment{Agency: d.Agency, Camera: serial, From: from, Until: until, Officer: officer, OfficerID: officerID, By: d.by.ID, At: now})
	})
}

func checkSpan(from, until time.Time) error {
	first, last := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	switch {
	case from.Before(first) || from.After(last) || !until.IsZero() && until.After(last):
		return fmt.Errorf("%w: a time outside the years 2000 to 2199", ErrInput)
	case !until.IsZero() && !from.Before(until):
		return fmt.Errorf("%w: the assignment would end before it begins", ErrInput)
	}
	return nil
}

// Unassign ends the assignment that is in force at a moment, at that moment; a
// zero at is now. auth.ErrForbidden, ErrInput, catalog.ErrNotFound when it is
// nobody's then.
func (d *Desk) Unassign(ctx context.Context, serial string, at time.Time) error {
	if at.IsZero() {
		at = d.instant()
	}
	at = at.UTC().Truncate(time.Microsecond)
	if err := errors.Join(checkSerial(serial), checkSpan(at, time.Time{})); err != nil {
		return err
	}
	if err := d.allow(ctx, auth.AssignCamera, evidence.EventCameraUnassigned, serial); err != nil {
		return err
	}
	return d.Catalog.Update(ctx, func(tx *sqldb.Tx) error { return d.unassign(ctx, tx, serial, at) })
}

// unassign ends an assignment and records that.
func (d *Desk) unassign(ctx context.Context, tx *sqldb.Tx, serial string, at time.Time) error {
	was, err := tx.EndAssignment(ctx, d.Agency, serial, at)
	if err != nil {
		return err
	}
	_, err = tx.AppendEvent(ctx, d.event(evidence.EventCameraUnassigned, evidence.CameraObject(serial), "", map[string]string{
		"officer": was.Officer, "officer_id": was.OfficerID, "from": was.From.Format(time.RFC3339Nano), "until": at.Format(time.RFC3339Nano),
	}))
	return err
}

// Acknowledge notes that this person has looked at an alert; note may say what
// was done. auth.ErrForbidden, ErrInput, catalog.ErrNotFound, and
// catalog.ErrConflict when somebody has already, or it is over.
func (d *Desk) Acknowledge(ctx context.Context, id, note string) error {
	if err := errors.Join(checkText("the alert's id", id, 1, 64), checkText("the note", note, 0, maxReason)); err != nil {
		return err
	}
	if err := d.some(auth.AcknowledgeAlert); err != nil {
		return d.refuse(ctx, auth.AcknowledgeAlert, evidence.EventAlertAcknowledged, "", err)
	}
	if alert, err := d.Catalog.Alert(ctx, d.Agency, id); err == nil && !d.local && d.MayAcknowledge(alert) {
		if err := auth.Clear(ctx, d.actor, auth.Act{Do: auth.AcknowledgeAlert, On: []auth.Object{auth.StationObject(d.Agency, alert.Station)}, About: alert.Object, Kind: evidence.EventAlertAcknowledged}); err != nil {
			return err
		}
	}
	now := d.instant()
	var denied error
	object := ""
	err := d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		denied = nil
		alert, err := tx.Alert(ctx, d.Agency, id)
		if err != nil {
			return err
		}
		if !d.MayAcknowledge(alert) {
			if denied = auth.ErrForbidden; !auth.May(d.actor, auth.ListAlerts, auth.StationObject(d.Agency, alert.Station)) {
				denied = fmt.Errorf("alert %s is out of reach: %w", id, catalog.ErrNotFound)
			}
			object = alert.Object
			return denied
		}
		if err := tx.AcknowledgeAlert(ctx, d.Agency, id, d.by.ID, now); err != nil {
			return err
		}
		_, err = tx.AppendEvent(ctx, d.event(evidence.EventAlertAcknowledged, alert.Object, note, map[string]string{"alert": alert.ID, "code": string(alert.Code), "message": alert.Message}))
		return err
	})
	if denied != nil {
		return d.refuse(ctx, auth.AcknowledgeAlert, evidence.EventAlertAcknowledged, object, denied)
	}
	return err
}
