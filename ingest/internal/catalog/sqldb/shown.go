package sqldb

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const shownColumns = `agency, camera, place, path, kind, sequence, sequence_source, captured_raw, signed,
	first_docking, first_at, last_docking, last_at, last_size, largest_size, vanished_at, vanished_in`

func scanShown(s scanner, v *catalog.Shown) error {
	var signed, vanished string
	if err := s.Scan(&v.Agency, &v.Camera, hexInto(v.Place[:]), &v.Path, &v.Kind, &v.Sequence, &v.SequenceSource, &v.CapturedRaw, &signed,
		hexInto(v.FirstDocking[:]), timeInto{&v.FirstAt}, hexInto(v.LastDocking[:]), timeInto{&v.LastAt}, &v.LastSize, &v.LargestSize, timeInto{&v.VanishedAt}, &vanished); err != nil {
		return err
	}
	if signed != "" {
		v.Signed = new(evidence.Digest)
		if err := hexInto(v.Signed[:]).Scan(signed); err != nil {
			return err
		}
	}
	if vanished != "" {
		return hexInto(v.VanishedIn[:]).Scan(vanished)
	}
	return nil
}

// EachShown calls each for every recording that a camera ever showed, by place.
// No row stays locked meanwhile.
func (r *Reader) EachShown(ctx context.Context, agency evidence.AgencyID, camera string, each func(*catalog.Shown) error) error {
	return r.eachShown(ctx, agency, camera, "", each)
}

// EachThere calls each for every recording of a camera that no complete docking
// has shown as gone.
func (r *Reader) EachThere(ctx context.Context, agency evidence.AgencyID, camera string, each func(*catalog.Shown) error) error {
	return r.eachShown(ctx, agency, camera, " AND vanished_at = 0", each)
}

func (r *Reader) eachShown(ctx context.Context, agency evidence.AgencyID, camera, condition string, each func(*catalog.Shown) error) error {
	const size = 1000
	for place := ""; ; {
		rows, err := list(ctx, r, "what a camera showed", scanShown, "SELECT "+shownColumns+` FROM shown
			WHERE agency = $1 AND camera = $2 AND place > $3`+condition+" ORDER BY place LIMIT $4", agency, clean(camera), place, size)
		if err != nil {
			return err
		}
		for n := range rows {
			if err := each(&rows[n]); err != nil {
				return err
			}
			place = hex.EncodeToString(rows[n].Place[:])
		}
		if len(rows) < size {
			return nil
		}
	}
}

// ShownPage returns the recordings that a camera showed, last shown first,
// beginning after the first skip of them.
func (r *Reader) ShownPage(ctx context.Context, agency evidence.AgencyID, camera string, skip, limit int) ([]catalog.Shown, error) {
	return list(ctx, r, "what a camera showed", scanShown, fmt.Sprintf("SELECT %s FROM shown WHERE agency = $1 AND camera = $2 ORDER BY last_at DESC, place LIMIT %d OFFSET %d",
		shownColumns, page(limit), max(skip, 0)), agency, clean(camera))
}

// CountShown counts the recordings that a camera ever showed.
func (r *Reader) CountShown(ctx context.Context, agency evidence.AgencyID, camera string) (int64, error) {
	var n int64
	err := r.one(ctx, "the number of recordings that a camera showed", func(s scanner) error { return s.Scan(&n) },
		"SELECT count(*) FROM shown WHERE agency = $1 AND camera = $2", agency, clean(camera))
	return n, err
}

