package cameras

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Approve approves a camera's key, named by evidence.KeyID, or with a zero id
// the only one that waits. Its certificate is made and reaches the camera at its
// next docking. Another key that was approved stays approved: block it when it
// was replaced. auth.ErrForbidden, catalog.ErrNotFound, ErrInput.
func (d *Desk) Approve(ctx context.Context, serial string, id evidence.Digest, reason string) error {
	return d.decide(ctx, evidence.EventCameraApproved, catalog.StandingApproved, serial, id, reason)
}

// Block decides that a key is not to be trusted. What a camera with it shows is
// taken in, and nothing is erased from it. Errors as Approve.
func (d *Desk) Block(ctx context.Context, serial string, id evidence.Digest, reason string) error {
	return d.decide(ctx, evidence.EventCameraBlocked, catalog.StandingBlocked, serial, id, reason)
}

func (d *Desk) decide(ctx context.Context, kind evidence.EventType, standing catalog.Standing, serial string, id evidence.Digest, reason string) error {
	if err := errors.Join(checkSerial(serial), checkText("the reason", reason, 0, maxReason)); err != nil {
		return err
	}
	object := evidence.CameraObject(serial)
	if err := d.allow(ctx, auth.DecideCameraKey, kind, serial); err != nil {
		return err
	}
	key, err := d.findKey(ctx, serial, id)
	if err != nil {
		return err
	}
	certificate := key.Certificate
	if standing == catalog.StandingApproved && d.Certify != nil && len(certificate) == 0 {
		if certificate, err = d.Certify(serial, key.Key); err != nil {
			return fmt.Errorf("approving the key of camera %s: %w", serial, err)
		}
	}
	now := d.instant()
	e := d.event(kind, object, reason, map[string]string{"key_sha256": evidence.KeyID(key.Key).String(), "former": string(key.Standing)})
	return d.act(ctx, e, func(tx *sqldb.Tx) error {
		if err := tx.DecideCameraKey(ctx, d.Agency, serial, key.Key, standing, d.by.ID, reason, now, certificate); err != nil {
			return err
		}
		return d.afterDecision(ctx, tx, serial, key.Key, standing, now)
	})
}

// afterDecision lets the camera stand as was decided, if it was docked with that
// key last, and ends the alerts that asked for a decision.
func (d *Desk) afterDecision(ctx context.Context, tx *sqldb.Tx, serial string, key []byte, standing catalog.Standing, now time.Time) error {
	camera, err := tx.Camera(ctx, d.Agency, serial)
	if err != nil {
		return err
	}
	if !bytes.Equal(camera.Key, key) {
		return nil
	}
	if err := tx.SetCameraStanding(ctx, d.Agency, serial, standing, key); err != nil {
		return err
	}
	for _, code := range []catalog.AlertCode{catalog.AlertCode(evidence.FoundKeyUnknown), catalog.AlertCode(evidence.FoundKeyChanged)} {
		if _, err := tx.ClearAlerts(ctx, d.Agency, code, evidence.CameraObject(serial), "", now); err != nil {
			return err
		}
	}
	return nil
}

// findKey finds a key by its id; with a zero id the only one that waits.
func (d *Desk) findKey(ctx context.Context, serial string, id evidence.Digest) (*catalog.CameraKey, error) {
	keys, err := d.Catalog.CameraKeys(ctx, d.Agency, serial)
	if err != nil {
		return nil, err
	}
	var pending []*catalog.CameraKey
	for i := range keys {
		if evidence.KeyID(keys[i].Key) == id {
			return &keys[i], nil
		}
		if keys[i].Standing == catalog.StandingPending {
			pending = append(pending, &keys[i])
		}
	}
	switch {
	case !id.IsZero():
		return nil, fmt.Errorf("camera %s has no key with the SHA-256 %s: %w", serial, id, catalog.ErrNotFound)
	case len(pending) == 0:
		return nil, fmt.Errorf("no key of camera %s waits for a decision: %w", serial, catalog.ErrNotFound)
	case len(pending) > 1:
		return nil, fmt.Errorf("%w: %d keys of camera %s wait: name the one you mean by its SHA-256", ErrInput, len(pending), serial)
	}
	return pending[0], nil
}
