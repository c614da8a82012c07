package simulate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/internal/wire"
)

// docksPerSocket is how many docks share a UDP socket unless told otherwise.
const docksPerSocket = 500

// Network is where docks dial from: a few UDP sockets for all, and a TCP
// connection each where that is wanted.
type Network struct {
	server   *Server
	at       *net.UDPAddr
	diallers []*wire.Dialer
	opt      wire.Options
	tls      []*tls.Config // by the docks' places
}

// OpenNetwork opens sockets for the docks of a folder; 0 sockets is one for each
// 500 docks.
func OpenNetwork(server *Server, docks []*Identity, sockets int) (*Network, error) {
	at, err := net.ResolveUDPAddr("udp", server.Address)
	if err != nil {
		return nil, fmt.Errorf("looking up the server: %w", err)
	}
	authority, err := x509.ParseCertificate(server.Authority)
	if err != nil {
		return nil, fmt.Errorf("reading the server's authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	n := &Network{server: server, at: at, opt: wire.Options{Budget: wire.NewBudget(wire.DefaultBudget)}}
	for _, d := range docks {
		n.tls = append(n.tls, d.tls(pool, server.Name))
	}
	if sockets <= 0 {
		sockets = (len(docks) + docksPerSocket - 1) / docksPerSocket
	}
	for range min(sockets, len(docks)) {
		conn, err := listen(at)
		if err != nil {
			return nil, errors.Join(err, n.Close())
		}
		n.diallers = append(n.diallers, wire.NewDialer(conn, n.opt))
	}
	return n, nil
}

// listen opens a socket of the server's kind of address. Larger buffers are a
// wish: the system has the last word.
func listen(to *net.UDPAddr) (net.PacketConn, error) {
	network := "udp6"
	if to.IP.To4() != nil {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a UDP socket: %w", err)
	}
	_ = conn.SetReadBuffer(wire.WantedBuffer)
	_ = conn.SetWriteBuffer(wire.WantedBuffer)
	return conn, nil
}

// Dial is Options.Dial.
func (n *Network) Dial(ctx context.Context, dock int, kind wire.Kind) (lanes.Session, error) {
	var s *wire.Session
	var err error
	if kind == wire.TCP {
		s, err = wire.DialTCP(ctx, n.server.Address, n.tls[dock], n.opt)
	} else {
		s, err = n.diallers[dock%len(n.diallers)].Dial(ctx, n.at, n.tls[dock])
	}
	if err != nil {
		return nil, err
	}
	return lanes.Wired(s), nil
}

// Close closes the sockets.
func (n *Network) Close() error {
	var all []error
	for _, d := range n.diallers {
		all = append(all, d.Close())
	}
	return errors.Join(all...)
}
