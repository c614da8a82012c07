package sqldb

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

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

// itemWhere are the conditions of a list of items: the one place that says what a list
// holds.
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
	w.andIf("category", f.Category)
	if f.Officer != "" {
		officer := clean(f.Officer)
		w.and("(officer = ? OR officer_id = ? OR wearer = ? OR wearer_id = ?)", officer, officer, officer, officer)
	}
	w.between("recorded_at", f.From, f.To)
	w.between("offered_at", f.ArrivedFrom, f.ArrivedTo)
	if f.Erased != nil {
		w.and(map[bool]string{true: "erased_at > 0", false: "erased_at = 0 AND kind <> 'derivative'"}[*f.Erased])
	}
	if f.NoWearer {
		w.and("wearer = '' AND wearer_id = ''")
	}
	within(&w, f.Within)
	words := wordsOf(maxWords, f.Text)
	for _, word := range words {
		pattern := "% " + word + "%" // letters and digits: nothing to escape
		w.and("(search LIKE ? OR wearer_search LIKE ?)", pattern, pattern)
	}
	if len(words) == 0 && strings.TrimSpace(f.Text) != "" {
		w.and("1 = 0") // no word is in what was typed
	}
	return &w
}

// sorted is how an order is said in SQL.
type sorted struct {
	column    string // index of this
	unindexed string // the same value, for which no index can be used
	text      bool   // it is text, not a number
	up        bool
}

// person is whom a recording is of: who wore the camera, or whom the recording names.
const person = "(CASE WHEN wearer <> '' THEN wearer ELSE officer END)"

func sorting(o catalog.Order) (sorted, error) {
	number := func(column string, up bool) (sorted, error) {
		return sorted{column: column, unindexed: "(" + column + " + 0)", up: up}, nil
	}
	switch o {
	case catalog.NewestArrival:
		return number("offered_at", false)
	case catalog.OldestArrival:
		return number("offered_at", true)
	case catalog.NewestRecording:
		return number("recorded_at", false)
	case catalog.OldestRecording:
		return number("recorded_at", true)
	case catalog.Longest:
		return number("length", false)
	case catalog.Shortest:
		return number("length", true)
	case catalog.OfficerUp, catalog.OfficerDown:
		return sorted{column: person, unindexed: "(" + person + " || '')", text: true, up: o == catalog.OfficerUp}, nil
	}
	return sorted{}, fmt.Errorf("listing items: order %q is unknown", clean(string(o)))
}

// value is where a value of the order is read into.
func (o sorted) value() any {
	if o.text {
		return new(string)
	}
	return new(int64)
}

// Items returns one page of a list, without statements. cursor is "" or the
// Next of the page before, of the same filter and order; pages hold each item
// once, whatever is added meanwhile. catalog.ErrCursor.
func (r *Reader) Items(ctx context.Context, f catalog.ItemFilter, order catalog.Order, cursor string, limit int) (catalog.ItemPage, error) {
	by, err := sorting(order)
	if err != nil {
		return catalog.ItemPage{}, err
	}
	var after place
	if cursor != "" {
		if after.key, after.id, err = parseCursor(cursor, by.text); err != nil {
			return catalog.ItemPage{}, fmt.Errorf("listing items: %w", err)
		}
	}
	s, err := r.sourceOf(ctx, &f, by)
	if err != nil {
		return catalog.ItemPage{}, err
	}
	limit = page(limit)
	var p catalog.ItemPage
	for step := limit + 1; ; step = min(2*step, maxStep) {
		ids, keys, err := r.next(ctx, s, after, step)
		if err != nil {
			return catalog.ItemPage{}, err
		}
		rows, err := r.rowsOf(ctx, &f, ids)
		if err != nil {
			return catalog.ItemPage{}, err
		}
		for n, id := range ids {
			row := rows[id]
			switch {
			case row == nil:
			case len(p.Items) == limit:
				p.Next = cursorOf(after.key, p.Items[limit-1].ID)
				return p, nil
			default:
				p.Items = append(p.Items, *row)
				if len(p.Items) == limit {
					after = place{keys[n], id}
				}
			}
		}
		if len(ids) < step {
			return p, nil
		}
		if len(p.Items) < limit {
			after = place{keys[len(keys)-1], ids[len(ids)-1]}
		}
	}
}

func cursorOf(at any, id evidence.EvidenceID) string {
	if text, ok := at.(*string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(*text)) + "." + id.String()
	}
	return strconv.FormatInt(*at.(*int64), 10) + "." + id.String()
}

func parseCursor(cursor string, text bool) (at any, id string, err error) {
	before, id, ok := strings.Cut(cursor, ".")
	if text {
		var b []byte
		b, err = base64.RawURLEncoding.Strict().DecodeString(before)
		if clean(string(b)) != string(b) || len(b) > 4096 {
			return nil, "", catalog.ErrCursor
		}
		at = string(b)
	} else {
		at, err = strconv.ParseInt(before, 10, 64)
	}
	if _, bad := evidence.ParseEvidenceID(id); !ok || err != nil || bad != nil {
		return nil, "", catalog.ErrCursor
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
