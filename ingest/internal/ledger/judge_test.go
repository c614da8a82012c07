package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// history is a camera's past, as its rows tell it.
type history struct {
	ledger.Subject
	at time.Time
}

func newHistory() *history {
	at := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	return &history{at: at, Subject: ledger.Subject{Camera: "CAM-1", Receipts: map[evidence.EvidenceID]bool{}, Blobs: map[evidence.EvidenceID]ledger.Blob{}, Grace: time.Hour}}
}

func path(n uint64) string { return fmt.Sprintf("DCIM/100/CLIP%04d.MP4", n) }

// dock docks the camera with these numbers on it. What it showed before and
// does not show now has vanished.
func (h *history) dock(next uint64, numbers ...uint64) {
	id := evidence.DockingID{byte(len(h.Dockings) + 1)}
	h.at = h.at.Add(24 * time.Hour)
	h.Dockings = append(h.Dockings, catalog.Docking{ID: id, Dock: evidence.DockID(fmt.Sprintf("dock-%d", id[0])), Bay: "1-1", At: h.at, Next: next, Parts: 1, PartsSeen: 1})
	for _, n := range numbers {
		i := slices.IndexFunc(h.Shown, func(s catalog.Shown) bool { return s.Sequence == n })
		if i < 0 {
			i = len(h.Shown)
			signed := evidence.SHA256([]byte(path(n)))
			info := evidence.RecordingInfo{Path: path(n), Sequence: n, SequenceSource: evidence.SequenceFromCamera, Signed: &signed}
			h.Shown = append(h.Shown, catalog.Shown{Camera: "CAM-1", Place: catalog.Place(&info), Path: path(n), Kind: evidence.KindVideo, Sequence: n, SequenceSource: evidence.SequenceFromCamera,
				Signed: &signed, FirstDocking: id, FirstAt: h.at, LargestSize: 1000})
		}
		h.Shown[i].LastDocking, h.Shown[i].LastAt, h.Shown[i].LastSize = id, h.at, 1000
	}
	for i := range h.Shown {
		if s := &h.Shown[i]; s.LastDocking != id && s.VanishedAt.IsZero() {
			s.VanishedAt, s.VanishedIn = h.at, id
		}
	}
	h.Now = h.at.Add(10 * time.Hour)
}

// item adds the item of a number.
func (h *history) item(n uint64, state catalog.ItemState) *catalog.Item {
	i := slices.IndexFunc(h.Shown, func(s catalog.Shown) bool { return s.Sequence == n })
	id := evidence.EvidenceID{byte(n)}
	item := catalog.Item{ID: id, Camera: "CAM-1", Path: path(n), Sequence: n, SequenceSource: evidence.SequenceFromCamera, Length: 1000, SHA256: *h.Shown[i].Signed, Placed: h.Shown[i].Place, State: state, OfferedAt: h.at, Dock: "dock-1", Bay: "1-1"}
	if state == catalog.StateStored {
		h.Receipts[id] = true
		item.ErasedAt = h.at
	}
	h.Items = append(h.Items, item)
	return &h.Items[len(h.Items)-1]
}

func (h *history) stored(numbers ...uint64) {
	for _, n := range numbers {
		h.item(n, catalog.StateStored)
	}
}

// find demands exactly one certain finding, of a reason and with words.
func (h *history) find(t *testing.T, reason ledger.Reason, words ...string) ledger.Finding {
	t.Helper()
	report := ledger.Judge(&h.Subject)
	if len(report.Missing) != 1 || report.Missing[0].Reason != reason || report.Complete() {
		t.Fatalf("findings: %+v", report.Missing)
	}
	f := report.Missing[0]
	for _, w := range words {
		if !strings.Contains(f.Text, w) {
			t.Errorf("text %q lacks %q", f.Text, w)
		}
	}
	return f
}

func TestAllStoredIsComplete(t *testing.T) {
	h := newHistory()
	h.dock(4, 1, 2, 3)
	h.stored(1, 2, 3)
	h.dock(4)
	r := ledger.Judge(&h.Subject)
	if !r.Complete() || len(r.Hints) != 0 || r.Shown != 3 || r.Stored != 3 || r.Next != 4 || !r.SeenAt.Equal(h.at) {
		t.Errorf("report %+v", r)
	}
}

// The five places where a recording can be taken out between camera and store.

func TestTakenFromTheCameraBeforeItWasDocked(t *testing.T) {
	h := newHistory()
	h.dock(5, 1, 2, 4)
	h.stored(1, 2, 4)
	f := h.find(t, ledger.NeverShown, "number 3", "by the camera's own count", "number 2 was shown at dock dock-1", "number 4 was shown")
	if f.Numbers != (ledger.Gap{First: 3, Last: 3}) || f.Path != "" {
		t.Errorf("finding %+v", f)
	}
}

