package ledger_test

import (
	"math"
	"slices"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/ledger"
)

func TestGaps(t *testing.T) {
	for _, c := range []struct {
		seen  []uint64
		next  uint64
		want  []ledger.Gap
		first uint64
	}{
		{nil, 0, nil, 0},
		{nil, 1, nil, 0},
		{nil, 4, []ledger.Gap{{1, 3}}, 0},
		{[]uint64{1, 2, 3}, 4, nil, 0},
		{[]uint64{3, 1, 3, 0}, 5, []ledger.Gap{{2, 2}, {4, 4}}, 0},
		{[]uint64{9, 2}, 4, []ledger.Gap{{1, 1}, {3, 3}}, 0},
		{[]uint64{1, math.MaxUint64 - 1, math.MaxUint64}, math.MaxUint64, []ledger.Gap{{2, math.MaxUint64 - 2}}, 0},
		{[]uint64{128, 130}, 132, []ledger.Gap{{129, 129}, {131, 131}}, 128},
		{[]uint64{128, 130}, 132, []ledger.Gap{{127, 127}, {129, 129}, {131, 131}}, 127},
		{[]uint64{2, 5}, 8, []ledger.Gap{{4, 4}, {6, 7}}, 4},
		{[]uint64{2, 5}, 8, nil, 8},
		{[]uint64{2, 5}, 8, nil, math.MaxUint64},
	} {
		if got := ledger.Gaps(c.seen, c.first, c.next); !slices.Equal(got, c.want) {
			t.Errorf("of %v from %d below %d: got %v, want %v", c.seen, c.first, c.next, got, c.want)
		}
	}
	var every []uint64
	for n := range uint64(5000) {
		every = append(every, 2*n)
	}
	if got := ledger.Gaps(every, 1, 10_000); len(got) != ledger.MaxGaps {
		t.Errorf("%d gaps are named, want %d", len(got), ledger.MaxGaps)
	}
	if got := ledger.Hints([]uint64{math.MaxUint64, 7, 9, 1, 7}); !slices.Equal(got, []ledger.Gap{{2, 6}, {8, 8}}) {
		t.Errorf("hints %v", got)
	}
}
