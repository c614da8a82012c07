package sqldb

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const dockingColumns = `agency, id, dock, station, bay, camera, public_key, key_standing, access, standing, taken_at, at, last_at, received_at,
	battery, findings, camera_raw, clock_at, clock_ahead, clock_uncertainty, clock_exchanges, set_at, set_ahead, set_uncertainty, set_exchanges,
	dock_at, dock_ahead, dock_uncertainty, dock_exchanges, next_number, journal, recordings, parts, parts_seen`

func scanDocking(s scanner, d *catalog.Docking) error {
	var findings []byte
	var clock, set, dock evidence.Offset
	if err := s.Scan(&d.Agency, hexInto(d.ID[:]), &d.Dock, &d.Station, &d.Bay, &d.Camera, &d.Key, &d.KeyStanding, &d.Access, &d.Standing,
		timeInto{&d.TakenAt}, timeInto{&d.At}, timeInto{&d.LastAt}, timeInto{&d.ReceivedAt}, &d.Battery, &findings, &d.CameraRaw,
		timeInto{&clock.At}, &clock.Ahead, &clock.Uncertainty, &clock.Exchanges, timeInto{&set.At}, &set.Ahead, &set.Uncertainty, &set.Exchanges,
		timeInto{&dock.At}, &dock.Ahead, &dock.Uncertainty, &dock.Exchanges, &d.Next, &d.Journal, &d.Recordings, &d.Parts, &d.PartsSeen); err != nil {
		return err
	}
	d.Clock, d.ClockSet, d.DockClock = measured(clock), measured(set), measured(dock)
	if err := json.Unmarshal(findings, &d.Findings); err != nil {
		return fmt.Errorf("the findings of docking %s cannot be read: %w", d.ID, err)
	}
	return nil
}

// measured is an offset, nil where none was measured.
func measured(o evidence.Offset) *evidence.Offset {
	if o.Exchanges == 0 {
		return nil
	}
	return &o
}

// offset is an offset as its four columns keep it.
func offset(o *evidence.Offset) []any {
	if o == nil {
		o = new(evidence.Offset)
	}
	return []any{micros(o.At), o.Ahead, o.Uncertainty, o.Exchanges}
}

// Docking returns one docking. catalog.ErrNotFound.
func (r *Reader) Docking(ctx context.Context, agency evidence.AgencyID, id evidence.DockingID) (*catalog.Docking, error) {
	return get(ctx, r, fmt.Sprintf("docking %s", id), scanDocking, "SELECT "+dockingColumns+" FROM dockings WHERE agency = $1 AND id = $2", agency, id.String())
}

// Dockings returns the newest dockings of a camera, newest first.
func (r *Reader) Dockings(ctx context.Context, agency evidence.AgencyID, camera string, limit int) ([]catalog.Docking, error) {
	return list(ctx, r, "the dockings of a camera", scanDocking, fmt.Sprintf("SELECT %s FROM dockings WHERE agency = $1 AND camera = $2 ORDER BY at DESC, id DESC LIMIT %d",
		dockingColumns, page(limit)), agency, clean(camera))
}

// DockingsAtOnce returns other dockings of the same camera that overlap this
// one in time and took place in another bay or at another dock.
func (r *Reader) DockingsAtOnce(ctx context.Context, d *catalog.Docking) ([]catalog.Docking, error) {
	return list(ctx, r, "dockings at the same time", scanDocking, "SELECT "+dockingColumns+` FROM dockings
		WHERE agency = $1 AND camera = $2 AND id <> $3 AND at <= $4 AND last_at >= $5 AND (dock <> $6 OR bay <> $7) ORDER BY at LIMIT 10`,
		d.Agency, clean(d.Camera), d.ID.String(), micros(d.LastAt), micros(d.At), d.Dock, clean(d.Bay))
}

// LastClockSet returns the newest docking at which the camera's clock was set
// and the dock's clock was compared with the server's. catalog.ErrNotFound.
func (r *Reader) LastClockSet(ctx context.Context, agency evidence.AgencyID, camera string) (*catalog.Docking, error) {
	return get(ctx, r, "the last setting of a camera's clock", scanDocking, "SELECT "+dockingColumns+` FROM dockings
		WHERE agency = $1 AND camera = $2 AND set_exchanges > 0 AND dock_exchanges > 0 ORDER BY at DESC, id DESC LIMIT 1`, agency, clean(camera))
}

// HighestJournal returns the highest count of dockings that a dock has told, 0
// for none.
func (r *Reader) HighestJournal(ctx context.Context, agency evidence.AgencyID, dock evidence.DockID) (uint64, error) {
	var n uint64
	err := r.one(ctx, "the docking count of a dock", func(s scanner) error { return s.Scan(&n) },
		"SELECT coalesce(max(journal), 0) FROM dockings WHERE agency = $1 AND dock = $2", agency, dock)
	return n, err
}

