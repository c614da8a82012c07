package evidence

import (
	"fmt"
	"time"
)

// LogProof shows that one custody event is in the custody log at Index, under
// Checkpoint. The log's entry is the salted hash of Event
// (internal/tlog/FORMAT.md).
type LogProof struct {
	Origin     string   `json:"origin"`
	Index      int64    `json:"index"`
	Salt       []byte   `json:"salt"`
	Event      []byte   `json:"event"`      // the event's JSON, as logged
	Path       []Digest `json:"path"`       // RFC 6962 section 2.1.1
	Checkpoint string   `json:"checkpoint"` // C2SP tlog-checkpoint, a signed note
}

// Receipt is the server's signed statement that an item is stored, was read
// back from the medium, hashed and logged. Only against a receipt that
// verifies may a camera be erased.
type Receipt struct {
	Version        int        `json:"version"` // 1
	Agency         AgencyID   `json:"agency"`
	Dock           DockID     `json:"dock"` // the dock whose manifest was accepted
	Evidence       EvidenceID `json:"evidence"`
	Attempt        uint32     `json:"attempt"`
	CameraSerial   string     `json:"camera_serial"`
	Path           string     `json:"path"`
	Length         uint64     `json:"length"`
	SHA256         Digest     `json:"sha256"`          // of the bytes read back and opened
	MerkleRoot     Digest     `json:"merkle_root"`     // as in the manifest, each leaf checked on arrival
	ManifestDigest Digest     `json:"manifest_digest"` // SHA-256 of the manifest's payload
	StoredAt       time.Time  `json:"stored_at"`       // UTC, the server's clock
	Proof          LogProof   `json:"proof"`
}

// Check implements Statement.
func (r *Receipt) Check() error {
	if r.Version != 1 {
		return fmt.Errorf("receipt version %d: this program reads version 1; update the older side", r.Version)
	}
	switch {
	case r.Evidence.IsZero() || r.Attempt == 0:
		return fmt.Errorf("receipt: evidence id or attempt is missing")
	case r.SHA256.IsZero() || r.MerkleRoot.IsZero() || r.ManifestDigest.IsZero():
		return fmt.Errorf("receipt: a hash is missing")
	case r.StoredAt.IsZero():
		return fmt.Errorf("receipt: time is missing")
	case r.CameraSerial == "" || r.Path == "":
		return fmt.Errorf("receipt: camera or recording is missing")
	case r.Proof.Index < 0 || len(r.Proof.Path) > 64 || len(r.Proof.Salt) != 32 || len(r.Proof.Event) == 0 || len(r.Proof.Event) > 64<<10 || len(r.Proof.Checkpoint) > 16<<10:
		return fmt.Errorf("receipt: the log proof is out of bounds")
	}
	return firstError(CheckName("agency", string(r.Agency)), CheckName("dock", string(r.Dock)),
		checkText("camera serial", r.CameraSerial, 256), checkText("recording path", r.Path, 4096), checkText("log origin", r.Proof.Origin, 256))
}

// ReleaseResult says what became of a recording on its camera.
type ReleaseResult string

// The results of a release.
const (
	ReleaseErased ReleaseResult = "erased" // the camera confirmed the deletion and no longer lists it
	ReleaseFailed ReleaseResult = "failed" // the camera refused; the recording is still there
)

// Release is a dock's signed statement of what it did on a camera after it had
// verified a receipt.
type Release struct {
	Version       int           `json:"version"` // 1
	Agency        AgencyID      `json:"agency"`
	Dock          DockID        `json:"dock"`
	Bay           string        `json:"bay"`
	Docking       DockingID     `json:"docking"`
	Evidence      EvidenceID    `json:"evidence"`
	CameraSerial  string        `json:"camera_serial"`
	Path          string        `json:"path"`
	ReceiptDigest Digest        `json:"receipt_digest"` // SHA-256 of the receipt's payload
	Method        string        `json:"method"`         // how it was erased, for example "ptp-delete-object"
	Result        ReleaseResult `json:"result"`
	Reason        string        `json:"reason,omitempty"`
	At            time.Time     `json:"at"`               // UTC, the dock's clock
	Camera        []byte        `json:"camera,omitempty"` // envelope of the camera's own CameraErase
}

// Check implements Statement.
func (r *Release) Check() error {
	if r.Version != 1 {
		return fmt.Errorf("release version %d: this program reads version 1; update the older side", r.Version)
	}
	switch {
	case r.Evidence.IsZero() || r.ReceiptDigest.IsZero() || r.At.IsZero() || r.CameraSerial == "" || r.Path == "":
		return fmt.Errorf("release: evidence id, receipt, time, camera or recording is missing")
	case len(r.Camera) > 16<<10:
		return fmt.Errorf("release: the camera's statement has %d bytes, at most 16384 are taken", len(r.Camera))
	case r.Result != ReleaseErased && r.Result != ReleaseFailed:
		return fmt.Errorf("release: result %q is unknown", clip(string(r.Result)))
	}
	return firstError(CheckName("agency", string(r.Agency)), CheckName("dock", string(r.Dock)), checkText("bay", r.Bay, 64),
		checkText("camera serial", r.CameraSerial, 256), checkText("recording path", r.Path, 4096),
		checkText("method", r.Method, 64), checkText("reason", r.Reason, 1024))
}
