package receive

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/upload"
)

const (
	drainAtLeast  = 5 * time.Second        // docks of a stopping server come back spread over so long,
	backPerSecond = 100                    // or at so many a second: each costs a handshake and a few questions,
	backAtMost    = 55 * time.Second       // but so that all are back within a minute
	farewellTime  = 500 * time.Millisecond // for docks to hear that they are to leave, and to do it
)

// drain is the end of a Receiver: whether it has begun, and which streams it
// waits for. Safe for concurrent use.
type drain struct {
	begun chan struct{} // closed when docks are told to leave

	mu       sync.Mutex    // guards what follows
	within   time.Duration // over which docks come back; set when begun is closed
	carrying int           // streams that take segments
	idle     chan struct{} // closed when carrying is 0 after it was made
}

// state says whether the server stops, and within what time docks may be back.
func (d *drain) state() (within time.Duration, draining bool) {
	select {
	case <-d.begun:
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.within, true
	default:
		return 0, false
	}
}

// backWithin is over what time so many docks come back to a server.
func backWithin(docks int) time.Duration {
	return min(time.Duration(docks)*time.Second/backPerSecond, backAtMost)
}

// begin tells all docks to leave.
func (d *drain) begin(docks int) {
	d.mu.Lock()
	d.within = max(drainAtLeast, backWithin(docks))
	d.mu.Unlock()
	close(d.begun)
}

// refuse is what new streams and connections of a stopping server get, nil when
// it does not stop.
func (d *drain) refuse() error {
	within, draining := d.state()
	if !draining {
		return nil
	}
	refused := upload.Errorf(upload.CodeRetryLater, "the server stops: come back in a moment")
	refused.RetryAfter = rand.N(within).Round(time.Millisecond)
	return refused
}

// carries counts a stream that takes segments, until done is called.
func (d *drain) carries() (done func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.carrying++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.carrying--; d.carrying == 0 && d.idle != nil {
			close(d.idle)
			d.idle = nil
		}
	}
}

// none returns a channel that is closed when no stream takes segments.
func (d *drain) none() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	idle := make(chan struct{})
	if d.carrying == 0 {
		close(idle)
	} else {
		d.idle = idle
	}
	return idle
}

// leave stops a Receiver in order. Docks are told to leave; segments on their way
// come to their acknowledgement, for SegmentTime at most; then stop ends all that
// is not being proven, and sessions are waited for. Who connects meanwhile is
// sent away.
func (r *Receiver) leave(listener *wire.Listener, sessions *sync.WaitGroup, stop context.CancelCauseFunc) {
	ctx, end := context.WithCancel(context.Background())
	var turning sync.WaitGroup
	defer turning.Wait()
	defer end()
	r.drain.begin(r.all.count())
	turning.Go(func() {
		for {
			connection, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			turning.Go(func() { r.sendAway(ctx, connection) })
		}
	})
	ended := make(chan struct{})
	go func() { defer close(ended); sessions.Wait() }()
	last := time.NewTimer(r.options.SegmentTime)
	defer last.Stop()
	farewell := time.NewTimer(min(farewellTime, r.options.SegmentTime))
	defer farewell.Stop()
	select {
	case <-r.drain.none():
		select {
		case <-farewell.C:
		case <-ended:
		}
	case <-last.C:
	}
	stop(upload.Errorf(upload.CodeRetryLater, "the server stops: offer again"))
	<-ended
}

// sendAway tells a dock that connects to a stopping server to come back.
func (r *Receiver) sendAway(ctx context.Context, connection *wire.Session) {
	control, err := r.first(ctx, connection)
	if err != nil {
		connection.Close(upload.EndGoingAway, "the server stops")
		return
	}
	r.turnAway(ctx, r.log.With("address", connection.RemoteAddr().String()), connection, control, r.drain.refuse())
}
