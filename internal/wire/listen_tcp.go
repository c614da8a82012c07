package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"time"
)

// ServeTCP takes sessions over TLS on the connections of listener too, which
// then belongs to l; it returns at once. Connections in their handshake are
// bounded by Options.MaxHandshakes and by time, and count towards MaxSessions.
func (l *Listener) ServeTCP(listener net.Listener) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.Join(ErrClosed, listener.Close())
	}
	l.streams = append(l.streams, listener)
	conf := overTCP(l.tlsConf)
	l.running.Go(func() { l.takeTCP(listener, conf) })
	return nil
}

// takeTCP takes connections until the listener is closed. Other errors pass:
// the usual one is that there are too many files open.
func (l *Listener) takeTCP(listener net.Listener, conf *tls.Config) {
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			l.running.Go(func() { l.greet(conn, conf) })
		case errors.Is(err, net.ErrClosed):
			return
		case !l.pause(50 * time.Millisecond):
			return
		}
	}
}

// pause waits, and says whether the listener is still open.
func (l *Listener) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.stop:
		return false
	}
}

// greet brings a connection through its handshake.
func (l *Listener) greet(conn net.Conn, conf *tls.Config) {
	if !l.admitYoung(conn) {
		_ = conn.Close()
		return
	}
	s, err := l.shake(conn, conf)
	l.forgetYoung(conn)
	switch {
	case err == nil:
		l.hand(s)
	case errors.Is(err, net.ErrClosed):
		_ = conn.Close()
	default:
		part(conn) // the peer should hear why
	}
}

func (l *Listener) shake(conn net.Conn, conf *tls.Config) (*Session, error) {
	if !l.enter() {
		refuse(conn)
		return nil, ErrRefused
	}
	over, under, err := secure(context.Background(), conn, l.opt, func(c net.Conn) *tls.Conn { return tls.Server(c, conf) })
	if err != nil {
		l.leave()
		return nil, err
	}
	s := &Session{newTCP(over, under, false, l.opt, l.budget)}
	context.AfterFunc(s.Context(), l.leave)
	return s, nil
}

// admitYoung remembers a connection in its handshake, and cuts off the oldest
// where there are too many: an honest handshake is short.
func (l *Listener) admitYoung(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if len(l.young) >= orDefault(l.opt.MaxHandshakes, 256) {
		_ = l.young[0].Close()
		l.young = slices.Delete(l.young, 0, 1)
	}
	l.young = append(l.young, conn)
	return true
}

func (l *Listener) forgetYoung(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.young, conn); i >= 0 {
		l.young = slices.Delete(l.young, i, i+1)
	}
}

// alertRefused is the TLS alert that says: no session at the moment. Like the
// refusal of QUIC it is not authenticated.
const alertRefused = 90 // user_canceled, RFC 8446 section 6.1

// refuse tells a client, once it has spoken, that there is no place.
func refuse(conn net.Conn) {
	if conn.SetDeadline(time.Now().Add(closeTime)) != nil {
		return
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return
	}
	_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, alertRefused}) // a fatal alert; a courtesy
}

// part closes conn after what was written has had its time to arrive.
func part(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	if conn.SetDeadline(time.Now().Add(closeTime)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, 64<<10))
	}
	_ = conn.Close()
}
