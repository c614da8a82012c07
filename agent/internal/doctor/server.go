package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/sealdock/sealdock/internal/wire"
)

// address is where recordings are sent: the configuration's, else the one noted at
// enrolment.
func (s *Station) address() string {
	if s.Config.Server.Address != "" {
		return s.Config.Server.Address
	}
	return s.Identity.Server
}

func server(ctx context.Context, s *Station) []Finding {
	if s.Identity == nil {
		return one(warn("The server is not known yet.", "Enrol the dock first."))
	}
	host, port, err := net.SplitHostPort(s.address())
	if err != nil {
		return one(fail(fmt.Sprintf("The server's address %q is not host:port.", s.address()), "Correct server.address in the configuration, or empty it to use the one noted at enrolment."))
	}
	if _, err := s.Network.Resolve(ctx, host); err != nil {
		return one(fail(fmt.Sprintf("The server's name %s cannot be resolved: %v.", host, err), "Check the name, and that DNS works on this machine (resolvectl query "+host+")."))
	}
	web := net.JoinHostPort(host, webPort)
	tcp := s.Network.Connect(ctx, web)
	udp := s.Network.Handshake(ctx, s.address(), s.Identity)
	found := []Finding{s.upload(host, port, tcp, udp)}
	switch {
	case tcp == nil:
		found = append(found, fine("The server answers on TCP "+webPort+" (enrolment, dashboard)."))
	case udp == nil:
		found = append(found, warn(fmt.Sprintf("The server does not answer on TCP %s: %v.", webPort, short(tcp)), "Uploads do not need it, enrolling again does. If the server's web side has another port, this is no fault."))
	}
	return found
}

// upload judges the way of recordings by both answers.
func (s *Station) upload(host, port string, tcp, udp error) Finding {
	at := fmt.Sprintf("UDP %s of %s", port, host)
	switch {
	case udp == nil:
		return fine("The server takes this dock's connection on " + at + ".")
	case answered(udp):
		return fail(fmt.Sprintf("A server answers on %s and no connection comes about: %v.", at, short(udp)), "If this is about a certificate or another server, check the clock, then enrol the dock again with a new token.")
	case tcp == nil:
		return fail("The server answers on TCP "+webPort+", but nothing comes back from "+at+": UDP is blocked on the way, or the server's port for docks is another.",
			"Have firewalls let UDP "+port+" pass to the server and the answers back; check listen_quic at the server and server.address here.")
	case errors.Is(tcp, syscall.ECONNREFUSED):
		return fail("The machine "+host+" is up, but no server answers there: TCP "+webPort+" is closed and "+at+" is silent.", "Start sealdock-ingest on it, or correct the address (server.address).")
	}
	return fail(fmt.Sprintf("The machine %s does not answer at all, neither on TCP %s (%v) nor on %s.", host, webPort, short(tcp), at), "Check that it is switched on, that the address is right, and that this machine's network works (ip route get, ping).")
}

// answered says whether a failed handshake is a server's doing. Silence is not, nor
// is a network that takes no packet.
func answered(udp error) bool {
	var closed *wire.PeerError
	refused := errors.Is(udp, wire.ErrHandshake) && !strings.Contains(udp.Error(), "no answer in time")
	return refused || errors.Is(udp, wire.ErrRefused) || errors.As(udp, &closed)
}

// short leaves out of an error what the sentence says already.
func short(err error) string {
	var call *net.OpError
	if errors.As(err, &call) && call.Err != nil {
		return call.Err.Error()
	}
	return err.Error()
}
