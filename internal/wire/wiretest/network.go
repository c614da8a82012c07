package wiretest

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/internal/wire"
)

// Conditions are what a network does to packets.
type Conditions struct {
	RTT  time.Duration // latency there and back
	Loss float64       // share of packets lost, 0 to 1, in either direction
	Seed uint64        // of the losses
}

// Network is a link with a server's end and a dock's end, for sessions of both
// kinds. TCP is a reliable connection in memory: latency and blackouts hold its
// bytes up, losses are the kernel's to mend and not played. RestartServer must not
// run beside other methods; all else is safe for concurrent use.
type Network struct {
	router  *router
	rtt     time.Duration
	server  *end
	dock    *end
	streams *streams
}

// end is a packet connection and its link into the network.
type end struct {
	*simnet.SimConn
	link *simnet.SimulatedLink
}

// ServerName is the name in certificates made by Pair.
const ServerName = "ingest.example"

// New makes a network that is taken down when the test ends.
func New(t testing.TB, c Conditions) *Network {
	t.Helper()
	n := &Network{router: &router{random: rand.New(rand.NewPCG(c.Seed, 1)), loss: c.Loss}, rtt: c.RTT}
	// At the very end: connections that are closing would else wait for each other
	// on a clock that has stopped.
	t.Cleanup(func() { n.streams.cut() })
	n.server = n.attach(t, &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7443})
	n.dock = n.attach(t, &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 40000})
	n.streams = newStreams(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7443})
	return n
}

// attach puts an end into the network, in the place of an older one with the
// same address.
func (n *Network) attach(t testing.TB, addr *net.UDPAddr) *end {
	link := &simnet.SimulatedLink{
		Latency:          n.rtt / 2,
		DownlinkSettings: simnet.LinkSettings{MTU: 1500},
		UplinkSettings:   simnet.LinkSettings{MTU: 1500},
		UploadPacket:     n.router,
	}
	e := &end{SimConn: simnet.NewBlockingSimConn(addr, link), link: link}
	n.router.AddNode(addr, link)
	link.Start()
	t.Cleanup(func() {
		_ = e.Close()
		if err := link.Close(); err != nil {
			t.Errorf("taking network down: %v", err)
		}
	})
	return e
}

// Listen begins the server, for both kinds unless opt.NoTCP; it is closed when
// the test ends.
func (n *Network) Listen(t testing.TB, tlsConf *tls.Config, opt wire.Options) *wire.Listener {
	t.Helper()
	l, err := wire.NewListener(n.server.SimConn, tlsConf, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if opt.NoTCP {
		return l
	}
	if err := l.ServeTCP(n.streams); err != nil {
		t.Fatal(err)
	}
	return l
}

// DialTCP opens a session over TCP to the server.
func (n *Network) DialTCP(ctx context.Context, tlsConf *tls.Config, opt wire.Options) (*wire.Session, error) {
	conn, err := n.Connect()
	if err != nil {
		return nil, err
	}
	return wire.DialConn(ctx, conn, tlsConf, opt)
}

// Connect opens a bare connection to the server, as TCP would.
func (n *Network) Connect() (net.Conn, error) {
	dialled, accepted := connect(n, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 40000}, n.streams.addr)
	if err := n.streams.offer(accepted); err != nil {
		return nil, err
	}
	return dialled, nil
}

// dark says whether there is a blackout.
func (n *Network) dark() bool {
	n.router.mu.Lock()
	defer n.router.mu.Unlock()
	return n.router.blackout
}

// Dialer makes the dock's end; it is closed when the test ends.
func (n *Network) Dialer(t testing.TB, opt wire.Options) *wire.Dialer {
	t.Helper()
	d := wire.NewDialer(n.dock.SimConn, opt)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// ServerAddr is where the server listens.
func (n *Network) ServerAddr() net.Addr { return n.server.LocalAddr() }

// RestartServer takes the server's end away without a word and puts a new one
// at the same address, for a new Listen: what the old one knew is forgotten.
func (n *Network) RestartServer(t testing.TB) {
	t.Helper()
	old := n.server
	n.server = n.attach(t, &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7443})
	if err := old.Close(); err != nil {
		t.Fatalf("taking the server away: %v", err)
	}
	n.streams.cut()
	n.streams = newStreams(n.streams.addr)
}

// SetLoss changes the share of packets lost.
func (n *Network) SetLoss(share float64) { n.router.set(func(r *router) { r.loss = share }) }

// Blackout loses every packet while on.
func (n *Network) Blackout(on bool) { n.router.set(func(r *router) { r.blackout = on }) }

// Lost is how many packets the network swallowed.
func (n *Network) Lost() int {
	n.router.mu.Lock()
	defer n.router.mu.Unlock()
	return n.router.lost
}

// Pair makes a dock and a server with throw-away certificates (agency "north",
// dock "dock-1") and a QUIC session between them, seen from both ends.
func Pair(t testing.TB, n *Network, opt wire.Options) (dock, server *wire.Session) {
	t.Helper()
	return PairOf(t, wire.QUIC, n, opt)
}

// PairOf is Pair with a session of the kind.
func PairOf(t testing.TB, kind wire.Kind, n *Network, opt wire.Options) (dock, server *wire.Session) {
	t.Helper()
	authority := pki.NewAuthority(t)
	l := n.Listen(t, authority.ServerTLS(authority.Server(t, ServerName)), opt)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dock, err := n.Dials(t, kind, opt)(ctx, authority.DockTLS(authority.Dock(t, "north", "dock-1"), ServerName))
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dock.Close(0, "")
		_ = server.Close(0, "")
	})
	return dock, server
}

// Dial opens a session to the server.
type Dial func(ctx context.Context, tlsConf *tls.Config) (*wire.Session, error)

// Dials opens sessions of the kind from the dock's end.
func (n *Network) Dials(t testing.TB, kind wire.Kind, opt wire.Options) Dial {
	t.Helper()
	if kind == wire.TCP {
		return func(ctx context.Context, tlsConf *tls.Config) (*wire.Session, error) {
			return n.DialTCP(ctx, tlsConf, opt)
		}
	}
	d := n.Dialer(t, opt)
	return func(ctx context.Context, tlsConf *tls.Config) (*wire.Session, error) {
		return d.Dial(ctx, n.ServerAddr(), tlsConf)
	}
}

// router delivers packets, or does not.
type router struct {
	simnet.PerfectRouter

	mu       sync.Mutex // guards all below
	random   *rand.Rand
	loss     float64
	blackout bool
	lost     int
}

func (r *router) set(change func(*router)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// SendPacket implements simnet.Router.
func (r *router) SendPacket(p simnet.Packet) error {
	r.mu.Lock()
	swallowed := r.blackout || r.random.Float64() < r.loss
	if swallowed {
		r.lost++
	}
	r.mu.Unlock()
	if swallowed {
		return nil
	}
	return r.PerfectRouter.SendPacket(p)
}
