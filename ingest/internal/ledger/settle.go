package ledger

import (
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Settled is a finding that somebody has settled, since it cannot be mended.
type Settled struct {
	Finding
	Decision catalog.Settlement
	Note     string // for people: by whom, when and why
}

// Entry says which entry of a report a finding is, for a Settlement. The
// docking is a part of it, so that a recording which was seen again since and is
// missing once more is another entry; but not for an erasure without a receipt,
// which happens once and of which both the item and the dock may tell, nor for
// numbers that no docking showed.
func Entry(f *Finding) catalog.Settlement {
	v := catalog.Settlement{Camera: f.Camera, Finding: string(f.Reason), Path: f.Path, First: f.Numbers.First, Last: f.Numbers.Last, Item: f.Item, Docking: f.Docking}
	if f.Reason == ErasedBare || f.Reason == NeverShown {
		v.Docking = evidence.DockingID{}
	}
	return v
}

// settles says whether a decision is about a finding. Numbers that were settled
// as one run stay settled when some of them turn up.
func settles(v *catalog.Settlement, f *Finding) bool {
	e := Entry(f)
	if f.Reason == NeverShown {
		return v.Finding == e.Finding && f.Numbers.First > 0 && v.First <= e.First && e.Last <= v.Last
	}
	return v.Finding == e.Finding && v.Path == e.Path && v.First == e.First && v.Last == e.Last && v.Item == e.Item && v.Docking == e.Docking
}

// settle takes what was settled from among what is missing.
func (j *judge) settle() {
	var missing []Finding
	for _, f := range j.report.Missing {
		if v := j.settlement(&f); v != nil {
			note := fmt.Sprintf("settled by %s on %s: %s", person(v.By, v.ByName), stamp(v.At), v.Reason)
			j.report.Settled = append(j.report.Settled, Settled{f, *v, note})
		} else {
			missing = append(missing, f)
		}
	}
	j.report.Missing = missing
}

func (j *judge) settlement(f *Finding) *catalog.Settlement {
	for i := range j.Settlements {
		if settles(&j.Settlements[i], f) {
			return &j.Settlements[i]
		}
	}
	return nil
}
