package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/internal/tlog"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

var (
	// errOtherServer means that the server shows other names or keys than those
	// pinned at enrolment.
	errOtherServer = errors.New("the server is another than the one enrolled at")
	// errLane ends transfers whose lane has ended: they are offered again on another.
	errLane = errors.New("the connection ended")
	// errRetired ends a lane in order.
	errRetired = errors.New("the connection is given up")
)

// farewell is how long a lane that retires waits for what it has sent.
const farewell = 5 * time.Second

// lane is a connection that the server has welcomed.
type lane struct {
	*lanes.Lane
	control  lanes.Stream
	answers  chan answered
	directed chan struct{} // closed with the first Direction
	broken   chan error    // holds one: why the uploader gives the lane up

	primaries int  // transfers that were offered here; guarded by Uploader.mu
	closing   bool // takes nothing new; guarded by Uploader.mu
}

// refusal gives lanes the shortest pause that a refusal asks for.
type refusal struct {
	error
	least time.Duration
}

func (r refusal) Unwrap() error        { return r.error }
func (r refusal) Least() time.Duration { return r.least }

// serve uses one connection from its greeting to its end.
func (u *Uploader) serve(ctx context.Context, ln *lanes.Lane) error {
	err := u.serveLane(ctx, ln)
	if err == nil || ctx.Err() != nil {
		return err
	}
	var refused *protocol.Error
	if !errors.As(err, &refused) {
		return err
	}
	least := refused.RetryAfter
	if !refused.Code.Retryable() {
		least = max(least, u.opt.Longest/2)
	}
	return refusal{err, least}
}

func (u *Uploader) serveLane(ctx context.Context, ln *lanes.Lane) (err error) {
	s := ln.Session()
	code, reason := protocol.EndGoingAway, "shutting down"
	defer func() {
		var bad *protocol.Error
		if errors.As(err, &bad) && bad.Code == protocol.CodeBadFrame {
			code, reason = protocol.EndProtocol, "bytes outside the protocol"
		}
		s.Close(code, reason)
	}()
	control, err := s.OpenStream(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { control.Reset(protocol.EndGoingAway) })
	defer stop()
	if err := u.greet(ctx, control); err != nil {
		code, reason = protocol.EndRefused, "not the server that was expected"
		return err
	}
	ln.Welcomed()
	u.opt.Log.Info("connected to the server", "over", s.Kind())
	l := &lane{Lane: ln, control: control, answers: make(chan answered, statementsAhead+asksAhead), directed: make(chan struct{}), broken: make(chan error, 1)}
	err = u.use(ctx, l)
	if failure := s.Err(); failure != nil && !errors.Is(err, errRetired) {
		err = failure
	}
	if errors.Is(err, errRetired) {
		return nil
	}
	return err
}

// use runs all that goes on over a lane. Its error is never nil.
func (u *Uploader) use(ctx context.Context, l *lane) error {
	group, within := errgroup.WithContext(ctx)
	stop := context.AfterFunc(l.Session().Context(), func() { l.control.Reset(protocol.EndNormal) })
	defer stop()
	stop = context.AfterFunc(within, func() { l.control.Reset(protocol.EndNormal) })
	defer stop()
	group.Go(func() error { return u.listen(within, l) })
	group.Go(func() error { return u.speak(within, l) })
	group.Go(func() error { return u.attendLane(within, l) })
	group.Go(func() error {
		select {
		case <-l.directed:
		case <-within.Done():
			return context.Cause(within)
		}
		u.enterLane(l)
		pumps, inner := errgroup.WithContext(within)
		pumps.Go(func() error { return u.pump(inner, l, false) })
		pumps.Go(func() error { return u.pump(inner, l, true) })
		return pumps.Wait()
	})
	// Before the pumps are waited for: what they write ends with it.
	left := make(chan struct{})
	context.AfterFunc(within, func() { defer close(left); u.leaveLane(l, context.Cause(within)) })
	err := group.Wait()
	<-left
	return err
}

// attendLane waits for what ends a lane from outside.
func (u *Uploader) attendLane(ctx context.Context, l *lane) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.Session().Context().Done():
		return errLane
	case err := <-l.broken:
		return err
	case <-l.Retiring():
	}
	return u.retire(ctx, l)
}

