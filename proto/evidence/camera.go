package evidence

import (
	"crypto/ed25519"
	"fmt"
	"time"
)

// Payload types of the statements between an agency and its cameras
// (proto/camera/SPEC.md section 7).
const (
	TypeCameraCertificate = "application/vnd.sealdock.camera-certificate.v1+json" // by the agency's camera authority
	TypeCameraProof       = "application/vnd.sealdock.camera-proof.v1+json"       // by the camera
	TypeCameraListing     = "application/vnd.sealdock.camera-listing.v1+json"     // by the camera
	TypeCameraErase       = "application/vnd.sealdock.camera-erase.v1+json"       // by the camera
	TypeCameraTrust       = "application/vnd.sealdock.camera-trust.v1+json"       // by the agency's camera authority
	TypeCameraSettings    = "application/vnd.sealdock.camera-settings.v1+json"    // by the agency's camera authority
	TypeDockUnlock        = "application/vnd.sealdock.dock-unlock.v1+json"        // by the dock
	TypeFirmware          = "application/vnd.sealdock.firmware.v1+json"           // by the maker of the firmware
)

// Bounds of what a camera signs and is sent.
const (
	MaxListing  = 2000    // recordings in one part of a camera's signed listing
	MaxSettings = 100     // values in a settings profile
	MaxFirmware = 1 << 30 // bytes of a firmware image

	MaxTrustedDocks = 2000 // docks that one trust statement names
)

// KeyID names a public key: the SHA-256 of its 32 bytes.
func KeyID(key ed25519.PublicKey) Digest { return SHA256(key) }

// CameraCertificate says that a key belongs to a camera of an agency.
type CameraCertificate struct {
	Version   int       `json:"version"` // 1
	Agency    AgencyID  `json:"agency"`
	Serial    string    `json:"serial"`
	Key       []byte    `json:"key"` // Ed25519 public key of the camera
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: does not expire
}

// Check implements Statement.
func (c *CameraCertificate) Check() error {
	if err := firstError(checkVersion("camera certificate", c.Version), CheckName("agency", string(c.Agency)), checkSerial(c.Serial), checkKey("camera key", c.Key), checkTime("issue time", c.IssuedAt)); err != nil {
		return fmt.Errorf("camera certificate: %w", err)
	}
	return nil
}

// CameraProof is a camera's answer to a challenge. It shows that the camera
// holds the key at this moment, and says how it stands.
type CameraProof struct {
	Version     int       `json:"version"` // 1
	Serial      string    `json:"serial"`
	Key         []byte    `json:"key"`              // Ed25519 public key that the proof is signed with
	Nonce       []byte    `json:"nonce"`            // the challenge, 16 bytes
	Agency      AgencyID  `json:"agency,omitempty"` // whose camera it is; empty: nobody's yet
	Model       string    `json:"model"`
	Firmware    string    `json:"firmware"`
	Boot        uint64    `json:"boot"`                  // counts the starts of the camera
	At          time.Time `json:"at"`                    // the camera's clock
	Certificate []byte    `json:"certificate,omitempty"` // envelope of its CameraCertificate
}

// Check implements Statement.
func (p *CameraProof) Check() error {
	if err := firstError(checkVersion("camera proof", p.Version), checkSerial(p.Serial), checkKey("camera key", p.Key),
		checkText("camera model", p.Model, 256), checkText("camera firmware", p.Firmware, 256), checkOptionalName("agency", string(p.Agency))); err != nil {
		return fmt.Errorf("camera proof: %w", err)
	}
	if len(p.Nonce) != 16 || len(p.Certificate) > 8192 {
		return fmt.Errorf("camera proof: nonce of %d bytes (want 16) or certificate of %d (at most 8192)", len(p.Nonce), len(p.Certificate))
	}
	return nil
}

// CameraRecording is one recording in a camera's signed listing.
type CameraRecording struct {
	Sequence  uint64    `json:"sequence"` // from 1, no number twice; one left out is a recording that is gone
	Handle    uint32    `json:"handle"`   // PTP object handle in this session
	Name      string    `json:"name"`     // for people, see proto/camera/SPEC.md 7.3
	Length    uint64    `json:"length"`
	SHA256    Digest    `json:"sha256"`
	StartedAt time.Time `json:"started_at,omitzero"` // by the camera's clock
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Officer   string    `json:"officer,omitempty"`
	OfficerID string    `json:"officer_id,omitempty"`
	Urgent    bool      `json:"urgent,omitempty"` // marked by its wearer
}

