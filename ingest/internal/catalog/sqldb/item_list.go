package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Bounds of a search by text; what is beyond is not looked at.
const (
	maxWords = 8
	maxWord  = 128 // bytes
)

// searchText is what a search by text looks at.
func searchText(i *catalog.Item) string {
	return strings.ToLower(clean(strings.Join([]string{i.Path, i.Camera, i.CameraModel, i.Officer, i.OfficerID, i.Category,
		string(i.Dock), string(i.Station), i.ID.String(), i.SHA256.String()}, "\n")))
}

// searchWearer is what a search by text looks at besides: it changes when an
// assignment becomes known later.
func searchWearer(officer, id string) string { return strings.ToLower(clean(officer + "\n" + id)) }

// where builds the conditions of a list, with $1… for args.
type where struct {
	conditions []string
	args       []any
}

// and adds a condition; each ? in it stands for the next of args.
func (w *where) and(condition string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conditions = append(w.conditions, condition)
}

// andIf adds column = value, unless value is "".
func (w *where) andIf(column, value string) {
	if value != "" {
		w.and(column+" = ?", clean(value))
	}
}

// between adds from <= column < to, each unless it is zero.
func (w *where) between(column string, from, to time.Time) {
	if !from.IsZero() {
		w.and(column+" >= ?", micros(from))
	}
	if !to.IsZero() {
		w.and(column+" < ?", micros(to))
	}
}

func (w *where) String() string { return " WHERE " + strings.Join(w.conditions, " AND ") }

func itemWhere(f *catalog.ItemFilter) *where {
	var w where
	w.and("agency = ?", f.Agency)
	switch f.State {
	case catalog.StateDestroyed:
		w.and("state = ? AND destroyed_at > 0", catalog.StateStored)
	case catalog.StateStored:
		w.and("state = ? AND destroyed_at = 0", catalog.StateStored)
	default:
		w.andIf("state", string(f.State))
	}
	w.andIf("camera", f.Camera)
	w.andIf("dock", string(f.Dock))
	w.andIf("station", string(f.Station))
	w.andIf("kind", string(f.Kind))
	if f.Officer != "" {
		officer := clean(f.Officer)
		w.and("(officer = ? OR officer_id = ? OR wearer = ? OR wearer_id = ?)", officer, officer, officer, officer)
	}
	w.between("recorded_at", f.From, f.To)
	if f.Erased != nil {
		w.and(map[bool]string{true: "erased_at > 0", false: "erased_at = 0 AND kind <> 'derivative'"}[*f.Erased])
	}
	if f.NoWearer {
		w.and("wearer = '' AND wearer_id = ''")
	}
	within(&w, f.Within)
	for n, word := range strings.Fields(strings.ToLower(clean(f.Text))) {
		if n == maxWords {
			break
		}
		pattern := "%" + escapeLike(word) + "%"
		w.and(`(search LIKE ? ESCAPE '\' OR wearer_search LIKE ? ESCAPE '\')`, pattern, pattern)
	}
	return &w
}

// escapeLike makes a word mean itself in a LIKE pattern with ESCAPE '\'.
func escapeLike(word string) string {
	if len(word) > maxWord {
		word = clean(word[:maxWord])
	}
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(word)
}

// sorting is how an order is said in SQL.
func sorting(o catalog.Order) (column, direction, beyond string, err error) {
	switch o {
	case catalog.NewestArrival:
		return "offered_at", "DESC", "<", nil
	case catalog.OldestArrival:
		return "offered_at", "ASC", ">", nil
	case catalog.NewestRecording:
		return "recorded_at", "DESC", "<", nil
	case catalog.OldestRecording:
		return "recorded_at", "ASC", ">", nil
	}
	return "", "", "", fmt.Errorf("listing items: order %q is unknown", clean(string(o)))
}

// Items returns one page of a list, without statements. cursor is "" or the
// Next of the page before, of the same filter and order; pages hold each item
// once, whatever is added meanwhile. catalog.ErrCursor.
func (r *Reader) Items(ctx context.Context, f catalog.ItemFilter, order catalog.Order, cursor string, limit int) (catalog.ItemPage, error) {
	column, direction, beyond, err := sorting(order)
	if err != nil {
		return catalog.ItemPage{}, err
	}
	limit = page(limit)
	w := itemWhere(&f)
	if cursor != "" {
		at, id, err := parseCursor(cursor)
		if err != nil {
			return catalog.ItemPage{}, fmt.Errorf("listing items: %w", err)
		}
		w.and("("+column+", id) "+beyond+" (?, ?)", at, id)
	}
	query := fmt.Sprintf("SELECT %s, %s FROM items %s ORDER BY %s %s, id %s LIMIT %d", itemColumns, column, w, column, direction, direction, limit+1)
	type keyed struct {
		item catalog.Item
		at   int64
	}
	found, err := list(ctx, r, "items", func(s scanner, k *keyed) error { return scanItem(withLast{s, &k.at}, &k.item) }, query, w.args...)
	if err != nil {
		return catalog.ItemPage{}, err
	}
	var p catalog.ItemPage
	if len(found) > limit {
		found = found[:limit]
		last := &found[limit-1]
		p.Next = strconv.FormatInt(last.at, 10) + "." + last.item.ID.String()
	}
	p.Items = make([]catalog.Item, len(found))
	for n := range found {
		p.Items[n] = found[n].item
	}
	return p, nil
}

