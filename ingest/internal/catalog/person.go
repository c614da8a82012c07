package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// User is a person who may sign in.
type User struct {
	ID                string // made by the caller, unique for good
	Agency            evidence.AgencyID
	Login             string // unique, compared in lower case
	Name              string
	Email             string
	Password          string // PHC string
	Role              string // id of the role of the account
	OfficerID         string // as assignments and cameras name the person; "": they do not
	CreatedAt         time.Time
	PasswordChangedAt time.Time
	LastSignInAt      time.Time
	DisabledAt        time.Time // zero: may sign in
	DormantAt         time.Time // when it was disabled because nobody used it; zero: it was not
	EnabledAt         time.Time // when it was last enabled after it was disabled; zero: never
}

// UsedAt is when the account was last used, or its person was last let in again.
func (u *User) UsedAt() time.Time {
	last := u.CreatedAt
	for _, t := range []time.Time{u.LastSignInAt, u.EnabledAt} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// Session is one signed-in browser. Only the hash of its token is kept.
type Session struct {
	TokenHash  evidence.Digest
	User       string // user id
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // absolute; how long it may idle is the caller's rule
	Address    string
	Agent      string
	Factor     string    // what the person showed last in it
	FactorAt   time.Time // and when
	MustEnrol  bool      // it is for the person's own account alone, until there is a second factor
}

// SetupToken lets the first user be made, once.
type SetupToken struct {
	Hash      evidence.Digest
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
}

// LoginFailure is one refused sign-in, for a login that may not even exist.
type LoginFailure struct {
	Login   string
	Address string
	At      time.Time
}

// Setting is one value of the running configuration.
type Setting struct {
	Agency    evidence.AgencyID
	Name      string
	Value     string
	UpdatedAt time.Time
	UpdatedBy string // user id, or "local"
}
