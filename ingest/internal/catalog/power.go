package catalog

import (
	"slices"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Role is a named set of actions, as it was edited. Of the shipped ones there is a
// row from the first edit on.
type Role struct {
	Agency    evidence.AgencyID
	ID        string
	Name      string // unique among those not removed, whatever its case
	About     string
	Actions   []string
	RemovedAt time.Time // zero: it is there
	UpdatedAt time.Time
	UpdatedBy string // user id, or "local"
}

// Group is a named group of people.
type Group struct {
	Agency    evidence.AgencyID
	ID        string
	Name      string // unique among those not removed, whatever its case
	MadeAt    time.Time
	MadeBy    string
	RemovedAt time.Time // zero: it is there
}

// Member is a person of a group.
type Member struct {
	Group string
	User  string
}

// Holder says to whom a grant gives.
type Holder string

// The holders of grants.
const (
	ToPerson Holder = "person"
	ToGroup  Holder = "group"
	ToRole   Holder = "role" // everybody whose account has this role
)

// Scope says on what a grant gives.
type Scope string

// The scopes of grants.
const (
	OnAgency   Scope = "agency"   // everything
	OnStation  Scope = "station"  // a station, its docks, and what came from there
	OnGroup    Scope = "group"    // what people of a group recorded
	OnCategory Scope = "category" // recordings of a category
	OnOwn      Scope = "own"      // what the person recorded
	OnCase     Scope = "case"     // what was put into a case, and what was made of that; and the case itself
	OnItem     Scope = "item"     // one recording, and what was made of it
)

// Grant gives the actions of a role to a holder, on a scope, under conditions.
type Grant struct {
	Agency   evidence.AgencyID
	ID       string
	Holder   Holder
	HolderID string // user, group or role id
	Role     string // whose actions
	Scope    Scope
	Value    string // station, group id, category, case id or item id
	Until    time.Time
	ViewOnly bool
	Networks []string // CIDR; none: from anywhere
	Clients  []string // kinds of client; none: by any
	Reason   string
	MadeAt   time.Time
	MadeBy   string
	EndedAt  time.Time // zero: it stands
	EndedBy  string
}

// Powers is all of an agency that says who may do what.
type Powers struct {
	Version  int64
	Roles    []Role // removed ones too
	Groups   []Group
	Members  []Member
	Grants   []Grant           // that stand, and shipped ones that were ended
	Officers map[string]string // officer id by user id, where there is one
}

// Invitation is a one-time link for a person. Only the hash of its token is kept.
type Invitation struct {
	Hash      evidence.Digest
	Agency    evidence.AgencyID
	User      string
	MadeAt    time.Time
	MadeBy    string
	ExpiresAt time.Time
	UsedAt    time.Time
}

// Reach says what of an agency somebody may do something on: what any of its
// fields names. The zero Reach holds nothing.
type Reach struct {
	All        bool
	Stations   []evidence.StationID
	Categories []string
	Officers   []string // ids of who recorded it
	Items      []evidence.EvidenceID
	Cases      []string // ids
}

// None reports whether r holds nothing at all.
func (r *Reach) None() bool {
	return !r.All && len(r.Stations) == 0 && len(r.Categories) == 0 && len(r.Officers) == 0 && len(r.Items) == 0 && len(r.Cases) == 0
}

// Holds reports whether r holds an item. Lists with ItemFilter.Within hold the
// same items.
func (r *Reach) Holds(i *Item) bool {
	return r.All || slices.Contains(r.Stations, i.Station) || i.Category != "" && slices.Contains(r.Categories, i.Category) ||
		slices.Contains(r.Items, i.ID) || !i.Original.IsZero() && slices.Contains(r.Items, i.Original) || r.wore(i) ||
		slices.ContainsFunc(i.Cases, func(id string) bool { return slices.Contains(r.Cases, id) })
}

// With returns a Reach that holds what either holds.
func (r *Reach) With(other *Reach) *Reach {
	return &Reach{
		All: r.All || other.All, Stations: slices.Concat(r.Stations, other.Stations), Categories: slices.Concat(r.Categories, other.Categories),
		Officers: slices.Concat(r.Officers, other.Officers), Items: slices.Concat(r.Items, other.Items), Cases: slices.Concat(r.Cases, other.Cases),
	}
}

// HoldsStation reports whether r holds a station as such.
func (r *Reach) HoldsStation(id evidence.StationID) bool {
	return r.All || id != "" && slices.Contains(r.Stations, id)
}

// HoldsCase reports whether r holds a case as such.
func (r *Reach) HoldsCase(id string) bool {
	return r.All || id != "" && slices.Contains(r.Cases, id)
}

// SomeStation reports whether r holds any station as such.
func (r *Reach) SomeStation() bool { return r.All || len(r.Stations) > 0 }

// wore goes by who the camera was assigned to, and only where nobody knows that by
// what the camera said.
func (r *Reach) wore(i *Item) bool {
	id := i.WearerID
	if id == "" && i.Wearer == "" {
		id = i.OfficerID
	}
	return id != "" && slices.Contains(r.Officers, id)
}
