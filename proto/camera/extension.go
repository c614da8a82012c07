package camera

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The Sealdock extension (SPEC.md section 7): its JSON documents. Statements
// are package evidence's.
const (
	// ExtensionMark is in the vendor extension description of a camera that has
	// the extension.
	ExtensionMark = "sealdock.org: 1.0;"
	// MaxDocument bounds a data phase of the extension, in bytes, but for
	// MaxListingDocument and MaxFirmwareWrite.
	MaxDocument = 60 << 10
	// MaxListingDocument bounds the data phase of GetListing.
	MaxListingDocument = 4 << 20
	// MaxFirmwareWrite bounds one FirmwareWrite.
	MaxFirmwareWrite = 1 << 20
	// ChallengeSize is the length in bytes of a challenge.
	ChallengeSize = 16
)

// HasExtension reports whether a camera has the Sealdock extension.
func (d *DeviceInfo) HasExtension() bool {
	if !strings.Contains(d.VendorDesc.String(), ExtensionMark) {
		return false
	}
	for _, op := range []Operation{OpGetCameraStatus, OpProveIdentity, OpGetListing, OpEraseRecording, OpGetTime, OpSetTime} {
		if !d.Supports(op) {
			return false
		}
	}
	return true
}

// Indicator is what a camera's light tells.
type Indicator uint32

// The indicators.
const (
	IndicatorOff       Indicator = 0
	IndicatorBusy      Indicator = 1
	IndicatorSafe      Indicator = 2
	IndicatorAttention Indicator = 3
)

// Status is the document of GetCameraStatus.
type Status struct {
	Version         int    `json:"version"` // of the extension: 1
	Serial          string `json:"serial"`
	Model           string `json:"model"`
	Firmware        string `json:"firmware"`
	FirmwareCounter uint64 `json:"firmware_counter"`
	Slot            string `json:"slot"`                // "a" or "b"
	Agency          string `json:"agency,omitempty"`    // whose camera it is
	Authority       string `json:"authority,omitempty"` // hex SHA-256 of the camera authority's key
	Trust           uint64 `json:"trust"`               // number of its trust statement, 0 none
	Settings        uint64 `json:"settings"`            // number of its settings, 0 none
	Locked          bool   `json:"locked"`
	Challenge       []byte `json:"challenge,omitempty"` // to be signed in a DockUnlock
	Battery         int    `json:"battery"`             // percent, -1 unknown
	Charging        bool   `json:"charging"`
	Recording       bool   `json:"recording"`
	Boot            uint64 `json:"boot"` // counts the starts
	Next            uint64 `json:"next"` // the number that the next recording will get
	Capacity        uint64 `json:"capacity"`
	Free            uint64 `json:"free"`
	StorageHealth   string `json:"storage_health"` // "good", "worn" or "failing"
	WearerID        string `json:"wearer_id,omitempty"`
}

// Adoption is the document of Adopt.
type Adoption struct {
	Authority   []byte `json:"authority"`             // Ed25519 public key
	Certificate []byte `json:"certificate,omitempty"` // envelope of a CameraCertificate
}

// Listing is the document of GetListing.
type Listing struct {
	Parts [][]byte `json:"parts"` // envelopes of CameraListing
}

// Time is the document of GetTime and SetTime. All in microseconds.
type Time struct {
	Clock       int64 `json:"clock_us"`                 // since 1970 UTC
	Uncertainty int64 `json:"uncertainty_us,omitempty"` // of what is set
	Set         int64 `json:"set_us,omitempty"`         // when it was last set, by the clock that was set
	SetAhead    int64 `json:"set_ahead_us,omitempty"`   // how far ahead the clock was before that
}

// Wearer is the document of AssignWearer. Empty: the camera is nobody's.
type Wearer struct {
	Officer   string `json:"officer,omitempty"`
	OfficerID string `json:"officer_id,omitempty"`
}

// FirmwareState says how far an update has come.
type FirmwareState string

// The states of an update.
const (
	FirmwareIdle    FirmwareState = "idle"    // nothing staged
	FirmwareStaging FirmwareState = "staging" // an image is coming in
	FirmwareStaged  FirmwareState = "staged"  // it is whole; FirmwareApply may follow
	FirmwareTrial   FirmwareState = "trial"   // running from the new slot, not yet confirmed
	FirmwareFailed  FirmwareState = "failed"  // the last update went back to the slot before
)

// FirmwareStatus is the document of GetFirmwareStatus.
type FirmwareStatus struct {
	State    FirmwareState `json:"state"`
	Received uint64        `json:"received"` // bytes of the image that are there
	Length   uint64        `json:"length"`
	Release  string        `json:"release,omitempty"` // of the image
	Message  string        `json:"message,omitempty"` // for people
}

// EncodeDocument returns the JSON of one of the documents above.
func EncodeDocument(document any) ([]byte, error) {
	b, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encoding a document of the camera: %w", err)
	}
	return b, nil
}

// DecodeDocument reads a document of at most limit bytes into one of the types
// above, and bounds its texts. Fields that are not known are ignored.
func DecodeDocument(b []byte, limit int, document any) error {
	if len(b) > limit {
		return fmt.Errorf("%w: a document of %d bytes, at most %d are read", ErrMalformed, len(b), limit)
	}
	if !utf8.Valid(b) {
		return fmt.Errorf("%w: a document that is not UTF-8", ErrMalformed)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(document); err != nil {
		return fmt.Errorf("%w: a document: %w", ErrMalformed, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: more than one document", ErrMalformed)
	}
	return checkDocument(document)
}

func checkDocument(document any) error {
	var texts []string
	switch d := document.(type) {
	case *Status:
		texts = []string{d.Serial, d.Model, d.Firmware, d.Slot, d.Agency, d.Authority, d.StorageHealth, d.WearerID}
		if d.Version < 1 || d.Battery < -1 || d.Battery > 100 || len(d.Challenge) != 0 && len(d.Challenge) != ChallengeSize {
			return fmt.Errorf("%w: a status with version %d, charge %d, challenge of %d bytes", ErrMalformed, d.Version, d.Battery, len(d.Challenge))
		}
	case *Adoption:
		if len(d.Authority) != 32 {
			return fmt.Errorf("%w: an authority's key of %d bytes, want 32", ErrMalformed, len(d.Authority))
		}
	case *Listing:
		if len(d.Parts) == 0 {
			return fmt.Errorf("%w: a listing without parts", ErrMalformed)
		}
	case *Time:
		const most = 253_402_300_799_999_999 // the end of the year 9999
		if d.Clock < -most || d.Clock > most || d.Uncertainty < 0 {
			return fmt.Errorf("%w: a clock out of bounds", ErrMalformed)
		}
	case *Wearer:
		texts = []string{d.Officer, d.OfficerID}
	case *FirmwareStatus:
		texts = []string{string(d.State), d.Release, d.Message}
	default:
		return fmt.Errorf("%T is no document of the camera", document)
	}
	for _, s := range texts {
		if len(s) > 1024 {
			return fmt.Errorf("%w: a text of %d bytes, at most 1024 are taken", ErrMalformed, len(s))
		}
	}
	return nil
}
