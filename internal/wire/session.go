package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"time"
)

// Kind is what a session runs over.
type Kind string

// The kinds of session.
const (
	QUIC Kind = "quic" // QUIC version 1 over UDP
	TCP  Kind = "tcp"  // TLS 1.3 over TCP
)

// Traffic is what a session has carried so far, as the network saw it. What was
// sent and received only grows; all stay what they were when the session has
// ended.
type Traffic struct {
	// SentBytes and SentPackets count everything that was sent, retransmissions
	// and the headers of UDP or TCP and IP with it. Headers are estimated.
	SentBytes, SentPackets uint64
	// LostPackets are packets that QUIC holds for lost (it may learn better), or
	// segments that TCP sent again.
	LostPackets uint64
	// ReceivedPackets count whatever came from the peer: while they grow, the
	// peer is alive.
	ReceivedPackets uint64
	// InFlight says that TCP has sent what is not acknowledged. It then sends
	// again, but where the local address is gone nothing leaves, nor counts.
	InFlight bool
	// RTT is the smoothed time there and back; 0 before it is known.
	RTT time.Duration
}

// Session is one secured connection to a peer, of either kind. It is safe for
// concurrent use.
//
// Its streams share one receive window, from 1.5 MiB up to 18 MiB on a
// listener's side: bytes that nobody reads on one stream hold up the others. Go
// on reading a stream, or end it with StopRead or Reset.
type Session struct{ carrier carrier }

// carrier is what a session of either kind does.
type carrier interface {
	kind() Kind
	openStream(ctx context.Context) (*Stream, error)
	acceptStream(ctx context.Context) (*Stream, error)
	tls() tls.ConnectionState
	remoteAddr() net.Addr
	localAddr() net.Addr
	socket() SocketStats
	traffic() Traffic
	congestion() string
	context() context.Context
	err() error
	close(code uint64, reason string) error
}

// Kind says what the session runs over.
func (s *Session) Kind() Kind { return s.carrier.kind() }

// Traffic tells what the session has carried so far. It costs about a
// microsecond.
func (s *Session) Traffic() Traffic { return s.carrier.traffic() }

// Congestion names the algorithm that decides how fast this side sends: "bbr"
// over TCP where the kernel lets us have it, else the kernel's own choice;
// "reno" over QUIC; empty when it is not known.
func (s *Session) Congestion() string { return s.carrier.congestion() }

// OpenStream opens a stream, waiting while the peer's limit of open streams is
// reached. The peer may see the stream only with its first byte.
func (s *Session) OpenStream(ctx context.Context) (*Stream, error) {
	return s.carrier.openStream(ctx)
}

// AcceptStream waits for the next stream that the peer opened.
func (s *Session) AcceptStream(ctx context.Context) (*Stream, error) {
	return s.carrier.acceptStream(ctx)
}

// PeerCertificate is the peer's own certificate, verified as the TLS
// configuration said; nil when the peer showed none.
func (s *Session) PeerCertificate() *x509.Certificate {
	certificates := s.carrier.tls().PeerCertificates
	if len(certificates) == 0 {
		return nil
	}
	return certificates[0]
}

// ConnectionState tells what TLS agreed on: suite, key exchange, certificates.
func (s *Session) ConnectionState() tls.ConnectionState { return s.carrier.tls() }

// RemoteAddr is the peer's address at the moment; over QUIC it may change.
func (s *Session) RemoteAddr() net.Addr { return s.carrier.remoteAddr() }

// LocalAddr is our address as the peer reaches it.
func (s *Session) LocalAddr() net.Addr { return s.carrier.localAddr() }

// Socket tells what the session's socket achieved; QUIC sessions of a listener
// share one.
func (s *Session) Socket() SocketStats { return s.carrier.socket() }

// Context ends with the session; its cause, through Err, says why.
func (s *Session) Context() context.Context { return s.carrier.context() }

// Err says why the session ended, and nil while it lives.
func (s *Session) Err() error { return s.carrier.err() }

// Close ends the session at once, tells the peer code and reason, and drops
// what the peer has not acknowledged: read the peer's last answer first. Over
// TCP it may take up to a second when the network is stuck.
func (s *Session) Close(code uint64, reason string) error { return s.carrier.close(code, reason) }

// Stream is an ordered byte stream in both directions. One goroutine may read
// while another writes. A stream holds its place among the peer's open streams
// until both directions have ended: write side by CloseWrite or Reset, read
// side by reading to io.EOF, StopRead or Reset.
type Stream struct{ half halves }

// halves are the two directions of a stream of either kind.
type halves interface {
	io.ReadWriter
	closeWrite() error
	stopRead(code uint64)
	reset(code uint64)
	prefer(urgency int8)
	setReadDeadline(t time.Time) error
	setWriteDeadline(t time.Time) error
	context() context.Context
}

// Read reads; io.EOF after the peer's CloseWrite, *ResetError after a reset.
func (s *Stream) Read(p []byte) (int, error) { return s.half.Read(p) }

// Write writes, waiting while the peer's receive window is full. The bytes are
// handed to the transport, not proven to have arrived. Over TCP a deadline or a
// reset ends it as soon as the kernel has taken the frame at hand, of 64 KiB.
func (s *Stream) Write(p []byte) (int, error) { return s.half.Write(p) }

// CloseWrite ends the write side in good order: the peer reads io.EOF after
// all that was written.
func (s *Stream) CloseWrite() error { return s.half.closeWrite() }

// StopRead tells the peer to stop sending: its writes fail with *ResetError.
// Over TCP a code above MaxCode arrives as MaxCode.
func (s *Stream) StopRead(code uint64) { s.half.stopRead(code) }

// Reset breaks off both directions and drops what is under way. Over TCP a code
// above MaxCode arrives as MaxCode.
func (s *Stream) Reset(code uint64) { s.half.reset(code) }

// MaxCode is the highest code of StopRead and Reset that both kinds carry.
const MaxCode = 1<<32 - 1

// Prefer sets how urgent what is written here is among the session's streams:
// 0 goes before everything, 3 is usual, 7 is sent when nothing else is there.
// Streams of one urgency share the session.
func (s *Stream) Prefer(urgency int8) { s.half.prefer(urgency) }

// SetDeadline bounds reads and writes; the zero time takes the bound away.
func (s *Stream) SetDeadline(t time.Time) error {
	if err := s.half.setReadDeadline(t); err != nil {
		return err
	}
	return s.half.setWriteDeadline(t)
}

// SetReadDeadline bounds reads.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.half.setReadDeadline(t) }

// SetWriteDeadline bounds writes.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.half.setWriteDeadline(t) }

// Context ends when the write side ends, by either side or with the session.
func (s *Stream) Context() context.Context { return s.half.context() }
