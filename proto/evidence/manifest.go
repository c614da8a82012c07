package evidence

import (
	"fmt"
	"time"
)

// Kind says what a recording is, judged by its name alone.
type Kind string

// The kinds of recording.
const (
	KindVideo    Kind = "video"
	KindMetadata Kind = "metadata" // a sidecar beside a video
	KindOther    Kind = "other"
)

// Confirmation says how the first read of the source was confirmed.
type Confirmation string

// ConfirmedByReread means that a second, independent read of the camera gave
// the same leaves.
const ConfirmedByReread Confirmation = "reread"

// CameraInfo is what a camera says of itself. Nothing in it is trusted beyond
// being text of bounded length.
type CameraInfo struct {
	Serial   string `json:"serial"`
	Vendor   string `json:"vendor,omitempty"`
	Model    string `json:"model,omitempty"`
	Firmware string `json:"firmware,omitempty"`
}

// RecordingInfo is how a camera lists one recording.
type RecordingInfo struct {
	Path        string `json:"path"`               // folders and name joined by '/', made safe to show
	RawName     []byte `json:"raw_name,omitempty"` // the name as it came (UTF-16LE), where Path had to change it
	Handle      uint32 `json:"handle"`
	Format      uint16 `json:"format"` // PTP object format code
	Size        uint64 `json:"size"`   // as listed, bytes
	SizeKnown   bool   `json:"size_known"`
	CapturedRaw string `json:"captured_raw,omitempty"` // as listed, never corrected
	ModifiedRaw string `json:"modified_raw,omitempty"`
	Kind        Kind   `json:"kind"`
}

// Claims is what a camera's sidecar says about a recording. The server maps
// officers; a camera cannot.
type Claims struct {
	Officer   string    `json:"officer,omitempty"`
	OfficerID string    `json:"officer_id,omitempty"`
	Category  string    `json:"category,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"` // by the camera's clock
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Marks     []Mark    `json:"marks,omitempty"`
}

// Mark is a point in a recording that the officer marked.
type Mark struct {
	AtSeconds float64 `json:"at_seconds"`
	Label     string  `json:"label,omitempty"`
}

// Clocks are the clock readings that belong to one reading of a recording.
type Clocks struct {
	DockStart time.Time `json:"dock_start"` // UTC, the dock's clock, when reading began
	DockEnd   time.Time `json:"dock_end"`
	CameraRaw string    `json:"camera_raw,omitempty"` // the camera's clock as it reads, at CameraAt
	CameraAt  time.Time `json:"camera_at,omitzero"`   // the dock's clock at that reading
}

// Manifest is a dock's signed statement of one recording, made before the
// first content byte leaves the dock.
type Manifest struct {
	Version    int           `json:"version"` // 1
	Agency     AgencyID      `json:"agency"`
	Station    StationID     `json:"station"`
	Dock       DockID        `json:"dock"`
	Bay        string        `json:"bay"` // port path
	Docking    DockingID     `json:"docking"`
	Evidence   EvidenceID    `json:"evidence"`
	Attempt    uint32        `json:"attempt"` // counts the readings of this recording, from 1
	Camera     CameraInfo    `json:"camera"`
	Recording  RecordingInfo `json:"recording"`
	Claims     Claims        `json:"claims"`
	Length     uint64        `json:"length"` // bytes read
	SHA256     Digest        `json:"sha256"`
	MerkleRoot Digest        `json:"merkle_root"` // RFC 6962 over leaves of LeafSize bytes
	Confirmed  Confirmation  `json:"confirmed"`
	Clocks     Clocks        `json:"clocks"`
	Agent      string        `json:"agent"` // version of the agent
}

// Check implements Statement.
func (m *Manifest) Check() error {
	if m.Version != 1 {
		return fmt.Errorf("manifest version %d: this program reads version 1; update the older side", m.Version)
	}
	if err := firstError(
		CheckName("agency", string(m.Agency)), CheckName("station", string(m.Station)), CheckName("dock", string(m.Dock)),
		checkText("bay", m.Bay, 64), checkText("agent version", m.Agent, 64),
		m.Camera.check(), m.Recording.check(), m.Claims.check(),
	); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	switch {
	case m.Evidence.IsZero():
		return fmt.Errorf("manifest: evidence id is missing")
	case m.Attempt == 0:
		return fmt.Errorf("manifest: attempt counts from 1")
	case m.Length > MaxLength:
		return fmt.Errorf("manifest: length %d, at most %d bytes are taken", m.Length, uint64(MaxLength))
	case m.SHA256.IsZero() || m.MerkleRoot.IsZero():
		return fmt.Errorf("manifest: a hash is missing")
	case m.Confirmed != ConfirmedByReread:
		return fmt.Errorf("manifest: confirmation %q is unknown", clip(string(m.Confirmed)))
	case m.Clocks.DockStart.IsZero() || m.Clocks.DockEnd.IsZero():
		return fmt.Errorf("manifest: the dock's clock is missing")
	}
	return checkText("camera clock", m.Clocks.CameraRaw, 64)
}

func (c *CameraInfo) check() error {
	if c.Serial == "" {
		return fmt.Errorf("camera serial is missing")
	}
	return firstError(checkText("camera serial", c.Serial, 256), checkText("camera vendor", c.Vendor, 256),
		checkText("camera model", c.Model, 256), checkText("camera firmware", c.Firmware, 256))
}

func (r *RecordingInfo) check() error {
	if r.Path == "" {
		return fmt.Errorf("recording path is missing")
	}
	switch r.Kind {
	case KindVideo, KindMetadata, KindOther:
	default:
		return fmt.Errorf("recording kind %q is unknown", clip(string(r.Kind)))
	}
	if len(r.RawName) > 4096 {
		return fmt.Errorf("raw name of %d bytes, at most 4096 are taken", len(r.RawName))
	}
	return firstError(checkText("recording path", r.Path, 4096), checkText("capture time", r.CapturedRaw, 64), checkText("modification time", r.ModifiedRaw, 64))
}

func (c *Claims) check() error {
	if len(c.Marks) > 1000 {
		return fmt.Errorf("%d marks, at most 1000 are taken", len(c.Marks))
	}
	for _, m := range c.Marks {
		if err := checkText("mark", m.Label, 256); err != nil {
			return err
		}
	}
	return firstError(checkText("officer", c.Officer, 256), checkText("officer id", c.OfficerID, 256), checkText("category", c.Category, 256))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
