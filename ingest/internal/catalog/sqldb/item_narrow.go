package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

const enough = 256 // so few items need no further conditions: their rows are read instead

// maxUnion is how many rows of item_terms, and ids, are read for a condition with several
// terms; a variable for tests with few items only.
var maxUnion = 30_000

// still runs fn on one state of the catalog: what moves from one place to another
// meanwhile is neither missed nor met twice.
func (r *Reader) still(ctx context.Context, fn func(*Reader) error) error {
	pool, ok := r.q.(*sql.DB)
	if !ok {
		return fn(r) // of a transaction
	}
	tx, err := pool.BeginTx(ctx, r.engine.reading())
	if err != nil {
		return fmt.Errorf("beginning to read the catalog: %w", err)
	}
	defer tx.Rollback() // nothing was changed
	return fn(&Reader{q: tx, engine: r.engine, now: r.now})
}

// block is one block of slots, and the time spans of its items.
type block struct {
	n                 int64
	offered, recorded [2]int64 // from, to; both are in it
}

// found says which slots the items of a list can have.
type found struct {
	blocks []block // that have any
	slots  slots   // nil: all of these blocks
	loose  bool    // their rows are to be compared with the filter
	all    bool    // the filter has no condition but on times, and maybe erasure
	none   bool    // it holds no item
	sought *catalog.ItemFilter

	slotless int64 // items without a slot, where they are
	counted  bool
}

// find looks a filter's conditions up in item_terms.
func (r *Reader) find(ctx context.Context, f *catalog.ItemFilter) (*found, error) {
	s := &found{sought: f, loose: f.Erased != nil}
	if strings.TrimSpace(f.Text) != "" && len(wordsOf(1, f.Text)) == 0 {
		s.none = true // no word is in what was typed
		return s, nil
	}
	conditions := conditionsOf(f)
	slices.SortStableFunc(conditions, func(a, b condition) int { return a.rows() - b.rows() })
	s.all = len(conditions) == 0
	for _, c := range conditions {
		if s.slots != nil && s.slots.count() <= enough {
			s.loose = true
			break
		}
		slots, loose, err := r.slotsOf(ctx, f, &c)
		if err != nil {
			return nil, err
		}
		s.loose = s.loose || loose
		switch {
		case slots == nil:
		case s.slots == nil:
			s.slots = slots
		default:
			s.slots.keep(slots)
		}
	}
	return s, nil
}

// findBlocks reads which blocks have items with found slots within the times.
func (r *Reader) findBlocks(ctx context.Context, s *found) error {
	f := s.sought
	if s.blocks != nil || s.slots != nil && len(s.slots) == 0 {
		return nil
	}
	var w where
	w.and("agency = ?", f.Agency)
	for column, span := range map[string][2]time.Time{"recorded": {f.From, f.To}, "offered": {f.ArrivedFrom, f.ArrivedTo}} {
		if !span[0].IsZero() {
			w.and(column+"_to >= ?", micros(span[0]))
		}
		if !span[1].IsZero() {
			w.and(column+"_from < ?", micros(span[1]))
		}
	}
	return r.each(ctx, "blocks of slots", func(row scanner) error {
		var b block
		err := row.Scan(&b.n, &b.offered[0], &b.offered[1], &b.recorded[0], &b.recorded[1])
		if s.slots == nil || s.slots[b.n] != nil {
			s.blocks = append(s.blocks, b)
		}
		return err
	}, "SELECT block, offered_from, offered_to, recorded_from, recorded_to FROM item_blocks"+w.String(), w.args...)
}

// rows guesses how dear a condition is to look up: terms that are exact come first.
func (c *condition) rows() int {
	if c.single {
		return 0
	}
	return 1 + len(c.terms)
}

// slotsOf returns the slots of one condition, nil where it has too many terms to be of
// use; and whether items have such slots of which it does not hold.
func (r *Reader) slotsOf(ctx context.Context, f *catalog.ItemFilter, c *condition) (slots, bool, error) {
	all, left, loose := slots{}, maxUnion, c.loose
	read := func(condition string, args ...any) error {
		if left <= 0 {
			return nil
		}
		limit := left
		if c.single {
			limit = math.MaxInt32 // one row for each block, and as many blocks as there are
		}
		return r.each(ctx, "slots of a term", func(s scanner) error {
			left--
			var n int64
			var b sql.RawBytes
			if err := s.Scan(&n, &b); err != nil {
				return err
			}
			return all.block(n).addBytes(b)
		}, fmt.Sprintf("SELECT block, slots FROM item_terms WHERE agency = $1 AND %s LIMIT %d", condition, limit), append([]any{f.Agency}, args...)...)
	}
	direct := func(condition string, args ...any) error {
		return r.each(ctx, "slots of items", func(s scanner) error {
			left--
			var slot int64
			err := s.Scan(&slot)
			if slot > 0 {
				all.block(slot >> blockBits).add(slot)
			}
			return err
		}, fmt.Sprintf("SELECT slot FROM items WHERE agency = $1 AND %s LIMIT %d", condition, max(left, 1)), append([]any{f.Agency}, args...)...)
	}
	for _, term := range c.terms {
		if err := read("term = $2", term); err != nil {
			return nil, false, err
		}
	}
	if c.word != "" {
		if err := read("term >= $2 AND term < $3", termWord+c.word, termWord+c.word+"\U0010ffff"); err != nil {
			return nil, false, err
		}
		if left <= 0 { // what they all begin with, instead
			all, left, loose = slots{}, maxUnion, true
			if err := read("term = $2", termBegins+cut(c.word, beginning)); err != nil {
				return nil, false, err
			}
		}
	}
	if c.sum != "" {
		if err := read("term >= $2 AND term < $3", termSum+cut(c.sum, wordKey), termSum+cut(c.sum, wordKey)+"g"); err != nil {
			return nil, false, err
		}
		if err := direct("id >= $2 AND id < $3", c.sum, c.sum+"g"); err != nil {
			return nil, false, err
		}
		loose = loose || len(c.sum) > wordKey
		if left <= 0 { // what they all begin with, instead
			all, left, loose = slots{}, maxUnion, true
			if err := read("term = $2", termBegins+cut(c.sum, sumBegins)); err != nil {
				return nil, false, err
			}
		}
	}
	for _, id := range c.items {
		if err := direct("id = $2", id); err != nil {
			return nil, false, err
		}
	}
	if left <= 0 && !c.single {
		return nil, true, nil
	}
	return all, loose, nil
}

