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

	// KindDerivative is no recording: it was made of one at the server, see Derivation.
	KindDerivative Kind = "derivative"
)

// Confirmation says how the first read of the source was confirmed.
type Confirmation string

// The confirmations.
const (
	// ConfirmedByReread means that a second, independent read of the camera gave
	// the same leaves.
	ConfirmedByReread Confirmation = "reread"
	// ConfirmedByCamera means that the SHA-256 is the one that the camera signed
	// for this recording (CameraListing), with a key that it has proven to hold.
	ConfirmedByCamera Confirmation = "camera"
)

// Access says how a camera was read.
type Access string

// The ways of reading a camera.
const (
	AccessPTP       Access = "ptp"       // PTP or MTP
	AccessExtension Access = "extension" // PTP with the Sealdock extension
	AccessStorage   Access = "storage"   // a mounted mass-storage volume
)

// KeyStanding says what the dock found out about a camera's key.
type KeyStanding string

// The standings. What they mean for a camera is decided at the server.
const (
	KeyNone      KeyStanding = ""          // this kind of camera has no key
	KeyCertified KeyStanding = "certified" // proven, with a certificate of this agency
	KeyProven    KeyStanding = "proven"    // proven to be held by the camera, without a certificate of this agency
	KeyForeign   KeyStanding = "foreign"   // proven, and the camera says that it is another agency's
	KeyFailed    KeyStanding = "failed"    // the proof does not hold
)

// CameraInfo is what a camera says of itself, and what the dock found of its
// key. Nothing in it is trusted beyond being text of bounded length, but for
// Key where KeyStanding says that it was proven.
type CameraInfo struct {
	Serial      string      `json:"serial"`
	Vendor      string      `json:"vendor,omitempty"`
	Model       string      `json:"model,omitempty"`
	Firmware    string      `json:"firmware,omitempty"`
	Access      Access      `json:"access,omitempty"`
	Key         []byte      `json:"key,omitempty"` // Ed25519 public key
	KeyStanding KeyStanding `json:"key_standing,omitempty"`
	Agency      string      `json:"agency,omitempty"` // whose camera it says it is
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

	Sequence       uint64         `json:"sequence,omitempty"` // the camera's number of this recording; 0: none
	SequenceSource SequenceSource `json:"sequence_source,omitempty"`
	Signed         *Digest        `json:"signed,omitempty"` // SHA-256 that the camera has signed for it
	Hashes         []SourceHash   `json:"hashes,omitempty"` // hashes that came with the footage, such as those of an ASC MHL
	Urgent         bool           `json:"urgent,omitempty"` // marked by its wearer or at the bay
}

// SequenceSource says where a recording's number comes from.
type SequenceSource string

// The sources of numbers.
const (
	SequenceFromCamera SequenceSource = "camera"  // counted and signed by the camera
	SequenceDerived    SequenceSource = "derived" // read from the recording's name by the dock: a hint
)

// HashResult says what became of a hash that came with the footage.
type HashResult string

// The results.
const (
	HashUnchecked HashResult = "unchecked" // of a kind that the dock does not compute, or not read yet
	HashVerified  HashResult = "verified"
	HashDiffers   HashResult = "differs"
)

// SourceHash is a hash that came with the footage, taken over.
type SourceHash struct {
	Algorithm string     `json:"algorithm"` // c4, sha1, md5, xxh64, xxh3, xxh128
	Value     string     `json:"value"`     // as it came
	Origin    string     `json:"origin"`    // which file says so
	Result    HashResult `json:"result"`
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

// Manifest is a dock's signed statement of one recording, made before the
// first content byte leaves the dock; with a Derivation, the server's of a derivative,
// which keeps station, dock, camera and claims of its original.
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
	MerkleRoot Digest        `json:"merkle_root"`       // RFC 6962 over leaves of LeafSize bytes
	Content    *Content      `json:"content,omitempty"` // what is sealed, where it is not the recording as it was read
	Confirmed  Confirmation  `json:"confirmed"`
	Clocks     Clocks        `json:"clocks"`
	Agent      string        `json:"agent"` // version of the agent

	// Derivation is the recipe of a derivative; nil for what a camera recorded.
	Derivation *Derivation `json:"derivation,omitempty"`
}

// Encoding says how a recording was encoded before it was sealed.
type Encoding string

// The encodings. A manifest with another one can be read; its recording cannot.
const (
	EncodedAsIs Encoding = ""     // not at all: the recording as it was read
	EncodedZstd Encoding = "zstd" // RFC 8878: one frame, as internal/content specifies
)

