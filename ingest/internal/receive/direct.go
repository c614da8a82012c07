package receive

import (
	"context"
	"sync"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Directions says how docks are to send. Safe for concurrent use.
type Directions interface {
	// Direction returns the present direction of a dock, and a channel that is
	// closed when it changes. nil is no limit and no order. What is returned is
	// never changed any more.
	Direction(dock Peer) (direction *upload.Direction, changed <-chan struct{})
}

// Observer hears what docks report, from many goroutines at once. It must not
// keep them waiting, nor change what it is given.
type Observer interface {
	Status(dock Peer, status *upload.Status)
	Queue(dock Peer, queue *upload.Queue)
	Gone(dock Peer) // its last connection has ended
}

// errDismissed is what a dock hears that was let in once and is no longer.
var errDismissed = upload.Errorf(upload.CodeUnknownDevice, "this dock is no longer let in at the server")

// Dismiss ends all connections of a dock that is not to be let in any more; that
// it gets no new one is for the Acceptor to see to. A dock that is not connected
// is none of its business. Safe for concurrent use.
func (r *Receiver) Dismiss(agency evidence.AgencyID, dock evidence.DockID) {
	r.all.dismiss(dockName{agency, dock})
}

// talk is the server's side of a control stream. Safe for concurrent use.
type talk struct {
	stream stream
	mu     sync.Mutex // one frame at a time
}

func (t *talk) write(m upload.Message) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return upload.WriteMessage(t.stream, m)
}

// direct tells the dock how to send: the first word returns when it is written,
// the others follow until ctx ends, in a goroutine that running counts.
// It ends the connection, by calling end, when the dock is dismissed.
func (s *session) direct(ctx context.Context, control *talk, running *sync.WaitGroup, end context.CancelCauseFunc) error {
	direction, changed := s.direction()
	if err := control.write(direction); err != nil {
		return err
	}
	// A dock that reads nothing holds nobody up at the end.
	release := context.AfterFunc(ctx, func() { control.stream.SetWriteDeadline(time.Now().Add(endTime)) })
	running.Go(func() {
		defer release()
		draining := s.drain.begun
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.dismissed:
				control.write(errDismissed)
				end(errDismissed)
				return
			case <-draining:
				draining = nil
			case <-changed:
			}
			direction, changed = s.direction()
			if control.write(direction) != nil {
				return // the reading side finds out why
			}
		}
	})
	return nil
}

// direction is what the dock is to hear at this moment.
func (s *session) direction() (*upload.Direction, <-chan struct{}) {
	var told *upload.Direction
	var changed <-chan struct{}
	if s.options.Directions != nil {
		told, changed = s.options.Directions.Direction(s.peer)
	}
	if told != nil {
		if err := told.Validate(); err != nil {
			s.log.Error("a direction is not fit to be sent; the dock is told of no limit and no order", "error", err)
			told = nil
		}
	}
	within, draining := s.drain.state()
	if !draining {
		within = backWithin(s.all.count())
	}
	if draining || within > 0 {
		told = &upload.Direction{
			Limited: told.GetLimited(), BytesPerSecond: told.GetBytesPerSecond(), LimitWhy: told.GetLimitWhy(),
			DockBandwidth: told.GetDockBandwidth(), StationBandwidth: told.GetStationBandwidth(), SharePpm: told.GetSharePpm(),
			Order: told.GetOrder(), Urgent: told.GetUrgent(), UrgentOfficers: told.GetUrgentOfficers(), Categories: told.GetCategories(),
			PolicyDigest: told.GetPolicyDigest(),
			Draining:     draining, BackWithinMs: uint32(min(within/time.Millisecond, upload.MaxRetryAfter)),
		}
	}
	if told == nil {
		told = &upload.Direction{}
	}
	return told, changed
}
