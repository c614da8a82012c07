package sqldb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// A list of items is read in two steps, so that neither engine has a choice that it
// could make wrongly: SQLite keeps no statistics, and PostgreSQL's do not know which
// words an officer's name is made of. First come the ids in the list's order, from one
// index and nothing else: of those items that one condition holds of, where these are
// few, or of all. Then their rows are read, a hundred at a time, and compared with all
// conditions, until the page is full.

const (
	fewIndexed = 20_000 // as many are few where the index holds the order too
	fewRows    = 2_000  // and as many where rows have to be read for it
	maxStep    = 1000   // ids of one step
)

// narrowing finds the ids of the items that one condition can hold of.
type narrowing struct {
	from   string // table and conditions
	args   []any
	whole  bool   // all of them fit the condition: nothing is left to compare
	goesBy string // the order that its index goes on by, "" for none
}

// narrowings are the conditions of a filter for which there is an index.
func narrowings(f *catalog.ItemFilter) []narrowing {
	var all []narrowing
	by := func(table string, whole bool, goesBy string, fill func(*where)) {
		var w where
		w.and("agency = ?", f.Agency)
		fill(&w)
		all = append(all, narrowing{table + w.String(), w.args, whole, goesBy})
	}
	for _, word := range wordsOf(maxWords, f.Text) {
		key := keyOf(word)
		by("item_words", false, "", func(w *where) { w.and("word >= ? AND word < ?", key, key+"\U0010ffff") })
	}
	for _, text := range []string{f.Officer, f.Category} { // of these each word stands as a whole
		for _, word := range wordsOf(maxWords, text) {
			by("item_words", false, "", func(w *where) { w.and("word = ?", keyOf(word)) })
		}
	}
	for _, c := range [][2]string{{"camera", f.Camera}, {"dock", string(f.Dock)}, {"station", string(f.Station)}, {"kind", string(f.Kind)}} {
		if c[1] != "" {
			by("items", true, "offered_at", func(w *where) { w.andIf(c[0], c[1]) })
		}
	}
	switch f.State {
	case "":
	case catalog.StateDestroyed:
		by("items", true, "offered_at", func(w *where) { w.and("destroyed_at > 0") })
	default:
		by("items", f.State != catalog.StateStored, "offered_at", func(w *where) { w.andIf("state", string(f.State)) })
	}
	if !f.From.IsZero() || !f.To.IsZero() {
		by("items", true, "recorded_at", func(w *where) { w.between("recorded_at", f.From, f.To) })
	}
	if !f.ArrivedFrom.IsZero() || !f.ArrivedTo.IsZero() {
		by("items", true, "offered_at", func(w *where) { w.between("offered_at", f.ArrivedFrom, f.ArrivedTo) })
	}
	if f.NoWearer {
		by("items", true, "offered_at", func(w *where) { w.and("wearer = '' AND wearer_id = ''") })
	}
	return all
}

// conditions counts the conditions of a filter, besides the agency.
func conditions(f *catalog.ItemFilter) int {
	return len(itemWhere(f).conditions) - 1
}

// source is where the ids of a list come from, in its order.
type source struct {
	narrowing
	order sorted
	key   string // the order's value, in from
	whole bool   // all that it gives is in the list
}

// sourceOf chooses the source of a list: the condition that holds of the fewest items,
// if these are few.
func (r *Reader) sourceOf(ctx context.Context, f *catalog.ItemFilter, by sorted) (*source, error) {
	if strings.HasSuffix(by.column, "_at") {
		return r.sourceWith(ctx, f, by, fewIndexed)
	}
	return r.sourceWith(ctx, f, by, fewRows)
}

func (r *Reader) sourceWith(ctx context.Context, f *catalog.ItemFilter, by sorted, few int64) (*source, error) {
	var best *narrowing
	all := narrowings(f)
	fewest := few + 1
	for n := range all {
		var count int64
		if err := r.one(ctx, "how many items a condition holds of", func(s scanner) error { return s.Scan(&count) },
			fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s LIMIT %d) AS few", all[n].from, fewest), all[n].args...); err != nil {
			return nil, err
		}
		if count < fewest {
			best, fewest = &all[n], count
		}
		if fewest < 200 {
			break // finding fewer would take longer than reading these
		}
	}
	switch {
	case best != nil && strings.HasPrefix(best.from, "item_words") && !strings.HasSuffix(by.column, "_at"):
		// Words know nothing of this order: it is read from the rows.
		n := narrowing{"(SELECT DISTINCT id AS found FROM " + best.from + ") AS few CROSS JOIN items WHERE items.agency = $1 AND items.id = few.found", best.args, false, ""}
		return &source{n, by, by.unindexed, false}, nil
	case best != nil && best.goesBy == by.column:
		return &source{*best, by, by.column, best.whole && conditions(f) == 1}, nil
	case best != nil:
		return &source{*best, by, by.unindexed, best.whole && conditions(f) == 1}, nil
	}
	// Of many: the index of the order, or where the list is by arrival, one that begins
	// with a condition and goes on by arrival.
	for n := range all {
		text := all[n].from
		if by.column == "offered_at" && all[n].whole && (strings.Contains(text, "camera =") || strings.Contains(text, "dock =") || strings.Contains(text, "station =") || strings.Contains(text, "kind =")) {
			return &source{all[n], by, by.column, conditions(f) == 1}, nil
		}
	}
	var w where
	w.and("agency = ?", f.Agency)
	spans := 0
	for column, span := range map[string][2]time.Time{"recorded_at": {f.From, f.To}, "offered_at": {f.ArrivedFrom, f.ArrivedTo}} {
		if before := len(w.conditions); by.column == column {
			w.between(column, span[0], span[1])
			spans += len(w.conditions) - before
		}
	}
	return &source{narrowing{"items" + w.String(), w.args, false, ""}, by, by.column, conditions(f) == spans}, nil
}

