package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// judge is one Subject while it is judged.
type judge struct {
	*Subject
	report   Report
	dockings map[evidence.DockingID]*catalog.Docking
	holdings *Holdings
	orphaned map[evidence.Digest]bool // places of orphans
	paths    map[string]bool          // of orphans whose place is not known
	counted  map[uint64]*catalog.Shown
}

// Judge holds what a camera showed against what is stored. See the package
// comment for what it promises.
func Judge(s *Subject) Report {
	j := &judge{Subject: s, report: Report{Camera: s.Camera, Shown: len(s.Shown)}, dockings: map[evidence.DockingID]*catalog.Docking{},
		holdings: Hold(s.Items), orphaned: map[evidence.Digest]bool{}, paths: map[string]bool{}, counted: map[uint64]*catalog.Shown{}}
	for i := range s.Dockings {
		d := &s.Dockings[i]
		j.dockings[d.ID] = d
		j.report.Next = max(j.report.Next, d.Next)
		if d.At.After(j.report.SeenAt) {
			j.report.SeenAt = d.At
		}
	}
	for _, o := range s.Orphans {
		j.orphan(o)
	}
	for i := range s.Shown {
		j.shown(&s.Shown[i])
	}
	for i := range s.Items {
		j.item(&s.Items[i])
	}
	for i := range s.Bare {
		a := &s.Bare[i]
		j.add(j.bare(a))
	}
	j.gaps()
	for _, list := range [][]Finding{j.report.Missing, j.report.Hints} {
		slices.SortStableFunc(list, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.Numbers.First, b.Numbers.First), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Text, b.Text))
		})
	}
	j.settle()
	return j.report
}

func (j *judge) add(f Finding) {
	f.Camera = j.Camera
	if f.Certain {
		j.report.Missing = append(j.report.Missing, f)
	} else {
		j.report.Hints = append(j.report.Hints, f)
	}
}

// orphan tells of an item without a row.
func (j *judge) orphan(o Orphan) {
	if o.Placed.IsZero() {
		j.paths[o.Path] = true
	} else {
		j.orphaned[o.Placed] = true
	}
	name := o.Path
	if name == "" {
		name = "a recording whose name is not known any more"
	}
	f := Finding{Reason: RowMissing, Certain: true, Path: o.Path, Item: o.ID}
	for i := range j.Shown {
		if s := &j.Shown[i]; s.Place == o.Placed || o.Placed.IsZero() && s.Path == o.Path {
			f = j.seen(f, s)
		}
	}
	f.Text = fmt.Sprintf("%s: its row, item %s, is missing from the catalog, although these speak of it: %s. Restore the catalog from a backup; the bytes may still be in the vault%s",
		name, o.ID, strings.Join(o.Sources, ", "), j.where(f))
	j.add(f)
}

// shown judges one recording of the ledger.
func (j *judge) shown(s *catalog.Shown) {
	if s.SequenceSource == evidence.SequenceFromCamera {
		j.counted[s.Sequence] = s
	}
	item := j.holdings.Of(s)
	if item != nil && item.Arrived() {
		j.report.Stored++
		if item.Length < s.LargestSize {
			j.add(j.shrank(s, fmt.Sprintf("%d bytes are stored", item.Length)))
		}
		return
	}
	if j.orphaned[s.Place] || j.paths[s.Path] {
		return // told already
	}
	f := j.seen(Finding{Certain: true, Path: s.Path}, s)
	state := "nothing of it has reached the server"
	if item != nil {
		f.Item = item.ID
		switch item.State {
		case catalog.StateQuarantined:
			f.Reason = Quarantined
			f.Text = fmt.Sprintf("%s: taken in as item %s, and in quarantine: %s%s", named(s), item.ID, item.Reason, j.where(f))
			j.add(f)
			return
		case catalog.StateReceiving:
			state = fmt.Sprintf("the server has its hash and %d segments of it, as item %s", item.DurableSegments, item.ID)
		}
	}
	switch {
	case !s.VanishedAt.IsZero():
		f.Reason = Vanished
		f.Text = fmt.Sprintf("%s: vanished from the camera between two dockings; %s. No receipt was given for it, and no dock tells of erasing it%s, found gone %s", named(s), state, j.where(f), j.gone(s))
	case j.Now.Sub(s.LastAt) <= j.Grace:
		j.report.OnWay++
		return
	default:
		f.Reason = Waiting
		f.Text = fmt.Sprintf("%s: shown and never stored; %s. The camera was not docked since: it is still on the camera, waits in the spool of dock %s, or was lost there%s", named(s), state, f.Dock, j.where(f))
	}
	j.add(f)
	if s.LastSize > 0 && s.LastSize < s.LargestSize {
		j.add(j.shrank(s, fmt.Sprintf("the camera shows %d", s.LastSize)))
	}
}

func (j *judge) shrank(s *catalog.Shown, now string) Finding {
	f := j.seen(Finding{Reason: Shrank, Certain: true, Path: s.Path}, s)
	f.Text = fmt.Sprintf("%s: the camera once showed it with %d bytes, and %s: its end is missing%s", named(s), s.LargestSize, now, j.where(f))
	return f
}

