package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// ItemState says how far an item has come.
type ItemState string

// The states of an item. An item begins as receiving; stored is final, but for its
// destruction by people.
const (
	StateReceiving   ItemState = "receiving"   // offered, its segments are coming in
	StateStored      ItemState = "stored"      // read back, verified, its event in the catalog
	StateQuarantined ItemState = "quarantined" // did not fit its manifest; Reason says why
	StateSuperseded  ItemState = "superseded"  // never finished; another item took its recording over
	StateDestroyed   ItemState = "destroyed"   // was stored; two people had its key destroyed, and nobody can open it any more
)

// Arrived says whether the recording was stored and proven, even if people have
// destroyed it since: it is not missing, and is not taken in again.
func (i *Item) Arrived() bool { return i.State == StateStored || i.State == StateDestroyed }

// Item is one evidence item: a recording that the store holds or is receiving.
// (Agency, ID) is unique, and among receiving and stored items so is (Agency,
// Camera, Path, SHA256): one item per recording.
type Item struct {
	Agency  evidence.AgencyID
	ID      evidence.EvidenceID
	Attempt uint32 // the reading that the row speaks of, from 1

	Dock        evidence.DockID
	Station     evidence.StationID
	Bay         string
	Docking     evidence.DockingID
	Camera      string // serial
	CameraModel string
	Path        string              // as in the manifest
	Original    evidence.EvidenceID // of which item a derivative was made; zero: it is none
	Kind        evidence.Kind
	Length      uint64 // bytes of the recording, not of the blob
	Encoding    evidence.Encoding
	Encoded     uint64 // bytes that are sealed, where Encoding says that the recording is encoded
	SHA256      evidence.Digest
	MerkleRoot  evidence.Digest

	Officer   string // as the camera's sidecar claims
	OfficerID string
	Category  string    // that counts: see Annotation
	StartedAt time.Time // by the camera's clock
	EndedAt   time.Time

	CorrectedAt    time.Time     // StartedAt, or the listed time, by the server's clock; zero: the camera's clock was not measured
	Uncertainty    time.Duration // of CorrectedAt, either way
	Wearer         string        // to whom the camera was assigned when this was recorded
	WearerID       string
	Sequence       uint64 // the camera's number of the recording, 0: none
	SequenceSource evidence.SequenceSource
	Confirmed      evidence.Confirmation // how the dock made sure that it read right
	Urgent         bool
	Placed         evidence.Digest // Place of the recording on its camera; joins it with Shown. Zero in rows of older servers

	Cases []string // ids of the cases that it, or what it was made of, was put into; by the catalog, in order

	Marks []string // what about the item is unknown or unusual, one word each

	State           ItemState
	Reason          string // why it is in quarantine or superseded
	OfferedAt       time.Time
	StoredAt        time.Time
	ProvenAt        time.Time // last time that the stored bytes were re-read and found right
	MirroredAt      time.Time // last time that its copy in the mirror was read and found right; zero: there is none
	DestroyedAt     time.Time // when people had its key destroyed; zero: they did not
	ErasedAt        time.Time // when the dock erased the original, by the dock's clock
	ReleaseResult   evidence.ReleaseResult
	ReleaseReason   string
	DurableSegments uint64 // at least so many segments are durable; may lag behind the blob
	EventID         int64  // row of the evidence.stored event, 0 before
	EventIndex      int64  // its index in the custody log, -1 before the receipt is set

	ManifestDigest evidence.Digest // SHA-256 of the manifest's payload

	Annotation      Annotation
	Annotated       int64 // how often that was changed: its version
	claimedCategory string

	// The rest is left out by lists, see Offer for earlier attempts.
	Manifest   []byte // envelope JSON
	Leaves     []byte // 32 bytes per segment
	Header     []byte // FLOE header
	WrappedKey []byte
	AgencyKey  string // to which of the agency's keys it is wrapped; "": not noted, the first
	Receipt    []byte // envelope JSON, nil before
}

