package custody

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Inventory keeps a dock's signed list of what a camera showed, and brings what
// it tells into the ledger. The same one again changes nothing.
func (c *Custody) Inventory(ctx context.Context, peer receive.Peer, raw []byte) error {
	var inventory evidence.Inventory
	payload, err := c.open(ctx, peer, raw, evidence.TypeInventory, &inventory)
	if err == nil {
		err = sameDock(peer, inventory.Agency, inventory.Dock)
	}
	if err != nil {
		return c.refuseStatement(ctx, evidence.EventInventoryTaken, peer, raw, err)
	}
	now := c.instant()
	row := &catalog.Inventory{
		Agency: inventory.Agency, Digest: evidence.SHA256(payload), Dock: inventory.Dock, Docking: inventory.Docking, Part: inventory.Part, Parts: inventory.Parts,
		Camera: inventory.Camera.Serial, TakenAt: inventory.TakenAt, ReceivedAt: now, Recordings: len(inventory.Recordings), Envelope: raw,
	}
	err = c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		fresh, err := tx.InsertInventory(ctx, row)
		if err != nil || !fresh {
			return err
		}
		if err := tx.CameraSeen(ctx, cameraRow(inventory.Agency, inventory.Dock, inventory.Bay, &inventory.Camera, now)); err != nil {
			return err
		}
		docking, err := c.enterInventory(ctx, tx, peer, &inventory, now)
		if err != nil {
			return err
		}
		_, err = tx.AppendEvent(ctx, c.event(evidence.EventInventoryTaken, peer, evidence.DockObject(peer.Dock), evidence.OutcomeDone, "", map[string]string{
			"camera": inventory.Camera.Serial, "bay": inventory.Bay, "docking": inventory.Docking.String(), "recordings": fmt.Sprint(row.Recordings),
			"part": fmt.Sprintf("%d of %d", row.Part, row.Parts), "inventory_sha256": row.Digest.String(), "warnings": fmt.Sprint(len(inventory.Warnings)),
			"standing": string(docking.Standing), "findings": fmt.Sprint(len(inventory.Findings)),
		}))
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping an inventory of camera %s: %w", inventory.Camera.Serial, err)
	}
	return nil
}

// Release keeps a dock's signed statement of what it did on a camera. It must
// rest on the receipt that was given out. The same one again changes nothing.
func (c *Custody) Release(ctx context.Context, peer receive.Peer, raw []byte) (evidence.EvidenceID, error) {
	var release evidence.Release
	payload, err := c.open(ctx, peer, raw, evidence.TypeRelease, &release)
	if err == nil {
		err = sameDock(peer, release.Agency, release.Dock)
	}
	if err == nil {
		err = c.fits(ctx, &release)
	}
	if err != nil {
		return release.Evidence, c.refuseRelease(ctx, peer, raw, &release, err)
	}
	row := &catalog.Release{
		Agency: release.Agency, Item: release.Evidence, Digest: evidence.SHA256(payload), Result: release.Result, Reason: release.Reason,
		At: release.At, ReceivedAt: c.instant(), Envelope: raw,
	}
	kind, outcome := evidence.EventCameraErased, evidence.OutcomeDone
	if release.Result != evidence.ReleaseErased {
		kind, outcome = evidence.EventCameraEraseFailed, evidence.OutcomeFailed
	}
	err = c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		fresh, err := tx.InsertRelease(ctx, row)
		if err != nil || !fresh {
			return err
		}
		_, err = tx.AppendEvent(ctx, c.event(kind, peer, evidence.ItemObject(release.Evidence), outcome, release.Reason, map[string]string{
			"camera": release.CameraSerial, "bay": release.Bay, "docking": release.Docking.String(), "method": release.Method,
			"receipt_sha256": release.ReceiptDigest.String(), "release_sha256": row.Digest.String(), "erased_at": release.At.UTC().Format(time.RFC3339Nano),
		}))
		if err != nil {
			return err
		}
		r := c.raiser(tx, peer)
		if err := r.stillDocked(ctx, release.Dock, release.CameraSerial, release.Docking, release.At); err != nil {
			return err
		}
		return r.released(ctx, release.CameraSerial)
	})
	if err != nil {
		return release.Evidence, fmt.Errorf("keeping the release of item %v: %w", release.Evidence, err)
	}
	return release.Evidence, nil
}

