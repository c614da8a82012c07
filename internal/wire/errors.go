package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/quic-go/quic-go"
)

// The kinds of failure that callers tell apart with errors.Is. Besides these
// there are *PeerError and *ResetError, io.EOF at the end of a stream,
// os.ErrDeadlineExceeded, and the errors of the caller's context.
var (
	ErrClosed    = errors.New("the session was closed on this side")
	ErrIdle      = errors.New("nothing was heard from the peer for too long: it is switched off, or the network between is broken")
	ErrLost      = errors.New("the peer does not know this session any more: it was restarted")
	ErrRefused   = errors.New("the server takes no more sessions at the moment")
	ErrHandshake = errors.New("no secure session came about")
)

// PeerError says that the peer closed the session.
type PeerError struct {
	Code   uint64 // of the protocol above
	Reason string // for logs, at most 256 printable characters
}

// Error gives code and reason.
func (e *PeerError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("the peer closed the session with code %d", e.Code)
	}
	return fmt.Sprintf("the peer closed the session with code %d: %s", e.Code, e.Reason)
}

// ResetError says that one direction of a stream was broken off.
type ResetError struct {
	Code uint64 // of the protocol above
	Peer bool   // the peer did it
}

// Error gives side and code.
func (e *ResetError) Error() string {
	side := "this side"
	if e.Peer {
		side = "the peer"
	}
	return fmt.Sprintf("%s broke off the stream with code %d", side, e.Code)
}

// translate turns an error of quic-go into one of ours. It is the only place
// that knows quic-go's errors.
func translate(err error) error {
	var (
		application *quic.ApplicationError
		stream      *quic.StreamError
		transport   *quic.TransportError
		version     *quic.VersionNegotiationError
		idle        *quic.IdleTimeoutError
		handshake   *quic.HandshakeTimeoutError
		reset       *quic.StatelessResetError
	)
	switch {
	case err == nil || err == io.EOF || errors.Is(err, ErrClosed):
		return err
	case errors.As(err, &stream):
		return &ResetError{Code: uint64(stream.ErrorCode), Peer: stream.Remote}
	case errors.As(err, &application):
		if !application.Remote {
			return ErrClosed
		}
		return &PeerError{Code: uint64(application.ErrorCode), Reason: printable(application.ErrorMessage)}
	case errors.As(err, &idle):
		return ErrIdle
	case errors.As(err, &reset):
		return ErrLost
	case errors.As(err, &handshake):
		return errNoAnswer()
	case errors.As(err, &version):
		return fmt.Errorf("%w: the peer does not speak QUIC version 1", ErrHandshake)
	case errors.As(err, &transport):
		return translateTransport(transport)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(err, quic.ErrServerClosed), errors.Is(err, quic.ErrTransportClosed), errors.Is(err, net.ErrClosed):
		return ErrClosed
	}
	return fmt.Errorf("transport: %w", err)
}

// translateDial is translate for a handshake, in which silence has other causes
// than in a session.
func translateDial(err error) error {
	if err = translate(err); errors.Is(err, ErrIdle) {
		return errNoAnswer()
	}
	return err
}

func errNoAnswer() error {
	return fmt.Errorf("%w: no answer in time (is the address right, is the server running, and does the network let UDP through?)", ErrHandshake)
}

func translateTransport(e *quic.TransportError) error {
	if e.ErrorCode == quic.ConnectionRefused {
		return ErrRefused
	}
	if !e.ErrorCode.IsCryptoError() {
		return fmt.Errorf("session broken by %s: %w", side(e.Remote), e)
	}
	alert := uint8(e.ErrorCode - 0x100)
	if e.Remote {
		return fmt.Errorf("%w: %s", ErrHandshake, peerAlert(alert))
	}
	if cause := certificateProblem(e); cause != "" {
		return fmt.Errorf("%w: the peer's certificate is refused: %s", ErrHandshake, cause)
	}
	return fmt.Errorf("%w: %s", ErrHandshake, localAlert(alert, e))
}

func side(remote bool) string {
	if remote {
		return "the peer"
	}
	return "this side"
}

