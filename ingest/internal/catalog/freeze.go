package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// FreezeScope says of what nothing may be deleted.
type FreezeScope string

// The scopes of a freeze.
const (
	FreezeAgency  FreezeScope = "agency"  // of anything
	FreezeStation FreezeScope = "station" // recordings that came in at it
	FreezeCamera  FreezeScope = "camera"  // by serial number
	FreezeOfficer FreezeScope = "officer" // by id: whom the recording names, or whose the camera was
	FreezeItem    FreezeScope = "item"
)

// Freeze stops all deletion in its scope, while it is in force.
type Freeze struct {
	Agency    evidence.AgencyID
	ID        string // 16 hex digits
	Scope     FreezeScope
	Value     string // which station, camera, officer or item; "" with FreezeAgency
	Reason    string
	By        string // user id, or "local"
	At        time.Time
	EndReason string
	EndedBy   string
	EndedAt   time.Time // zero: in force
}