// CameraListing is what a camera says that it holds, signed by the camera. A
// long listing comes in parts, all of one moment.
type CameraListing struct {
	Version    int               `json:"version"` // 1
	Serial     string            `json:"serial"`
	Boot       uint64            `json:"boot"`
	Part       int               `json:"part"` // from 1
	Parts      int               `json:"parts"`
	At         time.Time         `json:"at"`   // the camera's clock
	Next       uint64            `json:"next"` // the number that the next recording will get
	Recordings []CameraRecording `json:"recordings"`
}

// Check implements Statement.
func (l *CameraListing) Check() error {
	switch {
	case l.Part < 1 || l.Parts < l.Part || l.Parts > 1000:
		return fmt.Errorf("camera listing: part %d of %d", l.Part, l.Parts)
	case len(l.Recordings) > MaxListing:
		return fmt.Errorf("camera listing: %d recordings in one part, at most %d are taken", len(l.Recordings), MaxListing)
	}
	if err := firstError(checkVersion("camera listing", l.Version), checkSerial(l.Serial)); err != nil {
		return fmt.Errorf("camera listing: %w", err)
	}
	last := uint64(0)
	for i := range l.Recordings {
		r := &l.Recordings[i]
		if r.Sequence <= last || r.Sequence >= l.Next {
			return fmt.Errorf("camera listing: number %d after %d and before %d", r.Sequence, last, l.Next)
		}
		last = r.Sequence
		if err := firstError(checkText("name", r.Name, 1024), checkText("officer", r.Officer, 256), checkText("officer id", r.OfficerID, 256)); err != nil {
			return fmt.Errorf("camera listing, recording %d: %w", r.Sequence, err)
		}
	}
	return nil
}

// CameraErase is a camera's statement that it erased a recording against a
// receipt that it verified itself.
type CameraErase struct {
	Version       int       `json:"version"` // 1
	Serial        string    `json:"serial"`
	Sequence      uint64    `json:"sequence"`
	Length        uint64    `json:"length"`
	SHA256        Digest    `json:"sha256"`
	ReceiptDigest Digest    `json:"receipt_digest"` // SHA-256 of the receipt's payload
	Method        string    `json:"method"`         // how, for example "crypto-erase" or "unlink"
	At            time.Time `json:"at"`             // the camera's clock
}

// Check implements Statement.
func (e *CameraErase) Check() error {
	if err := firstError(checkVersion("camera erase", e.Version), checkSerial(e.Serial), checkText("method", e.Method, 64)); err != nil {
		return fmt.Errorf("camera erase: %w", err)
	}
	if e.SHA256.IsZero() || e.ReceiptDigest.IsZero() || e.Method == "" {
		return fmt.Errorf("camera erase: hash, receipt or method is missing")
	}
	return nil
}

// TrustedDock is a dock that an agency's cameras open to.
type TrustedDock struct {
	Dock DockID `json:"dock"`
	Key  []byte `json:"key"` // Ed25519 public key of its statements
}

// CameraTrust tells cameras whose receipts count and which docks may unlock
// them. A camera keeps the one with the highest number and takes no lower one.
type CameraTrust struct {
	Version     int           `json:"version"` // 1
	Agency      AgencyID      `json:"agency"`
	Number      uint64        `json:"number"` // grows
	ReceiptKeys [][]byte      `json:"receipt_keys"`
	Docks       []TrustedDock `json:"docks"`
	IssuedAt    time.Time     `json:"issued_at"`
}

// Check implements Statement.
func (t *CameraTrust) Check() error {
	if err := firstError(checkVersion("camera trust", t.Version), CheckName("agency", string(t.Agency)), checkTime("issue time", t.IssuedAt)); err != nil {
		return fmt.Errorf("camera trust: %w", err)
	}
	if t.Number == 0 || len(t.ReceiptKeys) == 0 || len(t.ReceiptKeys) > 16 || len(t.Docks) > MaxTrustedDocks {
		return fmt.Errorf("camera trust: number %d, %d receipt keys and %d docks; want a number, 1 to 16 and at most %d", t.Number, len(t.ReceiptKeys), len(t.Docks), MaxTrustedDocks)
	}
	for _, k := range t.ReceiptKeys {
		if err := checkKey("receipt key", k); err != nil {
			return fmt.Errorf("camera trust: %w", err)
		}
	}
	for _, d := range t.Docks {
		if err := firstError(CheckName("dock", string(d.Dock)), checkKey("dock key", d.Key)); err != nil {
			return fmt.Errorf("camera trust: %w", err)
		}
	}
	return nil
}

// CameraSettings is a settings profile for an agency's cameras of one model.
type CameraSettings struct {
	Version  int               `json:"version"` // 1
	Agency   AgencyID          `json:"agency"`
	Number   uint64            `json:"number"` // grows; a camera takes no lower one
	Model    string            `json:"model"`  // empty: every model
	Values   map[string]string `json:"values"`
	IssuedAt time.Time         `json:"issued_at"`
}

