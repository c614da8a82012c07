package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Webhook is somebody outside who is told of custody events.
type Webhook struct {
	Agency       evidence.AgencyID
	ID           string // 16 hex digits, random
	Name         string // unique in the agency
	URL          string
	Types        []evidence.EventType
	Secret       string // sealed by the caller
	FormerSecret string // as Secret; "": there is none
	FormerUntil  time.Time
	MadeAt       time.Time
	MadeBy       string // user id
	DisabledAt   time.Time
	DisabledWhy  string

	WebhookProgress
	Holder     string // process that sends, "node#instance"
	LeaseUntil time.Time
}

// WebhookProgress is how far a webhook has come.
type WebhookProgress struct {
	Next         int64     // index in the custody log that is looked at next
	Attempts     int64     // at what stands there, that failed
	TryAt        time.Time // nothing is sent before
	FailingSince time.Time // zero: the last attempt was taken
}

// Delivery is one attempt at a message.
type Delivery struct {
	Webhook  string
	Number   int64  // 1 is the first of the webhook
	Message  string // the id that the receiver sees
	Type     evidence.EventType
	LogIndex int64 // -1: it was a test
	Attempt  int64 // 1 is the first of the message
	At       time.Time
	Took     time.Duration
	Status   int    // of HTTP; 0: there was no answer
	Trouble  string // why it was not taken; "": it was
}
