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
	w.andIf("incident", f.Incident)
	if f.Tag != "" {
		w.and(`tags LIKE ? ESCAPE '\'`, "%"+likely(joinTags([]string{f.Tag}))+"%")
	}
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
	if f.Case != "" {
		w.and(inCases(1), clean(f.Case), clean(f.Case))
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
	column string // index of this
	text   bool   // it is text, not a number
	up     bool
}

// person is whom a recording is of: who wore the camera, or whom the recording names.
const person = "(CASE WHEN wearer <> '' THEN wearer ELSE officer END)"

func sorting(o catalog.Order) (*sorted, error) {
	switch o {
	case catalog.NewestArrival, catalog.OldestArrival:
		return &sorted{"offered_at", false, o == catalog.OldestArrival}, nil
	case catalog.NewestRecording, catalog.OldestRecording:
		return &sorted{"recorded_at", false, o == catalog.OldestRecording}, nil
	case catalog.Longest, catalog.Shortest:
		return &sorted{"length", false, o == catalog.Shortest}, nil
	case catalog.OfficerUp, catalog.OfficerDown:
		return &sorted{person, true, o == catalog.OfficerUp}, nil
	}
	return nil, fmt.Errorf("listing items: order %q is unknown", clean(string(o)))
}

// key is an item by what a list goes by.
func (o *sorted) key(i *catalog.Item) keyed {
	k := keyed{offered: micros(i.OfferedAt), recorded: micros(recordedAt(i)), id: i.ID.String()}
	switch {
	case o.text && i.Wearer != "":
		k.text = i.Wearer
	case o.text:
		k.text = i.Officer
	case o.column == "offered_at":
		k.number = k.offered
	case o.column == "recorded_at":
		k.number = k.recorded
	default:
		k.number = int64(i.Length)
	}
	return k
}

// beyond adds what comes after a place in the order, and returns the order in SQL.
func (o *sorted) beyond(w *where, after *keyed) string {
	direction, sign := "DESC", "<"
	if o.up {
		direction, sign = "ASC", ">"
	}
	if after != nil {
		var value any = after.number
		if o.text {
			value = after.text
		}
		w.and(o.column+" "+sign+"= ?", value) // SQLite begins an index of an expression only so
		w.and("("+o.column+", id) "+sign+" (?, ?)", value, after.id)
	}
	return fmt.Sprintf(" ORDER BY %s %s, id %s", o.column, direction, direction)
}

// cursor is a place in the order as text.
func (o *sorted) cursor(k *keyed) string {
	if o.text {
		return base64.RawURLEncoding.EncodeToString([]byte(k.text)) + "." + k.id
	}
	return strconv.FormatInt(k.number, 10) + "." + k.id
}

// place reads a cursor; nil for "", the beginning. catalog.ErrCursor.
func (o *sorted) place(cursor string) (*keyed, error) {
	if cursor == "" {
		return nil, nil
	}
	before, id, ok := strings.Cut(cursor, ".")
	k := keyed{id: id}
	var err error
	if o.text {
		var b []byte
		b, err = base64.RawURLEncoding.Strict().DecodeString(before)
		if k.text = string(b); clean(k.text) != k.text || len(b) > 4096 {
			return nil, catalog.ErrCursor
		}
	} else {
		k.number, err = strconv.ParseInt(before, 10, 64)
	}
	if _, bad := evidence.ParseEvidenceID(id); !ok || err != nil || bad != nil {
		return nil, catalog.ErrCursor
	}
	return &k, nil
}

// Items returns one page of a list, without statements. cursor is "" or the
// Next of the page before, of the same filter and order; pages hold each item
// once, whatever is added meanwhile. catalog.ErrCursor.
func (r *Reader) Items(ctx context.Context, f catalog.ItemFilter, order catalog.Order, cursor string, limit int) (p catalog.ItemPage, err error) {
	by, err := sorting(order)
	if err != nil {
		return p, err
	}
	after, err := by.place(cursor)
	if err != nil {
		return p, fmt.Errorf("listing items: %w", err)
	}
	err = r.still(ctx, func(r *Reader) error {
		s, err := r.find(ctx, &f)
		if err == nil {
			p, err = r.page(ctx, s, by, after, page(limit))
		}
		return err
	})
	return p, err
}

// ItemsCounted returns one page of a list as Items does, and how many items it has over
// all pages, counted up to most. Where the page and counting take longer than within,
// counted is false; then there are more than the page holds. A first page without a next
// one is counted whatever it took.
func (r *Reader) ItemsCounted(ctx context.Context, f catalog.ItemFilter, order catalog.Order, cursor string, limit int, most int64, within time.Duration) (p catalog.ItemPage, n int64, counted bool, err error) {
	by, err := sorting(order)
	if err != nil {
		return p, 0, false, err
	}
	after, err := by.place(cursor)
	if err != nil {
		return p, 0, false, fmt.Errorf("listing items: %w", err)
	}
	bounded, done := context.WithTimeout(ctx, within)
	defer done()
	err = r.still(ctx, func(r *Reader) error {
		s, err := r.find(ctx, &f)
		if err == nil {
			p, err = r.page(ctx, s, by, after, page(limit))
		}
		if err != nil {
			return err
		}
		if after == nil && p.Next == "" {
			n, counted = min(int64(len(p.Items)), most), true
			return nil
		}
		n, counted, err = r.countWithin(ctx, bounded, s, most)
		return err
	})
	return p, n, counted, err
}

// countWithin counts until bounded ends, which ctx outlives.
func (r *Reader) countWithin(ctx, bounded context.Context, s *found, most int64) (int64, bool, error) {
	n, err := r.count(bounded, s, most)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return 0, false, nil
	}
	return n, err == nil, err
}

// CountUpTo counts what Items lists over all pages, up to most. It gives up, with ok
// false, when that takes longer than within.
func (r *Reader) CountUpTo(ctx context.Context, f catalog.ItemFilter, most int64, within time.Duration) (n int64, ok bool, err error) {
	bounded, done := context.WithTimeout(ctx, within)
	defer done()
	err = r.still(ctx, func(r *Reader) error {
		s, err := r.find(ctx, &f)
		if err == nil {
			n, ok, err = r.countWithin(ctx, bounded, s, most)
		}
		return err
	})
	return n, ok, err
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
