package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// EventRow is one custody event as it is kept. JSON is what was hashed into the
// log; the columns beside it only serve searching and are checked against it.
type EventRow struct {
	ID        int64 // row id; grows, not dense
	Agency    evidence.AgencyID
	Type      evidence.EventType
	At        time.Time
	ActorKind string
	ActorID   string
	Object    string
	Outcome   evidence.Outcome
	Source    string // see KeptSource
	JSON      []byte
	Salt      []byte // 32 random bytes
	LogIndex  *int64 // index in the custody log, nil before it is sequenced
}

// KeptSource is what the column beside an event holds of its source: its first 128
// characters.
func KeptSource(source string) string {
	if n := []rune(source); len(n) > 128 {
		return string(n[:128])
	}
	return source
}

// EventSearch says which events a search of the custody log finds: all conditions
// that are set apply.
type EventSearch struct {
	Agency    evidence.AgencyID // required
	ActorKind string
	ActorID   string
	Object    string
	Types     []evidence.EventType // one of these
	Outcome   evidence.Outcome
	NotDone   bool // refused or failed
	Source    string
	From      time.Time // at or after
	To        time.Time // before
	Until     int64     // only rows with a smaller id: what a search finds stands still while one pages; 0: all
}

// EventPlace is where a page of a search ended. The zero value is its beginning.
type EventPlace struct {
	At time.Time
	ID int64
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
