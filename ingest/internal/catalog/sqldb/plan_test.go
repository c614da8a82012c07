package sqldb

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

var fillBase = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fill adds n items quickly.
func fill(t testing.TB, db *DB, n int) {
	t.Helper()
	base := fillBase
	const step = 5000
	for from := 0; from < n; from += step {
		err := db.Update(t.Context(), func(tx *Tx) error {
			for i := from; i < min(from+step, n); i++ {
				var id evidence.EvidenceID
				sum := evidence.SHA256(fmt.Append(nil, i))
				copy(id[:], sum[:])
				item := &catalog.Item{Agency: "metro-pd", ID: id, Attempt: 1, Dock: "front-desk", Station: "central", Camera: fmt.Sprintf("CAM-%04d", i%500),
					Path: fmt.Sprintf("DCIM/100/CLIP%06d.MP4", i), Kind: evidence.KindVideo, Length: 1 << 30, SHA256: sum, MerkleRoot: sum, ManifestDigest: sum,
					Officer: fmt.Sprintf("Officer %d", i%700), OfferedAt: base.Add(time.Duration(i) * time.Second)}
				if err := tx.InsertItem(t.Context(), item); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// No search of the custody log reads the whole table or sorts more than a page.
func TestSearchesOfTheLogGoByAnIndex(t *testing.T) {
	db := openTest(t, sqliteURL(t))
	after := catalog.EventPlace{At: time.Unix(5, 0), ID: 5}
	for want, f := range map[string]catalog.EventSearch{
		"events_time":     {From: time.Unix(1, 0), To: time.Unix(9, 0), Until: 100},
		"events_actor":    {ActorKind: "user", ActorID: "u"},
		"events_kind":     {ActorKind: "server"},
		"events_object":   {Object: "item:1"},
		"events_type":     {Types: []evidence.EventType{evidence.EventEvidenceViewed}},
		"events_not_done": {Outcome: evidence.OutcomeRefused},
		"events_source":   {Source: "192.0.2.1"},
	} {
		f.Agency = "metro-pd"
		query, args := searchQuery(&f, after, 51)
		if plan := planOf(t, db, query, args); !strings.Contains(plan, "INDEX "+want+" ") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%+v: %s", f, plan)
		}
	}
	history, args := searchQuery(&catalog.EventSearch{Agency: "metro-pd", Object: "item:1", Types: []evidence.EventType{evidence.EventAnnotated}, Outcome: evidence.OutcomeDone}, catalog.EventPlace{}, 200)
	if plan := planOf(t, db, history, args); !strings.Contains(plan, "INDEX events_object ") || strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("the history of an item: %s", plan)
	}
	query, args := searchQuery(&catalog.EventSearch{Agency: "metro-pd", ActorKind: "user", Types: []evidence.EventType{evidence.EventUserCreated, evidence.EventKeyDrill}}, after, 51)
	if plan := planOf(t, db, query, args); strings.Count(plan, "INDEX events_type ")+strings.Count(plan, "INDEX events_kind ") != 2 || strings.Contains(plan, "SCAN events") {
		t.Errorf("several types: %s", plan)
	}
}

func planOf(t *testing.T, db *DB, query string, args []any) string {
	t.Helper()
	var plan []string
	if err := db.each(t.Context(), "plan", func(s scanner) error {
		var a, b, d int
		var line string
		err := s.Scan(&a, &b, &d, &line)
		plan = append(plan, line)
		return err
	}, "EXPLAIN QUERY PLAN "+query, args...); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}

func BenchmarkHundredThousandItems(b *testing.B) {
	db, err := Open(b.Context(), "sqlite:"+b.TempDir()+"/catalog.db", time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	started := time.Now()
	fill(b, db, 100_000)
	b.Logf("100000 items added in %s", time.Since(started).Round(time.Millisecond))
	ctx := context.Background()
	page := func(f catalog.ItemFilter, cursor string) func(*testing.B) {
		f.Agency = "metro-pd"
		return func(b *testing.B) {
			for b.Loop() {
				if _, err := db.Items(ctx, f, catalog.NewestArrival, cursor, 50); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	deep := fmt.Sprintf("%d.%032d", time.Date(2026, 1, 1, 0, 0, 50_000, 0, time.UTC).UnixMicro(), 0)
	b.Run("first page", page(catalog.ItemFilter{}, ""))
	b.Run("deep page", page(catalog.ItemFilter{}, deep))
	b.Run("camera", page(catalog.ItemFilter{Camera: "CAM-0077"}, ""))
	b.Run("search, many", page(catalog.ItemFilter{Text: "officer 33"}, ""))
	b.Run("search, none", page(catalog.ItemFilter{Text: "nowhere"}, ""))
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.CountItems(ctx, catalog.ItemFilter{Agency: "metro-pd"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("totals", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Totals(ctx, "metro-pd", nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
