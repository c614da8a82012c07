package evidence

import (
	"fmt"
	"time"
)

// MaxInventory is how many recordings one inventory may list.
const MaxInventory = 10_000

// Inventory is a dock's signed list of all that a camera showed in one
// docking. A listing longer than MaxInventory is sent in parts.
type Inventory struct {
	Version    int             `json:"version"` // 1
	Agency     AgencyID        `json:"agency"`
	Station    StationID       `json:"station"`
	Dock       DockID          `json:"dock"`
	Bay        string          `json:"bay"`
	Docking    DockingID       `json:"docking"`
	Part       int             `json:"part"` // from 1
	Parts      int             `json:"parts"`
	TakenAt    time.Time       `json:"taken_at"` // UTC, the dock's clock
	Camera     CameraInfo      `json:"camera"`
	Recordings []RecordingInfo `json:"recordings"`
	Warnings   []string        `json:"warnings,omitempty"` // what in the listing was not as the standard wants

	Battery  *int      `json:"battery,omitempty"`   // percent
	Next     uint64    `json:"next,omitempty"`      // the number that the camera's next recording will get; 0: it does not count
	Clocks   *Clocks   `json:"clocks,omitempty"`    // the camera's clock at this docking
	ClockSet *Offset   `json:"clock_set,omitempty"` // camera ahead of dock after its clock was set at this docking
	Findings []Finding `json:"findings,omitempty"`
	Proof    []byte    `json:"proof,omitempty"`    // envelope of the camera's CameraProof
	Listings [][]byte  `json:"listings,omitempty"` // envelopes of parts of the CameraListing; the others are in the other parts of the inventory
	Journal  uint64    `json:"journal,omitempty"`  // counts the dock's dockings, never backwards
}

// FindingCode names what was found about a camera.
type FindingCode string

// What a dock finds.
const (
	FoundTwin           FindingCode = "twin"            // two cameras with this serial are docked
	FoundNoSerial       FindingCode = "no_serial"       // the camera tells none
	FoundForeign        FindingCode = "foreign"         // a camera of another agency
	FoundKeyChanged     FindingCode = "key_changed"     // this serial came with another key before
	FoundKeyFailed      FindingCode = "key_failed"      // the proof of the key does not hold
	FoundKeyUnknown     FindingCode = "key_unknown"     // nobody has approved this key yet
	FoundListingFailed  FindingCode = "listing_failed"  // the camera's signed listing does not hold, or differs from what it shows
	FoundIncomplete     FindingCode = "incomplete"      // the camera shows something that cannot be taken in
	FoundClockWrong     FindingCode = "clock_wrong"     // the camera's clock was off by more than a minute
	FoundHashDiffers    FindingCode = "hash_differs"    // footage is not what a hash that came with it says
	FoundOddDescriptors FindingCode = "odd_descriptors" // it shows interfaces that no camera needs, a keyboard for example
	FoundFirmware       FindingCode = "firmware"        // the camera did not take new firmware, or went back from it
	FoundStaleJournal   FindingCode = "stale_journal"   // the dock's journal is older than what the server has seen
)

// Finding is something about a camera that people must know of. The server
// makes an alert of it.
type Finding struct {
	Code    FindingCode `json:"code"`
	Message string      `json:"message"`
}

// Check implements Statement.
func (v *Inventory) Check() error {
	if v.Version != 1 {
		return fmt.Errorf("inventory version %d: this program reads version 1; update the older side", v.Version)
	}
	if v.Part < 1 || v.Parts < v.Part || v.Parts > 1000 {
		return fmt.Errorf("inventory: part %d of %d", v.Part, v.Parts)
	}
	if len(v.Recordings) > MaxInventory || len(v.Warnings) > 100 {
		return fmt.Errorf("inventory: %d recordings and %d warnings, at most %d and 100 are taken", len(v.Recordings), len(v.Warnings), MaxInventory)
	}
	if v.TakenAt.IsZero() {
		return fmt.Errorf("inventory: time is missing")
	}
	if err := firstError(CheckName("agency", string(v.Agency)), CheckName("station", string(v.Station)), CheckName("dock", string(v.Dock)),
		checkText("bay", v.Bay, 64), v.Camera.check()); err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	for i := range v.Recordings {
		if err := v.Recordings[i].check(); err != nil {
			return fmt.Errorf("inventory, recording %d: %w", i, err)
		}
		if v.Recordings[i].Kind == KindDerivative {
			return fmt.Errorf("inventory, recording %d: no camera holds a derivative", i)
		}
	}
	if len(v.Findings) > 100 || len(v.Proof) > 16<<10 || len(v.Listings) > 16 {
		return fmt.Errorf("inventory: %d findings, proof of %d bytes or %d listings are more than are taken", len(v.Findings), len(v.Proof), len(v.Listings))
	}
	for _, f := range v.Findings {
		if err := firstError(CheckSettingName(string(f.Code)), checkText("finding", f.Message, 1024)); err != nil {
			return fmt.Errorf("inventory: %w", err)
		}
	}
	if v.Clocks != nil {
		if err := v.Clocks.check(); err != nil {
			return fmt.Errorf("inventory: %w", err)
		}
	}
	if err := v.ClockSet.check("camera clock's setting"); err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	for _, w := range v.Warnings {
		if err := checkText("warning", w, 1024); err != nil {
			return fmt.Errorf("inventory: %w", err)
		}
	}
	return nil
}