func TestTakenFromTheCameraBetweenTwoDockings(t *testing.T) {
	h := newHistory()
	h.dock(4, 1, 2, 3)
	h.stored(1, 3)
	h.dock(4)
	f := h.find(t, ledger.Vanished, path(2), "number 2", "vanished from the camera between two dockings", "last seen in bay 1-1 of dock dock-1", "gone at dock dock-2")
	if f.Dock != "dock-1" || f.SeenAt.IsZero() {
		t.Errorf("finding %+v", f)
	}
}

func TestTakenFromTheSpoolOfTheDock(t *testing.T) {
	h := newHistory()
	h.dock(4, 1, 2, 3)
	h.stored(1, 3)
	h.find(t, ledger.Waiting, path(2), "never stored", "spool of dock dock-1")
	h.item(2, catalog.StateReceiving).DurableSegments = 4
	h.find(t, ledger.Waiting, "4 segments of it")
	h.Now = h.at.Add(h.Grace)
	if r := ledger.Judge(&h.Subject); !r.Complete() || r.OnWay != 1 {
		t.Errorf("within the grace: %+v", r)
	}
}

func TestTakenFromTheCatalog(t *testing.T) {
	h := newHistory()
	h.dock(4, 1, 2, 3)
	h.stored(1, 3)
	h.dock(4)
	orphan := ledger.Orphan{ID: evidence.EvidenceID{2}, Sources: []string{"offer", "event evidence.stored"}, Camera: "CAM-1", Path: path(2), Placed: h.Shown[1].Place}
	h.Orphans = []ledger.Orphan{orphan}
	f := h.find(t, ledger.RowMissing, path(2), orphan.ID.String(), "offer, event evidence.stored", "dock dock-1")
	if f.Item != orphan.ID {
		t.Errorf("finding %+v", f)
	}
	h.Orphans[0].Placed = evidence.Digest{} // only its event is left
	h.find(t, ledger.RowMissing, path(2))
	h.Orphans[0].Path = "" // nothing tells its name: it is told, and so is the recording
	if r := ledger.Judge(&h.Subject); len(r.Missing) != 2 {
		t.Errorf("findings %+v", r.Missing)
	}
}

func TestTakenFromTheVault(t *testing.T) {
	h := newHistory()
	h.dock(4, 1, 2, 3)
	h.stored(1, 2, 3)
	h.Blobs[evidence.EvidenceID{2}] = ledger.Blob{Missing: true, Want: 1100}
	h.find(t, ledger.BlobMissing, path(2), "missing from the vault")
	h.Blobs[evidence.EvidenceID{2}] = ledger.Blob{Size: 7, Want: 1100}
	h.find(t, ledger.BlobShort, path(2), "7 bytes", "1100")
}

// And what else can be.

func TestErasedWithoutAReceipt(t *testing.T) {
	h := newHistory()
	h.dock(3, 1, 2)
	h.stored(1, 2)
	delete(h.Receipts, evidence.EvidenceID{2})
	h.find(t, ledger.ErasedBare, path(2), "no receipt")

	h = newHistory()
	h.Bare = []catalog.Alert{{Message: "dock front-desk says that it has erased it"}}
	h.find(t, ledger.ErasedBare, "front-desk")
}

func TestARowThatSaysLessThanItsReceipt(t *testing.T) {
	h := newHistory()
	h.dock(3, 1, 2)
	h.stored(1, 2)
	h.Items[1].State = catalog.StateSuperseded
	r := ledger.Judge(&h.Subject)
	if len(r.Missing) != 2 || r.Missing[0].Reason != ledger.RowChanged || r.Missing[1].Reason != ledger.Waiting {
		t.Errorf("findings %+v", r.Missing)
	}
}

func TestAQuarantinedRecordingIsNoStoredOne(t *testing.T) {
	h := newHistory()
	h.dock(3, 1, 2)
	h.stored(1)
	h.item(2, catalog.StateQuarantined).Reason = "leaf 3 differs"
	h.find(t, ledger.Quarantined, path(2), "leaf 3 differs")
	h.item(2, catalog.StateStored) // read once more
	if r := ledger.Judge(&h.Subject); !r.Complete() || r.Stored != 2 {
		t.Errorf("report %+v", r)
	}
}

