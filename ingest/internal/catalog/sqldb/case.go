package sqldb

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const caseColumns = `agency, id, number, title, note, lead, opened_at, opened_by, closed_at, closed_by,
	(SELECT count(*) FROM case_items m WHERE m.agency = cases.agency AND m.case_id = cases.id)`

func scanCase(s scanner, v *catalog.Case) error {
	return s.Scan(&v.Agency, &v.ID, &v.Number, &v.Title, &v.Note, &v.Lead, timeInto{&v.OpenedAt}, &v.OpenedBy, timeInto{&v.ClosedAt}, &v.ClosedBy, &v.Items)
}

// Case returns a case. catalog.ErrNotFound.
func (r *Reader) Case(ctx context.Context, agency evidence.AgencyID, id string) (*catalog.Case, error) {
	return get(ctx, r, "a case", scanCase, "SELECT "+caseColumns+" FROM cases WHERE agency = $1 AND id = $2", agency, clean(id))
}

// CaseNumbered returns the case with a number, whatever its case. catalog.ErrNotFound.
func (r *Reader) CaseNumbered(ctx context.Context, agency evidence.AgencyID, number string) (*catalog.Case, error) {
	return get(ctx, r, "a case", scanCase, "SELECT "+caseColumns+" FROM cases WHERE agency = $1 AND number_key = $2", agency, caseKey(number))
}

func caseKey(text string) string { return strings.ToLower(clean(text)) }

// PutCase keeps a case, new or changed. catalog.ErrExists when another one has its number.
func (tx *Tx) PutCase(ctx context.Context, v *catalog.Case) error {
	_, err := tx.change(ctx, "keeping a case", `INSERT INTO cases (agency, id, number, number_key, title, title_key, note, lead, search, opened_at, opened_by, closed_at, closed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (agency, id) DO UPDATE SET number = excluded.number, number_key = excluded.number_key, title = excluded.title, title_key = excluded.title_key,
		note = excluded.note, lead = excluded.lead, search = excluded.search, closed_at = excluded.closed_at, closed_by = excluded.closed_by`,
		v.Agency, clean(v.ID), clean(v.Number), caseKey(v.Number), clean(v.Title), caseKey(v.Title), clean(v.Note), clean(v.Lead),
		wordText(wordsOf(maxItemWords, v.Number, v.Title)), micros(v.OpenedAt), clean(v.OpenedBy), micros(v.ClosedAt), clean(v.ClosedBy))
	return err
}

// SetInCase puts an item into a case or takes it out; what is so already is no error. It
// returns whether anything changed.
func (tx *Tx) SetInCase(ctx context.Context, agency evidence.AgencyID, m catalog.CaseItem, in bool) (bool, error) {
	if m.Item.IsZero() { // it is what items have as original that were made of nothing
		return false, fmt.Errorf("item %s: %w", m.Item, catalog.ErrNotFound)
	}
	if in {
		n, err := tx.change(ctx, "putting an item into a case", "INSERT INTO case_items (agency, item, case_id, added_at, added_by) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
			agency, m.Item.String(), clean(m.Case), micros(m.AddedAt), clean(m.AddedBy))
		return n > 0, err
	}
	n, err := tx.change(ctx, "taking an item out of a case", "DELETE FROM case_items WHERE agency = $1 AND item = $2 AND case_id = $3", agency, m.Item.String(), clean(m.Case))
	return n > 0, err
}

// InCase returns which of some items were put into a case themselves, in no order.
func (r *Reader) InCase(ctx context.Context, agency evidence.AgencyID, id string, items []evidence.EvidenceID) ([]catalog.CaseItem, error) {
	if len(items) == 0 {
		return nil, nil
	}
	args := []any{agency, clean(id)}
	places := make([]string, len(items))
	for n, item := range items {
		args = append(args, item.String())
		places[n] = fmt.Sprintf("$%d", len(args))
	}
	return list(ctx, r, "items of a case", func(s scanner, v *catalog.CaseItem) error {
		return s.Scan(&v.Case, hexInto(v.Item[:]), timeInto{&v.AddedAt}, &v.AddedBy)
	}, "SELECT case_id, item, added_at, added_by FROM case_items WHERE agency = $1 AND case_id = $2 AND item IN ("+strings.Join(places, ", ")+")", args...)
}

// caseOrders are the orders of a list of cases by their column, after whether it is closed.
var caseOrders = map[catalog.CaseOrder]sorted{
	catalog.NewestCase: {column: "opened_at"}, catalog.OldestCase: {column: "opened_at", up: true},
	catalog.CaseNumber: {column: "number_key", text: true, up: true}, catalog.CaseTitle: {column: "title_key", text: true, up: true},
}

