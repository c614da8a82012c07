package catalog

import "time"

// LogRestore is one restore of the custody log from a backup: the log goes on from
// there under another name.
type LogRestore struct {
	Number     int    // from 1 on
	Size       int64  // entries of the log that the backup had; what came after them is lost
	Checkpoint []byte // the newest that it had
	Newest     int64  // the most entries that the log is known to have had then; not below Size
	Reason     string
	By         string // who, for people
	At         time.Time
}
