package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const provable = " FROM items WHERE agency = $1 AND state = 'stored' AND destroyed_at = 0"

// LeastProven returns stored items that were last proven before a moment, the longest
// ago first; those behind after only, to page on. Its first is the zero Proven.
func (r *Reader) LeastProven(ctx context.Context, agency evidence.AgencyID, before time.Time, after catalog.Proven, limit int) ([]catalog.Proven, error) {
	return list(ctx, r, "what is to be read again", func(s scanner, p *catalog.Proven) error {
		return s.Scan(hexInto(p.ID[:]), timeInto{&p.At}, &p.Length)
	}, "SELECT id, proven_at, length"+provable+" AND proven_at < $2 AND (proven_at, id) > ($3, $4) ORDER BY proven_at, id LIMIT $5",
		agency, micros(before), micros(after.At), after.ID.String(), page(limit))
}

// ProvenTotals returns how much is stored, and when the least proven of it was proven.
func (r *Reader) ProvenTotals(ctx context.Context, agency evidence.AgencyID) (t catalog.ProvenTotals, err error) {
	err = r.one(ctx, "what is stored", func(s scanner) error { return s.Scan(&t.Items, &t.Bytes, timeInto{&t.Oldest}) },
		"SELECT count(*), coalesce(sum(length), 0), coalesce(min(proven_at), 0)"+provable, agency)
	return t, err
}

// CountProvenBefore returns how many stored items were last proven before a moment.
func (r *Reader) CountProvenBefore(ctx context.Context, agency evidence.AgencyID, before time.Time) (n int64, err error) {
	err = r.one(ctx, "what is to be read again", func(s scanner) error { return s.Scan(&n) }, "SELECT count(*)"+provable+" AND proven_at < $2", agency, micros(before))
	return n, err
}

// LeastMirrored returns stored items whose copy in the mirror was last proven before a
// moment, those without a copy first; those behind after only, to page on.
func (r *Reader) LeastMirrored(ctx context.Context, agency evidence.AgencyID, before time.Time, after catalog.Proven, limit int) ([]catalog.Proven, error) {
	return list(ctx, r, "what is to be mirrored", func(s scanner, p *catalog.Proven) error {
		return s.Scan(hexInto(p.ID[:]), timeInto{&p.At}, &p.Length)
	}, "SELECT id, mirrored_at, length"+provable+" AND mirrored_at < $2 AND (mirrored_at, id) > ($3, $4) ORDER BY mirrored_at, id LIMIT $5",
		agency, micros(before), micros(after.At), after.ID.String(), page(limit))
}

// MirrorTotals returns how much of what is stored has a copy in the mirror, and when
// the least proven of the copies was proven.
func (r *Reader) MirrorTotals(ctx context.Context, agency evidence.AgencyID) (t catalog.ProvenTotals, err error) {
	err = r.one(ctx, "what is mirrored", func(s scanner) error { return s.Scan(&t.Items, &t.Bytes, timeInto{&t.Oldest}) },
		"SELECT count(*), coalesce(sum(length), 0), coalesce(min(mirrored_at), 0)"+provable+" AND mirrored_at > 0", agency)
	return t, err
}

// Damaged returns items that were stored and are in quarantine since, by id; those
// behind after only, to page on.
func (r *Reader) Damaged(ctx context.Context, agency evidence.AgencyID, after evidence.EvidenceID, limit int) ([]evidence.EvidenceID, error) {
	return list(ctx, r, "what is damaged", func(s scanner, id *evidence.EvidenceID) error { return s.Scan(hexInto(id[:])) },
		"SELECT id FROM items WHERE agency = $1 AND state = 'quarantined' AND event_id <> 0 AND destroyed_at = 0 AND id > $2 ORDER BY id LIMIT $3", agency, after.String(), page(limit))
}

// MarkMirrored notes that the copy of a stored item was read and found right; with the
// zero time, that there is none. catalog.ErrConflict when the item is not stored in
// this attempt.
func (tx *Tx) MarkMirrored(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, at time.Time) error {
	return tx.exec(ctx, fmt.Sprintf("marking item %s mirrored", id), catalog.ErrConflict,
		"UPDATE items SET mirrored_at = $4 WHERE agency = $1 AND id = $2 AND attempt = $3 AND state = 'stored' AND destroyed_at = 0", agency, id.String(), attempt, micros(at))
}

// ForgetMirror notes that no item has a copy in the mirror: another one is begun.
func (tx *Tx) ForgetMirror(ctx context.Context, agency evidence.AgencyID) error {
	_, err := tx.change(ctx, "forgetting the mirror", "UPDATE items SET mirrored_at = 0 WHERE agency = $1 AND mirrored_at > 0", agency)
	return err
}
