package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"
)

// Listener takes sessions on one UDP socket. It is safe for concurrent use.
type Listener struct {
	socket    *socket
	transport *quic.Transport
	listener  *quic.Listener
	budget    *Budget
	places    atomic.Int64 // sessions that may still come, those in handshake counted as come
	strangers *rate.Limiter
	proofs    atomic.Uint64 // first packets answered with a demand to prove the address

	mu     sync.Mutex // guards all below
	closed bool
	live   map[*Session]struct{}
}

// Listen opens a UDP socket on addr ("host:port"; an empty host is every
// address) and takes sessions on it.
func Listen(addr string, tlsConf *tls.Config, opt Options) (*Listener, error) {
	local, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", addr, err)
	}
	s, err := openSocket("udp", local, opt.PlainReceive)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", addr, err)
	}
	return newListener(s, tlsConf, opt)
}

// NewListener takes sessions on conn, which then belongs to the listener and is
// used as it is: buffers and coalesced receive are not touched.
func NewListener(conn net.PacketConn, tlsConf *tls.Config, opt Options) (*Listener, error) {
	return newListener(&socket{conn: conn}, tlsConf, opt)
}

func newListener(s *socket, tlsConf *tls.Config, opt Options) (*Listener, error) {
	if err := checkTLS(tlsConf); err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", s.conn.LocalAddr(), err), s.conn.Close())
	}
	tlsConf = tlsConf.Clone()
	tlsConf.MinVersion = tls.VersionTLS13
	l := &Listener{socket: s, transport: opt.transport(), budget: opt.Budget, live: make(map[*Session]struct{})}
	if l.budget == nil {
		l.budget = NewBudget(DefaultBudget)
	}
	perSecond := orDefault(opt.StrangersPerSecond, 50)
	l.strangers = rate.NewLimiter(rate.Limit(max(perSecond, 0)), max(4*perSecond, 0))
	l.places.Store(int64(orDefault(opt.MaxSessions, 2048)))
	l.transport.Conn = s.conn
	l.transport.VerifySourceAddress = l.mustProveAddress
	l.transport.ConnContext = l.takePlace
	listener, err := l.transport.Listen(tlsConf, opt.listenerConfig(l.budget))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", s.conn.LocalAddr(), err), s.conn.Close())
	}
	l.listener = listener
	return l, nil
}

func (l *Listener) mustProveAddress(net.Addr) bool {
	if l.strangers.Allow() {
		return false
	}
	l.proofs.Add(1)
	return true
}

// takePlace runs when a handshake begins; ctx ends with handshake or session.
func (l *Listener) takePlace(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	if l.places.Add(-1) < 0 {
		l.places.Add(1)
		return nil, ErrRefused
	}
	context.AfterFunc(ctx, func() { l.places.Add(1) })
	return ctx, nil
}

// Accept waits for the next session whose handshake, with the judgement of the
// client's certificate, is complete. Peers that fail it are never seen here.
// After Close it returns ErrClosed.
func (l *Listener) Accept(ctx context.Context) (*Session, error) {
	conn, err := l.listener.Accept(ctx)
	if err != nil {
		return nil, translate(err)
	}
	s := newSession(conn, l.socket, l.budget)
	if !l.remember(s) {
		return nil, errors.Join(ErrClosed, s.Close(0, "listener closed"))
	}
	return s, nil
}

func (l *Listener) remember(s *Session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.live[s] = struct{}{}
	context.AfterFunc(s.Context(), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.live, s)
	})
	return true
}

// Addr is the address that the listener has.
func (l *Listener) Addr() net.Addr { return l.socket.conn.LocalAddr() }

// Socket tells what the listener's UDP socket achieved.
func (l *Listener) Socket() SocketStats { return l.socket.stats() }

// Sessions is how many accepted sessions live.
func (l *Listener) Sessions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.live)
}

// AddressProofs is how many first packets were answered with a demand to prove
// the address, because too many strangers knocked. A handshake begins with one
// packet or two.
func (l *Listener) AddressProofs() uint64 { return l.proofs.Load() }

// Shutdown takes no more sessions, closes the living ones with code and
// reason, and gives the socket back.
func (l *Listener) Shutdown(code uint64, reason string) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	live := make([]*Session, 0, len(l.live))
	for s := range l.live {
		live = append(live, s)
	}
	l.mu.Unlock()
	err := translate(l.listener.Close())
	for _, s := range live {
		err = errors.Join(err, s.Close(code, reason))
	}
	return errors.Join(err, l.transport.Close(), l.socket.conn.Close())
}

// Close is Shutdown with code 0 and no reason.
func (l *Listener) Close() error { return l.Shutdown(0, "") }
