package lanes

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// Lane is one connection in use. Its methods are safe for concurrent use.
type Lane struct {
	all      *Lanes
	kind     wire.Kind
	session  Session // set before Serve sees the lane
	retiring chan struct{}
	cancel   context.CancelCauseFunc // of the context that Serve has
	piece    atomic.Int64            // bytes that last freeLasts or so at the lane's rate

	// Guarded by all.mu.
	began     time.Time // of dialling
	dialled   bool      // TLS is done
	welcomed  time.Time // zero until the server took us
	retiredAt time.Time // zero while it is wanted
	probe     bool      // it is there to see whether UDP gets through
	killed    bool      // it is being ended at once
	ended     bool
	err       error // with ended: why; nil after a retirement in order
	watch     watch
}

// Session is the lane's connection.
func (l *Lane) Session() Session { return l.session }

// Kind says what the lane runs over.
func (l *Lane) Kind() wire.Kind { return l.kind }

// Welcomed says that the server took us on this lane.
func (l *Lane) Welcomed() { l.all.welcome(l) }

// Retiring is closed when the lane shall end: end what is being sent, take its
// acknowledgements, and return nil from Serve. A lane that is still there after
// Options.Retire is closed.
func (l *Lane) Retiring() <-chan struct{} { return l.retiring }

// Leave says that the server wants to be left: this lane retires, and the next
// is dialled at a random moment within.
func (l *Lane) Leave(within time.Duration) { l.all.leave(l, within) }

// Write writes p to s in pieces, each when the limit of all lanes together lets
// it pass; urgent pieces go before others that wait. It returns how many bytes
// were handed to the transport, and ctx's error when that ends while it waits
// for the limit. A write that the transport holds up ends with the stream, not
// with ctx: reset it. Control frames are not to wait: write them past it, they
// are counted all the same.
func (l *Lane) Write(ctx context.Context, s io.Writer, p []byte, urgent bool) (int, error) {
	written := 0
	for written < len(p) {
		n, err := l.all.limit.take(ctx, len(p)-written, int(l.piece.Load()), urgent)
		if err != nil {
			return written, err
		}
		n, err = s.Write(p[written : written+n])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}
