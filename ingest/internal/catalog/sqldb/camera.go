package sqldb

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const cameraColumns = `agency, serial, vendor, model, firmware, first_seen_at, last_seen_at, last_dock, last_bay,
	(SELECT count(*) FROM items WHERE items.agency = cameras.agency AND items.camera = cameras.serial)`

func scanCamera(s scanner, c *catalog.Camera) error {
	return s.Scan(&c.Agency, &c.Serial, &c.Vendor, &c.Model, &c.Firmware, timeInto{&c.FirstSeenAt}, timeInto{&c.LastSeenAt}, &c.LastDock, &c.LastBay, &c.Items)
}

// Camera returns a camera. catalog.ErrNotFound.
func (r *Reader) Camera(ctx context.Context, agency evidence.AgencyID, serial string) (*catalog.Camera, error) {
	return get(ctx, r, "a camera", scanCamera, "SELECT "+cameraColumns+" FROM cameras WHERE agency = $1 AND serial = $2", agency, clean(serial))
}

// Cameras returns an agency's cameras, last seen first.
func (r *Reader) Cameras(ctx context.Context, agency evidence.AgencyID) ([]catalog.Camera, error) {
	return list(ctx, r, "cameras", scanCamera, "SELECT "+cameraColumns+" FROM cameras WHERE agency = $1 ORDER BY last_seen_at DESC, serial", agency)
}

// CameraSeen adds a camera, or notes what it says of itself and where it was
// seen at LastSeenAt. FirstSeenAt and Items are not looked at.
func (tx *Tx) CameraSeen(ctx context.Context, c *catalog.Camera) error {
	_, err := tx.change(ctx, "noting a camera", `INSERT INTO cameras (agency, serial, vendor, model, firmware, first_seen_at, last_seen_at, last_dock, last_bay)
		VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
		ON CONFLICT (agency, serial) DO UPDATE SET vendor = excluded.vendor, model = excluded.model, firmware = excluded.firmware,
		last_seen_at = excluded.last_seen_at, last_dock = excluded.last_dock, last_bay = excluded.last_bay`,
		c.Agency, clean(c.Serial), clean(c.Vendor), clean(c.Model), clean(c.Firmware), micros(c.LastSeenAt), c.LastDock, clean(c.LastBay))
	return err
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
