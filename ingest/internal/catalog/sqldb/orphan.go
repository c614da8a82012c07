package sqldb

import (
	"context"
	"strings"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Mention is a record that speaks of an item.
type Mention struct {
	ID     evidence.EvidenceID
	Source string // "offer", "receipt", "release", or "event " and its type
}

// Orphans returns the records that speak of items which have no row, by item.
// Items are never deleted: a row that is gone was taken by other hands.
func (r *Reader) Orphans(ctx context.Context, agency evidence.AgencyID) ([]Mention, error) {
	const lost = " AND NOT EXISTS (SELECT 1 FROM items WHERE items.agency = m.agency AND items.id = "
	var parts []string
	for _, source := range [][2]string{{"offers", "id"}, {"receipts", "id"}, {"releases", "item"}} {
		parts = append(parts, "SELECT m."+source[1]+" AS lost, '"+strings.TrimSuffix(source[0], "s")+"' AS source FROM "+source[0]+" m WHERE m.agency = $1"+lost+"m."+source[1]+")")
	}
	parts = append(parts, `SELECT substr(m.object, 6) AS lost, 'event ' || m.type AS source FROM events m
		WHERE m.agency = $1 AND m.object LIKE 'item:%' AND length(m.object) = 37 AND m.type IN ('manifest.received', 'evidence.stored', 'evidence.quarantined', 'camera.erased')`+
		lost+"substr(m.object, 6))")
	return list(ctx, r, "records of items that are gone", func(s scanner, m *Mention) error { return s.Scan(hexInto(m.ID[:]), &m.Source) },
		strings.Join(parts, " UNION ")+" ORDER BY lost, source", agency)
}

// ItemsWithReceipt returns the items of a camera for which a receipt is kept.
func (r *Reader) ItemsWithReceipt(ctx context.Context, agency evidence.AgencyID, camera string) (map[evidence.EvidenceID]bool, error) {
	ids, err := list(ctx, r, "the receipts of a camera's items", func(s scanner, id *evidence.EvidenceID) error { return s.Scan(hexInto(id[:])) },
		`SELECT DISTINCT receipts.id FROM receipts JOIN items ON items.agency = receipts.agency AND items.id = receipts.id
		WHERE items.agency = $1 AND items.camera = $2`, agency, clean(camera))
	if err != nil {
		return nil, err
	}
	found := make(map[evidence.EvidenceID]bool, len(ids))
	for _, id := range ids {
		found[id] = true
	}
	return found, nil
}
