package custody

import (
	"context"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// claims says which stream works on which item. A claim is taken before
// anything of an item is looked at, and names both the evidence id and the
// recording, since two ids may be offered for one recording.
type claims struct {
	mu   *sync.Mutex // guards held and the proving flags
	held map[string]*claim
}

// claim is one stream's hold on an item.
type claim struct {
	all         claims
	names       []string
	dock        evidence.DockID
	session     uint64
	proving     bool          // it goes on to its end whatever becomes of the stream
	interrupted chan struct{} // closed when a newer stream wants the item
	once        sync.Once     // for closing interrupted
	done        chan struct{} // closed by release
}

func newClaims() claims {
	return claims{mu: new(sync.Mutex), held: map[string]*claim{}}
}

// endingTime is how long a stream may take to end that the dock itself has broken
// off: what it had brought is still being made durable.
const endingTime = 250 * time.Millisecond

// take waits for what ends by itself: an item that is being proven, and a
// stream of another connection of the same dock, which is told to end. An item
// on which another stream lives is refused, after a moment for it to end.
func (c claims) take(ctx context.Context, peer receive.Peer, names ...string) (*claim, error) {
	for {
		mine, other := c.try(peer, names)
		if other == nil {
			return mine, nil
		}
		var refuse <-chan time.Time
		switch {
		case c.isProving(other):
		case other.dock != peer.Dock || other.session == peer.Session:
			refuse = time.After(endingTime)
		default:
			other.once.Do(func() { close(other.interrupted) })
		}
		select {
		case <-other.done:
		case <-refuse:
			refused := upload.Errorf(upload.CodeRetryLater, "dock %s is sending this recording on another stream: wait for it", other.dock)
			refused.RetryAfter = endingTime
			return nil, refused
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c claims) try(peer receive.Peer, names []string) (mine, other *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		if held := c.held[name]; held != nil {
			return nil, held
		}
	}
	mine = &claim{all: c, names: names, dock: peer.Dock, session: peer.Session, interrupted: make(chan struct{}), done: make(chan struct{})}
	for _, name := range names {
		c.held[name] = mine
	}
	return mine, nil
}

func (c claims) isProving(other *claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return other.proving
}

// prove marks the claim as going on to its end by itself.
func (c *claim) prove() {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.proving = true
}

func (c *claim) release() {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	for _, name := range c.names {
		delete(c.all.held, name)
	}
	close(c.done)
}
