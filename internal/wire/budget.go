package wire

import (
	"sync"

	"github.com/quic-go/quic-go"
)

// DefaultBudget is the budget in bytes of a listener or dialler without one.
const DefaultBudget = 512 << 20

// Budget bounds how far the receive windows of sessions may grow in sum beyond
// what each session begins with (1.5 MiB on a listener, 384 KiB on a dialler):
// what peers may have sent before anybody read it. When it is spent, sessions
// go on with the windows that they have. Safe for concurrent use.
type Budget struct {
	limit uint64

	mu      sync.Mutex // guards all below; held inside the transport's own locks, so nothing of it is called
	granted uint64
	held    map[*quic.Conn]uint64 // of the sessions admitted and not yet released
}

// NewBudget makes a budget of limit bytes.
func NewBudget(limit uint64) *Budget {
	return &Budget{limit: limit, held: make(map[*quic.Conn]uint64)}
}

// Granted is how many bytes sessions hold at the moment.
func (b *Budget) Granted() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.granted
}

func (b *Budget) admit(c *quic.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[c] = 0
}

func (b *Budget) release(c *quic.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.granted -= b.held[c]
	delete(b.held, c)
}

// allow grants a window increase; never to a session not admitted, so that
// nothing is held by a session that nobody will release.
func (b *Budget) allow(c *quic.Conn, delta uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	held, admitted := b.held[c]
	if !admitted || delta > b.limit-b.granted {
		return false
	}
	b.granted += delta
	b.held[c] = held + delta
	return true
}
