package receive

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/proto/upload"
)

// segment is a Data frame on its way from reading to verifying.
type segment struct {
	index  uint64
	sealed []byte
	done   func() // gives memory back
}

// carrier takes the segments that come on one stream of a recording.
type carrier struct {
	*other
	*opened
	last     []upload.Kind // besides Data: what may end the stream
	finished bool          // Finish has come: set by reading, before its end
	handled  atomic.Uint64 // Data frames that were verified and written
}

// carry answers Accept and takes segments until the stream's last frame, or its
// end where there is none, has come and all before it are written. Three stages
// work side by side: reading, verifying, syncing. Whatever ends the reading, a
// broken stream included, what was read whole is still verified, written, and
// where there is somebody to hear it acknowledged: it need not be sent again.
func (o *other) carry(ctx context.Context, opened *opened, last ...upload.Kind) error {
	defer o.session.drain.carries()()
	c := &carrier{other: o, opened: opened, last: last}
	durable := opened.admission.Intake.Durable()
	if err := o.write(&upload.Accept{ResumeSegment: durable.First, Held: opened.admission.Intake.Held(durable.First)}); err != nil {
		return err
	}
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(opened.ctx, func() { stop(context.Cause(opened.ctx)) })()
	defer stopReading(reading, o.stream)()
	o.frames.ctx = reading

	arrived, written := make(chan segment, 1), make(chan struct{}, 1)
	var stages errgroup.Group
	var readErr error
	stages.Go(func() error {
		defer close(arrived)
		readErr = lost(c.read(reading, arrived))
		return nil
	})
	stages.Go(func() error {
		defer close(written)
		err := c.verify(ctx, arrived, written, stop)
		for s := range arrived { // what came behind a bad one
			s.done()
		}
		return err
	})
	stages.Go(func() error {
		err := c.sync(ctx, written)
		if err != nil {
			stop(err)
		}
		for range written { // nobody waits for the rest
		}
		return err
	})
	// Why the work failed comes before why the reading ended, which is its effect.
	return cmp.Or(stages.Wait(), readErr)
}

// read hands Data frames on until the last frame.
func (c *carrier) read(ctx context.Context, arrived chan<- segment) error {
	segments := c.admission.Item.Segments
	for {
		message, done, err := c.frame()
		if err == io.EOF && len(c.last) == 0 {
			return nil
		}
		if err == io.EOF {
			err = fmt.Errorf("the stream ended before Finish: %w", io.ErrUnexpectedEOF)
		}
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		data, ok := message.(*upload.Data)
		if !ok {
			done()
			c.finished = true
			return nil
		}
		if data.Index >= segments {
			done()
			return upload.Errorf(upload.CodeBadFrame, "segment %d came, and the recording has %d", data.Index, segments)
		}
		arrived <- segment{data.Index, data.Sealed, done} // always taken, whatever else has ended
	}
}

// frame reads one Data frame, or the last, into memory that done gives back.
func (c *carrier) frame() (upload.Message, func(), error) {
	all := c.session.all
	buffer := all.buffers.Get().(*upload.Buffer)
	release := func() {}
	room := func(ctx context.Context, kind upload.Kind, n int64) (err error) {
		release, err = take(ctx, c.session.budget.data, all.data, n)
		return err
	}
	done := func() {
		all.buffers.Put(buffer)
		release()
	}
	message, err := c.frames.next(buffer, room, append(c.last, upload.KindData)...)
	if err != nil {
		done()
		return nil, nil, err
	}
	return message, done, nil
}

// verify hands segments to the intake until there are no more, and asks for a
// sync after syncBytes, when nothing has come for syncQuiet, and at the end of a
// stream that Finish does not end: Finish syncs anyway. stop ends the reading.
func (c *carrier) verify(ctx context.Context, arrived <-chan segment, written chan<- struct{}, stop context.CancelCauseFunc) error {
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	interrupted := c.admission.Intake.Interrupted()
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
			if !ok && unsynced > 0 && !c.finished {
				flush()
			}
			if !ok {
				return nil
			}
			unsynced += len(s.sealed)
			if err := c.segment(ctx, s); err != nil {
				stop(err)
				return err
			}
			if unsynced >= syncBytes {
				flush()
			} else {
				quiet.Reset(syncQuiet)
			}
		case <-quiet.C:
			flush()
		case <-interrupted:
			interrupted = nil
			stop(upload.Errorf(upload.CodeRetryLater, "another stream of this dock goes on with the recording"))
		}
	}
}

const (
	syncBytes = 8 << 20               // at most so much is verified and not on its way to the medium
	syncQuiet = 50 * time.Millisecond // so long an input is silent until what it brought is made durable
)

// segment hands one segment to the intake and gives its memory back.
func (c *carrier) segment(ctx context.Context, s segment) error {
	defer s.done()
	fresh, err := c.admission.Intake.Segment(ctx, s.index, s.sealed)
	if err != nil {
		return err
	}
	c.handled.Add(1)
	c.session.live.carried(len(s.sealed), fresh)
	return nil
}

// sync makes durable what was written and only then acknowledges it.
func (c *carrier) sync(ctx context.Context, written <-chan struct{}) error {
	for range written {
		handled := c.handled.Load() // before the sync: what comes during it may miss it
		durable, err := c.admission.Intake.Sync(ctx)
		if err != nil {
			return err
		}
		c.transfer.durable(durable)
		if err := c.write(&upload.Ack{DurableSegments: durable.First, Frames: handled}); err != nil {
			return err
		}
	}
	return nil
}
