package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// recording is one recording stream.
type recording struct {
	session *session
	stream  stream
	frames  frames

	writing sync.Mutex // one frame at a time on the stream
}

// run speaks the stream from Offer to Receipt or Error.
func (r *recording) run(ctx context.Context) {
	err := r.take(ctx)
	var gone *goneError
	switch {
	case err == nil:
	case errors.As(err, &gone):
		r.session.log.DebugContext(ctx, "a recording stream ended", "error", err)
		r.stream.Reset(upload.EndNormal)
		return
	default:
		refused, told := refusal(err)
		if !told {
			r.session.log.ErrorContext(ctx, "taking a recording failed", "error", err)
		} else {
			r.session.log.InfoContext(ctx, "a recording was refused", "code", refused.Code, "why", refused.Message, "error", err)
		}
		if err := r.write(refused); err != nil {
			r.stream.Reset(upload.EndRefused)
			return
		}
	}
	finish(r.stream, err != nil)
}

// goneError means that the dock is not there to be answered.
type goneError struct{ cause error }

func (e *goneError) Error() string { return "the dock went away: " + e.cause.Error() }
func (e *goneError) Unwrap() error { return e.cause }

// lost marks errors of reading as the dock's going away, except those that the
// dock is to be told.
func lost(err error) error {
	var refused *upload.Error
	if err == nil || errors.As(err, &refused) || errors.Is(err, errIdle) || errors.Is(err, context.Canceled) {
		return err
	}
	return &goneError{err}
}

func (r *recording) take(ctx context.Context) error {
	offer, release, err := r.offer(ctx)
	if err != nil {
		return err
	}
	defer release()
	admission, err := r.session.acceptor.Offer(ctx, r.session.peer, offer)
	if err != nil {
		return err
	}
	if admission.Receipt != nil {
		return r.write(&upload.Receipt{Envelope: admission.Receipt})
	}
	defer func() {
		if err := admission.Intake.Close(); err != nil {
			r.session.log.WarnContext(ctx, "closing an intake", "error", err)
		}
	}()
	resume := admission.Intake.Resume()
	transfer := r.session.live.begin(r.session.peer, admission.Item, durableBytes(admission.Item, resume))
	defer transfer.end()
	if err := r.write(&upload.Accept{ResumeSegment: resume}); err != nil {
		return err
	}
	if err := r.segments(ctx, admission, transfer); err != nil {
		return err
	}
	// From here on the work goes on even if the dock goes away: its receipt
	// will be there when it offers again.
	receipt, err := admission.Intake.Finish(context.WithoutCancel(ctx), transfer.stage)
	if err != nil {
		return err
	}
	return r.write(&upload.Receipt{Envelope: receipt})
}

// offer reads the first frame. Its memory is released by the caller, when the
// recording ends: the leaf hashes are needed until then.
func (r *recording) offer(ctx context.Context) (*upload.Offer, func(), error) {
	defer stopReading(ctx, r.stream)()
	release := func() {}
	room := func(ctx context.Context, kind upload.Kind, n int64) (err error) {
		release, err = take(ctx, r.session.budget.control, r.session.all.control, n)
		return err
	}
	message, err := r.frames.next(new(upload.Buffer), room, upload.KindOffer)
	if err != nil {
		release()
		return nil, nil, lost(err)
	}
	return message.(*upload.Offer), release, nil
}

// segment is a Data frame on its way from reading to verifying.
type segment struct {
	index  uint64
	sealed []byte
	done   func() // gives memory back
}

// segments runs the three stages until Finish has come and all is verified, or
// one of them fails.
func (r *recording) segments(ctx context.Context, admission *Admission, transfer *Transfer) error {
	group, ctx := errgroup.WithContext(ctx)
	// A stage that fails, and a stop of the server, end the reading.
	defer stopReading(ctx, r.stream)()
	r.frames.ctx = ctx
	arrived := make(chan segment, 1)
	written := make(chan struct{}, 1)
	group.Go(func() error {
		defer close(arrived)
		return lost(r.read(ctx, admission, arrived))
	})
	group.Go(func() error {
		defer close(written)
		return r.verify(ctx, admission, arrived, written)
	})
	group.Go(func() error { return r.sync(ctx, admission, transfer, written) })
	err := group.Wait()
	for s := range arrived { // what a failed verify left
		s.done()
	}
	return err
}

