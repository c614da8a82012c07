package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Standing says how a camera or one of its keys stands, in the words of
// proto/upload, SPEC.md section 6. A key is pending, approved or blocked.
type Standing string

// The standings.
const (
	StandingApproved Standing = "approved" // its key is this agency's
	StandingPending  Standing = "pending"  // its key is new and waits for people
	StandingBlocked  Standing = "blocked"  // people decided against it
	StandingChanged  Standing = "changed"  // this serial had another key, and came with a new one or none
	StandingForeign  Standing = "foreign"  // another agency's
	StandingKeyless  Standing = "keyless"  // it has no key
)

// Camera is a camera that some dock has shown.
type Camera struct {
	Agency      evidence.AgencyID
	Serial      string
	Vendor      string
	Model       string
	Firmware    string
	FirstSeenAt time.Time
	LastSeenAt  time.Time
	LastDock    evidence.DockID
	LastBay     string
	Access      evidence.Access // how it was last read
	Claimed     string          // agency whose camera it says it is
	Standing    Standing        // at its last docking; "" before the first inventory
	Key         []byte          // that it proved at its last docking

	HeldAt     time.Time // nothing is erased from it since then; zero: no hold
	HeldBy     string    // user id, or "local"
	HoldReason string

	// Filled by readers.
	Items      int64  // items of this camera
	Wearer     string // to whom it is assigned now
	WearerID   string
	OpenAlerts int64 // neither acknowledged nor cleared
}

// CameraKey is a key that a camera has proven to hold. Keys are kept for good.
type CameraKey struct {
	Agency      evidence.AgencyID
	Camera      string
	Key         []byte // Ed25519 public key
	FirstSeenAt time.Time
	LastSeenAt  time.Time
	Standing    Standing // pending, approved or blocked
	DecidedBy   string   // user id, "local", or "certificate"; "" while pending
	DecidedAt   time.Time
	Reason      string // why, in the words of whoever decided
	Certificate []byte // envelope of its CameraCertificate, nil without
}

// Docking is one stay of a camera in a bay, as the dock's inventory told of it.
type Docking struct {
	Agency  evidence.AgencyID
	ID      evidence.DockingID
	Dock    evidence.DockID
	Station evidence.StationID
	Bay     string
	Camera  string

	Key         []byte // as the dock reported it, nil for none
	KeyStanding evidence.KeyStanding
	Access      evidence.Access
	Standing    Standing  // the server's judgement at that moment
	TakenAt     time.Time // by the dock's clock
	At          time.Time // TakenAt by the server's clock, as far as the two were compared
	LastAt      time.Time // last thing known of this stay, by the same clock as At
	ReceivedAt  time.Time // when the first part of the inventory came here

	Battery   int // percent, -1: unknown
	Findings  []evidence.Finding
	CameraRaw string           // the camera's clock as it reads
	Clock     *evidence.Offset // camera ahead of dock, before its clock was set
	ClockSet  *evidence.Offset // camera ahead of dock, after
	DockClock *evidence.Offset // dock ahead of server

	Next       uint64 // the number that the camera's next recording will get, 0: it does not count
	Journal    uint64 // the dock's count of its dockings, 0: not told
	Recordings int    // shown in the parts that came
	Parts      int
	PartsSeen  int // complete when equal to Parts
}

// Complete says whether all parts of the inventory are here, so that what it
// does not list was not on the camera.
func (d *Docking) Complete() bool { return d.Parts > 0 && d.PartsSeen >= d.Parts }

// Shown is one recording that a camera has shown at some docking. These rows
// are the ledger of what was ever there, whatever became of it.
type Shown struct {
	Agency         evidence.AgencyID
	Camera         string
	Place          evidence.Digest // see Place
	Path           string
	Kind           evidence.Kind
	Sequence       uint64
	SequenceSource evidence.SequenceSource
	CapturedRaw    string           // as listed
	Signed         *evidence.Digest // SHA-256 that the camera has signed
	FirstDocking   evidence.DockingID
	FirstAt        time.Time // Docking.At of it
	LastDocking    evidence.DockingID
	LastAt         time.Time
	LastSize       uint64 // as listed at LastAt, bytes; 0 where the camera told none
	LargestSize    uint64
	VanishedAt     time.Time // Docking.At of the first complete docking that did not show it any more; zero: none
	VanishedIn     evidence.DockingID
}

// Place identifies a recording on its camera from one docking to the next: by
// number and signed hash where the camera counts, else by path and the time
// that the camera lists. A path alone is not enough, since cameras use names
// again.
func Place(r *evidence.RecordingInfo) evidence.Digest {
	h := sha256.New()
	text := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	if r.SequenceSource == evidence.SequenceFromCamera {
		text("number")
		h.Write(binary.BigEndian.AppendUint64(nil, r.Sequence))
		if r.Signed != nil {
			h.Write(r.Signed[:])
		}
	} else {
		text("name")
		text(r.Path)
		text(r.CapturedRaw)
	}
	return evidence.Digest(h.Sum(nil))
}

// Assignment says that a camera was an officer's for some time. The times of
// one camera's assignments never overlap.
type Assignment struct {
	Agency    evidence.AgencyID
	Camera    string
	From      time.Time // first moment
	Until     time.Time // first moment after; zero: still
	Officer   string
	OfficerID string
	By        string // user id, or "local"
	At        time.Time
}

// Covers says whether the assignment is in force at a moment.
func (a *Assignment) Covers(at time.Time) bool {
	return !at.Before(a.From) && (a.Until.IsZero() || at.Before(a.Until))
}
