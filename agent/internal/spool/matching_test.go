package spool

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/proto/evidence"
)

func TestManySourcesAreFoundAsOneByOne(t *testing.T) {
	s := open(t, options(t.TempDir()))
	var sources []Source
	for i := range 150 {
		source := Source{Serial: "CAM-1", Path: fmt.Sprintf("%d.MP4", i), Size: uint64(i), Captured: "20261101T100000"}
		if i%3 == 0 {
			source.Size = UnknownSize
		}
		sources = append(sources, source)
		for range i % 4 * 6 { // up to 18 of one source, and of some none
			if _, err := s.Add(t.Context(), source, evidence.NewDockingID(), "1-1"); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := sources[1]
	other.Serial = "CAM-2"
	if _, err := s.Add(t.Context(), other, evidence.NewDockingID(), "1-1"); err != nil {
		t.Fatal(err)
	}
	all, err := s.MatchingAll(t.Context(), "CAM-1", sources)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		want, err := s.Matching(t.Context(), source)
		if err != nil || !reflect.DeepEqual(all[source], want) {
			t.Fatalf("%v: %d rows, want %d (%v)", source, len(all[source]), len(want), err)
		}
	}
	if none, err := s.MatchingAll(t.Context(), "CAM-1", nil); err != nil || len(none) != 0 {
		t.Fatal(none, err)
	}
	rows, err := s.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN SELECT "+columns+" FROM recording WHERE serial = ? AND (path, size, captured) IN (VALUES (?, ?, ?), (?, ?, ?))", "a", "b", 1, "c", "d", 2, "e")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	plan := ""
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan += detail + "\n"
	}
	if !strings.Contains(plan, "INDEX recording_source (serial=? AND path=? AND size=? AND captured=?)") {
		t.Errorf("the rows are not found by their index:\n%s", plan)
	}
}
