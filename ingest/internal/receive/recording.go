package receive

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// recording is a stream that began with an Offer.
type recording struct{ *other }

// take speaks the stream from its Offer to the Receipt.
func (r *recording) take(ctx context.Context, offer *upload.Offer) error {
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

func durableBytes(item Item, segments uint64) uint64 {
	return min(item.Length, segments*evidence.LeafSize)
}
