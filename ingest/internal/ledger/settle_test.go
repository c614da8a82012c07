package ledger_test

import (
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// settle settles all that is missing now.
func (h *history) settle(t *testing.T) {
	t.Helper()
	before := ledger.Judge(&h.Subject)
	if before.Complete() {
		t.Fatal("nothing is missing")
	}
	for i := range before.Missing {
		v := ledger.Entry(&before.Missing[i])
		v.Reason, v.By, v.At = "examined", "local", h.Now
		h.Settlements = append(h.Settlements, v)
	}
	after := ledger.Judge(&h.Subject)
	if !after.Complete() || len(after.Settled) != len(before.Missing) {
		t.Fatalf("%d were missing; after settling: missing %+v, settled %+v", len(before.Missing), after.Missing, after.Settled)
	}
}

func TestWhatWasSettledIsToldAndNotMissing(t *testing.T) {
	h := newHistory()
	h.dock(6, 1, 5)
	h.stored(1, 5)
	f := h.find(t, ledger.NeverShown)
	h.settle(t)
	s := ledger.Judge(&h.Subject).Settled[0]
	if s.Text != f.Text || s.Numbers != (ledger.Gap{First: 2, Last: 4}) || s.Note != "settled by the server's command line on "+h.Now.UTC().Format("2006-01-02 15:04:05 UTC")+": examined" {
		t.Errorf("settled %+v", s)
	}
	h.dock(6, 3) // a part of it turns up
	h.stored(3)
	if r := ledger.Judge(&h.Subject); !r.Complete() || len(r.Settled) != 2 {
		t.Errorf("missing %+v, settled %+v", r.Missing, r.Settled)
	}
	h.dock(8, 7) // another one is lost
	h.stored(7)
	h.find(t, ledger.NeverShown, "number 6")
}

// The same recording that is missing in another way, or again, is another entry.
func TestASettledEntryHidesNothingNew(t *testing.T) {
	h := newHistory()
	h.dock(2, 1)
	h.find(t, ledger.Waiting)
	h.settle(t)
	h.dock(2) // it is gone
	h.find(t, ledger.Vanished)
	h.settle(t)
	h.dock(2, 1) // it is there again
	h.dock(2)    // and gone again
	if f := h.find(t, ledger.Vanished); f.Docking != (evidence.DockingID{3}) {
		t.Errorf("finding %+v", f)
	}
	other := newHistory()
	other.dock(3, 1, 2)
	other.stored(1)
	other.find(t, ledger.Waiting)
	other.Settlements = h.Settlements
	other.find(t, ledger.Waiting, "number 2")
}

// The item and the dock tell of one erasure without a receipt: it is one entry,
// and its alert names the recording.
func TestAnErasureToldTwiceIsSettledOnce(t *testing.T) {
	h := newHistory()
	h.dock(2, 1)
	h.stored(1)
	item := &h.Items[0]
	item.Docking = h.Dockings[0].ID
	delete(h.Receipts, item.ID)
	h.Bare = []catalog.Alert{{Code: catalog.AlertErasedBare, About: item.ID.String(), Message: "dock-1 says so", LastAt: h.at}}
	r := ledger.Judge(&h.Subject)
	if len(r.Missing) != 2 || ledger.Entry(&r.Missing[0]) != ledger.Entry(&r.Missing[1]) || r.Missing[0].Path != path(1) || r.Missing[1].Item != item.ID {
		t.Fatalf("missing %+v", r.Missing)
	}
	v := ledger.Entry(&r.Missing[0])
	h.Settlements = []catalog.Settlement{v}
	if r := ledger.Judge(&h.Subject); !r.Complete() || len(r.Settled) != 2 {
		t.Errorf("missing %+v", r.Missing)
	}
	unknown := catalog.Alert{Code: catalog.AlertErasedBare, About: evidence.EvidenceID{0xee}.String(), Message: "of an item that is not here", LastAt: h.at}
	broken := catalog.Alert{Code: catalog.AlertErasedBare, About: "x", Message: "of nothing", LastAt: h.at}
	h.Bare = []catalog.Alert{unknown, broken}
	h.Receipts[item.ID] = true
	if r := ledger.Judge(&h.Subject); len(r.Missing) != 2 {
		t.Errorf("missing %+v", r.Missing)
	}
	h.settle(t)
}