// Alerts of TLS 1.3 (RFC 8446 section 6) that have their own words.
const (
	alertHandshakeFailure       = 40
	alertBadCertificate         = 42
	alertUnsupportedCertificate = 43
	alertCertificateRevoked     = 44
	alertCertificateExpired     = 45
	alertCertificateUnknown     = 46
	alertUnknownAuthority       = 48
	alertAccessDenied           = 49
	alertProtocolVersion        = 70
	alertUnrecognizedName       = 112
	alertCertificateRequired    = 116
	alertNoApplicationProtocol  = 120
)

func peerAlert(alert uint8) string {
	switch alert {
	case alertBadCertificate, alertUnsupportedCertificate, alertCertificateUnknown:
		return "the peer refuses our certificate"
	case alertCertificateRevoked:
		return "the peer refuses our certificate: it was revoked"
	case alertCertificateExpired:
		return "the peer refuses our certificate: it has expired, or a clock is wrong"
	case alertUnknownAuthority:
		return "the peer refuses our certificate: it does not know the authority that issued it"
	case alertAccessDenied:
		return "the peer refuses our certificate: access denied"
	case alertCertificateRequired:
		return "the peer demands a certificate and we have none"
	case alertUnrecognizedName:
		return "the peer does not go by the name that we called"
	case alertNoApplicationProtocol:
		return "the peer does not speak our protocol (ALPN)"
	case alertProtocolVersion:
		return "the peer does not speak TLS 1.3"
	case alertHandshakeFailure:
		return "the peer shares no cipher or key exchange with us"
	}
	return fmt.Sprintf("the peer ended the handshake with TLS alert %d", alert)
}

func localAlert(alert uint8, e *quic.TransportError) string {
	switch alert {
	case alertCertificateRequired:
		return "the peer showed no certificate"
	case alertNoApplicationProtocol:
		return "the peer does not speak our protocol (ALPN)"
	}
	return e.Error()
}

func certificateProblem(err error) string {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &authority):
		return "it was issued by an authority that is not trusted here"
	case errors.As(err, &host):
		return host.Error()
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it is not valid now; it has expired, or a clock is wrong"
	case errors.As(err, &invalid):
		return invalid.Error()
	}
	return ""
}

// printable makes a peer's reason fit for a log line.
func printable(reason string) string {
	out := make([]rune, 0, min(len(reason), 256))
	for _, r := range reason {
		if len(out) == cap(out) {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}

// translateTCP turns an error of a connection into one of ours.
func translateTCP(err error) error {
	switch {
	case err == nil, errors.Is(err, errProtocol):
		return err
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return ErrIdle // deadlines are set at the end only
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrLost
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	}
	if alert, ok := peerAlertOf(err); ok {
		return fmt.Errorf("%w: %s", ErrHandshake, peerAlert(alert))
	}
	return fmt.Errorf("transport: %w", err)
}

// translateConnect is for a TCP connection that did not come about.
func translateConnect(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return errNoAnswerTCP()
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nobody listens there (is the server running, and does it take TCP?): %w", ErrHandshake, err)
	}
	return fmt.Errorf("%w: %w", ErrHandshake, err)
}

// translateSecuring is for a TLS handshake over TCP that failed.
func translateSecuring(err error) error {
	var (
		refused *tls.CertificateVerificationError
		record  tls.RecordHeaderError
	)
	if alert, ok := peerAlertOf(err); ok {
		if alert == alertRefused {
			return ErrRefused
		}
		return fmt.Errorf("%w: %s", ErrHandshake, peerAlert(alert))
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return errNoAnswerTCP()
	case errors.As(err, &refused):
		if cause := certificateProblem(err); cause != "" {
			return fmt.Errorf("%w: the peer's certificate is refused: %s", ErrHandshake, cause)
		}
	case errors.As(err, &record):
		return fmt.Errorf("%w: what answers there does not speak TLS", ErrHandshake)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w: the peer, or something on the way, broke the connection off", ErrHandshake)
	}
	return fmt.Errorf("%w: %w", ErrHandshake, err)
}

func errNoAnswerTCP() error {
	return fmt.Errorf("%w: no answer in time (is the address right, is the server running, and does the network let TCP through?)", ErrHandshake)
}

// peerAlertOf finds the alert with which the peer ended a TLS connection. The
// standard library names it in words only.
func peerAlertOf(err error) (alert uint8, ok bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0, false
	}
	for alert := range uint8(255) {
		if op.Err.Error() == tls.AlertError(alert).Error() {
			return alert, true
		}
	}
	return 0, false
}
