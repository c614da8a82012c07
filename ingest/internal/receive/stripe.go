package receive

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// joinAgain is when a dock may ask again for a recording that is not open, or
// not open any more: its Offer may be under way on another connection.
const joinAgain = 200 * time.Millisecond

// errEnded ends the stripes of a recording that has come to its end.
var errEnded = errors.New("the recording stream has ended")

// stripe serves a stream that began with a Join.
func (o *other) stripe(ctx context.Context, join *upload.Join) error {
	id, err := evidence.ParseEvidenceID(join.GetEvidenceId())
	if err != nil {
		return err
	}
	opened, err := o.session.open.join(o.session.peer, id, join.GetAttempt())
	if err != nil {
		return err
	}
	defer opened.streams.Done()
	err = o.carry(ctx, opened)
	switch {
	case errors.Is(err, errEnded) && opened.failed == nil:
		return nil // Finish came: all is here
	case errors.Is(err, errEnded):
		return again("the recording's own stream has ended: offer it again")
	case spoils(err):
		opened.stop(err)
	}
	return err
}

// spoils says whether what ended a stripe is the recording's trouble, and not
// the stripe's or its dock's.
func spoils(err error) bool {
	var gone *goneError
	if err == nil || errors.As(err, &gone) {
		return false
	}
	refused, _ := refusal(err)
	return refused.Code != upload.CodeRetryLater && refused.Code != upload.CodeBadFrame
}

func again(format string, args ...any) *upload.Error {
	refused := upload.Errorf(upload.CodeRetryLater, format, args...)
	refused.RetryAfter = joinAgain
	return refused
}

// open knows the recordings whose streams have their Accept, for stripes to find
// them. Safe for concurrent use.
type open struct {
	mu         sync.Mutex // guards recordings, and the fields of each that say so
	recordings map[openName]*opened
}

type openName struct {
	dockName
	evidence evidence.EvidenceID
}

// opened is one recording on its way, with all its streams.
type opened struct {
	name      openName
	admission *Admission
	transfer  *Transfer

	ctx     context.Context         // ends when no stream may go on; its cause says why
	stop    context.CancelCauseFunc // ends ctx
	ended   bool                    // guarded by open.mu: no stripe may join any more
	streams sync.WaitGroup          // of the stripes; added to under open.mu
	failed  error                   // why the recording stream ended; set before ctx ends with errEnded
}

func (o *open) add(peer Peer, admission *Admission, transfer *Transfer) *opened {
	n := &opened{name: openName{dockName{peer.Agency, peer.Dock}, admission.Item.Evidence}, admission: admission, transfer: transfer}
	n.ctx, n.stop = context.WithCancelCause(context.Background())
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.recordings == nil {
		o.recordings = map[openName]*opened{}
	}
	o.recordings[n.name] = n
	return n
}

func (o *open) join(peer Peer, id evidence.EvidenceID, attempt uint32) (*opened, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.recordings[openName{dockName{peer.Agency, peer.Dock}, id}]
	if n == nil {
		return nil, again("no stream of this dock has opened item %v: offer it first", id)
	}
	if want := n.admission.Item.Attempt; attempt != want {
		return nil, upload.Errorf(upload.CodeConflict, "attempt %d of item %v is on its way, not %d", want, id, attempt)
	}
	n.streams.Add(1)
	return n, nil
}

// end lets no stripe go on and waits until all have ended, with what they had
// read whole. failed says why, nil when all went well; the first call counts.
func (o *open) end(n *opened, failed error) {
	o.mu.Lock()
	if o.recordings[n.name] == n {
		delete(o.recordings, n.name)
	}
	first := !n.ended
	n.ended = true
	o.mu.Unlock()
	if first {
		n.failed = failed
		n.stop(errEnded)
	}
	n.streams.Wait()
}
