package api

import (
	"context"
	"errors"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

// KeyWork is what administrators may do about the agency's key pairs from afar. The
// server's wiring is one. Whoever asks has a session that showed a factor within the
// last 5 minutes, or gives the proof. Errors wrap auth.ErrForbidden, auth.ErrFreshFactor,
// auth.ErrFactor, auth.ErrSignIn, ErrRotating, catalog.ErrNotFound, or are a *Refused.
type KeyWork interface {
	Keys(ctx context.Context, actor *auth.Actor) ([]KeyPair, error)
	Rotate(ctx context.Context, actor *auth.Actor, proof auth.Proof) (*Rotation, error)
	// Retire destroys an older key pair, on which nothing stands any more.
	Retire(ctx context.Context, actor *auth.Actor, key string, both *Both) error
	// Escrow returns all keys as a file that opens with the passphrases of both.
	Escrow(ctx context.Context, actor *auth.Actor, both *Both) ([]byte, error)
	// TakeBack puts back the key pairs that are needed and missing from an escrow.
	TakeBack(ctx context.Context, actor *auth.Actor, both *Both, from *OpenEscrow) ([]string, error)
	// Drill plays the loss of the keys with an escrow, opening so many recordings.
	Drill(ctx context.Context, actor *auth.Actor, proof auth.Proof, from *OpenEscrow, sample int) (*Drill, error)
	// Destroy overwrites an item's keys for good.
	Destroy(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID, both *Both, reason string) (*Destruction, error)
}

// ErrRotating: the keys are being rotated already.
var ErrRotating = errors.New("the keys are being rotated at this moment: wait for that")

// KeyPair is one of the agency's, with what stands on it.
type KeyPair struct {
	ID      string     `json:"id"`
	Number  int        `json:"number"`
	MadeAt  *time.Time `json:"made_at"`
	Newest  bool       `json:"newest"`
	Gone    bool       `json:"gone,omitempty" jsonschema:"things stand on it, and it is not on this server"`
	Wrapped int64      `json:"wrapped" jsonschema:"recordings' keys"`
	Docks   int64      `json:"docks" jsonschema:"that wrap to it"`
}

// Rotation is what a rotation did.
type Rotation struct {
	Key       string `json:"key" jsonschema:"to which everything is wrapped now"`
	Made      bool   `json:"made" jsonschema:"false: a former rotation was gone on with"`
	Rewrapped int64  `json:"rewrapped"`
	Unopened  int64  `json:"unopened" jsonschema:"keys that open with no pair, left as they are"`
}

type keysAnswer struct {
	Keys []KeyPair `json:"keys"`
}

func (a *api) keys(r *Request, _ *Nothing) (keysAnswer, error) {
	pairs, err := a.Keys.Keys(r.Context(), r.Actor)
	return keysAnswer{pairs}, err
}

// rotate answers when all is wrapped: about 2700 recordings a second. Who asked may
// go; it goes on.
func (a *api) rotate(r *Request, wanted *Shown) (*Rotation, error) {
	return a.Keys.Rotate(context.WithoutCancel(r.Context()), r.Actor, wanted.proof())
}