// item judges an item by itself, whether or not the ledger knows it.
func (j *judge) item(i *catalog.Item) {
	f := Finding{Certain: true, Path: i.Path, Item: i.ID, Docking: i.Docking, Dock: i.Dock, Bay: i.Bay, SeenAt: i.OfferedAt}
	if i.Sequence > 0 {
		f.Numbers = Gap{i.Sequence, i.Sequence}
	}
	blob, bad := j.Blobs[i.ID]
	switch {
	case i.State == catalog.StateStored && bad && blob.Missing:
		f.Reason = BlobMissing
		f.Text = fmt.Sprintf("%s: item %s is stored by the catalog, and its bytes are missing from the vault. Restore them from a backup%s", i.Path, i.ID, j.where(f))
	case i.State == catalog.StateStored && bad:
		f.Reason = BlobShort
		f.Text = fmt.Sprintf("%s: item %s has %d bytes in the vault and must have %d. Restore them from a backup%s", i.Path, i.ID, blob.Size, blob.Want, j.where(f))
	case (i.State == catalog.StateReceiving || i.State == catalog.StateSuperseded) && j.Receipts[i.ID]:
		f.Reason = RowChanged
		f.Text = fmt.Sprintf("%s: item %s has a receipt, and the catalog says that it is %s: the row was changed by other hands. Run sealdock-ingest fsck%s", i.Path, i.ID, i.State, j.where(f))
	case !i.ErasedAt.IsZero() && !j.Receipts[i.ID]:
		f.Reason = ErasedBare
		f.Text = fmt.Sprintf("%s: dock %s has erased it on the camera at %s, and no receipt for item %s is kept here%s", i.Path, i.Dock, stamp(i.ErasedAt), i.ID, j.where(f))
	default:
		return
	}
	j.add(f)
}

// bare tells of an erasure by the alert about it, which names the item.
func (j *judge) bare(a *catalog.Alert) Finding {
	f := Finding{Reason: ErasedBare, Certain: true, Text: a.Message, SeenAt: a.LastAt}
	id, err := evidence.ParseEvidenceID(a.About)
	if err != nil {
		return f
	}
	f.Item = id
	for i := range j.Items {
		if item := &j.Items[i]; item.ID == id {
			f.Path = item.Path
			if item.Sequence > 0 {
				f.Numbers = Gap{item.Sequence, item.Sequence}
			}
		}
	}
	return f
}

// gaps tells of numbers that nobody has seen.
func (j *judge) gaps() {
	var counted, derived []uint64
	for n := range j.counted {
		counted = append(counted, n)
	}
	for i := range j.Shown {
		if j.Shown[i].SequenceSource == evidence.SequenceDerived {
			derived = append(derived, j.Shown[i].Sequence)
		}
	}
	for _, i := range j.Items { // the ledger may be younger than they are
		if i.SequenceSource == evidence.SequenceFromCamera {
			counted = append(counted, i.Sequence)
		}
	}
	lowest := j.lowest(counted)
	j.report.Uncounted = uncounted(j.Begin, lowest)
	for _, g := range Gaps(counted, First(j.Begin, lowest), j.report.Next) {
		j.add(j.gap(g))
	}
	for _, g := range Hints(derived) {
		j.add(Finding{Reason: NeverShown, Numbers: g, Text: fmt.Sprintf("%s: missing between the names that the camera showed. That is a hint: cameras leave out numbers for other reasons too", g)})
	}
}

// lowest is the lowest number that the camera has ever given, shown or
// announced; 0 for none.
func (j *judge) lowest(counted []uint64) uint64 {
	given := slices.Clone(counted)
	for i := range j.Dockings {
		given = append(given, j.Dockings[i].Next)
	}
	if given = distinct(given); len(given) == 0 {
		return 0
	}
	return given[0]
}

func (j *judge) gap(g Gap) Finding {
	f := Finding{Reason: NeverShown, Certain: true, Numbers: g}
	var beside []string
	for _, n := range []uint64{g.First - 1, g.Last + 1} {
		if s := j.counted[n]; s != nil {
			f = j.seen(f, s)
			f.Numbers = g
			beside = append(beside, fmt.Sprintf("number %d was shown%s", n, at(j.dockings[s.FirstDocking], s.FirstAt)))
		}
	}
	if len(beside) == 0 {
		beside = []string{"no number beside it was shown either"}
	}
	f.Path = ""
	f.Text = fmt.Sprintf("%s: recorded, by the camera's own count, and gone before any dock saw it; %s", g, strings.Join(beside, ", "))
	return f
}

// seen says where a recording was seen last.
func (j *judge) seen(f Finding, s *catalog.Shown) Finding {
	f.Docking, f.SeenAt = s.LastDocking, s.LastAt
	if s.Sequence > 0 {
		f.Numbers = Gap{s.Sequence, s.Sequence}
	}
	if d := j.dockings[s.LastDocking]; d != nil {
		f.Dock, f.Bay = d.Dock, d.Bay
	}
	return f
}

// where ends a sentence with where a recording was seen last.
func (j *judge) where(f Finding) string {
	switch {
	case f.SeenAt.IsZero():
		return ""
	case f.Dock == "":
		return "; last seen at " + stamp(f.SeenAt)
	}
	return fmt.Sprintf("; last seen in bay %s of dock %s at %s", f.Bay, f.Dock, stamp(f.SeenAt))
}

// gone says when a recording was found to be gone.
func (j *judge) gone(s *catalog.Shown) string {
	return strings.TrimPrefix(at(j.dockings[s.VanishedIn], s.VanishedAt), " ")
}

func at(d *catalog.Docking, when time.Time) string {
	if d == nil {
		return " at " + stamp(when)
	}
	return fmt.Sprintf(" at dock %s, bay %s, at %s", d.Dock, d.Bay, stamp(when))
}

// named calls a recording by path and number.
func named(s *catalog.Shown) string {
	if s.SequenceSource == evidence.SequenceFromCamera {
		return fmt.Sprintf("%s (number %d)", s.Path, s.Sequence)
	}
	return s.Path
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
