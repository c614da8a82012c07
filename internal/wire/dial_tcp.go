package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// DialTCP opens a session over TLS 1.3 on TCP to addr ("host:port"). The rest is
// as in Dial: addresses one after the other, the name in addr proven unless
// tlsConf.ServerName is set, and no word of what the server thinks of our
// certificate.
func DialTCP(ctx context.Context, addr string, tlsConf *tls.Config, opt Options) (*Session, error) {
	return dialEach(ctx, addr, tlsConf, func(ctx context.Context, at netip.AddrPort, tlsConf *tls.Config) (*Session, error) {
		return dialTCPAddress(ctx, at, tlsConf, opt)
	})
}

func dialTCPAddress(ctx context.Context, at netip.AddrPort, tlsConf *tls.Config, opt Options) (*Session, error) {
	answer, cancel := context.WithTimeout(ctx, orDefault(opt.Handshake, 5*time.Second))
	defer cancel()
	dialer := net.Dialer{KeepAlive: -1} // sessions do that themselves
	conn, err := dialer.DialContext(answer, "tcp", at.String())
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("dialling %s over TCP: %w", at, ctx.Err())
		}
		return nil, fmt.Errorf("dialling %s over TCP: %w", at, translateConnect(err))
	}
	return DialConn(ctx, conn, tlsConf, opt)
}

// DialConn opens a session over TLS 1.3 on conn, a reliable connection to a
// listener, which then belongs to the session.
func DialConn(ctx context.Context, conn net.Conn, tlsConf *tls.Config, opt Options) (*Session, error) {
	if err := checkTLS(tlsConf); err != nil {
		return nil, errors.Join(fmt.Errorf("dialling %s over TCP: %w", conn.RemoteAddr(), err), conn.Close())
	}
	tlsConf = overTCP(tlsConf)
	if tlsConf.ServerName == "" {
		if host, _, err := net.SplitHostPort(conn.RemoteAddr().String()); err == nil {
			tlsConf.ServerName = host
		}
	}
	over, under, err := secure(ctx, conn, opt, func(c net.Conn) *tls.Conn { return tls.Client(c, tlsConf) })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dialling %s over TCP: %w", conn.RemoteAddr(), err), conn.Close())
	}
	budget := opt.Budget
	if budget == nil {
		budget = NewBudget(DefaultBudget)
	}
	return &Session{newTCP(over, under, true, opt, budget)}, nil
}

// overTCP is the TLS configuration for TCP: full records from the beginning.
func overTCP(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MinVersion = tls.VersionTLS13
	c.SessionTicketsDisabled = true
	c.DynamicRecordSizingDisabled = true
	return c
}

// secure makes the handshake, in at most twice the time that a dial waits for
// an answer.
func secure(ctx context.Context, conn net.Conn, opt Options, side func(net.Conn) *tls.Conn) (*tls.Conn, *corked, error) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		prepareTCP(tcp, orDefault(opt.Idle, 30*time.Second))
	}
	ctx, cancel := context.WithTimeout(ctx, 2*orDefault(opt.Handshake, 5*time.Second))
	defer cancel()
	under := &corked{Conn: conn}
	over := side(under)
	if err := over.HandshakeContext(ctx); err != nil {
		return nil, nil, translateSecuring(err)
	}
	return over, under, nil
}
