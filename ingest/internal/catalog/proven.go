package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Proven is when the bytes of a stored item, or of its copy in the mirror, were last
// re-read and found right.
type Proven struct {
	ID     evidence.EvidenceID
	At     time.Time // zero: there is no copy yet
	Length uint64    // bytes of the recording
}

// ProvenTotals is how far re-reading of the store, or of the mirror, has come.
type ProvenTotals struct {
	Items  int64
	Bytes  int64
	Oldest time.Time // of all; zero where nothing is stored
}
