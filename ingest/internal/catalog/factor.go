package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Passkey is a WebAuthn credential of a user.
type Passkey struct {
	ID         string // the credential's own, base64url without padding
	User       string
	Name       string
	Credential string // public key and flags, JSON
	SignCount  uint32
	CreatedAt  time.Time
	LastUsedAt time.Time
}

// Authenticator is a user's app that makes time-based codes. There is one at
// most.
type Authenticator struct {
	User       string
	Secret     string // sealed by the caller
	LastStep   int64  // no code of this time step or of an earlier one is taken
	CreatedAt  time.Time
	LastUsedAt time.Time
}

// PlaceKind tells what a user was seen at before.
type PlaceKind string

// The kinds of places.
const (
	PlaceDevice  PlaceKind = "device"
	PlaceNetwork PlaceKind = "network"
)

// Ceremony is something with several steps that waits for the next one, such as
// a sign-in whose second factor is still wanted. Only the hash of its token is
// kept.
type Ceremony struct {
	TokenHash evidence.Digest
	Kind      string
	User      string          // "": not known yet
	Session   evidence.Digest // of which session it is a part; zero: of none
	Data      string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Phone is where codes are sent to a user, by SMS or by a call. There is one at
// most.
type Phone struct {
	User       string
	Number     string // sealed by the caller
	NumberKey  string // under what the number is counted
	Channel    string // sms or call
	CreatedAt  time.Time
	LastUsedAt time.Time
}

// PhoneCode is a code that was sent to a phone and is not used yet. It belongs to
// the sign-in or session that it was sent for.
type PhoneCode struct {
	BoundTo   evidence.Digest
	Purpose   string
	User      string
	Number    string // sealed by the caller
	NumberKey string
	Channel   string
	Hash      evidence.Digest
	SentAt    time.Time
	ExpiresAt time.Time
}

// PhoneSends is how many codes were sent in a time.
type PhoneSends struct{ User, Number, Agency int64 }
