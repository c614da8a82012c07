package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Settlement is the decision that one entry of a camera's completeness report
// cannot be mended. The fields from Finding to Docking say which entry; the same
// recording missing in another way, or seen again since, is another one.
type Settlement struct {
	Agency  evidence.AgencyID
	Camera  string
	Finding string // ledger.Reason
	Path    string
	First   uint64 // numbers of the camera, 0 for none
	Last    uint64
	Item    evidence.EvidenceID // zero for none
	Docking evidence.DockingID  // where it was seen last, zero for none
	Reason  string
	By      string // user id, or "local"
	At      time.Time

	ByName string // filled by readers: what the user is called, "" where that is not known
}
