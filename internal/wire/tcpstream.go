package wire

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// tcpStream is a stream of a session over TCP.
type tcpStream struct {
	session  *tcpSession
	ctx      context.Context // ends with the write side
	cancel   context.CancelCauseFunc
	readable chan struct{} // has a token when a reader should look again
	writable chan struct{} // the same for a writer
	readTill deadline
	writTill deadline

	// Guarded by the session's mu:
	id       uint32 // 0 until the peer is to hear of it
	taken    bool   // somebody has opened or accepted it
	done     bool
	urgency  int8
	readEnd  error // io.EOF or *ResetError, when reading has ended
	writeEnd error // errWriteClosed or *ResetError, when writing has ended
	whole    bool  // the peer will send no more
	in       window
	credit   uint64 // bytes that the peer will take
	chunks   []*chunk
}

var errWriteClosed = errors.New("the write side was closed")

// newTCPStream makes a stream that the peer does not know yet.
func newTCPStream(s *tcpSession) *tcpStream {
	stream := &tcpStream{
		session: s, readable: make(chan struct{}, 1), writable: make(chan struct{}, 1), urgency: 3,
		in: newWindow(firstWindow(s.dialled), highestWindow(s.dialled), time.Now()), credit: firstWindow(!s.dialled),
	}
	stream.ctx, stream.cancel = context.WithCancelCause(s.ctx)
	return stream
}

// wake puts a token into a channel of one place.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take marks a stream that the peer opened as accepted.
func (s *tcpStream) take() {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	s.taken = true
	s.settle()
}

// settle gives the stream's place back when both directions have ended and
// somebody has taken it. Called under mu.
func (s *tcpStream) settle() {
	if s.taken && !s.done && s.readEnd != nil && s.writeEnd != nil {
		s.done = true
		s.session.finish(s)
	}
}

// endRead ends reading, if it has not ended. What nobody will read makes room
// again. Called under mu.
func (s *tcpStream) endRead(why error) {
	if s.readEnd != nil {
		return
	}
	s.readEnd = why
	left := 0
	for _, c := range s.chunks {
		left += c.w - c.r
	}
	if left > 0 {
		s.session.dropped(uint64(left))
	}
	s.chunks = nil // not recycled: somebody may be copying
	wake(s.readable)
	s.settle()
}

// endWrite ends writing, if it has not ended. Called under mu.
func (s *tcpStream) endWrite(why error) {
	if s.writeEnd != nil {
		return
	}
	s.writeEnd = why
	s.cancel(why)
	s.settle()
}

