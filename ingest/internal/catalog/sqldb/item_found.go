package sqldb

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// A list is read in two steps: first which items, in the list's order, by index and
// nothing else; then their rows, compared with the whole filter. Which items is known by
// slots, block by block; the few that have no slot yet are searched row by row.

const (
	maxStep   = 1000 // ids of one step
	someFound = 128  // items of found slots that are read at once
)

// Variables for tests with few items only.
var (
	firstWalk       = 500    // entries of an order's index that are read first
	maxWalk         = 40_000 // entries of it that are read in the hope of found slots
	fewFound  int64 = 15_000 // so many items are read and sorted rather than looked for in an index
)

// listing is one page in the making.
type listing struct {
	*found
	r     *Reader
	by    *sorted
	after *keyed // nil: from the beginning
	want  int    // rows
	rows  []catalog.Item

	missed int // rows that were read in vain: with many, more are read at once
}

// page reads one page of a list.
func (r *Reader) page(ctx context.Context, s *found, by *sorted, after *keyed, limit int) (p catalog.ItemPage, err error) {
	if s.none {
		return p, nil
	}
	l := &listing{found: s, r: r, by: by, after: after, want: limit + 1}
	if l.plain() {
		err = l.walkAll(ctx)
	} else if err = l.bySlots(ctx); err == nil {
		err = l.addSlotless(ctx)
	}
	if err != nil {
		return p, err
	}
	if p.Items = l.rows; len(p.Items) > limit {
		p.Items = p.Items[:limit]
		last := by.key(&p.Items[limit-1])
		p.Next = by.cursor(&last)
	}
	return p, nil
}

// plain reports whether the index of the order alone says which items these are.
func (l *listing) plain() bool {
	f := l.sought
	recorded, offered := f.From.IsZero() && f.To.IsZero(), f.ArrivedFrom.IsZero() && f.ArrivedTo.IsZero()
	return l.all && (recorded || l.by.column == "recorded_at") && (offered || l.by.column == "offered_at")
}

// add appends those of some items, in order, whose rows the filter holds of.
func (l *listing) add(ctx context.Context, some []keyed) error {
	for len(some) > 0 && len(l.rows) < l.want {
		n := min(len(some), max(l.want-len(l.rows), 16, min(l.missed, manySlots)))
		ids := make([]string, n)
		for at := range ids {
			ids[at] = some[at].id
		}
		some = some[n:]
		rows, err := l.r.rowsOf(ctx, l.sought, ids)
		if err != nil {
			return err
		}
		l.missed += n - len(rows)
		for _, id := range ids {
			if row := rows[id]; row != nil && len(l.rows) < l.want {
				l.rows = append(l.rows, *row)
			}
		}
	}
	return nil
}

// spans adds a filter's times to the conditions.
func spans(w *where, f *catalog.ItemFilter) {
	w.between("recorded_at", f.From, f.To)
	w.between("offered_at", f.ArrivedFrom, f.ArrivedTo)
}

// walkAll reads the index of the order.
func (l *listing) walkAll(ctx context.Context) error {
	for step := l.want; len(l.rows) < l.want; step = min(2*step, maxStep) {
		some, err := l.walk(ctx, step)
		if err == nil {
			err = l.add(ctx, some)
		}
		if err != nil || len(some) < step {
			return err
		}
	}
	return nil
}

// walk reads the next entries of the order's index, of all items within the times.
func (l *listing) walk(ctx context.Context, limit int) ([]keyed, error) {
	var w where
	w.and("agency = ?", l.sought.Agency)
	if l.by.column == "length" {
		w.andIf("kind", string(l.sought.Kind)) // its index goes on by length
	} else if !l.by.text {
		spans(&w, l.sought)
	}
	order := l.by.beyond(&w, l.after)
	some, err := list(ctx, l.r, "items in order", l.by.scanKeyed, fmt.Sprintf("SELECT %s FROM items%s%s LIMIT %d", l.by.keyedColumns(), &w, order, limit), w.args...)
	if len(some) > 0 {
		last := some[len(some)-1] // the caller may take some apart
		l.after = &last
	}
	return some, err
}

// bySlots reads those of the page that have a slot.
func (l *listing) bySlots(ctx context.Context) error {
	if err := l.r.findBlocks(ctx, l.found); err != nil || len(l.blocks) == 0 {
		return err
	}
	if strings.HasSuffix(l.by.column, "_at") {
		return l.byTime(ctx)
	}
	begin := l.after
	defer func() { l.after = begin }()
	n := int64(len(l.blocks)) << blockBits
	if l.slots != nil {
		n = l.slots.count()
	}
	if n > fewFound {
		if done, err := l.walkFound(ctx); done || err != nil {
			return err
		}
	}
	return l.sortFound(ctx)
}

