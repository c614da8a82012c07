package daemon

import (
	"context"
	"sync"
	"time"
)

// Companion runs beside the parts of the agent until ctx ends, and tells others
// how the agent does. An error before that ends the agent.
type Companion func(ctx context.Context, view View) error

// View is what a companion sees of the running agent. Its functions are safe for
// concurrent use.
type View struct {
	// Status asks every part how it does: it passes the journal and the locks of
	// bays, dockings and uploader, so it does not return where one of them is stuck.
	Status func(ctx context.Context) (*Status, error)
	// Turned is when the loop that looks for cameras and is furthest behind began
	// its newest round. A loop that waits for a stuck worker does not go round.
	Turned func() time.Time
	// Certificate is when the dock's certificate ends.
	Certificate time.Time
}

func (a *agent) view() View {
	return View{Status: a.status, Turned: a.bays.turns.oldest, Certificate: a.identity.Certificate.NotAfter}
}

// turns notes when each of several loops began its newest round.
type turns struct {
	now func() time.Time

	mu     sync.Mutex // guards all below
	newest []time.Time
}

// loop registers one more loop, whose first round begins now. The loop calls what
// it gets at the beginning of each further round.
func (t *turns) loop() (turn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := len(t.newest)
	t.newest = append(t.newest, t.now())
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.newest[mine] = t.now()
	}
}

// oldest is the newest round of the loop that is furthest behind; the present
// where there is no loop.
func (t *turns) oldest() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest := t.now()
	for _, at := range t.newest {
		if at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}