// fill reads n bytes of the connection into the stream's buffers. The
// connection's reader calls it.
func (s *tcpStream) fill(n int) error {
	for n > 0 {
		s.session.mu.Lock()
		c := s.tail(n)
		s.session.mu.Unlock()
		m, err := s.session.conn.Read(c.bytes[c.w:min(len(c.bytes), c.w+n)])
		n -= m
		s.session.mu.Lock()
		if c.w += m; s.readEnd != nil {
			s.session.dropped(uint64(m)) // it ended meanwhile
		} else if m > 0 {
			wake(s.readable)
		}
		s.session.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// tail gives the last buffer, or a new one for n bytes when it is full. Called
// under mu.
func (s *tcpStream) tail(n int) *chunk {
	if last := len(s.chunks) - 1; last >= 0 && s.chunks[last].w < len(s.chunks[last].bytes) {
		return s.chunks[last]
	}
	c := newChunk(n)
	if s.readEnd == nil {
		s.chunks = append(s.chunks, c)
	}
	return c
}

// Read implements io.Reader.
func (s *tcpStream) Read(p []byte) (int, error) {
	for {
		c, unread, err := s.first()
		if err != nil {
			return 0, err
		}
		if len(unread) > 0 {
			n := copy(p, unread)
			s.emptied(c, n)
			return n, nil
		}
		select {
		case <-s.readable:
		case <-s.readTill.passed():
			return 0, os.ErrDeadlineExceeded
		case <-s.session.ctx.Done():
			return 0, s.session.err()
		}
	}
}

// first gives what can be read.
func (s *tcpStream) first() (*chunk, []byte, error) {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	switch {
	case s.readEnd != nil:
		return nil, nil, s.readEnd
	case s.session.ctx.Err() != nil:
		return nil, nil, s.session.err()
	case closed(s.readTill.passed()):
		return nil, nil, os.ErrDeadlineExceeded
	case len(s.chunks) > 0 && s.chunks[0].r < s.chunks[0].w:
		c := s.chunks[0]
		return c, c.bytes[c.r:c.w], nil
	case s.whole:
		s.endRead(io.EOF)
		return nil, nil, io.EOF
	}
	return nil, nil, nil
}

// emptied counts n bytes of the first buffer as read.
func (s *tcpStream) emptied(c *chunk, n int) {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if s.readEnd != nil {
		return // all of it was counted when reading ended
	}
	c.r += n
	if c.r == len(c.bytes) {
		s.chunks = slices.Delete(s.chunks, 0, 1)
		c.recycle()
	}
	s.session.dropped(uint64(n))
	if s.whole {
		return
	}
	if more := s.in.free(uint64(n), time.Now(), s.session.rtt, enough); more > 0 {
		s.session.send(frameWindow, s.id, more)
	}
}

// enough lets a stream's window grow: the session's bounds them all.
func enough(uint64) bool { return true }

// Write implements io.Writer.
func (s *tcpStream) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := s.piece(p[written:])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// piece writes as much of p as one frame takes and the peer lets us.
func (s *tcpStream) piece(p []byte) (int, error) {
	late := s.writTill.passed()
	for {
		urgency, room, err := s.mayWrite()
		switch {
		case err != nil:
			return 0, err
		case closed(late):
			return 0, os.ErrDeadlineExceeded
		case room != nil:
			select {
			case <-room:
			case <-s.writable:
			case <-late:
			case <-s.ctx.Done():
			}
			continue
		}
		if !s.session.turns.take(s.ctx, late, urgency) {
			continue
		}
		n, err := s.writePiece(p)
		if len(p) >= maxData/2 {
			s.session.turns.keep(urgency)
		} else {
			s.session.turns.release()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// mayWrite gives what to wait for besides writable, when there is no room for
// anything now.
func (s *tcpStream) mayWrite() (urgency int8, room <-chan struct{}, err error) {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if err := s.writeError(); err != nil {
		return 0, nil, err
	}
	if s.credit == 0 || s.session.credit == 0 {
		room = s.session.room
	}
	return s.urgency, room, nil
}

// writeError is called under mu.
func (s *tcpStream) writeError() error {
	if s.writeEnd != nil {
		return s.writeEnd
	}
	return s.session.err()
}

// writePiece is called in a turn; it writes nothing when another has used the
// session's credit up.
func (s *tcpStream) writePiece(p []byte) (int, error) {
	s.session.mu.Lock()
	if err := s.writeError(); err != nil {
		s.session.mu.Unlock()
		return 0, err
	}
	n := int(min(uint64(len(p)), maxData, s.credit, s.session.credit))
	if n == 0 {
		s.session.mu.Unlock()
		return 0, nil
	}
	s.credit -= uint64(n)
	s.session.credit -= uint64(n)
	s.session.name(s)
	frames := appendHeader(s.session.takeOut(), frameData, s.id, uint32(n))
	s.session.mu.Unlock()
	if s.session.write(frames, p[:n]) != nil {
		return 0, s.session.err()
	}
	return n, nil
}

func (s *tcpStream) closeWrite() error {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if err := s.writeError(); err != nil {
		if err == errWriteClosed {
			return nil
		}
		return err
	}
	s.session.name(s)
	s.session.send(frameEnd, s.id, 0)
	s.endWrite(errWriteClosed)
	return nil
}

func (s *tcpStream) stopRead(code uint64) {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	s.stop(code)
}

// stop is called under mu.
func (s *tcpStream) stop(code uint64) {
	if s.readEnd != nil {
		return
	}
	if !s.whole {
		s.session.name(s)
		s.session.send(frameStop, s.id, uint32(min(code, MaxCode)))
	}
	s.endRead(&ResetError{Code: code})
}

func (s *tcpStream) reset(code uint64) {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if s.id == 0 { // the peer never heard of it
		s.endWrite(&ResetError{Code: code})
		s.endRead(&ResetError{Code: code})
		return
	}
	if s.writeEnd == nil {
		s.session.send(frameReset, s.id, uint32(min(code, MaxCode)))
		s.endWrite(&ResetError{Code: code})
	}
	s.stop(code)
}

func (s *tcpStream) prefer(urgency int8) {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	s.urgency = max(urgency, 0)
}

func (s *tcpStream) setReadDeadline(t time.Time) error {
	s.readTill.at(t)
	return nil
}

func (s *tcpStream) setWriteDeadline(t time.Time) error {
	s.writTill.at(t)
	return nil
}

func (s *tcpStream) context() context.Context { return s.ctx }
