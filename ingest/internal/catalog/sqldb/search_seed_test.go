package sqldb

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	testpostgres "github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	officers, stations = 2500, 24
	seedAgency         = "metro-pd"
)

var (
	firstNames = []string{"Alba", "Jonah", "Mirela", "Tomasz", "Ines", "Grace", "Ömer", "Jun", "Farah", "Noor", "Ivan", "Lucía", "Ade", "Priya", "Wen", "Tala", "Ruth", "Omar", "Kofi", "Sven", "Anaïs", "Mateo", "Yuki", "Lena", "Ravi"}
	categories = []string{"traffic stop", "arrest", "interview", "domestic", "burglary", "use of force", "welfare check", "training", "evidence", "other", "pursuit", "officer involved shooting"}
	drawn      = draw()
)

// draw lists officers, stations and categories as often as they occur: a few often, most
// seldom.
func draw() (d struct{ officers, stations, categories [1 << 14]int }) {
	r := rand.New(rand.NewPCG(4, 4))
	for list, z := range map[*[1 << 14]int]*rand.Zipf{
		&d.officers: rand.NewZipf(r, 1.2, 60, officers-1), &d.stations: rand.NewZipf(r, 1.5, 4, stations-1), &d.categories: rand.NewZipf(r, 1.6, 2, 9),
	} {
		for n := range list {
			list[n] = int(z.Uint64())
		}
	}
	return d
}

func officerName(n int) string {
	last := []rune("abcdefghijklmnopqrstuvwxyz")
	return firstNames[n%len(firstNames)] + " " + strings.ToUpper(string(last[n/25%26])) + string(last[n/650%26]) + "rov" + string(last[n%26]) + string(last[n/100%26])
}

// Items beyond the first two parts are copies of the second part, made by the database:
// with ids, files and times of their own. A part is whole blocks, and fewer items than six
// digits count.
var seedPart = 120 * blockSlots

// copyOf says of which item another one is a copy, and which copy; 0: it is none.
func copyOf(n int) (of, copy int) {
	if n < 2*seedPart {
		return n, 0
	}
	return seedPart + n%seedPart, n/seedPart - 1
}

// seedItem is item n of a department's years: a recording each 20 seconds. Officers have
// a station and a camera, and now and then another one; the category pursuit came late,
// training was given up early, and a few things are rare.
func seedItem(n int) *catalog.Item {
	at := fillBase.Add(time.Duration(n) * 20 * time.Second)
	n, copy := copyOf(n)
	var id evidence.EvidenceID
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	var sum evidence.Digest
	binary.BigEndian.PutUint64(sum[:], uint64(n)*0xc2b2ae3d27d4eb4f)
	binary.BigEndian.PutUint64(sum[8:], uint64(n)*0x165667b19e3779f9)
	id[1], sum[1] = byte(copy), byte(copy)
	r := rand.New(rand.NewPCG(uint64(n), 1))
	officer := drawn.officers[r.IntN(1<<14)]
	station, camera, category := drawn.stations[officer*7%(1<<14)], officer, drawn.categories[r.IntN(1<<14)]
	if r.IntN(8) == 0 {
		station = drawn.stations[r.IntN(1<<14)]
	}
	if r.IntN(5) == 0 {
		camera = officers + r.IntN(500)
	}
	switch {
	case category == 7 && n > 300_000 || category == 9 && n%3 == 0:
		category = 0
	case n%100_003 == 5:
		category = 11
	case n > 200_000 && n%50 == 3:
		category = 10
	}
	i := &catalog.Item{
		Agency: seedAgency, ID: id, Attempt: 1, Dock: evidence.DockID(fmt.Sprintf("dock-%02d-%d", station, r.IntN(3))), Station: evidence.StationID(fmt.Sprintf("station-%02d", station)),
		Camera: fmt.Sprintf("SD-%05d", camera), CameraModel: "Sealdock Sim 2", Path: fmt.Sprintf("DCIM/%03dSEALD/CLIP%02d%06d.MP4", 100+n/9999%900, copy, n), Kind: evidence.KindVideo,
		Length: uint64(r.IntN(4 << 30)), SHA256: sum, MerkleRoot: sum, ManifestDigest: sum, Officer: officerName(officer), OfficerID: fmt.Sprintf("B%04d", officer),
		Category: categories[category], StartedAt: at.Add(-time.Duration(r.IntN(8*3600)) * time.Second), OfferedAt: at, State: catalog.StateStored,
	}
	switch {
	case n%50 == 0:
		i.Kind, i.Length = evidence.KindMetadata, uint64(r.IntN(4<<10))
	case n%3001 == 1:
		i.Kind = evidence.KindDerivative
	case n%200_003 == 11:
		i.Station, i.Dock = "lake-post", "lake-1"
	}
	if n%3 == 0 {
		i.Wearer, i.WearerID = i.Officer, i.OfficerID
	}
	switch {
	case n%2000 == 7:
		i.State = catalog.StateQuarantined
	case n%5000 == 9:
		i.State = catalog.StateReceiving
	case n%3000 == 13:
		i.DestroyedAt = at.Add(time.Hour)
	}
	return i
}

