package wire

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/quic-go/quic-go"
)

// Options tune sessions. The zero value is right for production; a listener
// should also have a ResetKey.
type Options struct {
	// Idle is how long a silent peer is believed alive; default 50 s over
	// QUIC, 30 s over TCP. The smaller of both sides' values counts.
	Idle time.Duration
	// KeepAlive is the pause after which a packet is sent to keep the session and
	// the path's address translation alive; default 25 s over QUIC, since those of
	// UDP are kept for 30 s and more (RFC 4787 wants 2 minutes), 10 s over TCP. Over
	// QUIC it is the dialler's to send them: its answers reset the listener's idle
	// time too, and a server with thousands of sessions has half as much to do.
	KeepAlive time.Duration
	// Handshake is how long a dial waits for any answer; default 5 s. The whole
	// handshake may take twice as long.
	Handshake time.Duration

	// MaxStreams is how many streams a peer may have open in one session;
	// default 64 for a listener. A dialler lets its peer open none unless set.
	MaxStreams int
	// MaxSessions bounds a listener's sessions of both kinds, those in handshake
	// included; default 16384. More are refused at once.
	MaxSessions int
	// MaxHandshakes bounds, of each kind, the sessions of a listener that are in
	// their handshake; default 256. When one more comes over TCP, the one that has
	// taken longest is cut off; over QUIC, where an address proves itself, it is
	// refused and comes again. Sessions that live do not suffer from a storm.
	MaxHandshakes int
	// StrangersPerSecond is how many handshakes from unproven addresses a
	// listener begins per second, with bursts of four times as many, before it
	// makes them prove their address first; default 50, negative: always.
	StrangersPerSecond int

	// Budget bounds the receive windows of all sessions that share it; nil is
	// an own one of DefaultBudget bytes.
	Budget *Budget

	// ResetKey lets peers notice at once that this process was restarted. It
	// must be secret, and the same after a restart (RFC 9000 section 10.3).
	ResetKey *[32]byte
	// TokenKey protects address validation tokens; all nodes behind one address
	// need the same (RFC 9000 section 8.1.3). Nil draws one.
	TokenKey *[32]byte

	// NoTCP makes Listen take QUIC alone.
	NoTCP bool
	// PlainReceive turns coalesced receive off.
	PlainReceive bool
}

// Receive windows in bytes: a listener receives recordings, a dialler only
// answers. The connection's windows are one and a half times the stream's.
const (
	listenerWindow    = 2 << 20
	listenerMaxWindow = 12 << 20
	diallerWindow     = 256 << 10
	diallerMaxWindow  = 1 << 20
)

func orDefault[T int | time.Duration](value, standard T) T {
	if value == 0 {
		return standard
	}
	return value
}

func (o Options) config() *quic.Config {
	return &quic.Config{
		Versions:              []quic.Version{quic.Version1},
		HandshakeIdleTimeout:  orDefault(o.Handshake, 5*time.Second),
		MaxIdleTimeout:        orDefault(o.Idle, 50*time.Second),
		MaxIncomingUniStreams: -1,
	}
}

func (o Options) listenerConfig(b *Budget) *quic.Config {
	c := o.config()
	c.MaxIncomingStreams = int64(orDefault(o.MaxStreams, 64))
	return windows(c, b, listenerWindow, listenerMaxWindow)
}

func (o Options) diallerConfig(b *Budget) *quic.Config {
	c := o.config()
	c.MaxIncomingStreams = int64(orDefault(o.MaxStreams, -1))
	c.KeepAlivePeriod = orDefault(o.KeepAlive, 25*time.Second)
	return windows(c, b, diallerWindow, diallerMaxWindow)
}

func windows(c *quic.Config, b *Budget, initial, highest uint64) *quic.Config {
	c.InitialStreamReceiveWindow = initial
	c.MaxStreamReceiveWindow = highest
	c.InitialConnectionReceiveWindow = initial * 3 / 2
	c.MaxConnectionReceiveWindow = highest * 3 / 2
	c.AllowConnectionWindowIncrease = b.allowConn
	return c
}

func (o Options) transport() *quic.Transport {
	t := &quic.Transport{}
	if o.ResetKey != nil {
		key := quic.StatelessResetKey(*o.ResetKey)
		t.StatelessResetKey = &key
	}
	if o.TokenKey != nil {
		key := quic.TokenGeneratorKey(*o.TokenKey)
		t.TokenGeneratorKey = &key
	}
	return t
}

func checkTLS(c *tls.Config) error {
	switch {
	case c == nil:
		return errors.New("no TLS configuration")
	case len(c.NextProtos) == 0:
		return errors.New("the TLS configuration names no application protocol (NextProtos)")
	case c.InsecureSkipVerify && c.VerifyConnection == nil && c.VerifyPeerCertificate == nil:
		return errors.New("the TLS configuration would trust any peer")
	}
	return nil
}
