package ledger

import (
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Reason says in which way a recording is missing.
type Reason string

// The reasons.
const (
	NeverShown  Reason = "never_shown"  // the camera counted it, and no docking showed it
	Vanished    Reason = "vanished"     // shown at one docking, gone at a later one, not stored
	Waiting     Reason = "waiting"      // shown and not stored, the camera was not docked since
	RowMissing  Reason = "row_missing"  // the custody record speaks of it, the catalog has no item
	RowChanged  Reason = "row_changed"  // it has a receipt, and the catalog says that it is not stored
	BlobMissing Reason = "blob_missing" // the item is stored, its bytes are not in the vault
	BlobShort   Reason = "blob_short"   // the item is stored, its bytes are fewer or more than they must be
	ErasedBare  Reason = "erased_bare"  // erased on the camera, without a receipt of this server
	Shrank      Reason = "shrank"       // it was longer once than what is stored or shown now
	Quarantined Reason = "quarantined"  // taken in, and not accepted
)

// Finding is one recording, or one run of numbers, that is not where it should
// be.
type Finding struct {
	Reason  Reason
	Certain bool   // false: a hint, which may have an innocent cause
	Camera  string // serial; "" where it is not known any more
	Path    string
	Numbers Gap                 // of the camera, 0 to 0 for none
	Item    evidence.EvidenceID // zero for none
	Text    string              // one sentence for people: what is missing, and where it was last seen

	// Where it was seen last.
	Docking evidence.DockingID
	Dock    evidence.DockID
	Bay     string
	SeenAt  time.Time
}

// Report is the completeness of one camera.
type Report struct {
	Camera  string
	Shown   int       // recordings that it ever showed
	Stored  int       // of them, stored
	OnWay   int       // of them, not stored yet, and shown within the grace
	Next    uint64    // highest number that it announced for its next recording, 0: it does not count
	SeenAt  time.Time // last docking
	Missing []Finding // certain
	Hints   []Finding

	Settled   []Settled  // certain once, and settled by somebody's decision
	Uncounted *Uncounted // numbers that are not looked for by somebody's decision, nil: none
}

// Complete says whether nothing is missing for certain but what was settled.
func (r *Report) Complete() bool { return len(r.Missing) == 0 }

// Orphan is an item of which the custody record speaks, and which has no row.
type Orphan struct {
	ID      evidence.EvidenceID
	Sources []string // which records speak of it, for people: offer, receipt, release, event evidence.stored
	Camera  string   // "" where nothing tells it any more
	Path    string
	Placed  evidence.Digest
}

// Blob is what the vault has of a stored item.
type Blob struct {
	Missing    bool
	Size, Want uint64 // bytes, sealed
}

// Subject is all that is known of one camera. The rows may be in any order.
type Subject struct {
	Camera      string
	Dockings    []catalog.Docking
	Shown       []catalog.Shown
	Items       []catalog.Item
	Receipts    map[evidence.EvidenceID]bool // items that a receipt is kept for
	Blobs       map[evidence.EvidenceID]Blob // stored items whose blob is not as it must be
	Orphans     []Orphan
	Bare        []catalog.Alert      // erasures that docks told of without a receipt
	Settlements []catalog.Settlement // entries that somebody has settled
	Begin       *catalog.Beginning   // from which number on its count is looked at, nil: from 1
	Now         time.Time
	Grace       time.Duration // how long a recording may be on its way
}