// walkFound reads the order's index and takes what has a found slot. It gives up, with
// false, where these lie too far apart.
func (l *listing) walkFound(ctx context.Context) (bool, error) {
	for walked, step := 0, firstWalk; walked < maxWalk; step = min(2*step, 8000) {
		entries, err := l.walk(ctx, step)
		if err != nil {
			return false, err
		}
		walked += len(entries)
		done := len(entries) < step
		entries = slices.DeleteFunc(entries, func(k keyed) bool {
			return k.slot == 0 || l.slots != nil && !l.slots.has(k.slot) || !inTime(l.sought, &k)
		})
		if err := l.add(ctx, entries); err != nil || done || len(l.rows) == l.want {
			return true, err
		}
	}
	return false, nil
}

// sortFound reads all items that have a found slot, and takes the first ones.
func (l *listing) sortFound(ctx context.Context) error {
	for len(l.rows) < l.want {
		most := l.want - len(l.rows)
		if l.loose {
			most *= 8
		}
		top := &keyHeap{by: l.by, last: true}
		if err := l.r.keys(ctx, l.found, l.blocks, l.by, func(k *keyed) {
			if l.after != nil && !l.by.before(l.after, k) || len(top.all) == most && !l.by.before(k, &top.all[0]) {
				return
			}
			heap.Push(top, *k)
			if len(top.all) > most {
				heap.Pop(top)
			}
		}); err != nil {
			return err
		}
		slices.SortFunc(top.all, func(a, b keyed) int { return l.by.compare(&a, &b) })
		if err := l.add(ctx, top.all); err != nil || len(top.all) < most {
			return err
		}
		l.after = &top.all[most-1]
	}
	return nil
}

// byTime reads the blocks in the order of the list, as far as the page needs.
func (l *listing) byTime(ctx context.Context) error {
	span := func(b *block) [2]int64 {
		if l.by.column == "offered_at" {
			return b.offered
		}
		return b.recorded
	}
	first := func(b *block) keyed { // no item of the block is before it
		if at := span(b); l.by.up {
			return keyed{number: at[0]}
		} else {
			return keyed{number: at[1], id: "~"} // after all ids
		}
	}
	blocks := slices.Clone(l.blocks)
	if l.after != nil {
		blocks = slices.DeleteFunc(blocks, func(b block) bool {
			at := span(&b)
			return l.by.up && at[1] < l.after.number || !l.by.up && at[0] > l.after.number
		})
	}
	slices.SortFunc(blocks, func(a, b block) int {
		x, y := first(&a), first(&b)
		return l.by.compare(&x, &y)
	})
	waiting := &keyHeap{by: l.by}
	for some := l.want; len(l.rows) < l.want; some = min(2*some, 4*manySlots) {
		// As many blocks as may have the next ones.
		n, have := 0, 0
		for ; n < len(blocks) && have < some; n++ {
			if l.slots == nil {
				have += blockSlots
			} else {
				have += l.slots[blocks[n].n].count()
			}
		}
		if err := l.r.keys(ctx, l.found, blocks[:n], l.by, func(k *keyed) {
			if l.after == nil || l.by.before(l.after, k) {
				heap.Push(waiting, *k)
			}
		}); err != nil {
			return err
		}
		blocks = blocks[n:]
		var next []keyed
		for len(waiting.all) > 0 {
			if len(blocks) > 0 {
				if begin := first(&blocks[0]); !l.by.before(&waiting.all[0], &begin) {
					break
				}
			}
			if next = append(next, heap.Pop(waiting).(keyed)); len(next) >= max(someFound, l.want-len(l.rows), min(l.missed, manySlots)) {
				if err := l.add(ctx, next); err != nil {
					return err
				}
				if next = next[:0]; len(l.rows) == l.want {
					return nil
				}
			}
		}
		if err := l.add(ctx, next); err != nil || len(blocks) == 0 {
			return err
		}
	}
	return nil
}

// keyHeap has the first of its items on top, or with last set the last.
type keyHeap struct {
	by   *sorted
	last bool
	all  []keyed
}

// Len implements heap.Interface, as the other methods do.
func (h *keyHeap) Len() int           { return len(h.all) }
func (h *keyHeap) Less(a, b int) bool { return h.by.before(&h.all[a], &h.all[b]) != h.last }
func (h *keyHeap) Swap(a, b int)      { h.all[a], h.all[b] = h.all[b], h.all[a] }

// Push appends.
func (h *keyHeap) Push(k any) { h.all = append(h.all, k.(keyed)) }

// Pop takes the last off.
func (h *keyHeap) Pop() any {
	k := h.all[len(h.all)-1]
	h.all = h.all[:len(h.all)-1]
	return k
}

// addSlotless puts what has no slot yet into the page.
func (l *listing) addSlotless(ctx context.Context) error {
	top := &keyHeap{by: l.by, last: true}
	if err := l.r.slotless(ctx, l.found, l.by, func(k *keyed) {
		if l.after != nil && !l.by.before(l.after, k) {
			return
		}
		if heap.Push(top, *k); len(top.all) > l.want {
			heap.Pop(top)
		}
	}); err != nil || len(top.all) == 0 {
		return err
	}
	have := l.rows
	l.rows = nil
	if err := l.add(ctx, top.all); err != nil {
		return err
	}
	l.rows = append(l.rows, have...)
	slices.SortFunc(l.rows, func(a, b catalog.Item) int {
		x, y := l.by.key(&a), l.by.key(&b)
		return l.by.compare(&x, &y)
	})
	l.rows = l.rows[:min(len(l.rows), l.want)]
	return nil
}

