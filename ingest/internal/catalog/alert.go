package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// AlertCode names what an alert is about: an evidence.FindingCode, or one of
// those that the server finds by itself.
type AlertCode string

// What the server finds by itself. docs/cameras.md says what each one means and
// what to do.
const (
	AlertVanished      AlertCode = "vanished"          // recordings that were shown are gone from the camera without a release
	AlertGap           AlertCode = "sequence_gap"      // numbers that the camera has given out were never shown
	AlertCountedBack   AlertCode = "counted_back"      // the camera's count is lower than it was
	AlertNumberReused  AlertCode = "number_reused"     // two recordings with one number
	AlertShrank        AlertCode = "size_shrank"       // a recording is shorter than it was
	AlertErasedBare    AlertCode = "erased_bare"       // a dock tells of an erasure that no receipt of ours allows
	AlertKeyMissing    AlertCode = "key_missing"       // a camera with an approved key came without one
	AlertBlocked       AlertCode = "blocked"           // a camera with a blocked key was docked
	AlertDockingReused AlertCode = "docking_reused"    // a dock tells of a docking that is another dock's or another camera's
	AlertSpoolFilling  AlertCode = "spool_filling"     // a dock's spool holds 70, 85 or 95 % of its quota; About says which
	AlertStoreFull     AlertCode = "store_full"        // the evidence store takes nothing more
	AlertDamaged       AlertCode = "evidence_damaged"  // stored bytes are not what they were; the item is in quarantine
	AlertHealed        AlertCode = "evidence_healed"   // stored bytes were damaged or gone, and were put back from a copy
	AlertMirror        AlertCode = "mirror_failing"    // the mirror is not there, is full, or gives back what it was not given
	AlertUnproven      AlertCode = "evidence_unproven" // a stored item could not be proven again: missing, unreadable, or its records do not hold
	AlertOrphans       AlertCode = "store_orphans"     // the store holds blobs that no item names
	AlertLogSetBack    AlertCode = "log_set_back"      // somebody has a checkpoint that this server signed and does not know any more
	AlertLogLost       AlertCode = "log_entries_lost"  // a dock has seen entries that the backup did not have from which the server was restored
	AlertUnstamped     AlertCode = "log_unstamped"     // the time-stamp authority gives no tokens
	AlertUnwitnessed   AlertCode = "log_unwitnessed"   // a witness has not cosigned the custody log for hours
	AlertWebhook       AlertCode = "webhook_disabled"  // a webhook was disabled: its receiver took nothing for days, or said that it is gone
	AlertCertificate   AlertCode = "web_certificate"   // browsers' certificate ends soon, or the one that should take its place is of no use; About says which
	AlertContradicted  AlertCode = "log_contradicted"  // a witness has seen more of the log, or another one
)

// Severity says how soon people must look.
type Severity string

// The severities.
const (
	SeverityUrgent  Severity = "urgent"  // evidence may be lost or somebody tampers
	SeverityWarning Severity = "warning" // somebody must decide or repair
	SeverityNotice  Severity = "notice"  // worth knowing
)

// Alert is something that people must know of, until one of them has
// acknowledged it or the server has seen its end. The same thing again does not
// make another alert, it counts up.
type Alert struct {
	Agency         evidence.AgencyID
	ID             string // 32 hex digits, random
	Code           AlertCode
	Severity       Severity
	Object         string             // as in events: camera:SERIAL, dock:NAME, item:ID
	Station        evidence.StationID // of the dock, of the camera's last dock, or of the item; "": of none, as what is the server's
	About          string             // what of the object, for example a docking; "" for the object as such
	Message        string
	RaisedAt       time.Time
	LastAt         time.Time // last time that it was seen
	Count          int64     // how often it was seen
	AcknowledgedBy string    // user id, or "local"
	AcknowledgedAt time.Time
	ClearedAt      time.Time // the server saw that it is over
}

// Open says whether the alert waits for people.
func (a *Alert) Open() bool { return a.AcknowledgedAt.IsZero() && a.ClearedAt.IsZero() }

// AlertFilter says which alerts a list holds: all conditions that are set apply.
type AlertFilter struct {
	Agency evidence.AgencyID // required
	Object string
	Code   AlertCode
	Open   bool   // only those that wait for people
	Within *Reach // only those that somebody may see, as Reach.HoldsStation says of their stations; nil: all of the agency

	// Before are those behind this one in a list; zero: all.
	BeforeAt time.Time
	BeforeID string
}
