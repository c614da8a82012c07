package wire

import (
	"sync"

	"github.com/quic-go/quic-go"
)

// DefaultBudget is the budget in bytes of a listener or dialler without one.
const DefaultBudget = 512 << 20

// Budget bounds how far the receive windows of sessions may grow in sum beyond
// what each session begins with (3 MiB on a listener, 384 KiB on a dialler):
// what peers may have sent before anybody read it. When it is spent, sessions go
// on with the windows that they have. Safe for concurrent use.
type Budget struct {
	limit uint64

	mu      sync.Mutex // guards all below; held inside the transport's own locks, so nothing of it is called
	granted uint64
	held    map[any]uint64 // by session, of those admitted and not yet released
}

// NewBudget makes a budget of limit bytes.
func NewBudget(limit uint64) *Budget {
	return &Budget{limit: limit, held: make(map[any]uint64)}
}

// Granted is how many bytes sessions hold at the moment.
func (b *Budget) Granted() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.granted
}

func (b *Budget) admit(session any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[session] = 0
}

func (b *Budget) release(session any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.granted -= b.held[session]
	delete(b.held, session)
}

// allow grants a window increase; never to a session not admitted, so that
// nothing is held by a session that nobody will release.
func (b *Budget) allow(session any, delta uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	held, admitted := b.held[session]
	if !admitted || delta > b.limit-b.granted {
		return false
	}
	b.granted += delta
	b.held[session] = held + delta
	return true
}

// allowConn is allow in the form that quic-go asks in.
func (b *Budget) allowConn(c *quic.Conn, delta uint64) bool { return b.allow(c, delta) }