// slotless calls each for the items without a slot that the filter holds, and counts them.
// It asks for their ids first and then by id: of a join the engines would choose the order.
func (r *Reader) slotless(ctx context.Context, s *found, by *sorted, each func(*keyed)) error {
	s.slotless, s.counted = 0, true
	var after *keyed
	for {
		var w where
		w.and("agency = ?", s.sought.Agency)
		w.and("slot = 0")
		if after != nil {
			w.and("(offered_at, id) > (?, ?)", after.offered, after.id)
		}
		some, err := list(ctx, r, "items without a slot", by.scanKeyed, fmt.Sprintf("SELECT %s FROM items%s ORDER BY offered_at, id LIMIT %d", by.keyedColumns(), &w, 2*blockSlots), w.args...)
		if err != nil || len(some) == 0 {
			return err
		}
		last := some[len(some)-1]
		after = &last
		some = slices.DeleteFunc(some, func(k keyed) bool { return !inTime(s.sought, &k) })
		for part := range slices.Chunk(some, manySlots) {
			byID := make(map[string]*keyed, len(part))
			ids := make([]string, len(part))
			for n := range part {
				ids[n] = part[n].id
				byID[ids[n]] = &part[n]
			}
			w := among(s.sought, ids)
			if err := r.each(ctx, "items without a slot", func(row scanner) error {
				var id string
				err := row.Scan(&id)
				if k := byID[id]; k != nil {
					s.slotless++
					each(k)
				}
				return err
			}, "SELECT id FROM items"+r.engine.byID()+w.String(), w.args...); err != nil {
				return err
			}
		}
	}
}

// rowsOf reads those of some items that a filter holds.
func (r *Reader) rowsOf(ctx context.Context, f *catalog.ItemFilter, ids []string) (map[string]*catalog.Item, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	w := among(f, ids)
	found, err := list(ctx, r, "items", scanItem, "SELECT "+itemColumns+" FROM items"+r.engine.byID()+w.String(), w.args...)
	all := make(map[string]*catalog.Item, len(found))
	for n := range found {
		all[found[n].ID.String()] = &found[n]
	}
	return all, err
}

// among are a filter's conditions on some items that are within its times. There are few
// lengths of it, so that both engines know the statement.
func among(f *catalog.ItemFilter, ids []string) *where {
	timeless := *f // an index of a time would be one more way to these items, and a long one
	timeless.From, timeless.To, timeless.ArrivedFrom, timeless.ArrivedTo = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	w := itemWhere(&timeless)
	places := 16
	for places < len(ids) {
		places *= 2
	}
	var list []byte
	for n := range places {
		id := ""
		if n < len(ids) {
			id = ids[n]
		}
		w.args = append(w.args, id)
		list = fmt.Appendf(list, ", $%d", len(w.args))
	}
	w.conditions = append(w.conditions, "id IN ("+string(list[2:])+")")
	return w
}

// count counts the items of a list up to most.
func (r *Reader) count(ctx context.Context, s *found, most int64) (n int64, err error) {
	if s.none {
		return 0, nil
	}
	f := s.sought
	count := func(from string, args []any) error {
		var some int64
		err := r.one(ctx, "the number of items", func(row scanner) error { return row.Scan(&some) }, fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s LIMIT %d) AS found", from, most-n), args...)
		n = min(n+some, most)
		return err
	}
	if recorded, offered := f.From.IsZero() && f.To.IsZero(), f.ArrivedFrom.IsZero() && f.ArrivedTo.IsZero(); s.all && f.Erased == nil && (recorded || offered) {
		var w where
		w.and("agency = ?", f.Agency)
		spans(&w, f)
		err := count("items"+w.String(), w.args)
		return n, err
	}
	by, err := sorting(catalog.NewestArrival)
	if err != nil {
		return n, err
	}
	if !s.counted {
		if err := r.slotless(ctx, s, by, func(*keyed) {}); err != nil {
			return n, err
		}
	}
	n = min(s.slotless, most)
	if err := r.findBlocks(ctx, s); err != nil {
		return n, err
	}
	var some []int64
	for at, b := range s.blocks {
		if s.slots != nil {
			some = append(some, s.slots[b.n].list(b.n)...)
		} else {
			some = append(some, allSlots.list(b.n)...)
		}
		for n < most && len(some) > 0 && (len(some) >= maxStep || at == len(s.blocks)-1) {
			part := some[:min(len(some), maxStep)]
			some = some[len(part):]
			var ids []string
			if err := r.keysOf(ctx, s, part, by, func(k *keyed) { ids = append(ids, k.id) }); err != nil {
				return n, err
			}
			switch {
			case !s.loose:
				n = min(n+int64(len(ids)), most)
			case len(ids) > 0:
				w := among(f, ids)
				if err := count("items"+r.engine.byID()+w.String(), w.args); err != nil {
					return n, err
				}
			}
		}
		if n >= most {
			break
		}
	}
	return n, nil
}
