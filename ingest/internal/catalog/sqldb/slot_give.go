package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Variables for tests with few items only.
var (
	perBlock = blockSlots // items that get the slots of a block
	// How long an item may take to arrive before it gets a slot as it stands: when it has
	// arrived it loses that again.
	coming = time.Hour
)

// slotted is an item that gets a slot.
type slotted struct {
	catalog.Item
	words []string
}

// scanSlotted reads itemColumns, search and wearer_search.
func scanSlotted(s scanner, i *slotted) error {
	var search, wearer string
	err := scanItem(scanMore{s, []any{&search, &wearer}}, &i.Item)
	i.words = append(strings.Fields(search), strings.Fields(wearer)...)
	return err
}

// scanMore scans more columns than it is asked for.
type scanMore struct {
	scanner
	more []any
}

// Scan implements scanner.
func (s scanMore) Scan(dst ...any) error { return s.scanner.Scan(append(dst, s.more...)...) }

// GiveSlots gives the items of one block their slots, the oldest of those that have none,
// once there are as many. It returns whether it did. Until then, and when it is never
// called, lists hold the same; they take longer.
func (db *DB) GiveSlots(ctx context.Context) (given bool, err error) {
	step := func(tx *Tx) error {
		given, err = tx.giveSlots(ctx)
		return err
	}
	if db.queue != nil {
		err = db.Update(ctx, step)
	} else {
		// The rows are locked; nothing else that it reads can change.
		err = db.retry(ctx, sql.LevelReadCommitted, step)
	}
	return given, err
}

func (tx *Tx) giveSlots(ctx context.Context) (bool, error) {
	most := 2 * perBlock // of an agency with fewer than a block the others must not wait
	agencies, err := list(ctx, &tx.Reader, "items without a slot", func(s scanner, a *evidence.AgencyID) error { return s.Scan(a) },
		fmt.Sprintf(`SELECT agency FROM (SELECT agency FROM items WHERE slot = 0 ORDER BY agency, offered_at, id LIMIT %d) AS few
		GROUP BY agency HAVING count(*) >= %d ORDER BY agency LIMIT 1`, most, perBlock))
	if err != nil || len(agencies) == 0 {
		return false, err
	}
	agency := agencies[0]
	items, err := list(ctx, &tx.Reader, "items without a slot", scanSlotted, fmt.Sprintf(`SELECT %s, search, wearer_search FROM items
		WHERE agency = $1 AND slot = 0 AND (state <> 'receiving' OR offered_at < $2) ORDER BY offered_at, id LIMIT %d%s`, itemColumns, perBlock, tx.engine.forUpdate()),
		agency, micros(tx.now().Add(-coming)))
	if err != nil || len(items) < perBlock {
		return false, err
	}
	if err := tx.casesNow(ctx, items); err != nil {
		return false, err
	}
	var block int64
	if err := tx.one(ctx, "the last block of slots", func(s scanner) error { return s.Scan(&block) }, "SELECT coalesce(max(block), 0) + 1 FROM item_blocks WHERE agency = $1", agency); err != nil {
		return false, err
	}
	const what = "giving items their slots"
	spans := spansOf(items)
	if _, err := tx.change(ctx, what, "INSERT INTO item_blocks (agency, block, offered_from, offered_to, recorded_from, recorded_to) VALUES ($1, $2, $3, $4, $5, $6)",
		agency, block, spans[0], spans[1], spans[2], spans[3]); err != nil {
		return false, err
	}
	terms := termsOfBlock(items)
	for part := range slices.Chunk(slices.Sorted(maps.Keys(terms)), 200) {
		args := []any{agency, block}
		rows := make([]string, len(part))
		for n, term := range part {
			args = append(args, term, terms[term].bytes())
			rows[n] = fmt.Sprintf("($1, $%d, $2, $%d)", len(args)-1, len(args))
		}
		if _, err := tx.change(ctx, what, "INSERT INTO item_terms (agency, term, block, slots) VALUES "+strings.Join(rows, ", "), args...); err != nil {
			return false, err
		}
	}
	for n := range items {
		if _, err := tx.change(ctx, what, "UPDATE items SET slot = $3 WHERE agency = $1 AND id = $2", agency, items[n].ID.String(), block<<blockBits+int64(n)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// casesNow reads anew which cases locked items are in. Who changed that before the lock
// was had is not seen by the statement that waited for it; who changes it later takes the
// slot away again.
func (tx *Tx) casesNow(ctx context.Context, items []slotted) error {
	agency := items[0].Agency
	byID := make(map[string][]string, len(items)) // cases
	for part := range slices.Chunk(items, manySlots) {
		args := []any{agency}
		places := make([]string, len(part))
		for n := range part {
			args = append(args, part[n].ID.String())
			places[n] = fmt.Sprintf("$%d", n+2)
		}
		if err := tx.each(ctx, "the cases of items", func(s scanner) error {
			var id, in string
			err := s.Scan(&id, &in)
			byID[id] = append(byID[id], in)
			return err
		}, `SELECT items.id, m.case_id FROM items JOIN case_items m ON m.agency = items.agency AND m.item IN (items.id, items.original)
			WHERE items.agency = $1 AND items.id IN (`+strings.Join(places, ", ")+")", args...); err != nil {
			return err
		}
	}
	for n := range items {
		items[n].Cases = inOrder(byID[items[n].ID.String()])
	}
	return nil
}

// termsOfBlock are the terms of a block's items.
func termsOfBlock(items []slotted) map[string]*slotSet {
	terms := make(map[string]*slotSet, 4*len(items))
	for n := range items {
		termsOf(&items[n].Item, items[n].words, func(term string) {
			set := terms[term]
			if set == nil {
				set = new(slotSet)
				terms[term] = set
			}
			set.add(int64(n))
		})
	}
	return terms
}

// spansOf is from when to when items arrived and were recorded.
func spansOf(items []slotted) (spans [4]int64) {
	for n := range items {
		for at, t := range []int64{micros(items[n].OfferedAt), micros(recordedAt(&items[n].Item))} {
			if n == 0 {
				spans[2*at], spans[2*at+1] = t, t
			}
			spans[2*at], spans[2*at+1] = min(spans[2*at], t), max(spans[2*at+1], t)
		}
	}
	return spans
}
