package sqldb

import (
	"context"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

func scanBeginning(s scanner, b *catalog.Beginning) error {
	return s.Scan(&b.Agency, &b.Camera, &b.Number, &b.Reason, &b.By, timeInto{&b.At}, &b.ByName)
}

// Beginning returns from which number on a camera's count is looked at, by the
// newest decision. catalog.ErrNotFound when nobody has decided.
func (r *Reader) Beginning(ctx context.Context, agency evidence.AgencyID, camera string) (*catalog.Beginning, error) {
	return get(ctx, r, "the beginning of a camera's numbers", scanBeginning, `SELECT agency, camera, number, reason, made_by, made_at,
		coalesce((SELECT name FROM users WHERE users.id = made_by AND users.agency = beginnings.agency), '')
		FROM beginnings WHERE agency = $1 AND camera = $2 ORDER BY decision DESC LIMIT 1`, agency, clean(camera))
}

// InsertBeginning adds a decision, which is in force from then on. Earlier ones
// are kept. catalog.ErrConflict when somebody else decides at the same moment.
func (tx *Tx) InsertBeginning(ctx context.Context, b *catalog.Beginning) error {
	_, err := tx.change(ctx, "deciding where the numbers of camera "+clean(b.Camera)+" begin", `INSERT INTO beginnings
		(agency, camera, decision, number, reason, made_by, made_at)
		SELECT $1, $2, coalesce(max(decision), 0) + 1, CAST($3 AS BIGINT), $4, $5, CAST($6 AS BIGINT) FROM beginnings WHERE agency = $1 AND camera = $2`,
		b.Agency, clean(b.Camera), number(b.Number), clean(b.Reason), clean(b.By), micros(b.At))
	return err
}

// LowestNumber returns the lowest number of its own that a camera has ever
// given: to a recording that it showed, to an item, or as the number that its
// next recording will get. 0 for a camera that does not count.
func (r *Reader) LowestNumber(ctx context.Context, agency evidence.AgencyID, camera string) (uint64, error) {
	var n uint64
	err := r.one(ctx, "the lowest number of a camera", func(s scanner) error { return s.Scan(&n) }, `SELECT coalesce(min(lowest), 0) FROM (
		SELECT min(sequence) AS lowest FROM shown WHERE agency = $1 AND camera = $2 AND sequence_source = 'camera' AND sequence > 0
		UNION ALL SELECT min(sequence) FROM items WHERE agency = $1 AND camera = $2 AND sequence_source = 'camera' AND sequence > 0
		UNION ALL SELECT min(next_number) FROM dockings WHERE agency = $1 AND camera = $2 AND next_number > 0) AS given`, agency, clean(camera))
	return n, err
}
