package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Proven is when the bytes of a stored item were last re-read and found right.
type Proven struct {
	ID     evidence.EvidenceID
	At     time.Time
	Length uint64 // bytes of the recording
}

// ProvenTotals is how far re-reading has come.
type ProvenTotals struct {
	Items  int64
	Bytes  int64
	Oldest time.Time // of all; zero where nothing is stored
}
