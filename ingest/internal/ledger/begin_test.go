package ledger_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// begin decides that the camera's numbers count from one on.
func (h *history) begin(n uint64) {
	h.Begin = &catalog.Beginning{Camera: "CAM-1", Number: n, Reason: "used at the academy before", By: "u1", ByName: "Chief Adams", At: time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)}
}

// gaps returns the runs that are missing for certain.
func (h *history) gaps() (all []ledger.Gap) {
	for _, f := range ledger.Judge(&h.Subject).Missing {
		if f.Reason == ledger.NeverShown {
			all = append(all, f.Numbers)
		}
	}
	return all
}

func TestNumbersFromBeforeTheCameraCameAreNotMissing(t *testing.T) {
	h := newHistory()
	h.dock(132, 128, 131)
	h.stored(128, 131)
	if got := h.gaps(); !slices.Equal(got, []ledger.Gap{{1, 127}, {129, 130}}) {
		t.Fatalf("nothing decided: %v", got)
	}
	h.begin(128)
	report := ledger.Judge(&h.Subject)
	if got := h.gaps(); !slices.Equal(got, []ledger.Gap{{129, 130}}) || report.Complete() {
		t.Errorf("decided: %v", got)
	}
	if u := report.Uncounted; u == nil || u.Below != 128 || u.Text != "numbers below 128 are not counted, by Chief Adams on 2026-11-26 09:30:00 UTC: used at the academy before" {
		t.Errorf("it says %+v", u)
	}
	h.begin(1) // somebody thought better of it
	if got := h.gaps(); len(got) != 2 || ledger.Judge(&h.Subject).Uncounted != nil {
		t.Errorf("taken back: %v", got)
	}
}

// A camera that comes empty shows no number, and announces one.
func TestACameraThatCameEmpty(t *testing.T) {
	h := newHistory()
	h.dock(128)
	h.begin(128)
	if r := ledger.Judge(&h.Subject); !r.Complete() || r.Uncounted == nil {
		t.Errorf("it is not complete: %+v", r.Missing)
	}
	h.dock(130) // two were made and lost since
	if got := h.gaps(); !slices.Equal(got, []ledger.Gap{{128, 129}}) {
		t.Errorf("gaps %v", got)
	}
}

// What is lower than the decision and comes to light later makes the decision
// hide nothing above it.
func TestADecisionNeverHidesAGapAboveAShownNumber(t *testing.T) {
	for name, c := range map[string]struct {
		later func(h *history)
		below uint64
		want  ledger.Gap
		says  string
	}{
		"shown":     {func(h *history) { h.dock(132, 5, 128); h.stored(5) }, 5, ledger.Gap{First: 6, Last: 127}, "the camera came with number 5, so only those below that"},
		"announced": {func(h *history) { h.dock(100, 128) }, 100, ledger.Gap{First: 100, Last: 127}, "the camera came with number 100"},
		"reset":     {func(h *history) { h.dock(1, 128) }, 1, ledger.Gap{First: 1, Last: 127}, "so all its numbers count"},
		"an item": {func(h *history) {
			h.Items = append(h.Items, catalog.Item{ID: evidence.EvidenceID{9}, State: catalog.StateStored, Sequence: 7, SequenceSource: evidence.SequenceFromCamera})
		}, 7, ledger.Gap{First: 8, Last: 127}, "the camera came with number 7"},
	} {
		h := newHistory()
		h.dock(129, 128)
		h.stored(128)
		h.begin(128)
		if r := ledger.Judge(&h.Subject); !r.Complete() {
			t.Fatalf("%s: before: %+v", name, r.Missing)
		}
		c.later(h)
		r := ledger.Judge(&h.Subject)
		if got := h.gaps(); !slices.Contains(got, c.want) || got[0].First < c.below {
			t.Errorf("%s: gaps %v, want %v", name, got, c.want)
		}
		if u := r.Uncounted; u == nil || u.Below != c.below || !strings.Contains(u.Text, c.says) || !strings.Contains(u.Text, "Chief Adams") {
			t.Errorf("%s: it says %+v", name, r.Uncounted)
		}
	}
}

func TestWhoDecidedIsNamed(t *testing.T) {
	h := newHistory()
	h.dock(128)
	for by, want := range map[string]string{"local": "by the server's command line on", "u7": "by user u7 on"} {
		h.begin(128)
		h.Begin.By, h.Begin.ByName = by, ""
		if u := ledger.Judge(&h.Subject).Uncounted; u == nil || !strings.Contains(u.Text, want) {
			t.Errorf("%s: it says %+v", by, u)
		}
	}
}
