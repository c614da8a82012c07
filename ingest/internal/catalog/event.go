package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// EventRow is one custody event as it is kept. JSON is what was hashed into the
// log; the columns beside it only serve searching and are checked against it.
type EventRow struct {
	ID       int64 // row id; grows, not dense
	Agency   evidence.AgencyID
	Type     evidence.EventType
	At       time.Time
	ActorID  string
	Object   string
	JSON     []byte
	Salt     []byte // 32 random bytes
	LogIndex *int64 // index in the custody log, nil before it is sequenced
}

// EventFilter says which events a list holds: all conditions that are set apply.
type EventFilter struct {
	Agency  evidence.AgencyID // required
	Object  string
	Type    evidence.EventType
	ActorID string
	From    time.Time
	To      time.Time
	Before  int64 // only rows with a smaller id; 0 for the newest. The last row's ID pages on
}

// LogState is the head of the custody log in the catalog.
type LogState struct {
	Assigned   int64 // indices given to events: the log's size when all is written
	Size       int64 // size of the last signed checkpoint
	Root       [32]byte
	Checkpoint []byte // C2SP tlog-checkpoint, nil before the first
	Holder     string // process that writes the log
	Fence      int64  // grows with each new holder: who has an older one may write no more
	LeaseUntil time.Time
}
