package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// RequestState is how a request for an act stands.
type RequestState string

// The states. A request waits, and then comes to one of the others, once.
const (
	RequestWaits     RequestState = "waiting"
	RequestApproved  RequestState = "approved" // whoever asked may do it, once, until UseUntil
	RequestDone      RequestState = "done"
	RequestRefused   RequestState = "refused"
	RequestWithdrawn RequestState = "withdrawn"
)

// ActRequest is an act that somebody asked for, and that waits for a second person.
type ActRequest struct {
	Agency  evidence.AgencyID
	ID      string // 16 hex digits, random
	User    string // user id of who asked
	Action  string
	Objects string          // what it is done on, as the caller writes it
	About   string          // the same as custody events name it
	Asked   []byte          // all that was asked, in its one form
	Digest  evidence.Digest // SHA-256 of Asked
	Event   int64           // row of the event that tells of it, with the digest
	Device  string          // browser that it was asked with; "": none that is known
	Later   bool            // who asked does it, once it is approved
	AskedAt time.Time
	Lapses  time.Time // nobody approves it from then on
	State   RequestState

	DecidedBy string // user id
	DecidedAt time.Time
	Reason    string    // with a refusal
	UseUntil  time.Time // with RequestApproved
}
