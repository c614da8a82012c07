package sqldb

import (
	"context"
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
