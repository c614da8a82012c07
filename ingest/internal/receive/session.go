package receive

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Options bound what docks may cost. The zero value of a field is its default.
type Options struct {
	HelloTimeout    time.Duration // from connection to Hello: 10 s
	IdleTimeout     time.Duration // without a byte on a recording stream or stripe: 10 min
	FrameTimeout    time.Duration // for one frame: 10 min, a segment at 14 kbit/s
	Memory          int64         // bytes that data frames of all docks may hold, and control frames as much: 128 MiB
	MemoryPerDock   int64         // the same for one dock: 16 MiB
	SessionsPerDock int           // connections of one dock: 32
	AsksPerSecond   int           // questions on one connection, and as many at once: 50
	FirmwarePerDock int           // images that one dock fetches at a time: 4
	SegmentTime     time.Duration // that segments on their way have when the server stops: 5 s

	Directions Directions // nil: no limits, no order
	Observer   Observer   // nil: nobody

	Now func() time.Time // the clock that docks compare theirs with: time.Now
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	set(&o.HelloTimeout, 10*time.Second)
	set(&o.IdleTimeout, 10*time.Minute)
	set(&o.FrameTimeout, 10*time.Minute)
	set(&o.SegmentTime, 5*time.Second)
	if o.Memory == 0 {
		o.Memory = 128 << 20
	}
	if o.MemoryPerDock == 0 {
		o.MemoryPerDock = 16 << 20
	}
	if o.SessionsPerDock == 0 {
		o.SessionsPerDock = 32
	}
	if o.AsksPerSecond == 0 {
		o.AsksPerSecond = 50
	}
	if o.FirmwarePerDock == 0 {
		o.FirmwarePerDock = 4
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Receiver takes docks' connections.
type Receiver struct {
	acceptor Acceptor
	live     *Live
	log      *slog.Logger
	options  Options
	all      *budget
	open     open
	drain    drain
	sessions atomic.Uint64 // counted since the start
}

// New returns a Receiver that hands to acceptor and shows in live.
func New(acceptor Acceptor, live *Live, log *slog.Logger, options Options) *Receiver {
	options = options.withDefaults()
	return &Receiver{
		acceptor: acceptor, live: live, log: log, options: options,
		all: newBudget(options), drain: drain{begun: make(chan struct{})},
	}
}

// Serve takes connections until ctx ends or the listener fails; once only. At
// the end of ctx it tells docks to leave, takes nothing new, lets segments that
// are on their way come to their acknowledgement and recordings that are being
// proven to their receipt, and returns when all connections are closed.
func (r *Receiver) Serve(ctx context.Context, listener *wire.Listener) error {
	serving, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer stop(nil)
	for {
		connection, err := listener.Accept(ctx)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				connection.Close(upload.EndGoingAway, "the server stops")
			}
			r.leave(listener, &sessions, stop)
			return nil
		case errors.Is(err, wire.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("waiting for docks: %w", err)
		}
		sessions.Go(func() { r.session(serving, connection) })
	}
}

// session is one connection after its Hello.
type session struct {
	acceptor Acceptor
	live     *Live
	log      *slog.Logger
	options  Options
	peer     Peer
	budget   *dockBudget
	all      *budget
	open     *open
	drain    *drain

	dismissed <-chan struct{} // closed when the server lets the dock in no more
}

// session runs one connection to its end.
func (r *Receiver) session(serving context.Context, connection *wire.Session) {
	ctx, cancel := context.WithCancel(serving)
	defer cancel()
	defer context.AfterFunc(connection.Context(), cancel)() // no goroutine waits for a session that is idle
	log := r.log.With("address", connection.RemoteAddr().String())
	control, err := r.first(ctx, connection)
	if err != nil {
		log.DebugContext(ctx, "a connection ended before its Hello", "error", err)
		connection.Close(upload.EndProtocol, "no Hello")
		return
	}
	s := &session{acceptor: r.acceptor, live: r.live, options: r.options, all: r.all, open: &r.open, drain: &r.drain}
	hello, err := r.greet(ctx, s, connection, control)
	if err != nil {
		r.turnAway(ctx, log, connection, control, err)
		return
	}
	defer r.all.leave(dockName{s.peer.Agency, s.peer.Dock})
	s.log = log.With("agency", s.peer.Agency, "dock", s.peer.Dock, "session", s.peer.Session)
	s.live.connected(s.peer)
	defer s.gone()
	s.log.InfoContext(ctx, "a dock has connected", "agent", hello.GetAgentVersion())
	code, why := s.run(ctx, connection, control)
	if _, draining := s.drain.state(); draining {
		code, why = upload.EndGoingAway, "the server stops"
		farewell(control, farewellTime) // for the last acknowledgements to arrive
	}
	s.log.InfoContext(ctx, "a dock's connection has ended", "why", why)
	connection.Close(code, why)
}

// gone notes the end of the connection.
func (s *session) gone() {
	last := s.live.disconnected(s.peer)
	if last && s.options.Observer != nil {
		s.options.Observer.Gone(s.peer)
	}
}

// first waits for the control stream.
func (r *Receiver) first(ctx context.Context, connection *wire.Session) (*wire.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.HelloTimeout)
	defer cancel()
	return connection.AcceptStream(ctx)
}