// MaxEncoded is how long a recording with zstd content may be, in bytes.
const MaxEncoded = 64 << 20

// Content is what is sealed of a recording: the bytes that travel in segments and
// whose leaves are compared on arrival.
type Content struct {
	Encoding   Encoding `json:"encoding"`
	Length     uint64   `json:"length"`      // bytes
	MerkleRoot Digest   `json:"merkle_root"` // RFC 6962 over leaves of LeafSize bytes
}

// Sealed returns what is sealed of the recording, encoded or as it was read.
func (m *Manifest) Sealed() Content {
	if m.Content != nil {
		return *m.Content
	}
	return Content{EncodedAsIs, m.Length, m.MerkleRoot}
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
	case m.Derivation == nil && m.Confirmed != ConfirmedByReread && m.Confirmed != ConfirmedByCamera:
		return fmt.Errorf("manifest: confirmation %q is unknown", clip(string(m.Confirmed)))
	case m.Confirmed == ConfirmedByCamera && (m.Recording.Signed == nil || *m.Recording.Signed != m.SHA256 || len(m.Camera.Key) == 0):
		return fmt.Errorf("manifest: confirmed by the camera, but its signed hash is missing or another one")
	}
	if err := firstError(m.Content.check(m.Length), m.Clocks.check(), m.checkDerivation()); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return nil
}

func (c *Content) check(original uint64) error {
	switch {
	case c == nil:
		return nil
	case c.Encoding == EncodedAsIs:
		return fmt.Errorf("encoding of the content is missing")
	case c.Length > MaxLength:
		return fmt.Errorf("content of %d bytes, at most %d are taken", c.Length, uint64(MaxLength))
	case c.MerkleRoot.IsZero():
		return fmt.Errorf("the hash of the content is missing")
	case c.Encoding == EncodedZstd && original > MaxEncoded:
		return fmt.Errorf("zstd content of a recording of %d bytes, at most %d are taken", original, MaxEncoded)
	case c.Encoding == EncodedZstd && c.Length >= original:
		return fmt.Errorf("zstd content of %d bytes for a recording of %d: it must be shorter", c.Length, original)
	}
	return checkText("encoding of the content", string(c.Encoding), 32)
}

func (c *CameraInfo) check() error {
	if c.Serial == "" {
		return fmt.Errorf("camera serial is missing")
	}
	switch c.KeyStanding {
	case KeyNone, KeyFailed:
	case KeyCertified, KeyProven, KeyForeign:
		if err := checkKey("camera key", c.Key); err != nil {
			return err
		}
	default:
		return fmt.Errorf("camera key standing %q is unknown", clip(string(c.KeyStanding)))
	}
	switch c.Access {
	case "", AccessPTP, AccessExtension, AccessStorage:
	default:
		return fmt.Errorf("camera access %q is unknown", clip(string(c.Access)))
	}
	if len(c.Key) > 64 {
		return fmt.Errorf("camera key of %d bytes", len(c.Key))
	}
	return firstError(checkText("camera serial", c.Serial, 256), checkText("camera vendor", c.Vendor, 256),
		checkText("camera model", c.Model, 256), checkText("camera firmware", c.Firmware, 256), checkText("camera agency", c.Agency, 64))
}

func (r *RecordingInfo) check() error {
	if r.Path == "" {
		return fmt.Errorf("recording path is missing")
	}
	switch r.Kind {
	case KindVideo, KindMetadata, KindOther, KindDerivative:
	default:
		return fmt.Errorf("recording kind %q is unknown", clip(string(r.Kind)))
	}
	switch r.SequenceSource {
	case "", SequenceFromCamera, SequenceDerived:
	default:
		return fmt.Errorf("source of the number %q is unknown", clip(string(r.SequenceSource)))
	}
	if (r.Sequence == 0) != (r.SequenceSource == "") {
		return fmt.Errorf("number %d and its source %q do not go together", r.Sequence, r.SequenceSource)
	}
	if len(r.Hashes) > 16 {
		return fmt.Errorf("%d hashes that came with it, at most 16 are taken", len(r.Hashes))
	}
	for _, h := range r.Hashes {
		if h.Result != HashUnchecked && h.Result != HashVerified && h.Result != HashDiffers {
			return fmt.Errorf("result %q of a hash that came with it is unknown", clip(string(h.Result)))
		}
		if err := firstError(checkText("hash algorithm", h.Algorithm, 32), checkText("hash", h.Value, 256), checkText("origin of a hash", h.Origin, 1024)); err != nil {
			return err
		}
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
