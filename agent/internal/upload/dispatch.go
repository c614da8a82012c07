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
	rec spool.Recording
	err error
}

// look is how long to wait at most before looking for work again, lookAhead how
// many recordings one look brings beyond those already known.
const (
	look      = 30 * time.Second
	lookPause = 10 * time.Millisecond // between two looks at a journal that keeps changing
	lookAhead = 128
)

// load is what is under way: InFlight long recordings at most, or more of the
// short ones, whose segments take no more memory.
type load struct{ recordings, bytes int }

func weight(rec spool.Recording) int {
	return int(min(max(rec.Length, 32<<10), seal.SegmentSize))
}

func (u *Uploader) fits(l load, rec spool.Recording) bool {
	return l.recordings < max(u.opt.InFlight, shortInFlight) && l.bytes+weight(rec) <= u.opt.InFlight*seal.SegmentSize
}

// dispatch keeps recordings under way, oldest first, until the session breaks.
func (u *Uploader) dispatch(ctx context.Context, s Session) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan outcome, max(u.opt.InFlight, shortInFlight))
	var under load
	leave := func(o outcome) {
		under.recordings--
		under.bytes -= weight(o.rec)
		u.leave(o.rec)
	}
	defer func() {
		cancel()
		for under.recordings > 0 {
			leave(<-ended) // what it found is found again in the next session
		}
	}()
	var next []spool.Recording
	var looked time.Time
	for {
		changed := u.opt.Spool.Changed()
		wake := u.paused()
		if soon := lookPause - time.Since(looked); wake <= 0 && len(next) == 0 && soon > 0 {
			changed, wake = nil, soon
		} else if wake <= 0 && len(next) == 0 {
			var err error
			looked = time.Now()
			if next, wake, err = u.ready(ctx); err != nil {
				return err
			}
		}
		for ; u.paused() <= 0 && len(next) > 0 && u.fits(under, next[0]); next = next[1:] {
			rec := next[0]
			under.recordings++
			under.bytes += weight(rec)
			u.enter(rec)
			go func() { ended <- outcome{rec, u.transfer(ctx, s, rec)} }()
		}
		if len(next) > 0 {
			changed = nil // nothing to do before one of them ends
		}
		if wake <= 0 {
			wake = look
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
			leave(o)
			if err := u.conclude(ctx, o); err != nil {
				timer.Stop()
				return err
			}
		}
		timer.Stop()
	}
}

// paused is how long nothing may be offered yet.
func (u *Uploader) paused() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pause.Sub(u.opt.Now())
}

// ready lists the oldest recordings that may be offered now, and says how long
// to wait at most before looking again.
func (u *Uploader) ready(ctx context.Context) (ready []spool.Recording, wake time.Duration, err error) {
	u.mu.Lock()
	known := len(u.trials) + len(u.under)
	u.mu.Unlock()
	rows, err := u.opt.Spool.Waiting(ctx, known+lookAhead)
	if err != nil {
		return nil, 0, err
	}
	now := u.opt.Now()
	wake = look
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, rec := range rows {
		if _, busy := u.under[rec.Evidence]; busy {
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
