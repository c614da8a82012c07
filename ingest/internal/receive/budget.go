package receive

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/sealdock/sealdock/proto/upload"
)

// budget bounds the memory that frames of all docks hold, and each dock's part
// of it. A frame waits for room before its payload is read; meanwhile the
// transport's flow control holds the dock back.
//
// Data and all other large frames draw on separate halves: an offer is held as
// long as its recording takes, and must not starve the data that ends it.
type budget struct {
	data, control *semaphore.Weighted // bytes, of all docks
	perDock       int64
	sessionLimit  int   // connections of one dock
	firmwareLimit int64 // images that one dock fetches at a time

	mu    sync.Mutex // guards docks and the counts in them
	docks map[dockName]*dockBudget

	buffers sync.Pool // of *upload.Buffer
}

type dockBudget struct {
	data, control *semaphore.Weighted
	firmware      *semaphore.Weighted // streams
	sessions      int
	dismissed     chan struct{} // closed and replaced when the connections that there are have to end
}

func newBudget(o Options) *budget {
	// No frame may be larger than what can ever be had.
	total, perDock := max(o.Memory, upload.MaxFrame), max(o.MemoryPerDock, upload.MaxFrame)
	return &budget{
		data: semaphore.NewWeighted(total), control: semaphore.NewWeighted(total), perDock: perDock,
		sessionLimit: o.SessionsPerDock, firmwareLimit: int64(o.FirmwarePerDock),
		docks:   map[dockName]*dockBudget{},
		buffers: sync.Pool{New: func() any { return new(upload.Buffer) }},
	}
}

// enter counts a connection of the dock; false when it has too many. dismissed is
// closed when the connection has to end.
func (b *budget) enter(name dockName) (d *dockBudget, dismissed <-chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d = b.docks[name]
	if d == nil {
		d = &dockBudget{data: semaphore.NewWeighted(b.perDock), control: semaphore.NewWeighted(b.perDock), firmware: semaphore.NewWeighted(b.firmwareLimit),
			dismissed: make(chan struct{})}
		b.docks[name] = d
	}
	if d.sessions >= b.sessionLimit {
		return nil, nil, false
	}
	d.sessions++
	return d, d.dismissed, true
}

// count is how many docks are connected.
func (b *budget) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.docks)
}

func (b *budget) leave(name dockName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.docks[name]
	if d.sessions--; d.sessions == 0 {
		delete(b.docks, name)
	}
}

// dismiss ends the connections that a dock has now.
func (b *budget) dismiss(name dockName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := b.docks[name]; d != nil {
		close(d.dismissed)
		d.dismissed = make(chan struct{})
	}
}

// take waits until n bytes may be held. A dock's own share comes first, so that
// a dock which waits for itself holds nothing that others need.
func take(ctx context.Context, own, all *semaphore.Weighted, n int64) (release func(), err error) {
	if err := own.Acquire(ctx, n); err != nil {
		return nil, err
	}
	if err := all.Acquire(ctx, n); err != nil {
		own.Release(n)
		return nil, err
	}
	return func() { all.Release(n); own.Release(n) }, nil
}
