package receive

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sealdock/sealdock/proto/upload"
)

// stream is what is needed of a wire.Stream.
type stream interface {
	io.ReadWriter
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	Prefer(urgency int8)
	CloseWrite() error
	StopRead(code uint64)
	Reset(code uint64)
}

// frames reads one stream's frames. It stops between a frame's header and its
// payload, so that memory is set aside only for what has begun to come. It
// belongs to one goroutine.
type frames struct {
	stream stream
	ctx    context.Context // its end ends reading, together with stopReading
	idle   time.Duration   // longest time without any byte; 0 is any time between frames
	whole  time.Duration   // longest time for one frame

	header   [upload.HeaderSize]byte
	replay   []byte    // of header, not yet read again
	deadline time.Time // as set on the stream
	end      time.Time // of the present frame
}

// errIdle ends a stream on which nothing came.
var errIdle = errors.New("nothing came for too long")

// stopReading makes reads of s fail when ctx ends. After stop has returned, it
// touches the stream no more.
func stopReading(ctx context.Context, s stream) (stop func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		s.SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}

// await reads the next frame's header and returns its kind and payload length,
// not yet judged. io.EOF is a clean end.
func (f *frames) await() (upload.Kind, int64, error) {
	f.replay = nil
	f.end = time.Time{}
	f.deadline = time.Time{}
	if _, err := io.ReadFull(reading{f}, f.header[:]); err != nil {
		return 0, 0, err
	}
	f.replay = f.header[:]
	f.end = time.Now().Add(f.whole)
	if f.end.Before(f.deadline) {
		f.deadline = time.Time{} // to be set again
	}
	return upload.Kind(f.header[0]), int64(binary.BigEndian.Uint32(f.header[1:])), nil
}

// Read gives the header again, then the payload.
func (f *frames) Read(p []byte) (int, error) {
	if len(f.replay) > 0 {
		n := copy(p, f.replay)
		f.replay = f.replay[n:]
		return n, nil
	}
	return reading{f}.Read(p)
}

// next reads a whole frame into b. room is asked before the payload is read.
func (f *frames) next(b *upload.Buffer, room func(context.Context, upload.Kind, int64) error, kinds ...upload.Kind) (upload.Message, error) {
	kind, length, err := f.await()
	if err != nil {
		return nil, err
	}
	// A length beyond the kind's limit is refused by ReadMessage, unread.
	if err := room(f.ctx, kind, min(length, int64(kind.MaxPayload()))); err != nil {
		return nil, err
	}
	return upload.ReadMessage(f, b, kinds...)
}

// reading is the stream under the deadlines of f.
type reading struct{ f *frames }

func (r reading) Read(p []byte) (int, error) {
	f := r.f
	if err := f.extend(time.Now()); err != nil {
		return 0, err
	}
	// Looked at after the deadline was moved, for stopReading may have moved it
	// before.
	if err := context.Cause(f.ctx); err != nil {
		return 0, err
	}
	n, err := f.stream.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = cmp.Or(context.Cause(f.ctx), errIdle)
	}
	return n, err
}

// extend moves the stream's deadline. Doing that for every packet would cost
// more than it saves: a deadline that is an eighth too early will be moved in
// time.
func (f *frames) extend(now time.Time) error {
	unbounded := f.idle == 0 && f.end.IsZero()
	fresh := !f.deadline.IsZero() && (f.deadline.Equal(f.end) || f.deadline.Sub(now) >= f.idle-f.idle/8)
	if unbounded || fresh {
		return nil
	}
	f.deadline = now.Add(f.idle)
	if f.idle == 0 || !f.end.IsZero() && f.end.Before(f.deadline) {
		f.deadline = f.end
	}
	if err := f.stream.SetReadDeadline(f.deadline); err != nil {
		return fmt.Errorf("setting a read deadline: %w", err)
	}
	return nil
}

// refusal puts an error into the protocol's terms. told is false when it has a
// cause that only our own log may have.
func refusal(err error) (refused *upload.Error, told bool) {
	switch {
	case errors.As(err, &refused):
		return refused, true
	case errors.Is(err, errIdle):
		return upload.Errorf(upload.CodeRetryLater, "nothing came from the dock for too long: offer again"), true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return upload.Errorf(upload.CodeRetryLater, "the server stops or the connection ended: offer again"), true
	}
	return upload.Errorf(upload.CodeInternal, "the server failed; its log says why. The dock tries again by itself"), false
}

// finish ends the server's side after its last frame. After a refusal the dock
// may still be sending and is told to stop; after a receipt it ends its side
// itself.
func finish(s stream, refused bool) {
	if err := s.CloseWrite(); err != nil {
		s.Reset(upload.EndProtocol)
		return
	}
	if !refused {
		s.SetReadDeadline(time.Now().Add(endTime))
		if n, err := io.CopyN(io.Discard, s, 1); err == io.EOF && n == 0 {
			return
		}
	}
	s.StopRead(upload.EndRefused)
}

// endTime is how long the dock may take to end its side after the last frame.
const endTime = 5 * time.Second
