package wire

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// quicSession is a session over QUIC.
type quicSession struct {
	conn *quic.Conn
	udp  *socket
}

func newQUIC(conn *quic.Conn, udp *socket, b *Budget) *Session {
	b.admit(conn)
	context.AfterFunc(conn.Context(), func() { b.release(conn) })
	return &Session{&quicSession{conn, udp}}
}

func (s *quicSession) kind() Kind               { return QUIC }
func (s *quicSession) congestion() string       { return "reno" } // the only one that quic-go has
func (s *quicSession) tls() tls.ConnectionState { return s.conn.ConnectionState().TLS }
func (s *quicSession) remoteAddr() net.Addr     { return s.conn.RemoteAddr() }
func (s *quicSession) localAddr() net.Addr      { return s.conn.LocalAddr() }
func (s *quicSession) socket() SocketStats      { return s.udp.stats() }
func (s *quicSession) context() context.Context { return s.conn.Context() }

func (s *quicSession) openStream(ctx context.Context) (*Stream, error) {
	stream, err := s.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return &Stream{quicStream{stream}}, nil
}

func (s *quicSession) acceptStream(ctx context.Context) (*Stream, error) {
	stream, err := s.conn.AcceptStream(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return &Stream{quicStream{stream}}, nil
}

func (s *quicSession) traffic() Traffic {
	stats := s.conn.ConnectionStats()
	return Traffic{
		SentBytes:       stats.BytesSent + stats.PacketsSent*(udpHeader+ipHeader(s.conn.RemoteAddr())),
		SentPackets:     stats.PacketsSent,
		LostPackets:     stats.PacketsLost,
		ReceivedPackets: stats.PacketsReceived,
		RTT:             stats.SmoothedRTT,
	}
}

func (s *quicSession) err() error {
	if s.conn.Context().Err() == nil {
		return nil
	}
	return translate(context.Cause(s.conn.Context()))
}

func (s *quicSession) close(code uint64, reason string) error {
	return translate(s.conn.CloseWithError(quic.ApplicationErrorCode(code), reason))
}

// udpHeader is the length of a UDP header in bytes.
const udpHeader = 8

// ipHeader is the length of an IP header without options towards addr.
func ipHeader(addr net.Addr) uint64 {
	var ip net.IP
	switch a := addr.(type) {
	case *net.UDPAddr:
		ip = a.IP
	case *net.TCPAddr:
		ip = a.IP
	}
	if ip == nil || ip.To4() != nil {
		return 20
	}
	return 40
}

// quicStream is a stream of a QUIC session.
type quicStream struct{ stream *quic.Stream }

// Read implements io.Reader.
func (s quicStream) Read(p []byte) (int, error) {
	n, err := s.stream.Read(p)
	return n, translate(err)
}

// Write implements io.Writer.
func (s quicStream) Write(p []byte) (int, error) {
	n, err := s.stream.Write(p)
	return n, translate(err)
}

func (s quicStream) closeWrite() error    { return translate(s.stream.Close()) }
func (s quicStream) stopRead(code uint64) { s.stream.CancelRead(quic.StreamErrorCode(code)) }

func (s quicStream) reset(code uint64) {
	s.stream.CancelWrite(quic.StreamErrorCode(code))
	s.stream.CancelRead(quic.StreamErrorCode(code))
}

func (s quicStream) prefer(urgency int8)               { s.stream.SetPriority(urgency, true) }
func (s quicStream) setReadDeadline(t time.Time) error { return translate(s.stream.SetReadDeadline(t)) }
func (s quicStream) setWriteDeadline(t time.Time) error {
	return translate(s.stream.SetWriteDeadline(t))
}
func (s quicStream) context() context.Context { return s.stream.Context() }
