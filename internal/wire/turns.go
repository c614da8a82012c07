package wire

import (
	"context"
	"slices"
	"sync"
	"time"
)

// keepTime is how long a turn is kept for the next write of a stream that writes
// much, while only less urgent ones wait. The kernel has enough to send.
const keepTime = time.Millisecond

// turns lets one goroutine at a time write to the connection: the most urgent
// that waits, and of equals the one that has waited longest.
type turns struct {
	mu      sync.Mutex // guards all below
	taken   bool
	waiting []*turn // in the order in which they come
	kept    bool    // taken by nobody, but kept for as urgent ones
	keptFor int8
	keeping int // which keeping it is
}

type turn struct {
	urgency int8
	come    chan struct{}
}

// take waits for a turn, which release ends. It gives up, and returns false, when
// late is closed or ctx ends.
func (t *turns) take(ctx context.Context, late <-chan struct{}, urgency int8) bool {
	t.mu.Lock()
	if !t.taken || (t.kept && urgency <= t.keptFor) {
		t.taken, t.kept = true, false
		t.mu.Unlock()
		return true
	}
	mine := &turn{urgency, make(chan struct{})}
	at := len(t.waiting)
	for at > 0 && t.waiting[at-1].urgency > urgency {
		at--
	}
	t.waiting = slices.Insert(t.waiting, at, mine)
	t.mu.Unlock()
	select {
	case <-mine.come:
		return true
	case <-late:
	case <-ctx.Done():
	}
	if !t.leave(mine) {
		t.release() // it came at the same moment
	}
	return false
}

// leave takes a turn out of the queue; false when it is not there any more.
func (t *turns) leave(mine *turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, mine)
	if i < 0 {
		return false
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return true
}

func (t *turns) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass()
}

// keep is release for a stream that is likely to write on at once: those that
// are less urgent wait a moment longer.
func (t *turns) keep(urgency int8) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 || t.waiting[0].urgency <= urgency {
		t.pass()
		return
	}
	t.kept, t.keptFor = true, urgency
	t.keeping++
	this := t.keeping
	time.AfterFunc(keepTime, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.kept && t.keeping == this {
			t.kept = false
			t.pass()
		}
	})
}

// pass gives the turn to the next. Called under mu.
func (t *turns) pass() {
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	close(t.waiting[0].come)
	t.waiting = slices.Delete(t.waiting, 0, 1)
}
