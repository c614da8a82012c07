package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/internal/seal"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// outcome is how one transfer ended.
type outcome struct {
	transfer *transfer
	lane     *lane // it was offered on
	err      error
}

const (
	look      = 30 * time.Second       // how long to wait at most before looking for work again
	lookPause = 10 * time.Millisecond  // between two looks at a journal that keeps changing
	peekPause = 100 * time.Millisecond // between two looks for what is urgent, while other work is known

	shortInFlight  = 48 // recordings under way at once, however short
	urgentInFlight = 4  // beyond all limits, when they are urgent
)

// load is what is under way: InFlight long recordings at most, or more of the
// short ones.
type load struct{ recordings, bytes, urgent int }

func weight(length uint64) int {
	return int(min(max(length, 16<<10), seal.SegmentSize))
}

func (u *Uploader) fits(l load, rec *waiting) bool {
	if rec.urgent && l.urgent < urgentInFlight {
		return true
	}
	return l.recordings < max(u.opt.InFlight, shortInFlight) && l.bytes+weight(rec.SealedLength()) <= u.opt.InFlight*seal.SegmentSize
}

func (l *load) add(rec *waiting, n int) {
	l.recordings += n
	l.bytes += n * weight(rec.SealedLength())
	if rec.urgent {
		l.urgent += n
	}
}

// dispatch keeps recordings under way as long as there are lanes, what goes
// first first.
func (u *Uploader) dispatch(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan outcome, shortInFlight+urgentInFlight)
	var under load
	defer func() {
		cancel(errDone)
		for under.recordings > 0 {
			o := <-ended // what it found is found again at the next start
			under.add(&o.transfer.rec, -1)
		}
	}()
	var plan plan
	for {
		changed, called := u.opt.Spool.Changed(), u.called()
		wake, soon, err := u.plan(ctx, &plan)
		if err != nil {
			return err
		}
		if soon {
			changed = nil
		}
		for wait := u.paused(); len(plan.next) > 0; plan.next = plan.next[1:] {
			if wait > 0 || !u.fits(under, &plan.next[0]) {
				break
			}
			t, l := u.enter(ctx, plan.next[0])
			if t == nil {
				break
			}
			under.add(&t.rec, 1)
			go func() { ended <- outcome{t, l, u.run(t, l)} }()
		}
		if wait := u.paused(); wait > 0 {
			wake = min(wake, wait)
		}
		timer := time.NewTimer(wake)
		select {
		case <-changed:
		case <-called:
			plan.stale = true
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case o := <-ended:
			under.add(&o.transfer.rec, -1)
			u.leave(o)
			if err := u.conclude(ctx, o); err != nil {
				timer.Stop()
				return err
			}
		}
		timer.Stop()
	}
}

// enter begins a transfer on the lane that has the fewest; nil without a lane.
func (u *Uploader) enter(ctx context.Context, rec waiting) (*transfer, *lane) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var l *lane
	for _, open := range u.open {
		if !open.closing && (l == nil || open.primaries < l.primaries) {
			l = open
		}
	}
	if l == nil {
		return nil, nil
	}
	t := &transfer{rec: rec, offering: l, unjoined: map[*lane]bool{}, whole: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	u.entered++
	t.number, t.durable = u.entered, rec.SentSegments
	u.seat(rec.Bay)
	u.under[rec.Evidence] = t
	l.primaries++
	return t, l
}

func (u *Uploader) leave(o outcome) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.under, o.transfer.rec.Evidence)
	o.lane.primaries--
	u.stir()
}

