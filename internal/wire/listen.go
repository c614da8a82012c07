package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Listener takes sessions over QUIC on one UDP socket, and over TCP on sockets
// given to ServeTCP. It is safe for concurrent use.
type Listener struct {
	opt       Options
	tlsConf   *tls.Config
	socket    *socket
	transport *quic.Transport
	listener  *quic.Listener
	budget    *Budget
	arrived   chan *Session // handshakes complete, nobody has them yet
	stop      chan struct{} // closed by Shutdown
	running   sync.WaitGroup
	places    atomic.Int64 // sessions that may still come, those in handshake counted as come
	strangers *rate.Limiter
	shaking   atomic.Int64  // QUIC handshakes under way
	proofs    atomic.Uint64 // first packets answered with a demand to prove the address

	mu      sync.Mutex // guards all below
	closed  bool
	live    map[*Session]struct{}
	streams []net.Listener
	young   []net.Conn // TCP connections in their handshake, oldest first
}

// Listen opens a UDP and a TCP socket on addr ("host:port"; an empty host is
// every address), both with the same port, and takes sessions of both kinds on
// it; of QUIC alone with NoTCP.
func Listen(addr string, tlsConf *tls.Config, opt Options) (*Listener, error) {
	local, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", addr, err)
	}
	udp, tcp, err := openBoth(local, opt)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", addr, err)
	}
	l, err := newListener(udp, tlsConf, opt)
	if tcp == nil {
		return l, err
	}
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	return l, l.ServeTCP(tcp)
}

// openBoth opens the sockets. A port that the system chooses may be taken on
// TCP: then others are tried.
func openBoth(local *net.UDPAddr, opt Options) (*socket, net.Listener, error) {
	// Sessions keep themselves alive; multipath TCP would hide from us what the one
	// path does.
	plain := net.ListenConfig{KeepAlive: -1}
	plain.SetMultipathTCP(false)
	for try := 0; ; try++ {
		udp, err := openSocket("udp", local, opt.PlainReceive, superBatch)
		if err != nil || opt.NoTCP {
			return udp, nil, err
		}
		at := net.TCPAddr{IP: local.IP, Port: udp.conn.LocalAddr().(*net.UDPAddr).Port, Zone: local.Zone}
		tcp, err := plain.Listen(context.Background(), "tcp", at.String())
		if err == nil {
			return udp, tcp, nil
		}
		err = errors.Join(fmt.Errorf("opening TCP socket: %w", err), udp.conn.Close())
		if local.Port != 0 || try == 10 {
			return nil, nil, err
		}
	}
}

// NewListener takes sessions on conn, which then belongs to the listener and is
// used as it is: buffers and coalesced receive are not touched. Sessions over
// TCP come only when ServeTCP is called.
func NewListener(conn net.PacketConn, tlsConf *tls.Config, opt Options) (*Listener, error) {
	return newListener(&socket{conn: conn}, tlsConf, opt)
}

func newListener(s *socket, tlsConf *tls.Config, opt Options) (*Listener, error) {
	if err := checkTLS(tlsConf); err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", s.conn.LocalAddr(), err), s.conn.Close())
	}
	tlsConf = tlsConf.Clone()
	tlsConf.MinVersion = tls.VersionTLS13
	l := &Listener{
		opt: opt, tlsConf: tlsConf, socket: s, transport: opt.transport(), budget: opt.Budget,
		arrived: make(chan *Session), stop: make(chan struct{}), live: make(map[*Session]struct{}),
	}
	if l.budget == nil {
		l.budget = NewBudget(DefaultBudget)
	}
	perSecond := orDefault(opt.StrangersPerSecond, 50)
	l.strangers = rate.NewLimiter(rate.Limit(max(perSecond, 0)), max(4*perSecond, 0))
	l.places.Store(int64(orDefault(opt.MaxSessions, 16384)))
	l.transport.Conn = s.conn
	l.transport.VerifySourceAddress = l.mustProveAddress
	l.transport.ConnContext = l.takePlace
	listener, err := l.transport.Listen(tlsConf, opt.listenerConfig(l.budget))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", s.conn.LocalAddr(), err), s.conn.Close())
	}
	l.listener = listener
	l.running.Go(l.takeQUIC)
	return l, nil
}

// takeQUIC brings QUIC sessions to where Accept waits for both kinds.
func (l *Listener) takeQUIC() {
	for {
		conn, err := l.listener.Accept(context.Background())
		if err != nil {
			return // the listener is closed
		}
		if shaken, ok := conn.Context().Value(shakenKey{}).(func()); ok {
			shaken()
		}
		l.hand(newQUIC(conn, l.socket, l.budget))
	}
}

// hand gives a session to whoever accepts, or ends it with the listener.
func (l *Listener) hand(s *Session) {
	if !l.remember(s) {
		_ = s.Close(0, "listener closed")
		return
	}
	select {
	case l.arrived <- s:
	case <-s.Context().Done(): // gone before anybody saw it
	case <-l.stop: // Shutdown closes it
	}
}

func (l *Listener) mustProveAddress(net.Addr) bool {
	if l.strangers.Allow() {
		return false
	}
	l.proofs.Add(1)
	return true
}

// takePlace runs when a QUIC handshake begins; ctx ends with handshake or session.
func (l *Listener) takePlace(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	if !l.enter() {
		return nil, ErrRefused
	}
	if l.shaking.Add(1) > int64(orDefault(l.opt.MaxHandshakes, 256)) {
		l.shaking.Add(-1)
		l.leave()
		return nil, ErrRefused
	}
	shaken := sync.OnceFunc(func() { l.shaking.Add(-1) })
	context.AfterFunc(ctx, func() { shaken(); l.leave() })
	return context.WithValue(ctx, shakenKey{}, shaken), nil
}

// shakenKey finds what to call when a handshake is complete.
type shakenKey struct{}

func (l *Listener) enter() bool {
	if l.places.Add(-1) < 0 {
		l.leave()
		return false
	}
	return true
}

func (l *Listener) leave() { l.places.Add(1) }

// Accept waits for the next session whose handshake, with the judgement of the
// client's certificate, is complete. Peers that fail it are never seen here.
// After Close it returns ErrClosed.
func (l *Listener) Accept(ctx context.Context) (*Session, error) {
	select {
	case s := <-l.arrived:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.stop:
		return nil, ErrClosed
	}
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

// Addr is the address that the listener has for QUIC.
func (l *Listener) Addr() net.Addr { return l.socket.conn.LocalAddr() }

// Socket tells what the listener's UDP socket achieved.
func (l *Listener) Socket() SocketStats { return l.socket.stats() }

// Sessions is how many sessions live, of both kinds.
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
	close(l.stop)
	live := slices.Collect(maps.Keys(l.live))
	for _, listener := range l.streams {
		_ = listener.Close() // nothing to be done about it
	}
	for _, conn := range l.young {
		_ = conn.Close()
	}
	l.mu.Unlock()
	err := translate(l.listener.Close())
	var closing errgroup.Group
	for _, s := range live {
		closing.Go(func() error { return s.Close(code, reason) })
	}
	err = errors.Join(err, closing.Wait())
	l.running.Wait()
	return errors.Join(err, l.transport.Close(), l.socket.conn.Close())
}

// Close is Shutdown with code 0 and no reason.
func (l *Listener) Close() error { return l.Shutdown(0, "") }
