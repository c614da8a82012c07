package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// CameraTrust is a statement that told an agency's cameras whose receipts count
// and which docks may unlock them. All are kept; the one with the highest number
// holds.
type CameraTrust struct {
	Agency   evidence.AgencyID
	Number   uint64 // grows
	IssuedAt time.Time
	Envelope []byte // of evidence.CameraTrust
}

// CameraSettings is a settings profile that was published. All are kept; of each
// model the one with the highest number holds.
type CameraSettings struct {
	Agency      evidence.AgencyID
	Number      uint64 // grows, over all models
	Model       string // "": every model
	PublishedAt time.Time
	PublishedBy string // user id, or "local"
	Envelope    []byte // of evidence.CameraSettings
}

// FirmwareMaker is a maker whose firmware an agency takes.
type FirmwareMaker struct {
	Agency    evidence.AgencyID
	Name      string
	PublicKey []byte // Ed25519, 32 bytes
	TrustedAt time.Time
	TrustedBy string
}

// Firmware is an image that was published. (Agency, Model, Counter) is unique.
type Firmware struct {
	Agency      evidence.AgencyID
	Model       string
	Counter     uint64 // at most 2^63-1
	Release     string
	Length      uint64
	SHA256      evidence.Digest
	Maker       string // name of the maker
	MakerKey    []byte // the key that signed Envelope
	WindowFrom  int    // minutes of the day, UTC, between which it may be applied; the same: any time
	WindowTo    int
	PublishedAt time.Time
	PublishedBy string
	WithdrawnAt time.Time // zero: published
	WithdrawnBy string
	Envelope    []byte // of evidence.Firmware
}