func seedColumns() []string {
	all := []string{"agency", "id"}
	for name := range strings.SplitSeq(itemFacts, ",") {
		all = append(all, strings.TrimSpace(name))
	}
	return append(all, "state", "destroyed_at", "slot")
}

// seedBlock is the next block of items: their rows, terms, and the row of the block. What
// does not fill a block has no slots.
func seedBlock(b testing.TB, from, to int) (rows, terms [][]any, spans []any) {
	items := make([]slotted, to-from)
	block := int64(from/blockSlots + 1)
	for n := range items {
		i := seedItem(from + n)
		items[n] = slotted{*i, append(itemWords(i), wearerWords(i.Wearer, i.WearerID)...)}
		values, err := itemValues(i)
		if err != nil {
			b.Fatal(err)
		}
		slot := block<<blockBits + int64(n)
		if len(items) < blockSlots {
			slot = 0
		}
		rows = append(rows, append(values, 1, string(i.State), micros(i.DestroyedAt), slot))
	}
	if len(items) < blockSlots {
		return rows, nil, nil
	}
	sets := termsOfBlock(items)
	for _, term := range slices.Sorted(maps.Keys(sets)) {
		terms = append(terms, []any{seedAgency, term, block, sets[term].bytes()})
	}
	at := spansOf(items)
	return rows, terms, []any{seedAgency, block, at[0], at[1], at[2], at[3]}
}

// seed makes a catalog and fills it, past the product: 10,000,000 transactions would take
// hours. The rows are those that InsertItem and GiveSlots write, without their offers, and
// without the indexes of items that no search could use.
func seed(b testing.TB, address string, n int) {
	b.Helper()
	began := time.Now()
	db, err := Open(b.Context(), address, time.Now)
	must(b, err)
	if db.engine.name() == "postgres" {
		seedPostgres(b, db, n)
		must(b, db.Close())
	} else {
		must(b, db.Close())
		seedSQLite(b, db.file, n)
	}
	fmt.Printf("%s: %d items seeded in %s\n", db.engine.name(), n, time.Since(began).Round(time.Second))
}