// HighestNext returns the highest number that a camera has announced for its
// next recording, 0 for a camera that does not count.
func (r *Reader) HighestNext(ctx context.Context, agency evidence.AgencyID, camera string) (uint64, error) {
	var n uint64
	err := r.one(ctx, "the next number of a camera", func(s scanner) error { return s.Scan(&n) },
		"SELECT coalesce(max(next_number), 0) FROM dockings WHERE agency = $1 AND camera = $2", agency, clean(camera))
	return n, err
}

// PutDocking adds a docking, or changes the one that is there: its parts,
// recordings, judgement and end. What the first part told stays unless d tells
// it: a docking's parts may come in any order.
func (tx *Tx) PutDocking(ctx context.Context, d *catalog.Docking) error {
	findings := d.Findings
	if findings == nil {
		findings = []evidence.Finding{}
	}
	told, err := json.Marshal(findings)
	if err != nil {
		return fmt.Errorf("keeping the findings of docking %s: %w", d.ID, err)
	}
	values := []any{d.Agency, d.ID.String(), d.Dock, d.Station, clean(d.Bay), clean(d.Camera), d.Key, d.KeyStanding, d.Access, d.Standing,
		micros(d.TakenAt), micros(d.At), micros(d.LastAt), micros(d.ReceivedAt), d.Battery, clean(string(told)), clean(d.CameraRaw)}
	values = append(values, offset(d.Clock)...)
	values = append(values, offset(d.ClockSet)...)
	values = append(values, offset(d.DockClock)...)
	values = append(values, number(d.Next), number(d.Journal), d.Recordings, d.Parts, d.PartsSeen)
	_, err = tx.change(ctx, fmt.Sprintf("keeping docking %s", d.ID), "INSERT INTO dockings ("+dockingColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)
		ON CONFLICT (agency, id) DO UPDATE SET (public_key, key_standing, access, standing, taken_at, at, last_at, battery, findings, camera_raw,
		clock_at, clock_ahead, clock_uncertainty, clock_exchanges, set_at, set_ahead, set_uncertainty, set_exchanges,
		dock_at, dock_ahead, dock_uncertainty, dock_exchanges, next_number, journal, recordings, parts, parts_seen) =
		($7, $8, $9, $10, $11, $12, $13, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)`, values...)
	return err
}

// ExtendDocking notes that a camera was still docked at a moment, and returns
// the docking as it is now. catalog.ErrNotFound.
func (tx *Tx) ExtendDocking(ctx context.Context, agency evidence.AgencyID, id evidence.DockingID, at time.Time) (*catalog.Docking, error) {
	if _, err := tx.change(ctx, fmt.Sprintf("extending docking %s", id), "UPDATE dockings SET last_at = $3 WHERE agency = $1 AND id = $2 AND last_at < $3",
		agency, id.String(), micros(at)); err != nil {
		return nil, err
	}
	return tx.Docking(ctx, agency, id)
}

// InventoryParts counts the parts of a docking's inventory that are here, each
// once.
func (r *Reader) InventoryParts(ctx context.Context, agency evidence.AgencyID, camera string, docking evidence.DockingID) (int, error) {
	var n int
	err := r.one(ctx, "the parts of an inventory", func(s scanner) error { return s.Scan(&n) },
		"SELECT count(DISTINCT part) FROM inventories WHERE agency = $1 AND camera = $2 AND docking = $3", agency, clean(camera), docking.String())
	return n, err
}

// SameJournal says whether a dock has given a docking's count to another docking
// too: its journal went back. Counts out of order are no sign of it: dockings of
// several bays overlap, and each may send more than one inventory.
func (r *Reader) SameJournal(ctx context.Context, d *catalog.Docking) (bool, error) {
	var n int
	err := r.one(ctx, "the docking count of a dock", func(s scanner) error { return s.Scan(&n) },
		`SELECT count(*) FROM dockings WHERE agency = $1 AND dock = $2 AND id <> $3 AND journal = $4`,
		d.Agency, d.Dock, d.ID.String(), number(d.Journal))
	return n > 0, err
}

// EachDocking calls each for every docking of a camera, oldest first.
func (r *Reader) EachDocking(ctx context.Context, agency evidence.AgencyID, camera string, each func(*catalog.Docking) error) error {
	const size = 500
	at, id := int64(math.MinInt64), ""
	for {
		rows, err := list(ctx, r, "the dockings of a camera", scanDocking, "SELECT "+dockingColumns+` FROM dockings
			WHERE agency = $1 AND camera = $2 AND (at, id) > ($3, $4) ORDER BY at, id LIMIT $5`, agency, clean(camera), at, id, size)
		if err != nil {
			return err
		}
		for n := range rows {
			if err := each(&rows[n]); err != nil {
				return err
			}
			at, id = micros(rows[n].At), rows[n].ID.String()
		}
		if len(rows) < size {
			return nil
		}
	}
}
