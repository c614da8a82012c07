package sqldb

import (
	"context"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const settlementColumns = "agency, camera, finding, path, first_number, last_number, item, docking, reason, made_by, made_at"

func scanSettlement(s scanner, v *catalog.Settlement) error {
	return s.Scan(&v.Agency, &v.Camera, &v.Finding, &v.Path, &v.First, &v.Last, hexInto(v.Item[:]), hexInto(v.Docking[:]), &v.Reason, &v.By, timeInto{&v.At}, &v.ByName)
}

// Settlements returns what was settled of a camera's completeness, in the order
// of the decisions.
func (r *Reader) Settlements(ctx context.Context, agency evidence.AgencyID, camera string) ([]catalog.Settlement, error) {
	return list(ctx, r, "what was settled of a camera", scanSettlement, "SELECT "+settlementColumns+`,
		coalesce((SELECT name FROM users WHERE users.id = made_by AND users.agency = settlements.agency), '')
		FROM settlements WHERE agency = $1 AND camera = $2 ORDER BY decision`, agency, clean(camera))
}

// InsertSettlement adds a decision. catalog.ErrConflict when somebody else
// decides at the same moment.
func (tx *Tx) InsertSettlement(ctx context.Context, v *catalog.Settlement) error {
	_, err := tx.change(ctx, "settling an entry of camera "+clean(v.Camera), "INSERT INTO settlements ("+settlementColumns+`, decision)
		SELECT $1, $2, $3, $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT), $7, $8, $9, $10, CAST($11 AS BIGINT), coalesce(max(decision), 0) + 1
		FROM settlements WHERE agency = $1 AND camera = $2`,
		v.Agency, clean(v.Camera), clean(v.Finding), clean(v.Path), number(v.First), number(v.Last), v.Item.String(), v.Docking.String(), clean(v.Reason), clean(v.By), micros(v.At))
	return err
}
