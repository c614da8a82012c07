package kiosk

import "time"

// Unknown stands for a number that nobody has told yet, where 0 means zero.
const Unknown = -1

// Dock is what the page shows at one moment. All text is cleaned, stripped of
// file names and hashes, and cut before it is shown.
type Dock struct {
	Name    string
	Station string

	Connected bool   // a session with the server is open
	Server    string // a sentence on it, may be empty

	SpoolUsed  uint64    // bytes
	SpoolQuota uint64    // bytes; 0 is no limit
	Waiting    uint64    // recordings that wait here for the server
	ClearAt    time.Time // when all of them will be there; zero: not told

	Alerts []string // sentences on the dock as a whole
	Bays   []Bay    // in the order of the page; the first 128 are shown
}

// Bay is one place for a camera.
type Bay struct {
	Port  string // names the bay to Options.Urgent, and is not shown
	Label string // what stands on the dock beside it, such as "3"

	State string // a bay word of proto/upload/SPEC.md section 6
	// Sentence is shown for reading, attention and unknown states, which need
	// words. The other states have sentences of their own.
	Sentence string

	BytesDone  uint64
	BytesTotal uint64
	Rate       uint64    // bytes a second; 0 shows none
	TimeToGo   int64     // seconds until all is copied, or Unknown
	ClearAt    time.Time // when all of it will be at the server; zero: not told

	RecordingsSafe  uint64 // with a verified receipt
	RecordingsTotal uint64

	Battery  int // percent, or Unknown
	Charging bool

	Officer string // who wears the camera; empty: not told
	// Registered says that the agency knows the camera: without an officer it
	// is then "not assigned", else "unknown".
	Registered bool
	Serial     string // short form, may be empty

	Safe     bool // the camera may be taken out
	Urgent   bool
	Firmware int // percent of a running update of the camera, or Unknown

	Alerts []string // sentences, the newest last
}
