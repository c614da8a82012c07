package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"

	"github.com/quic-go/quic-go"
)

// Dialer opens sessions from one packet connection. It is safe for concurrent
// use.
type Dialer struct {
	socket    *socket
	transport *quic.Transport
	budget    *Budget
	opt       Options
	closeOnce sync.Once
	closeErr  error
}

// Dial opens a QUIC session to addr ("host:port") from a socket of its own, which
// closes with the session. The addresses of the host are tried one after the
// other. Unless tlsConf.ServerName is set, the server must prove the name in
// addr.
//
// Success says nothing about what the server thinks of our certificate: see
// the package comment.
func Dial(ctx context.Context, addr string, tlsConf *tls.Config, opt Options) (*Session, error) {
	return dialEach(ctx, addr, tlsConf, func(ctx context.Context, at netip.AddrPort, tlsConf *tls.Config) (*Session, error) {
		return dialAddress(ctx, at, tlsConf, opt)
	})
}

// dialEach dials the addresses of the host in addr until one answers.
func dialEach(ctx context.Context, addr string, tlsConf *tls.Config, dial func(context.Context, netip.AddrPort, *tls.Config) (*Session, error)) (*Session, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dialling %q: %w", addr, err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("dialling %q: %q is not a port number", addr, service)
	}
	if err := checkTLS(tlsConf); err != nil {
		return nil, fmt.Errorf("dialling %q: %w", addr, err)
	}
	if tlsConf.ServerName == "" {
		tlsConf = tlsConf.Clone()
		tlsConf.ServerName = host
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("dialling %q: %w", addr, err)
	}
	var failures []error
	for _, ip := range found {
		s, err := dial(ctx, netip.AddrPortFrom(ip.Unmap(), uint16(port)), tlsConf)
		if err == nil {
			return s, nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failures...)
}

func dialAddress(ctx context.Context, addr netip.AddrPort, tlsConf *tls.Config, opt Options) (*Session, error) {
	network := "udp6"
	if addr.Addr().Is4() {
		network = "udp4"
	}
	s, err := openSocket(network, nil, opt.PlainReceive, diallerSuperBatch)
	if err != nil {
		return nil, fmt.Errorf("dialling %s: %w", addr, err)
	}
	d := newDialer(s, opt)
	session, err := d.Dial(ctx, net.UDPAddrFromAddrPort(addr), tlsConf)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	context.AfterFunc(session.Context(), func() { _ = d.Close() })
	return session, nil
}

// NewDialer dials from conn, which then belongs to the dialler and is used as
// it is: buffers and coalesced receive are not touched.
func NewDialer(conn net.PacketConn, opt Options) *Dialer {
	return newDialer(&socket{conn: conn}, opt)
}

func newDialer(s *socket, opt Options) *Dialer {
	d := &Dialer{socket: s, transport: opt.transport(), budget: opt.Budget, opt: opt}
	if d.budget == nil {
		d.budget = NewBudget(DefaultBudget)
	}
	d.transport.Conn = s.conn
	return d
}

// Dial opens a session to addr. Unless tlsConf.ServerName is set, the server
// must prove its IP address.
func (d *Dialer) Dial(ctx context.Context, addr net.Addr, tlsConf *tls.Config) (*Session, error) {
	if err := checkTLS(tlsConf); err != nil {
		return nil, fmt.Errorf("dialling %s: %w", addr, err)
	}
	tlsConf = tlsConf.Clone()
	tlsConf.MinVersion = tls.VersionTLS13
	conn, err := d.transport.Dial(ctx, addr, tlsConf, d.opt.diallerConfig(d.budget))
	if err != nil {
		return nil, fmt.Errorf("dialling %s: %w", addr, translateDial(err))
	}
	return newQUIC(conn, d.socket, d.budget), nil
}

// Close ends all sessions without telling the peers, and closes the packet
// connection.
func (d *Dialer) Close() error {
	d.closeOnce.Do(func() {
		d.closeErr = errors.Join(d.transport.Close(), d.socket.conn.Close())
	})
	return d.closeErr
}