// place is where a step of a list begins.
type place struct {
	key any // *int64 or *string; nil for the beginning
	id  string
}

// query asks for the next ids and their keys.
func (s *source) query(after place, limit int) (string, []any) {
	w := where{args: append([]any(nil), s.args...)}
	direction, beyond := "DESC", "<"
	if s.order.up {
		direction, beyond = "ASC", ">"
	}
	more := ""
	if after.key != nil {
		w.and("("+s.key+", id) "+beyond+" (?, ?)", after.key, after.id)
		more = " AND " + w.conditions[0]
	}
	distinct := ""
	if strings.HasPrefix(s.from, "item_words") {
		distinct = "DISTINCT " // one item may have several words that begin alike
	}
	return fmt.Sprintf("SELECT %sid, %s AS place FROM %s%s ORDER BY place %s, id %s LIMIT %d", distinct, s.key, s.from, more, direction, direction, limit), w.args
}

// next returns the next ids, and the place after them.
func (r *Reader) next(ctx context.Context, s *source, after place, limit int) (ids []string, keys []any, err error) {
	query, args := s.query(after, limit)
	err = r.each(ctx, "items in order", func(row scanner) error {
		var id string
		key := s.order.value()
		if err := row.Scan(&id, key); err != nil {
			return err
		}
		ids, keys = append(ids, id), append(keys, key)
		return nil
	}, query, args...)
	return ids, keys, err
}

// among are a filter's conditions on some items.
func among(f *catalog.ItemFilter, ids []string) *where {
	w := itemWhere(f)
	places := make([]string, len(ids))
	for n, id := range ids {
		w.args = append(w.args, id)
		places[n] = fmt.Sprintf("$%d", len(w.args))
	}
	w.conditions = append(w.conditions, "id IN ("+strings.Join(places, ", ")+")")
	return w
}

// rowsOf reads those of some items that a filter holds.
func (r *Reader) rowsOf(ctx context.Context, f *catalog.ItemFilter, ids []string) (map[string]*catalog.Item, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	w := among(f, ids)
	found, err := list(ctx, r, "items", scanItem, "SELECT "+itemColumns+" FROM items"+w.String(), w.args...)
	all := make(map[string]*catalog.Item, len(found))
	for n := range found {
		all[found[n].ID.String()] = &found[n]
	}
	return all, err
}

// CountUpTo counts what Items lists over all pages, up to most. It gives up, with ok
// false, when that takes longer than within.
func (r *Reader) CountUpTo(ctx context.Context, f catalog.ItemFilter, most int64, within time.Duration) (n int64, ok bool, err error) {
	bounded, done := context.WithTimeout(ctx, within)
	defer done()
	n, err = r.countUpTo(bounded, &f, most)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return 0, false, nil
	}
	return n, err == nil, err
}

func (r *Reader) countUpTo(ctx context.Context, f *catalog.ItemFilter, most int64) (n int64, err error) {
	by, err := sorting(catalog.NewestArrival)
	if err != nil {
		return 0, err
	}
	s, err := r.sourceOf(ctx, f, by)
	if err != nil {
		return 0, err
	}
	if s.whole {
		err := r.one(ctx, "the number of items", func(row scanner) error { return row.Scan(&n) },
			fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s LIMIT %d) AS found", s.from, most), s.args...)
		return n, err
	}
	var after place
	for n < most {
		ids, keys, err := r.next(ctx, s, after, maxStep)
		if err != nil || len(ids) == 0 {
			return n, err
		}
		var some int64
		w := among(f, ids)
		if err := r.one(ctx, "the number of items", func(row scanner) error { return row.Scan(&some) }, "SELECT count(*) FROM items"+w.String(), w.args...); err != nil {
			return n, err
		}
		n += some
		if len(ids) < maxStep {
			break
		}
		after = place{keys[len(keys)-1], ids[len(ids)-1]}
	}
	return min(n, most), nil
}
