package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/wire"
)

// Wires is the network of this machine.
type Wires struct{ Now func() time.Time }

// How long each try may take.
const (
	connectTime = 4 * time.Second
	verdictTime = 1500 * time.Millisecond // for the server to refuse a certificate, after the handshake
)

// Resolve implements Network.
func (Wires) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// Connect implements Network.
func (Wires) Connect(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: connectTime}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Date implements Network. The answer's status does not matter.
func (w Wires) Date(ctx context.Context, address string, e *enrol.Enrolment) (time.Time, error) {
	transport := &http.Transport{TLSClientConfig: identity.EnrolTLS(identity.Fingerprint(e.Authority), e.ServerName, w.Now), TLSHandshakeTimeout: connectTime}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 2 * connectTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+address+"/", nil)
	if err != nil {
		return time.Time{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	if err := response.Body.Close(); err != nil {
		return time.Time{}, err
	}
	return http.ParseTime(response.Header.Get("Date"))
}

// Handshake implements Network. It says nothing in the session, so the server does
// not take it for the dock's own; it only waits for a refusal of the certificate.
func (w Wires) Handshake(ctx context.Context, address string, e *enrol.Enrolment) error {
	ctx, cancel := context.WithTimeout(ctx, 3*connectTime)
	defer cancel()
	session, err := wire.Dial(ctx, address, identity.DockTLS(e.TLS, e.Pool(), e.ServerName), wire.Options{})
	if err != nil {
		return err
	}
	verdict := w.verdict(ctx, session)
	return errors.Join(verdict, session.Close(0, "examined"))
}

func (w Wires) verdict(ctx context.Context, session *wire.Session) error {
	stream, err := session.OpenStream(ctx)
	if err != nil {
		return err
	}
	if err := stream.SetReadDeadline(w.Now().Add(verdictTime)); err != nil {
		return err
	}
	if _, err := stream.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}
