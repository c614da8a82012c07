package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// Session is one secured connection to a peer. It is safe for concurrent use.
//
// Its streams share one receive window, from 1.5 MiB up to 18 MiB on a
// listener's side: bytes that nobody reads on one stream hold up the others. Go
// on reading a stream, or end it with StopRead or Reset.
type Session struct {
	conn   *quic.Conn
	socket *socket
}

func newSession(conn *quic.Conn, s *socket, b *Budget) *Session {
	b.admit(conn)
	context.AfterFunc(conn.Context(), func() { b.release(conn) })
	return &Session{conn: conn, socket: s}
}

// OpenStream opens a stream, waiting while the peer's limit of open streams is
// reached. The peer sees the stream only with its first byte.
func (s *Session) OpenStream(ctx context.Context) (*Stream, error) {
	stream, err := s.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return &Stream{stream}, nil
}

// AcceptStream waits for the next stream that the peer opened.
func (s *Session) AcceptStream(ctx context.Context) (*Stream, error) {
	stream, err := s.conn.AcceptStream(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return &Stream{stream}, nil
}

// PeerCertificate is the peer's own certificate, verified as the TLS
// configuration said; nil when the peer showed none.
func (s *Session) PeerCertificate() *x509.Certificate {
	certificates := s.conn.ConnectionState().TLS.PeerCertificates
	if len(certificates) == 0 {
		return nil
	}
	return certificates[0]
}

// ConnectionState tells what TLS agreed on.
func (s *Session) ConnectionState() tls.ConnectionState { return s.conn.ConnectionState().TLS }

// RemoteAddr is the peer's address at the moment; it may change.
func (s *Session) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// LocalAddr is our address as the peer reaches it.
func (s *Session) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// Socket tells what the session's UDP socket achieved; sessions of a listener
// share one.
func (s *Session) Socket() SocketStats { return s.socket.stats() }

// Context ends with the session; its cause, through Err, says why.
func (s *Session) Context() context.Context { return s.conn.Context() }

// Err says why the session ended, and nil while it lives.
func (s *Session) Err() error {
	if s.conn.Context().Err() == nil {
		return nil
	}
	return translate(context.Cause(s.conn.Context()))
}

// Close ends the session at once, tells the peer code and reason, and drops
// what the peer has not acknowledged: read the peer's last answer first.
func (s *Session) Close(code uint64, reason string) error {
	return translate(s.conn.CloseWithError(quic.ApplicationErrorCode(code), reason))
}

// Stream is an ordered byte stream in both directions. One goroutine may read
// while another writes. A stream holds its place among the peer's open streams
// until both directions have ended: write side by CloseWrite or Reset, read
// side by reading to io.EOF, StopRead or Reset.
type Stream struct{ stream *quic.Stream }

// Read reads; io.EOF after the peer's CloseWrite, *ResetError after a reset.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.stream.Read(p)
	return n, translate(err)
}

// Write writes, waiting while the peer's receive window is full. The bytes are
// handed to the transport, not proven to have arrived.
func (s *Stream) Write(p []byte) (int, error) {
	n, err := s.stream.Write(p)
	return n, translate(err)
}

// CloseWrite ends the write side in good order: the peer reads io.EOF after
// all that was written.
func (s *Stream) CloseWrite() error { return translate(s.stream.Close()) }

// StopRead tells the peer to stop sending: its writes fail with *ResetError.
func (s *Stream) StopRead(code uint64) { s.stream.CancelRead(quic.StreamErrorCode(code)) }

// Reset breaks off both directions and drops what is under way.
func (s *Stream) Reset(code uint64) {
	s.stream.CancelWrite(quic.StreamErrorCode(code))
	s.stream.CancelRead(quic.StreamErrorCode(code))
}

// Prefer sets how urgent what is written here is among the session's streams:
// 0 goes before everything, 3 is usual, 7 is sent when nothing else is there.
// Streams of one urgency share the session.
func (s *Stream) Prefer(urgency int8) { s.stream.SetPriority(urgency, true) }

// SetDeadline bounds reads and writes; the zero time takes the bound away.
func (s *Stream) SetDeadline(t time.Time) error { return translate(s.stream.SetDeadline(t)) }

// SetReadDeadline bounds reads.
func (s *Stream) SetReadDeadline(t time.Time) error { return translate(s.stream.SetReadDeadline(t)) }

// SetWriteDeadline bounds writes.
func (s *Stream) SetWriteDeadline(t time.Time) error { return translate(s.stream.SetWriteDeadline(t)) }

// Context ends when the write side ends, by either side or with the session.
func (s *Stream) Context() context.Context { return s.stream.Context() }
