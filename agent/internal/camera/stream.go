package camera

import (
	"context"
	"errors"
	"io"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// stream is a GetObject that is read piece by piece. Its length is what the camera
// sends, whatever it lists: its data phase has to end in good order.
type stream struct {
	of     fingerprint
	handle uint32
	offset int64
	phase  *dataPhase
	done   bool // response seen: offset is the object's length
}

// stopStream forgets an open GetObject. When it was not read to its end, the
// session is in doubt and recovers before its next transaction.
func (l *link) stopStream() { l.stream = nil }

func (l *link) readStream(ctx context.Context, o *Object, off int64, p []byte) (int, error) {
	if st := l.stream; st == nil || st.handle != o.Handle || st.of != o.fingerprint() || st.offset != off {
		if off != 0 {
			return 0, ErrSequential
		}
		if err := l.startStream(ctx, o); err != nil {
			return 0, err
		}
	}
	st := l.stream
	if st.done {
		return 0, io.EOF
	}
	n, err := st.phase.read(ctx, p)
	st.offset += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		l.stopStream()
		return n, err
	}
	if err == nil && !(st.phase.ended && len(st.phase.stash) == 0) {
		return n, nil
	}
	return l.endStream(ctx, n, err)
}

func (l *link) startStream(ctx context.Context, o *Object) error {
	if err := l.prove(ctx, o); err != nil {
		return err
	}
	var phase *dataPhase
	_, err := l.s.patiently(ctx, ptp.OpGetObject, false, func() (block ptp.Block, err error) {
		phase, block, err = l.s.begin(ctx, ptp.OpGetObject, answer{}, o.Handle)
		if phase != nil {
			block.Code = uint16(ptp.RespOK)
		}
		return block, err
	})
	if err != nil {
		return err
	}
	if phase == nil {
		return l.s.broken("GetObject answered OK without data")
	}
	l.stream = &stream{of: o.fingerprint(), handle: o.Handle, phase: phase}
	return nil
}

func (l *link) endStream(ctx context.Context, n int, eof error) (int, error) {
	st := l.stream
	block, err := st.phase.finish(ctx)
	if err == nil && ptp.Response(block.Code) != ptp.RespOK {
		err = &RefusedError{Operation: ptp.OpGetObject, Code: ptp.Response(block.Code)}
	}
	if err != nil {
		l.stopStream()
		return n, err
	}
	st.done = true
	return n, eof
}
