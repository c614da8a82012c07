package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// APIToken is what is kept of a token with which a program asks in a person's name.
type APIToken struct {
	ID          string
	Hash        evidence.Digest // of its secret
	User        string
	Name        string   // one of a kind for each user
	Scopes      []string // actions
	Networks    []string // from where alone it is taken; none: from everywhere
	Client      string   // the kind of program: api or mobile
	CreatedAt   time.Time
	ExpiresAt   time.Time
	LastUsedAt  time.Time // zero: never
	LastAddress string
}

// KeptAnswer is what came of a request with an Idempotency-Key.
type KeptAnswer struct {
	Actor       string // whose key it is
	Key         string
	Fingerprint evidence.Digest // of the request
	Status      int             // 0: not answered yet
	Header      string          // JSON
	Body        string
	Kept        bool // Header and Body are what was answered
	CreatedAt   time.Time
}