// refuseRelease refuses a release. A dock that has erased what it had no receipt
// of ours for is something that people must know.
func (c *Custody) refuseRelease(ctx context.Context, peer receive.Peer, raw []byte, release *evidence.Release, err error) error {
	var refused *upload.Error
	if errors.As(err, &refused) && release.Result == evidence.ReleaseErased && release.Agency == peer.Agency && release.Dock == peer.Dock {
		told := c.Catalog.Update(context.WithoutCancel(ctx), func(tx *sqldb.Tx) error {
			return c.raiser(tx, peer).raise(ctx, catalog.AlertErasedBare, evidence.CameraObject(release.CameraSerial), release.Evidence.String(),
				"dock %s says that it has erased %s from camera %s, and no receipt of this server allows that: %s", peer.Dock, release.Path, release.CameraSerial, refused.Message)
		})
		if told != nil {
			return fmt.Errorf("telling of an erasure without a receipt: %w", told)
		}
	}
	return c.refuseStatement(ctx, evidence.EventCameraEraseFailed, peer, raw, err)
}

// fits compares a release with the item and receipt that it rests on.
func (c *Custody) fits(ctx context.Context, release *evidence.Release) error {
	item, err := c.Catalog.Item(ctx, release.Agency, release.Evidence)
	if errors.Is(err, catalog.ErrNotFound) {
		return upload.Errorf(upload.CodeBadManifest, "the release speaks of item %v, which is not here", release.Evidence)
	}
	if err != nil {
		return err
	}
	if item.Camera != release.CameraSerial || item.Path != release.Path {
		return upload.Errorf(upload.CodeBadManifest, "the release of item %v names another camera or recording", release.Evidence)
	}
	receipt, err := evidence.ParseEnvelope(item.Receipt)
	if item.Receipt == nil || err != nil || evidence.SHA256(receipt.Payload) != release.ReceiptDigest {
		return upload.Errorf(upload.CodeBadManifest, "the release of item %v rests on a receipt that was not given out here", release.Evidence)
	}
	return nil
}

// open verifies a statement of the dock and reads it.
func (c *Custody) open(ctx context.Context, peer receive.Peer, raw []byte, payloadType string, into evidence.Statement) ([]byte, error) {
	envelope, err := evidence.ParseEnvelope(raw)
	if err != nil {
		return nil, upload.Errorf(upload.CodeBadManifest, "the statement cannot be read: %v", err)
	}
	payload, err := c.verify(ctx, peer, envelope, payloadType)
	switch {
	case errors.Is(err, evidence.ErrSignature), envelope.PayloadType != payloadType:
		return nil, upload.Errorf(upload.CodeBadManifest, "the statement carries no valid signature of dock %s", peer.Dock)
	case err != nil:
		return nil, err
	}
	if err := evidence.Decode(payload, into); err != nil {
		return nil, upload.Errorf(upload.CodeBadManifest, "the statement cannot be read: %v", err)
	}
	return payload, nil
}

func sameDock(peer receive.Peer, agency evidence.AgencyID, dock evidence.DockID) error {
	switch {
	case agency != peer.Agency:
		return upload.Errorf(upload.CodeWrongAgency, "the statement is of agency %s, the dock of agency %s: agencies never mix", agency, peer.Agency)
	case dock != peer.Dock:
		return upload.Errorf(upload.CodeBadManifest, "the statement names dock %s, but dock %s sent it", dock, peer.Dock)
	}
	return nil
}

func (c *Custody) refuseStatement(ctx context.Context, kind evidence.EventType, peer receive.Peer, raw []byte, err error) error {
	var refused *upload.Error
	if errors.As(err, &refused) {
		c.noteRefusal(ctx, kind, peer, evidence.DockObject(peer.Dock), refused.Message, map[string]string{"code": string(refused.Code), "statement_sha256": evidence.SHA256(raw).String()})
	}
	return err
}

func cameraRow(agency evidence.AgencyID, dock evidence.DockID, bay string, camera *evidence.CameraInfo, at time.Time) *catalog.Camera {
	return &catalog.Camera{
		Agency: agency, Serial: camera.Serial, Vendor: camera.Vendor, Model: camera.Model, Firmware: camera.Firmware,
		LastSeenAt: at, LastDock: dock, LastBay: bay, Access: camera.Access, Claimed: camera.Agency,
	}
}
