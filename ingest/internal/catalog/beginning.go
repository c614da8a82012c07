package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Beginning is the decision that a camera's numbers count from one on: what is
// below is not looked for, since the camera was used elsewhere before it came to
// the agency.
type Beginning struct {
	Agency evidence.AgencyID
	Camera string
	Number uint64 // the first that counts
	Reason string
	By     string // user id, or "local"
	At     time.Time

	ByName string // filled by readers: what the user is called, "" where that is not known
}