// Show enters into the ledger that a recording was shown in docking LastDocking
// at LastAt with LastSize. Dockings may become known in any order; a number or a
// hash of the camera's own, once told, stays. It fills in what the row holds
// afterwards of first and last docking and sizes.
func (tx *Tx) Show(ctx context.Context, v *catalog.Shown) error {
	signed := ""
	if v.Signed != nil {
		signed = v.Signed.String()
	}
	// In SET, a column's name alone is the row's former value.
	return tx.one(ctx, "what the ledger holds of a recording", func(s scanner) error {
		return s.Scan(hexInto(v.FirstDocking[:]), timeInto{&v.FirstAt}, hexInto(v.LastDocking[:]), timeInto{&v.LastAt}, &v.LastSize, &v.LargestSize, timeInto{&v.VanishedAt})
	}, "INSERT INTO shown ("+shownColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10, $11, $12, $12, 0, '')
		ON CONFLICT (agency, camera, place) DO UPDATE SET
		sequence = CASE WHEN excluded.sequence_source = 'camera' THEN excluded.sequence ELSE shown.sequence END,
		sequence_source = CASE WHEN excluded.sequence_source = 'camera' THEN excluded.sequence_source ELSE shown.sequence_source END,
		signed = CASE WHEN excluded.signed <> '' THEN excluded.signed ELSE shown.signed END,
		first_docking = CASE WHEN excluded.first_at < shown.first_at THEN excluded.first_docking ELSE shown.first_docking END,
		first_at = CASE WHEN excluded.first_at < shown.first_at THEN excluded.first_at ELSE shown.first_at END,
		last_docking = CASE WHEN excluded.last_at >= shown.last_at THEN excluded.last_docking ELSE shown.last_docking END,
		last_size = CASE WHEN excluded.last_at >= shown.last_at THEN excluded.last_size ELSE shown.last_size END,
		last_at = CASE WHEN excluded.last_at >= shown.last_at THEN excluded.last_at ELSE shown.last_at END,
		largest_size = CASE WHEN excluded.last_size > shown.largest_size THEN excluded.last_size ELSE shown.largest_size END,
		vanished_in = CASE WHEN excluded.last_at >= shown.vanished_at THEN '' ELSE shown.vanished_in END,
		vanished_at = CASE WHEN excluded.last_at >= shown.vanished_at THEN 0 ELSE shown.vanished_at END
		RETURNING first_docking, first_at, last_docking, last_at, last_size, largest_size, vanished_at`,
		v.Agency, clean(v.Camera), v.Place.String(), clean(v.Path), v.Kind, number(v.Sequence), v.SequenceSource, clean(v.CapturedRaw), signed,
		v.LastDocking.String(), micros(v.LastAt), number(v.LastSize))
}

// Vanish notes for all recordings that a camera showed before a complete docking
// and not in it that they were gone by then.
func (tx *Tx) Vanish(ctx context.Context, agency evidence.AgencyID, camera string, docking evidence.DockingID, at time.Time) error {
	_, err := tx.change(ctx, "noting what is gone from a camera", `UPDATE shown SET vanished_at = $4, vanished_in = $3
		WHERE agency = $1 AND camera = $2 AND last_docking <> $3 AND last_at < $4 AND (vanished_at = 0 OR vanished_at > $4)`,
		agency, clean(camera), docking.String(), micros(at))
	return err
}

// ShownIn returns what was last shown in a docking, by place; with vanished,
// what had vanished by it.
func (r *Reader) ShownIn(ctx context.Context, agency evidence.AgencyID, camera string, docking evidence.DockingID, vanished bool) ([]catalog.Shown, error) {
	column := "last_docking"
	if vanished {
		column = "vanished_in"
	}
	return list(ctx, r, "what a docking showed", scanShown, "SELECT "+shownColumns+" FROM shown WHERE agency = $1 AND camera = $2 AND "+column+" = $3 ORDER BY place",
		agency, clean(camera), docking.String())
}

// Numbers returns the numbers by a source that a camera's recordings were shown
// with, in order.
func (r *Reader) Numbers(ctx context.Context, agency evidence.AgencyID, camera string, source evidence.SequenceSource) ([]uint64, error) {
	return list(ctx, r, "the numbers of a camera's recordings", func(s scanner, n *uint64) error { return s.Scan(n) },
		"SELECT DISTINCT sequence FROM shown WHERE agency = $1 AND camera = $2 AND sequence_source = $3 ORDER BY sequence", agency, clean(camera), source)
}

// CountNumbersBelow counts the numbers of the camera's own, below next, that
// were shown.
func (r *Reader) CountNumbersBelow(ctx context.Context, agency evidence.AgencyID, camera string, next uint64) (uint64, error) {
	var n uint64
	err := r.one(ctx, "the count of a camera's numbers", func(s scanner) error { return s.Scan(&n) },
		"SELECT count(DISTINCT sequence) FROM shown WHERE agency = $1 AND camera = $2 AND sequence_source = 'camera' AND sequence > 0 AND sequence < $3",
		agency, clean(camera), number(next))
	return n, err
}

// NumbersTwice returns numbers, at most ten, that a camera has signed for more
// than one recording.
func (r *Reader) NumbersTwice(ctx context.Context, agency evidence.AgencyID, camera string) ([]uint64, error) {
	return list(ctx, r, "numbers that a camera gave twice", func(s scanner, n *uint64) error { return s.Scan(n) },
		`SELECT sequence FROM shown WHERE agency = $1 AND camera = $2 AND sequence_source = 'camera' AND signed <> ''
		GROUP BY sequence HAVING count(DISTINCT signed) > 1 ORDER BY sequence LIMIT 10`, agency, clean(camera))
}
