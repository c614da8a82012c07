package receive

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sealdock/sealdock/proto/upload"
)

// other is a stream beside the control stream. Its first frame says what it is
// for.
type other struct {
	session *session
	stream  stream
	frames  frames

	writing sync.Mutex // one frame at a time on the stream
}

// other serves one stream to its end.
func (s *session) other(ctx context.Context, incoming stream) {
	o := &other{session: s, stream: incoming, frames: frames{stream: incoming, ctx: ctx, idle: s.options.IdleTimeout, whole: s.options.FrameTimeout}}
	err := o.serve(ctx)
	var gone *goneError
	switch {
	case err == nil:
	case errors.As(err, &gone):
		s.log.DebugContext(ctx, "a stream ended", "error", err)
		incoming.Reset(upload.EndNormal)
		return
	default:
		refused, told := refusal(err)
		if !told {
			s.log.ErrorContext(ctx, "serving a stream failed", "error", err)
		} else {
			if refused.Code == upload.CodeRetryLater && ctx.Err() == nil {
				s.live.busy(s.peer)
			}
			s.log.InfoContext(ctx, "a stream was refused", "code", refused.Code, "why", refused.Message, "error", err)
		}
		if err := o.write(refused); err != nil {
			incoming.Reset(upload.EndRefused)
			return
		}
	}
	finish(incoming, err != nil)
}

// serve does what the first frame asks for.
func (o *other) serve(ctx context.Context) error {
	first, release, err := o.first(ctx)
	if err != nil {
		return err
	}
	if err := o.session.drain.refuse(); err != nil {
		release()
		return err
	}
	switch m := first.(type) {
	case *upload.Offer:
		defer release() // the leaf hashes are needed until the recording ends
		return (&recording{o}).take(ctx, m)
	case *upload.Join:
		release()
		return o.stripe(ctx, m)
	case *upload.FirmwareFetch:
		release()
		return o.firmware(ctx, m)
	}
	release()
	return fmt.Errorf("a stream began with %v, which nobody serves", first.Kind())
}

// first reads the first frame. release gives back its memory.
func (o *other) first(ctx context.Context) (upload.Message, func(), error) {
	defer stopReading(ctx, o.stream)()
	release := func() {}
	room := func(ctx context.Context, kind upload.Kind, n int64) (err error) {
		release, err = take(ctx, o.session.budget.control, o.session.all.control, n)
		return err
	}
	message, err := o.frames.next(new(upload.Buffer), room, upload.KindOffer, upload.KindJoin, upload.KindFirmwareFetch)
	if err != nil {
		release()
		return nil, nil, lost(err)
	}
	return message, release, nil
}

func (o *other) write(m upload.Message) error {
	o.writing.Lock()
	defer o.writing.Unlock()
	if err := upload.WriteMessage(o.stream, m); err != nil {
		return &goneError{err}
	}
	return nil
}

// goneError means that the dock is not there to be answered.
type goneError struct{ cause error }

func (e *goneError) Error() string { return "the dock went away: " + e.cause.Error() }
func (e *goneError) Unwrap() error { return e.cause }

// lost marks errors of reading as the dock's going away, except those that the
// dock is to be told.
func lost(err error) error {
	var refused *upload.Error
	if err == nil || errors.As(err, &refused) || errors.Is(err, errIdle) || errors.Is(err, errEnded) || errors.Is(err, context.Canceled) {
		return err
	}
	return &goneError{err}
}
