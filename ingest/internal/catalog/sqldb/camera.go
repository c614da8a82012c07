package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const cameraColumns = `agency, serial, vendor, model, firmware, first_seen_at, last_seen_at, last_dock, last_bay,
	access, claimed, standing, public_key, held_at, held_by, hold_reason,
	(SELECT count(*) FROM items WHERE items.agency = cameras.agency AND items.camera = cameras.serial),
	(SELECT count(*) FROM alerts WHERE alerts.agency = cameras.agency AND alerts.object = 'camera:' || cameras.serial AND cleared_at = 0 AND acknowledged_at = 0),
	coalesce((SELECT officer FROM assignments WHERE ` + worn + `), ''), coalesce((SELECT officer_id FROM assignments WHERE ` + worn + `), '')`

// worn picks the assignment that is in force at $2.
const worn = "assignments.agency = cameras.agency AND assignments.camera = cameras.serial AND from_at <= $2 AND (until_at = 0 OR until_at > $2)"

func scanCamera(s scanner, c *catalog.Camera) error {
	return s.Scan(&c.Agency, &c.Serial, &c.Vendor, &c.Model, &c.Firmware, timeInto{&c.FirstSeenAt}, timeInto{&c.LastSeenAt}, &c.LastDock, &c.LastBay,
		&c.Access, &c.Claimed, &c.Standing, &c.Key, timeInto{&c.HeldAt}, &c.HeldBy, &c.HoldReason, &c.Items, &c.OpenAlerts, &c.Wearer, &c.WearerID)
}

// Camera returns a camera. catalog.ErrNotFound.
func (r *Reader) Camera(ctx context.Context, agency evidence.AgencyID, serial string) (*catalog.Camera, error) {
	return get(ctx, r, "a camera", scanCamera, "SELECT "+cameraColumns+" FROM cameras WHERE agency = $1 AND serial = $3", agency, micros(r.now()), clean(serial))
}

// Cameras returns an agency's cameras, last seen first.
func (r *Reader) Cameras(ctx context.Context, agency evidence.AgencyID) ([]catalog.Camera, error) {
	return list(ctx, r, "cameras", scanCamera, "SELECT "+cameraColumns+" FROM cameras WHERE agency = $1 ORDER BY last_seen_at DESC, serial", agency, micros(r.now()))
}

// CameraSeen adds a camera, or notes what it says of itself and where it was
// seen at LastSeenAt. FirstSeenAt, its standing, hold, and what readers fill in
// are not looked at.
func (tx *Tx) CameraSeen(ctx context.Context, c *catalog.Camera) error {
	_, err := tx.change(ctx, "noting a camera", `INSERT INTO cameras (agency, serial, vendor, model, firmware, first_seen_at, last_seen_at, last_dock, last_bay, access, claimed)
		VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)
		ON CONFLICT (agency, serial) DO UPDATE SET vendor = excluded.vendor, model = excluded.model, firmware = excluded.firmware,
		last_seen_at = excluded.last_seen_at, last_dock = excluded.last_dock, last_bay = excluded.last_bay, access = excluded.access, claimed = excluded.claimed`,
		c.Agency, clean(c.Serial), clean(c.Vendor), clean(c.Model), clean(c.Firmware), micros(c.LastSeenAt), c.LastDock, clean(c.LastBay), c.Access, clean(c.Claimed))
	if err != nil {
		return err
	}
	return tx.moveCameraAlerts(ctx, c.Agency, c.Serial)
}

// SetCameraStanding notes how a camera stood at its last docking, and the key
// that it proved there. catalog.ErrNotFound.
func (tx *Tx) SetCameraStanding(ctx context.Context, agency evidence.AgencyID, serial string, standing catalog.Standing, key []byte) error {
	return tx.exec(ctx, "noting the standing of a camera", catalog.ErrNotFound,
		"UPDATE cameras SET standing = $3, public_key = $4 WHERE agency = $1 AND serial = $2", agency, clean(serial), standing, key)
}