const isClosed = "(CASE WHEN closed_at > 0 THEN 1 ELSE 0 END)"

// Cases returns one page of a list of cases. cursor is "" or the Next of the page before,
// of the same filter and order. catalog.ErrCursor.
func (r *Reader) Cases(ctx context.Context, f catalog.CaseFilter, order catalog.CaseOrder, cursor string, limit int) (p catalog.CasePage, err error) {
	by, ok := caseOrders[order]
	if !ok {
		return p, fmt.Errorf("listing cases: order %q is unknown", clean(string(order)))
	}
	var w where
	w.and("agency = ?", f.Agency)
	words := wordsOf(maxWords, f.Text)
	for _, word := range words {
		w.and("search LIKE ?", "% "+word+"%")
	}
	if len(words) == 0 && strings.TrimSpace(f.Text) != "" {
		w.and("1 = 0")
	}
	if f.Open != nil {
		w.and(map[bool]string{true: "closed_at = 0", false: "closed_at > 0"}[*f.Open])
	}
	if !f.Item.IsZero() {
		w.and("id IN (SELECT case_id FROM case_items WHERE agency = $1 AND item = ?)", f.Item.String())
	}
	if f.Within != nil && !f.Within.All {
		var args []any
		for _, id := range f.Within.Cases {
			args = append(args, clean(id))
		}
		if len(args) == 0 {
			w.and("1 = 0")
		} else {
			w.and(amongOf("id", len(args)), args...)
		}
	}
	if err := casesAfter(&w, &by, cursor); err != nil {
		return p, fmt.Errorf("listing cases: %w", err)
	}
	direction := map[bool]string{true: "ASC", false: "DESC"}[by.up]
	limit = page(limit)
	p.Cases, err = list(ctx, r, "cases", scanCase, fmt.Sprintf("SELECT %s FROM cases%s ORDER BY %s, %s %s, id %s LIMIT %d", caseColumns, &w, isClosed, by.column, direction, direction, limit+1), w.args...)
	if err == nil && len(p.Cases) > limit {
		p.Cases = p.Cases[:limit]
		p.Next = caseCursor(&by, &p.Cases[limit-1])
	}
	return p, err
}

// casesAfter adds what comes after a cursor.
func casesAfter(w *where, by *sorted, cursor string) error {
	if cursor == "" {
		return nil
	}
	parts := strings.Split(cursor, ".")
	if len(parts) != 3 || parts[0] != "0" && parts[0] != "1" {
		return catalog.ErrCursor
	}
	value, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil || clean(string(value)) != string(value) || clean(parts[2]) != parts[2] || len(cursor) > 4096 {
		return catalog.ErrCursor
	}
	var at any = string(value)
	if !by.text {
		if at, err = strconv.ParseInt(string(value), 10, 64); err != nil {
			return catalog.ErrCursor
		}
	}
	closed, sign := int64(parts[0][0]-'0'), map[bool]string{true: ">", false: "<"}[by.up]
	w.and("("+isClosed+" > ? OR "+isClosed+" = ? AND ("+by.column+", id) "+sign+" (?, ?))", closed, closed, at, parts[2])
	return nil
}

func caseCursor(by *sorted, c *catalog.Case) string {
	value := strconv.FormatInt(micros(c.OpenedAt), 10)
	switch by.column {
	case "number_key":
		value = caseKey(c.Number)
	case "title_key":
		value = caseKey(c.Title)
	}
	return strconv.FormatInt(flag(c.Closed()), 10) + "." + base64.RawURLEncoding.EncodeToString([]byte(value)) + "." + c.ID
}

// CasesBy returns cases by their ids, in no order; those that are not there are left out.
func (r *Reader) CasesBy(ctx context.Context, agency evidence.AgencyID, ids []string) ([]catalog.Case, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	p, err := r.Cases(ctx, catalog.CaseFilter{Agency: agency, Within: &catalog.Reach{Cases: ids}}, "", "", 0)
	return p.Cases, err
}

// EndCase closes an open case, or with the zero time opens it again. catalog.ErrConflict
// when it is so already, or is not there.
func (tx *Tx) EndCase(ctx context.Context, agency evidence.AgencyID, id string, at time.Time, by string) error {
	stands := "closed_at = 0"
	if at.IsZero() {
		stands = "closed_at > 0"
	}
	return tx.exec(ctx, "closing a case", catalog.ErrConflict, "UPDATE cases SET closed_at = $3, closed_by = $4 WHERE agency = $1 AND id = $2 AND "+stands, agency, clean(id), micros(at), clean(by))
}
