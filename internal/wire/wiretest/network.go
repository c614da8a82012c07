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

// Network is a link with a server's end and a dock's end. It is safe for
// concurrent use.
type Network struct {
	router *router
	net    *simnet.Simnet
	server *simnet.SimConn
	dock   *simnet.SimConn
}

// ServerName is the name in certificates made by Pair.
const ServerName = "ingest.example"

// New makes a network that is taken down when the test ends.
func New(t testing.TB, c Conditions) *Network {
	t.Helper()
	r := &router{random: rand.New(rand.NewPCG(c.Seed, 1)), loss: c.Loss}
	n := &Network{router: r, net: &simnet.Simnet{Router: r}}
	link := simnet.NodeBiDiLinkSettings{Latency: c.RTT / 2, Downlink: simnet.LinkSettings{MTU: 1500}, Uplink: simnet.LinkSettings{MTU: 1500}}
	n.server = n.net.NewEndpoint(&net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7443}, link)
	n.dock = n.net.NewEndpoint(&net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 40000}, link)
	if err := n.net.Start(); err != nil {
		t.Fatalf("starting network: %v", err)
	}
	t.Cleanup(func() {
		_ = n.server.Close()
		_ = n.dock.Close()
		if err := n.net.Close(); err != nil {
			t.Errorf("taking network down: %v", err)
		}
	})
	return n
}

// Listen begins the server; it is closed when the test ends.
func (n *Network) Listen(t testing.TB, tlsConf *tls.Config, opt wire.Options) *wire.Listener {
	t.Helper()
	l, err := wire.NewListener(n.server, tlsConf, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Dialer makes the dock's end; it is closed when the test ends.
func (n *Network) Dialer(t testing.TB, opt wire.Options) *wire.Dialer {
	t.Helper()
	d := wire.NewDialer(n.dock, opt)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// ServerAddr is where the server listens.
func (n *Network) ServerAddr() net.Addr { return n.server.LocalAddr() }

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
// dock "dock-1") and a session between them, seen from both ends.
func Pair(t testing.TB, n *Network, opt wire.Options) (dock, server *wire.Session) {
	t.Helper()
	authority := pki.NewAuthority(t)
	l := n.Listen(t, authority.ServerTLS(authority.Server(t, ServerName)), opt)
	d := n.Dialer(t, opt)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dock, err := d.Dial(ctx, n.ServerAddr(), authority.DockTLS(authority.Dock(t, "north", "dock-1"), ServerName))
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