// SealedLength is how many bytes are sealed: what segments and blob are counted by.
func (i *Item) SealedLength() uint64 {
	if i.Encoding == evidence.EncodedAsIs {
		return i.Length
	}
	return i.Encoded
}

// Offer is what a dock offered in one attempt. Offers are kept for good, so
// that a quarantined attempt can still be opened and judged.
type Offer struct {
	Agency         evidence.AgencyID
	ID             evidence.EvidenceID
	Attempt        uint32
	At             time.Time
	ManifestDigest evidence.Digest
	Manifest       []byte
	Leaves         []byte
	Header         []byte
	WrappedKey     []byte
	AgencyKey      string
}

// WrappedKey is the key of one attempt at one item, as it is kept.
type WrappedKey struct {
	Agency    evidence.AgencyID
	ID        evidence.EvidenceID
	Attempt   uint32
	AgencyKey string // to which of the agency's keys it is wrapped; "": not noted, the first
	Wrapped   []byte
}

// Destroyed is the AgencyKey of a wrapped key that was overwritten.
const Destroyed = "destroyed"

// KeyUse is what stands on one of an agency's keys.
type KeyUse struct {
	AgencyKey string // "": not noted, the first
	Wrapped   int64  // keys of attempts at items that are wrapped to it
	Docks     int64  // docks that are let in and were told of it
}

// Order is the order of a list.
type Order string

// The orders of a list of items. Ties are broken by id, so paging is stable.
const (
	NewestArrival   Order = ""         // by OfferedAt, newest first
	OldestArrival   Order = "arrival"  // by OfferedAt, oldest first
	NewestRecording Order = "-started" // by CorrectedAt (else StartedAt, else OfferedAt), newest first
	OldestRecording Order = "started"
	Longest         Order = "-length"
	Shortest        Order = "length"
	OfficerUp       Order = "officer" // by the wearer's name, else the officer's
	OfficerDown     Order = "-officer"
)

// ItemFilter says which items a list holds: all conditions that are set apply.
type ItemFilter struct {
	Agency      evidence.AgencyID // required: no list crosses agencies
	Text        string            // each word begins one of path, camera, model, officer, wearer, category, dock, station, id, SHA-256 or what the agency says of it, whatever its case
	State       ItemState
	Camera      string // serial, exact
	Dock        evidence.DockID
	Station     evidence.StationID
	Officer     string // officer or wearer, or id of either, exact
	Kind        evidence.Kind
	From        time.Time // recorded at or after (CorrectedAt, else StartedAt, else OfferedAt)
	To          time.Time // recorded before
	Category    string    // exact
	Tag         string    // exact, whatever its case
	Incident    string    // exact
	ArrivedFrom time.Time // offered at or after
	ArrivedTo   time.Time // offered before
	Case        string    // id: what was put into it, and what was made of that
	Erased      *bool     // whether the original was erased

	NoWearer bool // only items whose wearer is not known: the lane of the unassigned

	Within *Reach // only what somebody may see; nil: all of the agency
}

// MaxPage is the longest page of a list. A limit of 0 or above it means MaxPage.
const MaxPage = 500

// ItemPage is one page of a list.
type ItemPage struct {
	Items []Item
	Next  string // cursor of the page after this one, "" at the end
}

// Count is a number of items and the bytes of their recordings.
type Count struct {
	Items int64
	Bytes int64
}

// Totals are an agency's figures for the overview.
type Totals struct {
	All     Count
	ByState map[ItemState]Count
	Last24h Count // stored within the last 24 hours
	Erased  Count // originals erased
	Pending Count // stored, original not yet erased
	Cameras int64
	Docks   int64
	Events  int64
}

// Release is a dock's signed statement of what it did on a camera.
type Release struct {
	Agency     evidence.AgencyID
	Item       evidence.EvidenceID
	Digest     evidence.Digest // SHA-256 of the payload
	Result     evidence.ReleaseResult
	Reason     string
	At         time.Time // by the dock's clock
	ReceivedAt time.Time
	Envelope   []byte
}