// HoldCamera holds a camera: nothing is erased from it. catalog.ErrNotFound.
func (tx *Tx) HoldCamera(ctx context.Context, agency evidence.AgencyID, serial, reason, by string, at time.Time) error {
	return tx.exec(ctx, "holding camera "+clean(serial), catalog.ErrNotFound,
		"UPDATE cameras SET held_at = $3, held_by = $4, hold_reason = $5 WHERE agency = $1 AND serial = $2", agency, clean(serial), micros(at), clean(by), clean(reason))
}

// EndCameraHold lets a camera's recordings be erased again.
// catalog.ErrConflict when there is no hold.
func (tx *Tx) EndCameraHold(ctx context.Context, agency evidence.AgencyID, serial string) error {
	return tx.exec(ctx, "ending the hold of camera "+clean(serial), catalog.ErrConflict,
		"UPDATE cameras SET held_at = 0, held_by = '', hold_reason = '' WHERE agency = $1 AND serial = $2 AND held_at > 0", agency, clean(serial))
}

const inventoryColumns = "agency, digest, dock, docking, part, parts, camera, taken_at, received_at, recordings"

func scanInventory(s scanner, v *catalog.Inventory) error {
	return s.Scan(&v.Agency, hexInto(v.Digest[:]), &v.Dock, hexInto(v.Docking[:]), &v.Part, &v.Parts, &v.Camera,
		timeInto{&v.TakenAt}, timeInto{&v.ReceivedAt}, &v.Recordings)
}

// Inventories returns the newest inventories, of one camera unless it is "",
// without envelopes.
func (r *Reader) Inventories(ctx context.Context, agency evidence.AgencyID, camera string, limit int) ([]catalog.Inventory, error) {
	var w where
	w.and("agency = ?", agency)
	w.andIf("camera", camera)
	return list(ctx, r, "inventories", scanInventory,
		fmt.Sprintf("SELECT %s FROM inventories %s ORDER BY received_at DESC, digest LIMIT %d", inventoryColumns, &w, page(limit)), w.args...)
}

// Inventory returns one inventory by its digest. catalog.ErrNotFound.
func (r *Reader) Inventory(ctx context.Context, agency evidence.AgencyID, digest evidence.Digest) (*catalog.Inventory, error) {
	v, err := get(ctx, r, "an inventory", scanInventory, "SELECT "+inventoryColumns+" FROM inventories WHERE agency = $1 AND digest = $2", agency, digest.String())
	if err != nil {
		return nil, err
	}
	return v, r.one(ctx, "an inventory", func(s scanner) error { return s.Scan(&v.Envelope) },
		"SELECT envelope FROM inventories WHERE agency = $1 AND digest = $2", agency, digest.String())
}

// InsertInventory keeps an inventory; false when it is there already.
func (tx *Tx) InsertInventory(ctx context.Context, v *catalog.Inventory) (bool, error) {
	n, err := tx.change(ctx, "keeping an inventory", "INSERT INTO inventories ("+inventoryColumns+`, envelope)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (agency, digest) DO NOTHING`,
		v.Agency, v.Digest.String(), v.Dock, v.Docking.String(), v.Part, v.Parts, clean(v.Camera), micros(v.TakenAt), micros(v.ReceivedAt), v.Recordings, some(v.Envelope))
	return n == 1, err
}

// InventoryOf returns one part of the inventory of a docking, with its
// envelope. catalog.ErrNotFound.
func (r *Reader) InventoryOf(ctx context.Context, agency evidence.AgencyID, camera string, docking evidence.DockingID, part int) (*catalog.Inventory, error) {
	return get(ctx, r, "an inventory", func(s scanner, v *catalog.Inventory) error {
		return s.Scan(&v.Agency, hexInto(v.Digest[:]), &v.Dock, hexInto(v.Docking[:]), &v.Part, &v.Parts, &v.Camera,
			timeInto{&v.TakenAt}, timeInto{&v.ReceivedAt}, &v.Recordings, &v.Envelope)
	}, "SELECT "+inventoryColumns+", envelope FROM inventories WHERE agency = $1 AND camera = $2 AND docking = $3 AND part = $4 ORDER BY received_at DESC LIMIT 1",
		agency, clean(camera), docking.String(), part)
}
