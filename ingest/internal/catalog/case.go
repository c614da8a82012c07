package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Case is what items are gathered for.
type Case struct {
	Agency   evidence.AgencyID
	ID       string
	Number   string // the agency's own; unique, whatever its case
	Title    string
	Note     string
	Lead     string // user id of who leads it; "": nobody is named
	OpenedAt time.Time
	OpenedBy string
	ClosedAt time.Time // zero: it is open
	ClosedBy string

	Items int64 // that were put into it; counted when it is read
}

// Closed reports whether nothing is put into the case and taken out of it any more.
func (c *Case) Closed() bool { return !c.ClosedAt.IsZero() }

// CaseItem is an item of a case.
type CaseItem struct {
	Case    string
	Item    evidence.EvidenceID
	AddedAt time.Time
	AddedBy string
}

// CaseOrder is the order of a list of cases. Open ones come first in each.
type CaseOrder string

// The orders of a list of cases. Ties are broken by id.
const (
	NewestCase CaseOrder = "" // by OpenedAt
	OldestCase CaseOrder = "opened"
	CaseNumber CaseOrder = "number"
	CaseTitle  CaseOrder = "title"
)

// CaseFilter says which cases a list holds: all conditions that are set apply.
type CaseFilter struct {
	Agency evidence.AgencyID   // required
	Text   string              // each word begins a word of number or title, whatever its case
	Open   *bool               // whether it is open
	Item   evidence.EvidenceID // only cases that this item was put into
	Within *Reach              // only what somebody may see; nil: all of the agency
}

// CasePage is one page of a list of cases.
type CasePage struct {
	Cases []Case
	Next  string // cursor of the page after this one, "" at the end
}
