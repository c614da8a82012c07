package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// read reads for all streams until the connection or the peer ends it.
func (s *tcpSession) read() {
	defer close(s.over)
	for {
		if err := s.readFrame(); err != nil {
			s.fail(err)
			return
		}
	}
}

func (s *tcpSession) readFrame() error {
	var h header
	if _, err := io.ReadFull(s.conn, h[:]); err != nil {
		return err
	}
	switch h.kind() {
	case frameData:
		return s.readData(h)
	case frameEnd, frameReset, frameStop:
		return s.readEnd(h)
	case frameWindow:
		return s.readWindow(h)
	case framePlaces:
		s.mu.Lock()
		defer s.mu.Unlock()
		if h.value() > s.allowed {
			s.allowed = h.value()
			s.moreStreams()
		}
		return nil
	case framePing:
		return s.readPing(h)
	case framePong:
		s.readPong(h)
		return nil
	case frameClose:
		return s.readClose(h)
	}
	return fmt.Errorf("%w: a frame of unknown kind %d", errProtocol, h.kind())
}

func (s *tcpSession) readData(h header) error {
	n := int(h.value())
	if n < 1 || n > maxData {
		return fmt.Errorf("%w: a frame of %d bytes", errProtocol, n)
	}
	stream, err := s.find(h.stream())
	if err != nil {
		return err
	}
	s.mu.Lock()
	wanted := stream != nil && stream.readEnd == nil
	fits := s.in.take(uint64(n)) && (stream == nil || (stream.in.take(uint64(n)) && !stream.whole))
	s.mu.Unlock()
	switch {
	case !fits:
		return fmt.Errorf("%w: it sent more on stream %d than it may", errProtocol, h.stream())
	case wanted:
		return stream.fill(n)
	}
	if _, err := io.CopyN(io.Discard, s.conn, int64(n)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped(uint64(n))
	return nil
}

// readEnd is for the ends of a stream's directions.
func (s *tcpSession) readEnd(h header) error {
	stream, err := s.find(h.stream())
	if err != nil || stream == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cause := &ResetError{Code: uint64(h.value()), Peer: true}
	switch {
	case h.kind() == frameStop:
		stream.endWrite(cause)
	case stream.whole: // nothing of what came can be lost any more
	case h.kind() == frameEnd:
		stream.whole = true
		wake(stream.readable)
	default:
		stream.whole = true
		stream.endRead(cause)
	}
	return nil
}

func (s *tcpSession) readWindow(h header) error {
	if h.stream() != 0 {
		stream, err := s.find(h.stream())
		if err != nil || stream == nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		stream.credit += uint64(h.value())
		wake(stream.writable)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credit += uint64(h.value())
	close(s.room)
	s.room = make(chan struct{})
	return nil
}

func (s *tcpSession) readPing(h header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.listens(); err != nil {
		return err
	}
	s.send(framePong, 0, h.value())
	return nil
}

func (s *tcpSession) readPong(h header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.value() != s.pings || s.pinged.IsZero() {
		return
	}
	took := time.Since(s.pinged)
	s.pinged = time.Time{}
	if s.rtt == 0 {
		s.rtt = took
		return
	}
	s.rtt += (took - s.rtt) / 4
}

var errEnded = errors.New("the peer has ended the session")

func (s *tcpSession) readClose(h header) error {
	n := h.value()
	if n < 8 || n > 8+maxReason {
		return fmt.Errorf("%w: a close of %d bytes", errProtocol, n)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(s.conn, payload); err != nil {
		return err
	}
	s.end(&PeerError{Code: binary.BigEndian.Uint64(payload), Reason: printable(string(payload[8:]))})
	return errEnded
}

// look is called now and then: it ends a session whose peer is silent, and asks
// for a sign of life before that.
func (s *tcpSession) look() {
	silent := time.Since(time.Unix(0, s.under.heard.Load()))
	if silent >= s.idle {
		s.end(ErrIdle)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	next := s.pause - silent
	if next <= 0 {
		s.ping()
		next = min(s.pause, s.idle-silent)
	}
	s.watch.Reset(next)
}

// ping asks for a sign of life. Called under mu.
func (s *tcpSession) ping() {
	s.pings++
	s.pinged = time.Now()
	s.send(framePing, 0, s.pings)
}

// maxWaiting bounds the frames without data that wait to be sent, in bytes. A
// peer that reads lets us get nowhere near.
const maxWaiting = 64 << 10

// listens fails when the peer has us answer and does not read. Called under mu.
func (s *tcpSession) listens() error {
	if len(s.out) > maxWaiting {
		return fmt.Errorf("%w: it asks and does not listen", errProtocol)
	}
	return nil
}

// mostUrgent is before all that streams may prefer.
const mostUrgent = -1

// send queues a frame without data, and has it sent soon. Called under mu.
func (s *tcpSession) send(kind byte, stream, value uint32) {
	s.out = appendHeader(s.out, kind, stream, value)
	if !s.flushing && s.ctx.Err() == nil {
		s.flushing = true
		go s.flush()
	}
}

func (s *tcpSession) flush() {
	if !s.turns.take(s.ctx, nil, mostUrgent) {
		return
	}
	defer s.turns.release()
	s.mu.Lock()
	out := s.takeOut()
	s.mu.Unlock()
	if len(out) > 0 && !s.closing.Load() {
		s.write(out, nil)
	}
}

// takeOut gives the frames that wait. Called under mu, in a turn.
func (s *tcpSession) takeOut() []byte {
	out := s.out
	s.out, s.flushing = nil, false
	return out
}

// write writes frames, and data behind the last of them, as one. Called in a
// turn.
func (s *tcpSession) write(frames, data []byte) error {
	s.under.gather()
	_, err := s.conn.Write(frames)
	if err == nil && len(data) > 0 {
		_, err = s.conn.Write(data)
	}
	err = errors.Join(err, s.under.release())
	if err != nil {
		s.writeFailed(err)
	}
	return err
}

// writeFailed lets the reader say why first: the peer's last word may be there.
func (s *tcpSession) writeFailed(err error) {
	patience, cancel := context.WithTimeout(s.ctx, closeTime)
	defer cancel()
	select {
	case <-s.over:
	case <-patience.Done():
	}
	s.fail(err)
}

func appendClose(b []byte, code uint64, reason string) []byte {
	reason = reason[:min(len(reason), maxReason)]
	b = appendHeader(b, frameClose, 0, uint32(8+len(reason)))
	b = binary.BigEndian.AppendUint64(b, code)
	return append(b, reason...)
}
