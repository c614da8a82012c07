package sqldb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// searchWhere are the conditions of a search for events of one type; "": of any.
func searchWhere(w *where, f *catalog.EventSearch, kind evidence.EventType) {
	w.and("agency = ?", f.Agency)
	w.andIf("actor_kind", f.ActorKind)
	w.andIf("actor_id", f.ActorID)
	w.andIf("object", f.Object)
	if f.Object == "" {
		w.andIf("type", string(kind))
	} else if kind != "" {
		w.and("type || '' = ?", kind) // by the object's index: one thing has few events, a type may have most
	}
	w.andIf("outcome", string(f.Outcome))
	if f.NotDone || f.Outcome != "" && f.Outcome != evidence.OutcomeDone {
		w.and("outcome <> 'done'") // as the index says it
	}
	w.andIf("source", f.Source)
	w.between("at", f.From, f.To)
	if f.Until > 0 {
		w.and("id < ?", f.Until)
	}
}

// searchQuery is a page of a search. Of several types each has a page of its own,
// found by its index, and the newest of all of them are the page: a list of types
// in one condition would have the engines read and sort all events of these types.
func searchQuery(f *catalog.EventSearch, after catalog.EventPlace, limit int) (string, []any) {
	types := typesOf(f)
	var all []any
	parts := make([]string, len(types))
	for n, kind := range types {
		w := where{args: all}
		searchWhere(&w, f, kind)
		if after.ID != 0 {
			w.and("(at, id) < (?, ?)", micros(after.At), after.ID)
		}
		all = w.args
		parts[n] = fmt.Sprintf("FROM events%s ORDER BY at DESC, id DESC LIMIT %d", &w, limit)
	}
	if len(parts) == 1 {
		return "SELECT " + eventColumns + " " + parts[0], all
	}
	for n := range parts {
		parts[n] = fmt.Sprintf("SELECT id FROM (SELECT id, at %s) AS of%d", parts[n], n)
	}
	return fmt.Sprintf("SELECT %s FROM events WHERE id IN (%s) ORDER BY at DESC, id DESC LIMIT %d", eventColumns, strings.Join(parts, " UNION ALL "), limit), all
}

// typesOf are the types that a search is for; one "" for all.
func typesOf(f *catalog.EventSearch) []evidence.EventType {
	if len(f.Types) == 0 {
		return []evidence.EventType{""}
	}
	return f.Types
}

// SearchEvents returns a page of what a search finds, newest first by time, that
// begins after a place.
func (r *Reader) SearchEvents(ctx context.Context, f catalog.EventSearch, after catalog.EventPlace, limit int) ([]catalog.EventRow, error) {
	query, args := searchQuery(&f, after, page(limit))
	return list(ctx, r, "events of the custody log", scanEvent, query, args...)
}

// CountFound counts what a search finds, up to most.
func (r *Reader) CountFound(ctx context.Context, f catalog.EventSearch, most int64) (int64, error) {
	var total int64
	for _, kind := range typesOf(&f) {
		var w where
		searchWhere(&w, &f, kind)
		var n int64
		if err := r.one(ctx, "the number of events found", func(s scanner) error { return s.Scan(&n) },
			fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM events%s LIMIT %d) AS found", &w, most-total), w.args...); err != nil {
			return 0, err
		}
		if total += n; total >= most {
			return most, nil
		}
	}
	return total, nil
}

// MissingEntries returns log indices below size that no event has, the lowest first,
// and how many there are. No index that an event has is ever given up: its row was
// deleted.
func (r *Reader) MissingEntries(ctx context.Context, size int64, limit int) (missing []int64, total int64, err error) {
	var have int64
	if err := r.one(ctx, "the number of logged events", func(s scanner) error { return s.Scan(&have) },
		"SELECT count(*) FROM events WHERE log_index >= 0 AND log_index < $1", size); err != nil || have == size {
		return nil, 0, err
	}
	// Each gap begins behind an entry that is there, or at the beginning.
	gaps, err := list(ctx, r, "gaps of the custody log", func(s scanner, at *int64) error { return s.Scan(at) },
		fmt.Sprintf(`SELECT begins FROM (SELECT 0 AS begins UNION ALL SELECT log_index + 1 FROM events WHERE log_index >= 0 AND log_index < $1) AS ends
		WHERE begins < $1 AND NOT EXISTS (SELECT 1 FROM events WHERE log_index = begins) ORDER BY begins LIMIT %d`, page(limit)), size)
	if err != nil {
		return nil, 0, err
	}
	for _, at := range gaps {
		var next int64
		if err := r.one(ctx, "the end of a gap", func(s scanner) error { return s.Scan(&next) },
			"SELECT coalesce(min(log_index), $2) FROM events WHERE log_index > $1", at, size); err != nil {
			return nil, 0, err
		}
		for ; at < min(next, size) && len(missing) < limit; at++ {
			missing = append(missing, at)
		}
	}
	return missing, size - have, nil
}

// BesideEntry returns the times of the logged events before and after a log index, zero
// where there is none.
func (r *Reader) BesideEntry(ctx context.Context, index int64) (before, after time.Time, err error) {
	err = r.one(ctx, "the events beside a log index", func(s scanner) error { return s.Scan(timeInto{&before}, timeInto{&after}) },
		`SELECT coalesce((SELECT at FROM events WHERE log_index < $1 ORDER BY log_index DESC LIMIT 1), 0),
		coalesce((SELECT at FROM events WHERE log_index > $1 ORDER BY log_index LIMIT 1), 0)`, index)
	return before, after, err
}

// ItemIDs returns ids of items that begin with these hex digits, in lower case, at most
// limit of them.
func (r *Reader) ItemIDs(ctx context.Context, agency evidence.AgencyID, begins string, limit int) ([]evidence.EvidenceID, error) {
	return list(ctx, r, "items by their id", func(s scanner, id *evidence.EvidenceID) error { return s.Scan(hexInto(id[:])) },
		fmt.Sprintf("SELECT id FROM items WHERE agency = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT %d", page(limit)), agency, begins, begins+"g")
}

// NewestEvent returns the highest row id of all events, 0 for none.
func (r *Reader) NewestEvent(ctx context.Context) (int64, error) {
	var id int64
	err := r.one(ctx, "the newest event", func(s scanner) error { return s.Scan(&id) }, "SELECT coalesce(max(id), 0) FROM events")
	return id, err
}