// retire takes nothing new on a lane and waits, a moment at most, until the
// server has acknowledged what was sent on it.
func (u *Uploader) retire(ctx context.Context, l *lane) error {
	u.mu.Lock()
	l.closing = true
	u.stir()
	u.mu.Unlock()
	end := time.NewTimer(farewell)
	defer end.Stop()
	for {
		u.mu.Lock()
		owed, work := u.owed(l), u.work
		u.mu.Unlock()
		if owed == 0 {
			return errRetired
		}
		select {
		case <-work:
		case <-end.C:
			return errRetired
		case <-l.Session().Context().Done():
			return errLane
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// enterLane lets transfers use a lane.
func (u *Uploader) enterLane(l *lane) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.open) == 0 {
		u.message = "Connected."
	}
	u.open = append(u.open, l)
	u.stir()
	u.ring()
}

// leaveLane ends what was going on over a lane: transfers that were offered
// here, and stripes of others, whose segments are sent again elsewhere.
func (u *Uploader) leaveLane(l *lane, why error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, o := range u.open {
		if o == l {
			u.open = append(u.open[:i:i], u.open[i+1:]...)
		}
	}
	l.closing = true
	for _, t := range u.under {
		if t.primary != nil && t.primary.lane == l || t.offering == l {
			t.cancel(fmt.Errorf("%w: %w", errLane, why))
		} else if st := t.stripes[l]; st != nil {
			t.drop(st)
		}
	}
	u.stir()
}

// stir wakes all who wait for something to send. u.mu is held.
func (u *Uploader) stir() {
	close(u.work)
	u.work = make(chan struct{})
}

// owed is how many segments that were sent on a lane are not acknowledged. u.mu is held.
func (u *Uploader) owed(l *lane) (n int) {
	for _, t := range u.under {
		if st := t.stripes[l]; st != nil {
			n += len(st.sent) + st.taken
		}
	}
	return n
}

// giveUp ends a lane for a reason that concerns the whole connection.
func (l *lane) giveUp(err error) {
	select {
	case l.broken <- err:
	default:
	}
}

// greet sends Hello and checks that Welcome comes from the enrolled server.
func (u *Uploader) greet(ctx context.Context, control lanes.Stream) error {
	if err := control.SetReadDeadline(time.Now().Add(u.opt.Answer)); err != nil {
		return err
	}
	shown := u.shown()
	hello := &protocol.Hello{Protocol: protocol.Version, AgentVersion: u.opt.Version, Agency: string(u.opt.Agency), Dock: string(u.opt.Dock), Checkpoint: shown}
	if err := protocol.WriteMessage(control, hello); err != nil {
		return fmt.Errorf("greeting the server: %w", err)
	}
	var buffer protocol.Buffer
	welcome, err := protocol.Expect[*protocol.Welcome](control, &buffer)
	if err != nil {
		return fmt.Errorf("waiting for the server's welcome: %w", err)
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if err := u.recognise(welcome); err != nil {
		return err
	}
	return u.trace(ctx, welcome, shown)
}

// recognise compares a welcome with what was pinned at enrolment.
func (u *Uploader) recognise(w *protocol.Welcome) error {
	switch {
	case w.GetProtocol() != protocol.Version:
		return protocol.VersionMismatch(w.GetProtocol())
	case w.GetAgency() != string(u.opt.Agency):
		return fmt.Errorf("%w: it serves agency %q, this dock belongs to %q", errOtherServer, w.GetAgency(), u.opt.Agency)
	case !bytes.Equal(w.GetAgencyPublicKey(), u.opt.AgencyKey):
		return fmt.Errorf("%w: its agency key is another one", errOtherServer)
	case !tlog.Continues(w.GetLogOrigin(), u.trust().LogOrigin) || !bytes.Equal(w.GetLogPublicKey(), u.opt.Trust.LogPublicKey):
		return fmt.Errorf("%w: its custody log is another one", errOtherServer)
	case !bytes.Equal(w.GetReceiptPublicKey(), u.opt.Trust.ReceiptPublicKey):
		return fmt.Errorf("%w: its receipt key is another one", errOtherServer)
	}
	return nil
}