// greet reads Hello, compares it with the certificate and answers Welcome. When
// it succeeds, the connection is counted in the dock's budget.
func (r *Receiver) greet(ctx context.Context, s *session, connection *wire.Session, control *wire.Stream) (*upload.Hello, error) {
	peer, err := r.identify(connection)
	if err != nil {
		return nil, err
	}
	if err := control.SetReadDeadline(time.Now().Add(r.options.HelloTimeout)); err != nil {
		return nil, &goneError{err}
	}
	hello, err := upload.Expect[*upload.Hello](control, new(upload.Buffer))
	if err != nil {
		return nil, lost(err)
	}
	switch {
	case hello.GetProtocol() != upload.Version:
		return nil, upload.VersionMismatch(hello.GetProtocol())
	case hello.GetAgency() != string(peer.Agency):
		return nil, upload.Errorf(upload.CodeWrongAgency, "the dock says it is of agency %q, its certificate says %q: enrol it again", hello.GetAgency(), peer.Agency)
	case hello.GetDock() != string(peer.Dock):
		return nil, upload.Errorf(upload.CodeUnknownDevice, "the dock says it is %q, its certificate says %q: enrol it again", hello.GetDock(), peer.Dock)
	}
	peer.AgentVersion = hello.GetAgentVersion()
	welcome, station, err := r.acceptor.Welcome(ctx, peer, hello.GetCheckpoint())
	if err != nil {
		return nil, err
	}
	peer.Station = station
	own, dismissed, ok := r.all.enter(dockName{peer.Agency, peer.Dock})
	if !ok {
		refused := upload.Errorf(upload.CodeRetryLater, "this dock has %d connections already: close one", r.options.SessionsPerDock)
		refused.RetryAfter = 30 * time.Second
		return nil, refused
	}
	s.peer, s.budget, s.dismissed = peer, own, dismissed
	if err := upload.WriteMessage(control, welcome); err != nil {
		r.all.leave(dockName{peer.Agency, peer.Dock})
		return nil, &goneError{err}
	}
	return hello, nil
}

func (r *Receiver) identify(connection *wire.Session) (Peer, error) {
	certificate := connection.PeerCertificate()
	if certificate == nil {
		return Peer{}, upload.Errorf(upload.CodeUnknownDevice, "the dock showed no certificate: enrol it")
	}
	agency, dock, err := identity.DockFromCertificate(certificate)
	if err != nil {
		return Peer{}, upload.Errorf(upload.CodeUnknownDevice, "the certificate names no dock: enrol it again")
	}
	agreed := connection.ConnectionState()
	return Peer{
		Agency: agency, Dock: dock, Certificate: evidence.SHA256(certificate.Raw),
		Address: addressOf(connection.RemoteAddr()), Session: r.sessions.Add(1),
		Transport: transportOf(connection.RemoteAddr()), KeyExchange: agreed.CurveID.String(), CipherSuite: tls.CipherSuiteName(agreed.CipherSuite),
	}, nil
}

// transportOf says what a connection from an address runs over.
func transportOf(a net.Addr) string {
	if _, ok := a.(*net.TCPAddr); ok {
		return upload.OverTCP
	}
	return upload.OverQUIC
}

func addressOf(a net.Addr) netip.AddrPort {
	if udp, ok := a.(*net.UDPAddr); ok {
		p := udp.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{} // a transport without such addresses: shown as unknown
	}
	return p
}

// turnAway tells why, and gives the dock a moment to read it.
func (r *Receiver) turnAway(ctx context.Context, log *slog.Logger, connection *wire.Session, control *wire.Stream, err error) {
	var gone *goneError
	if errors.As(err, &gone) || err == io.EOF {
		connection.Close(upload.EndProtocol, "no Hello")
		return
	}
	refused, told := refusal(err)
	if told {
		log.WarnContext(ctx, "a dock was turned away", "code", refused.Code, "why", refused.Message)
	} else {
		log.ErrorContext(ctx, "greeting a dock failed", "error", err)
	}
	if err := upload.WriteMessage(control, refused); err == nil {
		farewell(control, endTime)
	}
	connection.Close(upload.EndRefused, string(refused.Code))
}

// farewell gives the dock a moment to read the last frame before the
// connection is closed, which would drop it.
func farewell(control *wire.Stream, moment time.Duration) {
	if control.CloseWrite() != nil || control.SetReadDeadline(time.Now().Add(moment)) != nil {
		return
	}
	io.Copy(io.Discard, control) // to the end of the dock's side, or of the moment
}

// run serves the control stream and all others, until the control
// stream ends, and returns how to close the connection.
func (s *session) run(ctx context.Context, connection *wire.Session, control *wire.Stream) (code uint64, why string) {
	ctx, cancel := context.WithCancelCause(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel(nil)
	talk := &talk{stream: control}
	if err := s.direct(ctx, talk, &others, cancel); err != nil {
		return upload.EndNormal, err.Error()
	}
	others.Go(func() {
		for {
			incoming, err := connection.AcceptStream(ctx)
			if err != nil {
				return
			}
			others.Go(func() { s.other(ctx, incoming) })
		}
	})
	err := s.control(ctx, talk)
	var refused *upload.Error
	switch {
	case context.Cause(ctx) == errDismissed:
		farewell(control, endTime)
		return upload.EndRefused, errDismissed.Message
	case err == nil:
		return upload.EndNormal, "the dock has ended the control stream"
	case errors.As(err, &refused):
		farewell(control, endTime)
		return upload.EndProtocol, refused.Message
	case connection.Err() != nil:
		return upload.EndNormal, connection.Err().Error()
	}
	return upload.EndNormal, err.Error()
}
