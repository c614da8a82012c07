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
	}
	for _, w := range v.Warnings {
		if err := checkText("warning", w, 1024); err != nil {
			return fmt.Errorf("inventory: %w", err)
		}
	}
	return nil
}
