package sqldb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	testpostgres "github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/proto/evidence"
)

func bothEngines(t *testing.T, test func(t *testing.T, address string)) {
	for name, address := range map[string]func() string{"sqlite": func() string { return sqliteURL(t) }, "postgres": func() string { return testpostgres.Start(t).Database(t) }} {
		t.Run(name, func(t *testing.T) { test(t, address()) })
	}
}

// oneOf draws a value, most often none.
func oneOf[T any](r *rand.Rand, values ...T) (v T) {
	if r.IntN(3) == 0 {
		v = values[r.IntN(len(values))]
	}
	return v
}

// drawItem is an item of few possible values, so that searches meet.
func drawItem(r *rand.Rand, n int) *catalog.Item {
	i := seedItem(n)
	i.OfferedAt = fillBase.Add(time.Duration(r.IntN(300)) * time.Minute)
	i.StartedAt = i.OfferedAt.Add(-time.Duration(r.IntN(9)) * time.Hour)
	i.Station, i.Dock = evidence.StationID([]string{"north", "south"}[r.IntN(2)]), evidence.DockID([]string{"d1", "d2"}[r.IntN(2)])
	i.Camera, i.Length = fmt.Sprintf("SD-%d", r.IntN(4)), uint64(r.IntN(20))
	i.Officer, i.OfficerID = oneOf(r, "Ada Öz", "Bea Ade", "Bo Longfamilyname-Abcdefghijklmnop"), oneOf(r, "B1", "B2", "B3")
	i.Category, i.Wearer, i.WearerID = oneOf(r, "arrest", "traffic stop"), oneOf(r, "Ada Öz", "Cy"), oneOf(r, "B1", "B2")
	i.Kind = []evidence.Kind{evidence.KindVideo, evidence.KindMetadata}[r.IntN(2)]
	if n > 10 && r.IntN(5) == 0 {
		i.Kind, i.Original = evidence.KindDerivative, seedItem(r.IntN(10)).ID
	}
	return i
}

func drawFilter(r *rand.Rand, items []*catalog.Item) catalog.ItemFilter {
	i := items[r.IntN(len(items))]
	f := catalog.ItemFilter{Agency: seedAgency, State: oneOf(r, catalog.StateStored, catalog.StateReceiving, catalog.StateQuarantined, catalog.StateDestroyed), Camera: oneOf(r, i.Camera),
		Dock: oneOf(r, i.Dock), Station: oneOf(r, i.Station), Officer: oneOf(r, "Ada Öz", "B1", "nobody"), Kind: oneOf(r, i.Kind), Category: oneOf(r, "arrest", "pursuit"), Tag: oneOf(r, "", "", "k9", "K9", "50%_off", "k"), Incident: oneOf(r, "", "", "26-1184"), NoWearer: r.IntN(9) == 0,
		Text: oneOf(r, "ad", "öz b", "clip", i.ID.String()[:1+r.IntN(31)], i.SHA256.String()[:1+r.IntN(40)], "longfamilyname abcdefghijklmnop", "longfamil", "nothing", "%", "100seald sd", "pier", "traffic")}
	if r.IntN(3) == 0 {
		f.From = i.StartedAt
		f.To = oneOf(r, i.StartedAt.Add(time.Hour))
	}
	if r.IntN(4) == 0 {
		f.ArrivedFrom, f.ArrivedTo = oneOf(r, i.OfferedAt), oneOf(r, i.OfferedAt.Add(2*time.Hour))
	}
	if r.IntN(6) == 0 {
		f.Erased = new(r.IntN(2) == 0)
	}
	if r.IntN(5) == 0 {
		f.Case = []string{"k1", "k2", "k3"}[r.IntN(3)]
	}
	if r.IntN(2) == 0 {
		f.Within = &catalog.Reach{All: r.IntN(9) == 0, Stations: slices.DeleteFunc([]evidence.StationID{oneOf(r, evidence.StationID("north"))}, func(s evidence.StationID) bool { return s == "" }),
			Categories: []string{oneOf(r, "arrest")}, Officers: []string{oneOf(r, "B1"), oneOf(r, "B3")}}
		if r.IntN(4) == 0 {
			f.Within.Items = []evidence.EvidenceID{i.ID, items[0].ID}
		}
		if r.IntN(3) == 0 {
			f.Within.Cases = []string{oneOf(r, "k1"), "k2"}
		}
	}
	return f
}

