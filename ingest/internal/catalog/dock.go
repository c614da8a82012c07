package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Station is a building with docks.
type Station struct {
	Agency    evidence.AgencyID
	ID        evidence.StationID
	CreatedAt time.Time
}

// Dock is one enrolled agent.
type Dock struct {
	Agency       evidence.AgencyID
	ID           evidence.DockID
	Station      evidence.StationID
	Fingerprint  evidence.Digest // SHA-256 of its TLS certificate's DER
	StatementKey []byte          // Ed25519 public key, 32 bytes
	AgencyKey    string          // which of the agency's keys it was told at its enrolment; "": not noted, the first
	Enabled      bool
	EnrolledAt   time.Time
	GoodUntil    time.Time // end of its certificate; zero: not known
	LastSeenAt   time.Time
	LastAddress  string
	AgentVersion string
}

// DockKey is a statement key that a dock has, or had before it was enrolled
// anew. Keys are kept for good: old manifests are judged by old keys.
type DockKey struct {
	Agency    evidence.AgencyID
	Dock      evidence.DockID
	PublicKey []byte
	AddedAt   time.Time
}

// DockToken lets one dock enrol once. Only the hash of its secret is kept.
type DockToken struct {
	Hash      evidence.Digest // SHA-256 of the 16 secret bytes
	Agency    evidence.AgencyID
	Dock      evidence.DockID
	Station   evidence.StationID
	CreatedBy string // user id, or "local"
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
	Withdrawn time.Time // when people took it back; zero: they did not
}

// Inventory is a dock's signed list of what a camera showed in one docking.
// The same statement sent twice is one row.
type Inventory struct {
	Agency     evidence.AgencyID
	Digest     evidence.Digest // SHA-256 of the payload
	Dock       evidence.DockID
	Docking    evidence.DockingID
	Part       int
	Parts      int
	Camera     string
	TakenAt    time.Time // by the dock's clock
	ReceivedAt time.Time
	Recordings int
	Envelope   []byte // left out by lists
}
