package lanes

import (
	"context"
	"io"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// Session is one connection, not yet greeted; wire.Session through Wired, or a
// test's.
type Session interface {
	OpenStream(ctx context.Context) (Stream, error)
	Close(code uint64, reason string) error
	Context() context.Context // ends with the session
	Err() error               // why it ended; nil while it lives
	Kind() wire.Kind
	Traffic() wire.Traffic
}

// Stream is one stream of a session.
type Stream interface {
	io.Reader
	io.Writer
	CloseWrite() error
	Reset(code uint64)
	SetReadDeadline(t time.Time) error
}

type wired struct{ *wire.Session }

func (w wired) OpenStream(ctx context.Context) (Stream, error) { return w.Session.OpenStream(ctx) }

// Wired makes a Session of a wire session.
func Wired(s *wire.Session) Session { return wired{s} }