// keyed is an item by what lists go by.
type keyed struct {
	slot              int64
	offered, recorded int64
	number            int64  // the order's value, of orders by a number
	text              string // and of orders by text
	id                string
}

// before reports whether a list has k before other.
func (o *sorted) before(k, other *keyed) bool { return o.compare(k, other) < 0 }

func (o *sorted) compare(k, other *keyed) int {
	c := 0
	switch {
	case k.number != other.number:
		c = 1
		if k.number < other.number {
			c = -1
		}
	case k.text != other.text:
		c = 1
		if k.text < other.text {
			c = -1
		}
	case k.id != other.id:
		c = 1
		if k.id < other.id {
			c = -1
		}
	}
	if !o.up {
		return -c
	}
	return c
}

// scanKeyed reads keyedColumns.
func (o *sorted) scanKeyed(s scanner, k *keyed) error {
	if o.text {
		return s.Scan(&k.slot, &k.offered, &k.recorded, &k.id, &k.text)
	}
	return s.Scan(&k.slot, &k.offered, &k.recorded, &k.id, &k.number)
}

func (o *sorted) keyedColumns() string { return "slot, offered_at, recorded_at, id, " + o.column }

// inTime reports whether an item is within a filter's time spans.
func inTime(f *catalog.ItemFilter, k *keyed) bool {
	in := func(at int64, from, to time.Time) bool {
		return (from.IsZero() || at >= micros(from)) && (to.IsZero() || at < micros(to))
	}
	return in(k.recorded, f.From, f.To) && in(k.offered, f.ArrivedFrom, f.ArrivedTo)
}

const manySlots = 512 // that are asked for in one statement

// keys calls each for the items in the found slots of some blocks that are within the
// filter's times, in no order.
func (r *Reader) keys(ctx context.Context, s *found, blocks []block, by *sorted, each func(*keyed)) error {
	var few []int64
	for _, b := range blocks {
		if s.slots != nil && s.slots[b.n].count() < blockSlots/8 {
			few = append(few, s.slots[b.n].list(b.n)...)
		} else if err := r.keysBy(ctx, s, by, each, "SELECT "+by.keyedColumns()+" FROM items WHERE agency = $1 AND slot >= $2 AND slot < $3", s.sought.Agency, b.n<<blockBits, (b.n+1)<<blockBits); err != nil {
			return err
		}
	}
	return r.keysOf(ctx, s, few, by, each)
}

// keysOf does so for some slots.
func (r *Reader) keysOf(ctx context.Context, s *found, some []int64, by *sorted, each func(*keyed)) error {
	for part := range slices.Chunk(some, manySlots) {
		query, args := slotQuery(s.sought, by, part)
		if err := r.keysBy(ctx, s, by, each, query, args...); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) keysBy(ctx context.Context, s *found, by *sorted, each func(*keyed), query string, args ...any) error {
	return r.each(ctx, "items by slot", func(row scanner) error {
		var k keyed
		if err := by.scanKeyed(row, &k); err != nil {
			return err
		}
		if (s.slots == nil || s.slots.has(k.slot)) && inTime(s.sought, &k) {
			each(&k)
		}
		return nil
	}, query, args...)
}

// slotQuery asks for some slots. There are few lengths of it, so that both engines know
// the statement; what is left over asks for a slot that nothing has.
func slotQuery(f *catalog.ItemFilter, by *sorted, some []int64) (string, []any) {
	places := 16
	for places < len(some) {
		places *= 2
	}
	args := []any{f.Agency}
	var list []byte
	for n := range places {
		slot := int64(-1)
		if n < len(some) {
			slot = some[n]
		}
		args = append(args, slot)
		list = fmt.Appendf(list, ", $%d", n+2)
	}
	return "SELECT " + by.keyedColumns() + " FROM items WHERE agency = $1 AND slot IN (" + string(list[2:]) + ")", args
}