// conclude sorts the end of a transfer. Its error is the journal's.
func (u *Uploader) conclude(ctx context.Context, o outcome) error {
	rec := &o.transfer.rec
	if o.err == nil {
		u.mu.Lock()
		delete(u.trials, rec.Evidence)
		u.message = "Connected."
		u.mu.Unlock()
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	log := u.opt.Log.With("item", rec.Evidence, "path", rec.Source.Path)
	var refused *protocol.Error
	switch {
	case errors.Is(o.err, spool.ErrRot):
		log.Error("the copy in the spool is damaged, the camera is read again when it is docked", "error", o.err)
		return u.forgive(u.opt.Spool.Reread(ctx, rec.Evidence, rec.Attempt, "the copy in the spool was damaged"))
	case errors.Is(o.err, errReceipt):
		log.Error("the server sent a receipt that does not hold; nothing is erased", "error", o.err)
		u.later(rec, u.opt.Longest)
		return u.note(ctx, rec, "the server's receipt does not hold, nothing is erased: "+o.err.Error())
	case errors.Is(o.err, spool.ErrState):
		return nil // the recording moved on meanwhile
	case errors.Is(o.err, errLane):
		log.Info("a transfer goes on over another connection", "error", o.err)
		return nil
	case errors.As(o.err, &refused):
		log.Warn("the server did not take a recording", "error", refused)
		return u.refused(ctx, o, refused)
	}
	log.Info("a transfer broke off, it goes on where the server has it", "error", o.err)
	u.later(rec, 0)
	return nil
}

// refused acts on an error code as SPEC.md section 7 says.
func (u *Uploader) refused(ctx context.Context, o outcome, e *protocol.Error) error {
	rec := &o.transfer.rec
	switch e.Code {
	case protocol.CodeUnknownDevice, protocol.CodeWrongAgency, protocol.CodeVersion, protocol.CodeBadFrame:
		u.later(rec, 0)
		o.lane.giveUp(e)
		return nil
	case protocol.CodeFull:
		pause := max(e.RetryAfter, u.opt.Longest/2)
		u.mu.Lock()
		u.pause = u.opt.Now().Add(pause)
		u.message = "The evidence store is full; recordings wait in the spool and go on by themselves. (" + e.Message + ")"
		u.mu.Unlock()
		return u.note(ctx, rec, "the evidence store is full")
	case protocol.CodeDigestMismatch:
		return u.mismatch(ctx, rec, e)
	case protocol.CodeConflict:
		return u.conflict(ctx, rec, e)
	case protocol.CodeBadManifest:
		return u.forgive(u.opt.Spool.Refused(ctx, rec.Evidence, rec.Attempt, e.Message))
	case protocol.CodeQuarantined:
		return u.forgive(u.opt.Spool.Quarantined(ctx, rec.Evidence, rec.Attempt, e.Message))
	}
	u.later(rec, e.RetryAfter)
	u.say("The server asks to wait: " + e.Message)
	return u.note(ctx, rec, e.Error())
}

// mismatch: the server found other bytes than the manifest says. A damaged copy
// is read again from the camera; so is a good one that the server refuses twice.
func (u *Uploader) mismatch(ctx context.Context, rec *waiting, e *protocol.Error) error {
	t := u.later(rec, 0)
	u.mu.Lock()
	t.mismatches++
	again := t.mismatches < 2
	u.mu.Unlock()
	reason := "the server found other bytes than the manifest says: " + e.Message
	if again {
		c, err := u.opt.Spool.OpenCopy(ctx, rec.Evidence)
		if err == nil {
			err = errors.Join(c.Verify(ctx), c.Close())
		}
		switch {
		case err == nil:
			return u.note(ctx, rec, reason)
		case !errors.Is(err, spool.ErrRot):
			return u.forgive(err)
		}
		reason = "the copy in the spool was damaged"
	}
	return u.forgive(u.opt.Spool.Reread(ctx, rec.Evidence, rec.Attempt, reason))
}

// conflict: the item exists with other contents. A new attempt, once.
func (u *Uploader) conflict(ctx context.Context, rec *waiting, e *protocol.Error) error {
	t := u.later(rec, 0)
	u.mu.Lock()
	t.conflicts++
	first := t.conflicts == 1
	u.mu.Unlock()
	if first {
		return u.forgive(u.opt.Spool.Reread(ctx, rec.Evidence, rec.Attempt, e.Message))
	}
	return u.forgive(u.opt.Spool.Refused(ctx, rec.Evidence, rec.Attempt, "the server refused it twice: "+e.Message))
}

// later delays the next offer of a recording.
func (u *Uploader) later(rec *waiting, atLeast time.Duration) *trial {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.trials[rec.Evidence]
	if t == nil {
		t = &trial{pauses: backoff.New(u.opt.First, u.opt.Longest)}
		u.trials[rec.Evidence] = t
	}
	t.until = u.opt.Now().Add(max(t.pauses.Pause(), atLeast))
	return t
}

func (u *Uploader) note(ctx context.Context, rec *waiting, reason string) error {
	return u.forgive(u.opt.Spool.Note(ctx, rec.Evidence, reason))
}

// forgive lets pass what will be tried again anyway: a recording that moved on,
// or a full disk. Any other failure of the journal ends the uploader.
func (u *Uploader) forgive(err error) error {
	if errors.Is(err, spool.ErrState) {
		return nil
	}
	if errors.Is(err, spool.ErrFull) {
		u.say(fmt.Sprintf("The dock's disk is full: %v", err))
		return nil
	}
	return err
}