func TestARecordingThatShrank(t *testing.T) {
	h := newHistory()
	h.dock(2, 1)
	h.stored(1)
	h.Shown[0].LargestSize = 1500
	h.find(t, ledger.Shrank, path(1), "once showed it with 1500 bytes", "1000 bytes are stored")
}

func TestNumbersBeforeTheFirstAndAfterTheLast(t *testing.T) {
	h := newHistory()
	h.dock(12, 5, 6)
	h.stored(5, 6)
	r := ledger.Judge(&h.Subject)
	var gaps []string
	for _, f := range r.Missing {
		gaps = append(gaps, f.Numbers.String())
	}
	if !slices.Equal(gaps, []string{"numbers 1 to 4", "numbers 7 to 11"}) {
		t.Errorf("gaps %v", gaps)
	}
}

func TestDerivedNumbersAreHints(t *testing.T) {
	h := newHistory()
	h.dock(0, 1, 2, 5, 9000)
	h.stored(1, 2, 5, 9000)
	for i := range h.Shown {
		h.Shown[i].SequenceSource, h.Items[i].SequenceSource = evidence.SequenceDerived, evidence.SequenceDerived
	}
	r := ledger.Judge(&h.Subject)
	if !r.Complete() || len(r.Hints) != 1 || r.Hints[0].Certain || r.Hints[0].Numbers != (ledger.Gap{First: 3, Last: 4}) {
		t.Errorf("report %+v", r)
	}
}

// A recording without a number is found by its name; another one of the same
// name, from before the card was formatted, is not taken for it.
func TestNamesThatAreUsedAgain(t *testing.T) {
	h := newHistory()
	h.dock(0)
	old := evidence.RecordingInfo{Path: "DCIM/100/CLIP0001.MP4", CapturedRaw: "20260101T000000"}
	young := evidence.RecordingInfo{Path: "DCIM/100/CLIP0001.MP4", CapturedRaw: "20260202T000000"}
	for _, info := range []evidence.RecordingInfo{old, young} {
		h.Shown = append(h.Shown, catalog.Shown{Place: catalog.Place(&info), Path: info.Path, CapturedRaw: info.CapturedRaw, LastDocking: h.Dockings[0].ID, LastAt: h.at, LastSize: 1000, LargestSize: 1000})
	}
	h.Items = []catalog.Item{{ID: evidence.EvidenceID{1}, Path: old.Path, Length: 1000, Placed: catalog.Place(&old), State: catalog.StateStored}}
	h.find(t, ledger.Waiting, "CLIP0001")
	h.Items[0].Placed = evidence.Digest{} // from a server without a ledger: its name and length are all there is
	if r := ledger.Judge(&h.Subject); !r.Complete() {
		t.Errorf("report %+v", r)
	}
}

func TestTheOrderOfRowsDoesNotMatter(t *testing.T) {
	h := newHistory()
	h.dock(20, 1, 2, 3, 7, 8)
	h.stored(1, 8)
	h.dock(25, 3, 21)
	h.item(3, catalog.StateQuarantined)
	want := ledger.Judge(&h.Subject)
	slices.Reverse(h.Shown)
	slices.Reverse(h.Items)
	slices.Reverse(h.Dockings)
	got := ledger.Judge(&h.Subject)
	if fmt.Sprint(got) != fmt.Sprint(want) || len(want.Missing) < 5 {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// Whatever is shown is accounted for: stored, on its way, or missing.
func FuzzNothingIsForgotten(f *testing.F) {
	f.Add(uint64(0b1011), uint64(0b0001), uint64(0b0010), false)
	f.Add(^uint64(0), uint64(0), uint64(0), true)
	f.Fuzz(func(t *testing.T, first, second, stored uint64, late bool) {
		h := newHistory()
		bits := func(set uint64) (numbers []uint64) {
			for n := range uint64(64) {
				if set>>n&1 == 1 {
					numbers = append(numbers, n+1)
				}
			}
			return numbers
		}
		h.dock(65, bits(first)...)
		h.dock(65, bits(second)...)
		h.stored(bits(stored & (first | second))...)
		if !late {
			h.Now = h.at
		}
		r := ledger.Judge(&h.Subject)
		accounted := map[uint64]int{}
		for _, f := range r.Missing {
			for n := f.Numbers.First; n <= f.Numbers.Last; n++ {
				accounted[n]++
			}
		}
		total := r.Stored + r.OnWay
		for n := range uint64(64) {
			if accounted[n+1] > 1 {
				t.Errorf("number %d is told %d times", n+1, accounted[n+1])
			}
			total += accounted[n+1]
		}
		if total != 64 {
			t.Errorf("%d of 64 recordings are accounted for: %+v", total, r)
		}
	})
}