// Whatever is asked for, in whatever order and pages, before and after items change: a
// list is what its predicate holds of, as the database says it row by row. That this
// predicate is what people may see is tested where they are told.
func TestListsAreTheirPredicate(t *testing.T) {
	BlocksOf(t, 16)
	bothEngines(t, func(t *testing.T, address string) {
		db := openTest(t, address)
		r := rand.New(rand.NewPCG(8, 15))
		var items []*catalog.Item
		firstWalk = 5 // with 16 items a block: walks go on, and are given up
		for round := range 4 {
			must(t, db.Update(t.Context(), func(tx *Tx) error {
				for range 60 {
					i := drawItem(r, len(items))
					items = append(items, i)
					if err := tx.InsertItem(t.Context(), i); err != nil {
						return err
					}
				}
				return nil
			}))
			for given := true; given; {
				var err error
				given, err = db.GiveSlots(t.Context())
				must(t, err)
			}
			change(t, db, r, items)
			if round%2 == 1 {
				for given := true; given; {
					var err error
					given, err = db.GiveSlots(t.Context())
					must(t, err)
				}
			}
			for n := range 120 {
				maxUnion = []int{30_000, 20, 2}[n%3] // with few, conditions are left to the rows
				f := drawFilter(r, items)
				order := []catalog.Order{catalog.NewestArrival, catalog.OldestArrival, catalog.NewestRecording, catalog.OldestRecording, catalog.Longest, catalog.Shortest, catalog.OfficerUp, catalog.OfficerDown}[r.IntN(8)]
				compare(t, db, f, order, 1+r.IntN(40))
				if t.Failed() {
					return
				}
			}
		}
		var slotted, slotless int
		must(t, db.one(t.Context(), "slots", func(s scanner) error { return s.Scan(&slotted, &slotless) }, "SELECT count(CASE WHEN slot > 0 THEN 1 END), count(CASE WHEN slot = 0 THEN 1 END) FROM items"))
		if slotted < 100 || slotless == 0 {
			t.Errorf("%d items have slots, %d have none: the test tests nothing", slotted, slotless)
		}
	})
}

// change does to some items what happens to items.
func change(t *testing.T, db *DB, r *rand.Rand, items []*catalog.Item) {
	must(t, db.Update(t.Context(), func(tx *Tx) error {
		for _, i := range items {
			id := i.ID.String()
			var statement string
			switch r.IntN(15) {
			case 0, 1, 2:
				statement = "UPDATE items SET state = 'stored' WHERE id = '" + id + "'"
			case 3:
				statement = "UPDATE items SET state = 'quarantined', destroyed_at = 0 WHERE id = '" + id + "'"
			case 4:
				statement = "UPDATE items SET destroyed_at = 7 WHERE state = 'stored' AND id = '" + id + "'"
			case 5:
				statement = "UPDATE items SET erased_at = 7 WHERE id = '" + id + "'"
			case 6:
				if err := tx.setWearer(t.Context(), seedAgency, i.Camera, i.StartedAt, i.StartedAt.Add(time.Hour), "Dee New", "B3"); err != nil {
					return err
				}
				continue
			case 12, 13, 14:
				if i.ID.IsZero() {
					continue // the seed's first: of the product there is none, it stands for no original
				}
				if _, err := tx.SetInCase(t.Context(), seedAgency, catalog.CaseItem{Case: []string{"k1", "k2"}[r.IntN(2)], Item: i.ID}, r.IntN(3) > 0); err != nil {
					return err
				}
				continue
			case 7:
				again := *i
				again.Attempt, again.OfferedAt = i.Attempt+1, i.OfferedAt.Add(time.Hour)
				if err := tx.NewAttempt(t.Context(), &again); err == nil {
					i.Attempt = again.Attempt
				}
				continue
			case 8:
				row, err := tx.ItemRow(t.Context(), i.Agency, i.ID)
				if err != nil {
					return err
				}
				said := catalog.Annotation{Title: oneOf(r, "Foot pursuit at the pier"), Category: oneOf(r, "pursuit", "arrest"), Incident: oneOf(r, "26-1184"), Tags: oneOf(r, []string{"k9"}, []string{"50%_off", "k9"})}
				if err := tx.Annotate(t.Context(), row, &said); err != nil && row.Arrived() {
					return err
				}
				continue
			default:
				continue
			}
			if _, err := tx.change(t.Context(), "changing", statement); err != nil {
				return err
			}
		}
		return nil
	}))
}