// unsearched are the indexes of items that serve intake, proving and mirroring.
var unsearched = []string{"items_recording", "items_stem", "items_placed", "items_proven", "items_mirrored", "items_unreceipted"}

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func run(b testing.TB, q interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, statements ...string) {
	b.Helper()
	for _, s := range statements {
		began := time.Now()
		if _, err := q.ExecContext(b.Context(), s); err != nil {
			b.Fatalf("%s: %v", s, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			fmt.Printf("%s: %.60s\n", took.Round(time.Second), s)
		}
	}
}

// seedBlocks calls each for items, block by block; the next one is made meanwhile.
func seedBlocks(b testing.TB, from, to int, each func(rows, terms [][]any, spans []any)) {
	type made struct {
		rows, terms [][]any
		spans       []any
	}
	next := make(chan made, 1)
	go func() {
		defer close(next)
		for ; from < to; from += blockSlots {
			rows, terms, spans := seedBlock(b, from, min(from+blockSlots, to))
			select {
			case next <- made{rows, terms, spans}:
			case <-b.Context().Done():
				return
			}
		}
	}()
	for m := range next {
		each(m.rows, m.terms, m.spans)
	}
}

// copies are the statements that make copies until there are n items in whole blocks.
// Terms are copied from one table into another.
func copies(n int, from, into string) (all []string) {
	blocks := n / blockSlots
	for first := 2 * seedPart / blockSlots; first < blocks; first += seedPart / blockSlots {
		_, copy := copyOf(first * blockSlots)
		hex, digits := fmt.Sprintf("%02x", copy), fmt.Sprintf("%02d", copy)
		many := min(blocks-first, seedPart/blockSlots)
		begin := int64(seedPart/blockSlots + 1)
		until := begin + int64(many)
		further := int64(first) + 1 - begin // blocks
		later := further * blockSlots * 20_000_000
		columns := seedColumns()
		values := slices.Clone(columns)
		for at, column := range columns {
			id, sum := "substr(id, 1, 2) || '"+hex+"' || substr(id, 5)", "substr(sha256, 1, 2) || '"+hex+"' || substr(sha256, 5)"
			switch column {
			case "id":
				values[at] = id
			case "sha256":
				values[at] = sum
			case "path":
				values[at] = "replace(path, 'CLIP00', 'CLIP" + digits + "')"
			case "search": // it begins with these two
				values[at] = "' ' || " + id + " || ' ' || " + sum + " || replace(substr(search, 99), ' clip00', ' clip" + digits + "')"
			case "started_at", "offered_at", "recorded_at":
				values[at] = fmt.Sprintf("%s + %d", column, later)
			case "destroyed_at":
				values[at] = fmt.Sprintf("CASE WHEN destroyed_at > 0 THEN destroyed_at + %d ELSE 0 END", later)
			case "slot":
				values[at] = fmt.Sprintf("slot + %d", further<<blockBits)
			}
		}
		all = append(all,
			fmt.Sprintf("INSERT INTO items (%s) SELECT %s FROM items WHERE slot >= %d AND slot < %d", strings.Join(columns, ", "), strings.Join(values, ", "), begin<<blockBits, until<<blockBits),
			fmt.Sprintf(`INSERT INTO %s (agency, term, block, slots) SELECT agency, CASE WHEN term LIKE 'h:%%' THEN substr(term, 1, 4) || '%s' || substr(term, 7)
				WHEN term LIKE 'p:clip0%%' OR term LIKE 'f:clip0%%' THEN substr(term, 1, 6) || substr('%s', 1, length(term) - 6) || substr(term, 9) ELSE term END, block + %d, slots FROM %s WHERE block >= %d AND block < %d`, into, hex, digits, further, from, begin, until),
			fmt.Sprintf("INSERT INTO item_blocks SELECT agency, block + %d, offered_from + %d, offered_to + %d, recorded_from + %d, recorded_to + %d FROM item_blocks WHERE block >= %d AND block < %d", further, later, later, later, later, begin, until))
	}
	return all
}

// seedBeyond are the items that are no copies and come after all others.
func seedBeyond(n int) int { return max(n/blockSlots*blockSlots, min(n, 2*seedPart)) }

func seedSQLite(b testing.TB, file string, n int) {
	db, err := sql.Open("sqlite3", file)
	must(b, err)
	defer db.Close()
	conn, err := db.Conn(b.Context())
	must(b, err)
	defer conn.Close()
	indexes := texts(b, conn, "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'items' AND sql IS NOT NULL AND name NOT IN ('"+strings.Join(unsearched, "', '")+"')")
	for _, name := range texts(b, conn, "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'items' AND sql IS NOT NULL") {
		run(b, conn, "DROP INDEX "+name)
	}
	run(b, conn, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA temp_store = FILE", "PRAGMA cache_size = -1500000", "CREATE TABLE unsorted (agency TEXT, term TEXT, block BIGINT, slots BLOB)", "BEGIN")
	prepare := func(table string, columns int) *sql.Stmt {
		s, err := conn.PrepareContext(b.Context(), "INSERT INTO "+table+" VALUES (?"+strings.Repeat(", ?", columns-1)+")")
		must(b, err)
		return s
	}
	columns := seedColumns()
	item, block := prepare("items ("+strings.Join(columns, ", ")+")", len(columns)), prepare("item_blocks", 6)
	const at1 = 40
	many, err := conn.PrepareContext(b.Context(), "INSERT INTO unsorted VALUES (?, ?, ?, ?)"+strings.Repeat(", (?, ?, ?, ?)", at1-1))
	must(b, err)
	one := prepare("unsorted", 4)
	insert := func(rows, terms [][]any, spans []any) {
		for _, row := range rows {
			_, err := item.ExecContext(b.Context(), row...)
			must(b, err)
		}
		for part := range slices.Chunk(terms, at1) {
			if len(part) < at1 {
				for _, term := range part {
					_, err := one.ExecContext(b.Context(), term...)
					must(b, err)
				}
				continue
			}
			var args []any
			for _, term := range part {
				args = append(args, term...)
			}
			_, err := many.ExecContext(b.Context(), args...)
			must(b, err)
		}
		if spans != nil {
			_, err := block.ExecContext(b.Context(), spans...)
			must(b, err)
		}
	}
	seedBlocks(b, 0, min(n, 2*seedPart), insert)
	run(b, conn, "CREATE INDEX passing ON items (slot)")
	run(b, conn, copies(n, "unsorted", "unsorted")...)
	seedBlocks(b, seedBeyond(n), n, insert)
	run(b, conn, "COMMIT", "DROP INDEX passing", "INSERT INTO item_terms (agency, term, block, slots) SELECT agency, term, block, slots FROM unsorted ORDER BY term, block", "DROP TABLE unsorted")
	run(b, conn, indexes...)
	run(b, conn, "PRAGMA journal_mode = WAL")
}

func texts(b testing.TB, conn *sql.Conn, query string) (all []string) {
	b.Helper()
	rows, err := conn.QueryContext(b.Context(), query)
	must(b, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		must(b, rows.Scan(&text))
		all = append(all, text)
	}
	must(b, rows.Err())
	return all
}

func seedPostgres(b testing.TB, db *DB, n int) {
	conn, err := db.writes.Conn(b.Context())
	must(b, err)
	defer conn.Close()
	indexes := texts(b, conn, "SELECT indexdef FROM pg_indexes WHERE tablename = 'items' AND indexname <> 'items_pkey' AND indexname NOT IN ('"+strings.Join(unsearched, "', '")+"')")
	for _, name := range texts(b, conn, "SELECT indexname FROM pg_indexes WHERE tablename = 'items' AND indexname <> 'items_pkey'") {
		run(b, conn, "DROP INDEX "+name)
	}
	run(b, conn, "ALTER TABLE items DROP CONSTRAINT items_pkey", "ALTER TABLE item_terms DROP CONSTRAINT item_terms_pkey", "SET maintenance_work_mem = '1GB'", "SET synchronous_commit = off")
	insert := func(rows, terms [][]any, spans []any) {
		must(b, conn.Raw(func(c any) error {
			raw := c.(*stdlib.Conn).Conn()
			blocks := [][]any{spans}
			if spans == nil {
				blocks = nil
			}
			for table, rows := range map[string][][]any{"items": rows, "item_terms": terms, "item_blocks": blocks} {
				columns := map[string][]string{"items": seedColumns(), "item_terms": {"agency", "term", "block", "slots"}, "item_blocks": {"agency", "block", "offered_from", "offered_to", "recorded_from", "recorded_to"}}[table]
				if _, err := raw.CopyFrom(b.Context(), pgx.Identifier{table}, columns, pgx.CopyFromRows(rows)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	seedBlocks(b, 0, min(n, 2*seedPart), insert)
	run(b, conn, "CREATE INDEX passing ON items (slot) WHERE slot BETWEEN 1 AND 2000000")
	run(b, conn, copies(n, "item_terms", "item_terms")...)
	seedBlocks(b, seedBeyond(n), n, insert)
	run(b, conn, "DROP INDEX passing")
	run(b, conn, "ALTER TABLE items ADD PRIMARY KEY (agency, id)", "ALTER TABLE item_terms ADD PRIMARY KEY (agency, term, block)")
	run(b, conn, indexes...)
	run(b, conn, "VACUUM ANALYZE items", "VACUUM ANALYZE item_terms", "VACUUM ANALYZE item_blocks")
}

// What the seed copies is what the product would have written: a measurement over it is
// one of the product.
func TestSeededItemsAreThoseOfTheProduct(t *testing.T) {
	defer func(before int) { seedPart = before }(seedPart)
	seedPart = blockSlots
	const n = 4*blockSlots + 100
	for _, address := range []string{sqliteURL(t), testpostgres.Start(t).Database(t)} {
		seed(t, address, n)
		db := openTest(t, address)
		type row struct {
			slotted
			slot int64
		}
		rows, err := list(t.Context(), &db.Reader, "items", func(s scanner, v *row) error {
			return scanSlotted(scanMore{s, []any{&v.slot}}, &v.slotted)
		}, "SELECT "+itemColumns+", search, wearer_search, slot FROM items ORDER BY offered_at")
		if err != nil || len(rows) != n {
			t.Fatalf("%d rows, want %d: %v", len(rows), n, err)
		}
		terms := map[string]slots{}
		if err := db.each(t.Context(), "terms", func(s scanner) error {
			var term string
			var block int64
			var b []byte
			err := s.Scan(&term, &block, &b)
			if terms[term] == nil {
				terms[term] = slots{}
			}
			return errors.Join(err, terms[term].block(block).addBytes(b))
		}, "SELECT term, block, slots FROM item_terms"); err != nil {
			t.Fatal(err)
		}
		for at, got := range rows {
			want := seedItem(at)
			if words := append(itemWords(want), wearerWords(want.Wearer, want.WearerID)...); got.ID != want.ID || got.SHA256 != want.SHA256 || !got.OfferedAt.Equal(want.OfferedAt) || !got.StartedAt.Equal(want.StartedAt) ||
				!got.DestroyedAt.Equal(want.DestroyedAt) || got.Path != want.Path || !slices.Equal(got.words, words) {
				t.Fatalf("item %d is %+v, words %q; want %+v, %q", at, got.Item, got.words, want, words)
			}
			if (got.slot == 0) != (at >= 4*blockSlots) {
				t.Fatalf("item %d has slot %d", at, got.slot)
			}
			termsOf(&got.Item, got.words, func(term string) {
				if got.slot > 0 && !terms[term].has(got.slot) {
					t.Errorf("item %d in slot %d is not found by %s", at, got.slot, term)
				}
			})
			if t.Failed() {
				break
			}
		}
	}
}
