package upload

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

func id(name string) (id evidence.EvidenceID) {
	sum := evidence.SHA256([]byte(name))
	copy(id[:], sum[:])
	return id
}

// row makes a recording that waits: its path names it.
func row(name, bay string, minute int, change ...func(*waiting)) waiting {
	w := waiting{Recording: spool.Recording{
		Evidence: id(name), Source: spool.Source{Path: name}, Bay: bay, Length: 100,
		SpooledAt: time.Date(2026, 11, 26, 8, minute, 0, 0, time.UTC),
	}}
	for _, c := range change {
		c(&w)
	}
	return w
}

func urgently(w *waiting) { w.urgent = true }

func of(category string) func(*waiting) {
	return func(w *waiting) { w.Claims.Category = category }
}

func names(rows []waiting) string {
	var all []string
	for _, w := range rows {
		all = append(all, w.Source.Path)
	}
	return strings.Join(all, " ")
}

func TestWhatGoesFirst(t *testing.T) {
	b := row("b", "1", 2)
	for name, c := range map[string]struct {
		rows      []waiting
		direction *protocol.Direction
		served    map[string]uint64
		want      string
	}{
		"oldest first":                 {[]waiting{row("c", "1", 3), row("a", "1", 1), b}, nil, nil, "a b c"},
		"urgent before all":            {[]waiting{row("a", "1", 1), row("u", "1", 9, urgently)}, nil, nil, "u a"},
		"bays take turns":              {[]waiting{row("a1", "1", 1), row("a2", "1", 2), row("a3", "1", 3), row("b1", "2", 5), row("c1", "3", 6)}, nil, nil, "a1 b1 c1 a2 a3"},
		"a bay that had more waits":    {[]waiting{row("a1", "1", 1), row("b1", "2", 5), row("b2", "2", 6)}, nil, map[string]uint64{"1": 150}, "b1 b2 a1"},
		"by people's order":            {[]waiting{row("a", "1", 1), b, row("c", "2", 3)}, &protocol.Direction{Order: []string{row("c", "", 0).Evidence.String(), b.Evidence.String()}}, nil, "c b a"},
		"urgent before people's order": {[]waiting{row("u", "1", 9, urgently), b}, &protocol.Direction{Order: []string{b.Evidence.String()}}, nil, "u b"},
		"a weight of 40 is two hours": {
			[]waiting{row("a", "1", 0), row("w", "1", 59, of("force"))}, &protocol.Direction{Categories: []*protocol.Category{{Category: "force", Weight: 40}}}, nil, "w a"},
		"a weight of 5 is an hour less": {
			[]waiting{row("w", "1", 0, of("training")), row("a", "1", 59)}, &protocol.Direction{Categories: []*protocol.Category{{Category: "training", Weight: 5}}}, nil, "a w"},
		"no weight counts as ten": {
			[]waiting{row("w", "1", 0, of("x")), row("a", "1", 1)}, &protocol.Direction{Categories: []*protocol.Category{{Category: "x"}}}, nil, "w a"},
	} {
		if got := names(arrange(c.rows, c.direction, c.served, 100)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Whatever waits and whatever is directed, everything is in the order once.
func TestNothingIsLeftOutOfTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []waiting
		for i := range rapid.IntRange(0, 30).Draw(t, "rows") {
			w := row(fmt.Sprint(i), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "bay"), rapid.IntRange(0, 59).Draw(t, "minute"), of(rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "category")))
			w.urgent, w.Length = rapid.Bool().Draw(t, "urgent"), rapid.Uint64Range(0, 1<<30).Draw(t, "length")
			rows = append(rows, w)
		}
		d := &protocol.Direction{Categories: []*protocol.Category{{Category: "x", Weight: rapid.Uint32Range(0, 100).Draw(t, "weight")}}}
		for _, w := range rows {
			if rapid.Bool().Draw(t, "named") {
				d.Order = append(d.Order, w.Evidence.String())
			}
		}
		served := map[string]uint64{"1": rapid.Uint64Range(0, 1<<40).Draw(t, "served")}
		limit := rapid.IntRange(0, 40).Draw(t, "limit")
		got := arrange(rows, d, served, limit)
		if len(got) != min(limit, len(rows)) {
			t.Fatalf("%d of %d with limit %d", len(got), len(rows), limit)
		}
		seen := map[string]bool{}
		for i, w := range got {
			if seen[w.Source.Path] {
				t.Fatalf("%s twice", w.Source.Path)
			}
			seen[w.Source.Path] = true
			if i > 0 && w.urgent && !got[i-1].urgent {
				t.Fatal("something came before an urgent one")
			}
		}
		if len(served) != 1 {
			t.Fatal("the account of the bays was changed")
		}
	})
}

func TestTheSetOfMissingSegments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, 300).Draw(t, "n")
		accept := &protocol.Accept{ResumeSegment: rapid.Uint64Range(0, n).Draw(t, "resume"), Held: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "held")}
		s := missingOf(accept, n)
		var want []uint64
		for i := range n {
			if !accept.Holds(i) {
				want = append(want, i)
			}
		}
		for len(want) > 0 {
			if s.count != uint64(len(want)) {
				t.Fatalf("%d are missing, want %d", s.count, len(want))
			}
			got := s.take()
			if got != want[0] {
				t.Fatalf("took %d, want %d", got, want[0])
			}
			want = want[1:]
			if rapid.IntRange(0, 3).Draw(t, "back") == 0 { // a lane has ended
				s.add(got)
				s.add(got)
				want = append(want, got)
				slices.Sort(want)
				if rapid.Bool().Draw(t, "again") {
					continue
				}
				if got := s.take(); got != want[0] {
					t.Fatalf("took %d, want %d", got, want[0])
				}
				want = want[1:]
			}
		}
		if s.count != 0 {
			t.Fatalf("%d are left", s.count)
		}
	})
}
