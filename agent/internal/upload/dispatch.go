package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/backoff"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// outcome is how one transfer ended.
type outcome struct {
	rec spool.Recording
	err error
}

// dispatch keeps up to InFlight recordings under way, oldest first, until the
// session breaks.
func (u *Uploader) dispatch(ctx context.Context, s Session) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan outcome)
	running := 0
	defer func() {
		cancel()
		for ; running > 0; running-- {
			u.leave((<-ended).rec) // what it found is found again in the next session
		}
	}()
	for {
		changed := u.opt.Spool.Changed()
		ready, wake, err := u.ready(ctx, u.opt.InFlight-running)
		if err != nil {
			return err
		}
		for _, rec := range ready {
			running++
			u.enter(rec)
			go func() { ended <- outcome{rec, u.transfer(ctx, s, rec)} }()
		}
		if running == u.opt.InFlight {
			changed = nil // nothing to do before one of them ends
		}
		timer := time.NewTimer(wake)
		select {
		case <-changed:
		case <-timer.C:
		case <-s.Context().Done():
			timer.Stop()
			return errors.New("the connection broke")
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case o := <-ended:
			running--
			u.leave(o.rec)
			if err := u.conclude(ctx, o); err != nil {
				timer.Stop()
				return err
			}
		}
		timer.Stop()
	}
}

// ready picks the oldest recordings that may be offered now, and says how long
// to wait at most before looking again.
func (u *Uploader) ready(ctx context.Context, room int) (ready []spool.Recording, wake time.Duration, err error) {
	const look = 30 * time.Second
	now := u.opt.Now()
	u.mu.Lock()
	pause, known := u.pause.Sub(now), len(u.trials)+len(u.under)
	u.mu.Unlock()
	if pause > 0 {
		return nil, pause, nil
	}
	if room <= 0 {
		return nil, look, nil
	}
	rows, err := u.opt.Spool.Waiting(ctx, known+room)
	if err != nil {
		return nil, 0, err
	}
	wake = look
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, rec := range rows {
		if _, busy := u.under[rec.Evidence]; busy || len(ready) == room {
			continue
		}
		if t := u.trials[rec.Evidence]; t != nil && t.until.After(now) {
			wake = min(wake, t.until.Sub(now))
			continue
		}
		ready = append(ready, rec)
	}
	return ready, max(wake, time.Millisecond), nil
}

func (u *Uploader) enter(rec spool.Recording) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.under[rec.Evidence] = &Transfer{Item: rec.Evidence, Path: rec.Source.Path, Segments: protocolSegments(rec.Length), Durable: rec.SentSegments}
}

func (u *Uploader) leave(rec spool.Recording) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.under, rec.Evidence)
}

// conclude sorts the end of a transfer. Its error ends the session.
func (u *Uploader) conclude(ctx context.Context, o outcome) error {
	if o.err == nil {
		u.mu.Lock()
		delete(u.trials, o.rec.Evidence)
		u.mu.Unlock()
		u.say(true, "Connected.")
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	log := u.opt.Log.With("item", o.rec.Evidence, "path", o.rec.Source.Path)
	var refused *protocol.Error
	switch {
	case errors.Is(o.err, spool.ErrRot):
		log.Error("the copy in the spool is damaged, the camera is read again when it is docked", "error", o.err)
		return u.forgive(u.opt.Spool.Reread(ctx, o.rec.Evidence, o.rec.Attempt, "the copy in the spool was damaged"))
	case errors.Is(o.err, errReceipt):
		log.Error("the server sent a receipt that does not hold; nothing is erased", "error", o.err)
		u.later(o.rec, u.opt.Longest)
		return u.note(ctx, o.rec, "the server's receipt does not hold, nothing is erased: "+o.err.Error())
	case errors.Is(o.err, spool.ErrState):
		return nil // the recording moved on meanwhile
	case errors.As(o.err, &refused):
		log.Warn("the server did not take a recording", "error", refused)
		return u.refused(ctx, o.rec, refused)
	}
	log.Info("a transfer broke off, it goes on where the server has it", "error", o.err)
	u.later(o.rec, 0)
	return nil
}

// refused acts on an error code as SPEC.md section 7 says.
func (u *Uploader) refused(ctx context.Context, rec spool.Recording, e *protocol.Error) error {
	switch e.Code {
	case protocol.CodeUnknownDevice, protocol.CodeWrongAgency, protocol.CodeVersion, protocol.CodeBadFrame:
		u.later(rec, 0)
		return e
	case protocol.CodeFull:
		pause := max(e.RetryAfter, u.opt.Longest/2)
		u.mu.Lock()
		u.pause = u.opt.Now().Add(pause)
		u.mu.Unlock()
		u.say(true, "The evidence store is full; recordings wait in the spool and go on by themselves. ("+e.Message+")")
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
	u.say(true, "The server asks to wait: "+e.Message)
	return u.note(ctx, rec, e.Error())
}

// mismatch: the server found other bytes than the manifest says. A damaged copy
// is read again from the camera; so is a good one that the server refuses twice.
func (u *Uploader) mismatch(ctx context.Context, rec spool.Recording, e *protocol.Error) error {
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
func (u *Uploader) conflict(ctx context.Context, rec spool.Recording, e *protocol.Error) error {
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
func (u *Uploader) later(rec spool.Recording, atLeast time.Duration) *trial {
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

func (u *Uploader) note(ctx context.Context, rec spool.Recording, reason string) error {
	return u.forgive(u.opt.Spool.Note(ctx, rec.Evidence, reason))
}

// forgive lets pass what will be tried again anyway: a recording that moved on,
// or a full disk. Any other failure of the journal ends the session.
func (u *Uploader) forgive(err error) error {
	if errors.Is(err, spool.ErrState) {
		return nil
	}
	if errors.Is(err, spool.ErrFull) {
		u.say(true, fmt.Sprintf("The dock's disk is full: %v", err))
		return nil
	}
	return err
}