// Check implements Statement.
func (s *CameraSettings) Check() error {
	if err := firstError(checkVersion("camera settings", s.Version), CheckName("agency", string(s.Agency)), checkText("camera model", s.Model, 256), checkTime("issue time", s.IssuedAt)); err != nil {
		return fmt.Errorf("camera settings: %w", err)
	}
	if s.Number == 0 || len(s.Values) > MaxSettings {
		return fmt.Errorf("camera settings: number %d with %d values; want a number and at most %d", s.Number, len(s.Values), MaxSettings)
	}
	for name, value := range s.Values {
		if err := firstError(CheckSettingName(name), checkText("value of "+clip(name), value, 256)); err != nil {
			return fmt.Errorf("camera settings: %w", err)
		}
	}
	return nil
}

// CheckSettingName reports whether s may name a camera setting: 1 to 64 of a-z,
// 0-9 and '_'.
func CheckSettingName(s string) error {
	if len(s) == 0 || len(s) > 64 {
		return fmt.Errorf("setting %q: want 1 to 64 characters, have %d", clip(s), len(s))
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return fmt.Errorf("setting %q: only a-z, 0-9 and '_' are allowed", clip(s))
		}
	}
	return nil
}

// DockUnlock is a dock's request to a camera to show its storage. It holds for
// the challenge that the camera gave, once.
type DockUnlock struct {
	Version int       `json:"version"` // 1
	Agency  AgencyID  `json:"agency"`
	Dock    DockID    `json:"dock"`
	Serial  string    `json:"serial"` // of the camera
	Nonce   []byte    `json:"nonce"`  // the camera's challenge, 16 bytes
	At      time.Time `json:"at"`     // UTC, the dock's clock
}

// Check implements Statement.
func (u *DockUnlock) Check() error {
	if err := firstError(checkVersion("dock unlock", u.Version), CheckName("agency", string(u.Agency)), CheckName("dock", string(u.Dock)), checkSerial(u.Serial), checkTime("time", u.At)); err != nil {
		return fmt.Errorf("dock unlock: %w", err)
	}
	if len(u.Nonce) != 16 {
		return fmt.Errorf("dock unlock: nonce of %d bytes, want 16", len(u.Nonce))
	}
	return nil
}

// Firmware describes a firmware image. Its maker signs it; cameras, docks and
// servers check it on their own.
type Firmware struct {
	Version    int       `json:"version"`     // 1
	Model      string    `json:"model"`       // the model that it is for
	Release    string    `json:"release"`     // as people call it, for example "2.4.1"
	Counter    uint64    `json:"counter"`     // grows with each release; a camera takes no lower one
	Length     uint64    `json:"length"`      // of the image, bytes
	SHA256     Digest    `json:"sha256"`      // of the image
	MinBattery int       `json:"min_battery"` // percent below which it is not applied
	ReleasedAt time.Time `json:"released_at"`
	Notes      string    `json:"notes,omitempty"` // what it changes, for people
}

// Check implements Statement.
func (f *Firmware) Check() error {
	if err := firstError(checkVersion("firmware", f.Version), checkText("model", f.Model, 256), checkText("release", f.Release, 64), checkText("notes", f.Notes, 2048), checkTime("release time", f.ReleasedAt)); err != nil {
		return fmt.Errorf("firmware: %w", err)
	}
	switch {
	case f.Model == "" || f.Release == "" || f.Counter == 0 || f.SHA256.IsZero():
		return fmt.Errorf("firmware: model, release, counter or hash is missing")
	case f.Length == 0 || f.Length > MaxFirmware:
		return fmt.Errorf("firmware: image of %d bytes, 1 to %d are taken", f.Length, MaxFirmware)
	case f.MinBattery < 0 || f.MinBattery > 100:
		return fmt.Errorf("firmware: battery of %d percent", f.MinBattery)
	}
	return nil
}

func checkVersion(what string, v int) error {
	if v != 1 {
		return fmt.Errorf("%s version %d: this program reads version 1; update the older side", what, v)
	}
	return nil
}

func checkSerial(s string) error {
	if s == "" {
		return fmt.Errorf("camera serial is missing")
	}
	return checkText("camera serial", s, 256)
}

func checkKey(what string, k []byte) error {
	if len(k) != ed25519.PublicKeySize {
		return fmt.Errorf("%s of %d bytes, want %d", what, len(k), ed25519.PublicKeySize)
	}
	return nil
}

func checkTime(what string, t time.Time) error {
	if t.IsZero() {
		return fmt.Errorf("%s is missing", what)
	}
	return nil
}

func checkOptionalName(what, s string) error {
	if s == "" {
		return nil
	}
	return CheckName(what, s)
}