// withLast scans one more column than it is asked for.
type withLast struct {
	scanner
	last *int64
}

func (s withLast) Scan(dst ...any) error { return s.scanner.Scan(append(dst, s.last)...) }

func parseCursor(cursor string) (at int64, id string, err error) {
	before, id, ok := strings.Cut(cursor, ".")
	at, err = strconv.ParseInt(before, 10, 64)
	if _, bad := evidence.ParseEvidenceID(id); !ok || err != nil || bad != nil {
		return 0, "", catalog.ErrCursor
	}
	return at, id, nil
}

// CountItems counts what Items lists over all pages.
func (r *Reader) CountItems(ctx context.Context, f catalog.ItemFilter) (catalog.Count, error) {
	var c catalog.Count
	w := itemWhere(&f)
	err := r.one(ctx, "the number of items", func(s scanner) error { return s.Scan(&c.Items, &c.Bytes) },
		"SELECT count(*), CAST(coalesce(sum(length), 0) AS BIGINT) FROM items"+w.String(), w.args...)
	return c, err
}

// Totals returns an agency's figures, of items those within a reach; nil: all.
func (r *Reader) Totals(ctx context.Context, agency evidence.AgencyID, reach *catalog.Reach) (*catalog.Totals, error) {
	w := where{args: []any{agency, micros(r.now().Add(-24 * time.Hour))}}
	w.conditions = append(w.conditions, "agency = $1")
	within(&w, reach)
	t := &catalog.Totals{ByState: map[catalog.ItemState]catalog.Count{}}
	err := r.each(ctx, "totals", func(s scanner) error {
		var state catalog.ItemState
		var all, fresh, erased, pending catalog.Count
		if err := s.Scan(&state, &all.Items, &all.Bytes, &fresh.Items, &fresh.Bytes, &erased.Items, &erased.Bytes, &pending.Items, &pending.Bytes); err != nil {
			return err
		}
		t.ByState[state] = all
		add(&t.All, all)
		add(&t.Last24h, fresh)
		add(&t.Erased, erased)
		if state == catalog.StateStored {
			t.Pending = pending
		}
		return nil
	}, `SELECT CASE WHEN destroyed_at > 0 THEN 'destroyed' ELSE state END AS stands, count(*), CAST(coalesce(sum(length), 0) AS BIGINT),
		count(CASE WHEN stored_at >= $2 THEN 1 END), CAST(coalesce(sum(CASE WHEN stored_at >= $2 THEN length END), 0) AS BIGINT),
		count(CASE WHEN erased_at > 0 THEN 1 END), CAST(coalesce(sum(CASE WHEN erased_at > 0 THEN length END), 0) AS BIGINT),
		count(CASE WHEN erased_at = 0 AND kind <> 'derivative' THEN 1 END), CAST(coalesce(sum(CASE WHEN erased_at = 0 AND kind <> 'derivative' THEN length END), 0) AS BIGINT)
		FROM items`+w.String()+` GROUP BY stands`, w.args...)
	if err != nil {
		return nil, err
	}
	return t, r.one(ctx, "totals", func(s scanner) error { return s.Scan(&t.Cameras, &t.Docks, &t.Events) },
		`SELECT (SELECT count(*) FROM cameras WHERE agency = $1), (SELECT count(*) FROM docks WHERE agency = $1),
		(SELECT count(*) FROM events WHERE agency = $1)`, agency)
}

func add(to *catalog.Count, c catalog.Count) {
	to.Items += c.Items
	to.Bytes += c.Bytes
}

// StoredAmong returns which of these items are stored, in no order. Ids that the
// catalog does not know are not.
func (r *Reader) StoredAmong(ctx context.Context, agency evidence.AgencyID, ids []evidence.EvidenceID) ([]evidence.EvidenceID, error) {
	var all []evidence.EvidenceID
	for part := range slices.Chunk(ids, 200) {
		args := []any{agency, catalog.StateStored}
		places := make([]string, len(part))
		for i, id := range part {
			args = append(args, id.String())
			places[i] = fmt.Sprintf("$%d", len(args))
		}
		found, err := list(ctx, r, "stored items", func(s scanner, id *evidence.EvidenceID) error { return s.Scan(hexInto(id[:])) },
			"SELECT id FROM items WHERE agency = $1 AND state = $2 AND id IN ("+strings.Join(places, ", ")+")", args...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}