// read hands Data frames on in their order until Finish.
func (r *recording) read(ctx context.Context, admission *Admission, arrived chan<- segment) error {
	for next := admission.Intake.Resume(); ; next++ {
		message, done, err := r.frame()
		if err != nil {
			return err
		}
		data, ok := message.(*upload.Data)
		if !ok {
			done()
			if next != admission.Item.Segments {
				return upload.Errorf(upload.CodeBadFrame, "Finish came after %d of %d segments", next, admission.Item.Segments)
			}
			return nil
		}
		if data.Index != next || next >= admission.Item.Segments {
			done()
			return upload.Errorf(upload.CodeBadFrame, "segment %d came where %d of %d was expected", data.Index, next, admission.Item.Segments)
		}
		select {
		case arrived <- segment{data.Index, data.Sealed, done}:
		case <-ctx.Done():
			done()
			return context.Cause(ctx)
		}
	}
}

// frame reads one Data or Finish frame into memory that done gives back.
func (r *recording) frame() (upload.Message, func(), error) {
	buffer := r.session.all.buffers.Get().(*upload.Buffer)
	release := func() {}
	room := func(ctx context.Context, kind upload.Kind, n int64) (err error) {
		release, err = take(ctx, r.session.budget.data, r.session.all.data, n)
		return err
	}
	done := func() {
		r.session.all.buffers.Put(buffer)
		release()
	}
	message, err := r.frames.next(buffer, room, upload.KindData, upload.KindFinish)
	if err == io.EOF {
		err = fmt.Errorf("the stream ended before Finish: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return message, done, nil
}

// verify hands segments to the intake, and asks for a sync after syncBytes, or
// when nothing has come for syncQuiet.
func (r *recording) verify(ctx context.Context, admission *Admission, arrived <-chan segment, written chan<- struct{}) error {
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	unsynced := 0
	flush := func() {
		unsynced = 0
		quiet.Stop()
		select {
		case written <- struct{}{}:
		default: // asked for already, not yet begun
		}
	}
	for {
		select {
		case s, ok := <-arrived:
			if !ok {
				return nil
			}
			err := admission.Intake.Segment(ctx, s.index, s.sealed)
			unsynced += len(s.sealed)
			s.done()
			if err != nil {
				return err
			}
			if unsynced >= syncBytes {
				flush()
			} else {
				quiet.Reset(syncQuiet)
			}
		case <-quiet.C:
			flush()
		case <-admission.Intake.Interrupted():
			return upload.Errorf(upload.CodeRetryLater, "another stream of this dock goes on with the recording")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

const (
	syncBytes = 8 << 20               // at most so much is verified and not on its way to the medium
	syncQuiet = 50 * time.Millisecond // so long an input is silent until what it brought is made durable
)

// sync makes durable what was written and only then acknowledges it. What came
// with the end of the input is left to Finish, which syncs anyway.
func (r *recording) sync(ctx context.Context, admission *Admission, transfer *Transfer, written <-chan struct{}) error {
	for range written {
		durable, err := admission.Intake.Sync(ctx)
		if err != nil {
			return err
		}
		if err := r.write(&upload.Ack{DurableSegments: durable}); err != nil {
			return err
		}
		transfer.durable(durableBytes(admission.Item, durable))
	}
	return nil
}

func (r *recording) write(m upload.Message) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if err := upload.WriteMessage(r.stream, m); err != nil {
		return &goneError{err}
	}
	return nil
}

func durableBytes(item Item, segments uint64) uint64 {
	return min(item.Length, segments*evidence.LeafSize)
}