func compare(t *testing.T, db *DB, f catalog.ItemFilter, order catalog.Order, limit int) {
	by, err := sorting(order)
	must(t, err)
	w := itemWhere(&f)
	want, err := list(t.Context(), &db.Reader, "items", func(s scanner, id *string) error { return s.Scan(id) }, "SELECT id FROM items"+w.String()+by.beyond(&where{}, nil), w.args...)
	must(t, err)
	var got []string
	for cursor := ""; ; {
		page, n, counted, err := db.ItemsCounted(t.Context(), f, order, cursor, limit, 30, time.Minute)
		must(t, err)
		for _, i := range page.Items {
			got = append(got, i.ID.String())
		}
		if !counted || n != int64(min(len(want), 30)) {
			t.Errorf("%+v: counted %d, %v; want %d", f, n, counted, len(want))
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v %+v by %q in pages of %d: %d items, want %d\n%q\n%q", f, f.Within, order, limit, len(got), len(want), got, want)
	}
}

// A set of slots that was changed by other hands is an error, not an answer.
func TestBrokenSlotsAreNamed(t *testing.T) {
	for _, b := range [][]byte{{1}, {0, 0x10}, make([]byte, 514)} {
		if err := new(slotSet).addBytes(b); err == nil {
			t.Errorf("%x is taken", b)
		}
	}
	for _, n := range []int{0, 1, 255, 256, 257, blockSlots} {
		set, again := new(slotSet), new(slotSet)
		for k := range n {
			set.add(int64(k * 4093))
		}
		if err := again.addBytes(set.bytes()); err != nil || *again != *set || set.count() != n {
			t.Errorf("%d slots: %d, %v", n, again.count(), err)
		}
	}
}

// No search of the mix reads all items, on either engine: by plan, each statement goes
// by an index, sorts nothing but the items without a slot, and reads few of the rows.
func TestNoSearchReadsAllItems(t *testing.T) {
	BlocksOf(t, blockSlots)
	maxWalk, fewFound = 4000, 1000
	const n, most = 6*blockSlots + 300, 12_500
	bothEngines(t, func(t *testing.T, address string) {
		seed(t, address, n)
		db := openTest(t, address)
		db.reads.SetMaxOpenConns(1)
		if db.engine.name() == "postgres" {
			run(t, db.reads, "SET random_page_cost = 1") // of so few items many are on one page
		}
		must(t, db.Update(t.Context(), func(tx *Tx) error {
			for at := range 60 { // they lose their slots
				if _, err := tx.SetInCase(t.Context(), seedAgency, catalog.CaseItem{Case: []string{"k1", "k2"}[at%2], Item: seedItem(at*400 + 1).ID}, true); err != nil {
					return err
				}
			}
			return nil
		}))
		r := rand.New(rand.NewPCG(9, 9))
		for _, kind := range kinds() {
			a := kind.ask(r, n)
			rows, each := 0, ""
			for _, s := range statementsOf(t, db, a) {
				before := rows
				if db.engine.name() == "sqlite" {
					rows += countRows(t, db, s)
				} else {
					rows += rowsRead(t, db, s)
				}
				plan := explain(t, db, s)
				each += fmt.Sprintf("\n%d by %s: %.300s", rows-before, plan, s.query)
				slotless := strings.Contains(s.query, "slot = 0")
				if strings.Contains(plan, "SCAN item") || strings.Contains(plan, "Seq Scan on item") && !strings.Contains(plan, "Seq Scan on item_blocks") ||
					!slotless && (strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort")) ||
					strings.Contains(s.query, "id IN (") && db.engine.name() == "sqlite" && !strings.Contains(plan, "(agency=? AND id=?)") ||
					a.cursor != "" && db.engine.name() == "sqlite" && strings.Contains(s.query, ", id) ") && strings.Contains(plan, "(agency=?)") ||
					strings.Contains(plan, "(agency=?)") && !strings.Contains(s.query, " LIMIT ") && !strings.Contains(s.query, "item_blocks") {
					t.Errorf("%s: %s\n%s", kind.name, plan, s.query)
				}
			}
			if rows > most {
				t.Errorf("%s: %d rows are read of %d:%s", kind.name, rows, n, each)
			}
		}
	})
}

// countRows is how many rows a statement of a search reads: SQLite's return what they
// read, but for those by id.
func countRows(t *testing.T, db *DB, s statement) (n int) {
	rows, err := db.reads.QueryContext(t.Context(), s.query, s.args...)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		n++
	}
	must(t, rows.Err())
	return n
}

var (
	actual  = regexp.MustCompile(`Scan.*actual.* rows=(\d+) loops=(\d+)`)
	removed = regexp.MustCompile(`Rows Removed by (?:Filter|Index Recheck): (\d+)`)
)

// rowsRead is how many rows PostgreSQL says that it read.
func rowsRead(t *testing.T, db *DB, s statement) (n int) {
	loops := 1
	number := func(text string) int {
		v, err := strconv.Atoi(text)
		must(t, err)
		return v
	}
	must(t, (&Reader{q: db.reads, engine: asIs{db.engine}}).each(context.Background(), "plan", func(row scanner) error {
		var line string
		err := row.Scan(&line)
		if m := actual.FindStringSubmatch(line); m != nil {
			loops = number(m[2])
			n += number(m[1]) * loops
		} else if m := removed.FindStringSubmatch(line); m != nil {
			n += number(m[1]) * loops
		}
		return err
	}, "EXPLAIN (ANALYZE, TIMING OFF) "+s.query, s.args...))
	return n
}
