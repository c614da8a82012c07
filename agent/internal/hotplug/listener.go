package hotplug

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Rescan is how often to look for cameras although no hint came.
	Rescan = 30 * time.Second
	// Apart is the shortest time between two hints.
	Apart = 100 * time.Millisecond

	firstPause   = 100 * time.Millisecond // before a failed socket is opened again
	longestPause = 30 * time.Second
)

// errLost says that messages came and cannot be had any more: too many at once
// for the socket's buffer, or one that was too long.
var errLost = errors.New("uevents were lost")

// message is one datagram and who sent it.
type message struct {
	payload []byte
	// sender is the netlink port it came from, 0 for the kernel; group the multicast
	// group it was sent to, 0 for none; user the sender's user id.
	sender, group, user uint32
	signed              bool // the system told the user
}

// source is a socket that uevents come from.
type source interface {
	// receive waits for a message, which is good until the next call. errLost is no end.
	receive() (message, error)
	// Close ends a receive that waits.
	Close() error
}

// Listener turns uevents into hints.
type Listener struct {
	log   *slog.Logger
	open  func() (source, error)
	hears atomic.Bool

	mu    sync.Mutex // guards hints
	hints []chan struct{}
}

// New returns a Listener. It hears nothing before Run.
func New(log *slog.Logger) *Listener {
	return &Listener{log: log.With("component", "hotplug"), open: openSource}
}

// Hints returns a channel of its own for the caller, which holds one hint at most.
func (l *Listener) Hints() <-chan struct{} {
	hints := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hints = append(l.hints, hints)
	return hints
}

// Hears says whether plugging is heard at the moment. When that changes, a hint comes.
func (l *Listener) Hears() bool { return l.hears.Load() }

// Run listens until ctx ends, and returns its error. Where the system has no
// uevents or refuses them, it says so once and waits.
func (l *Listener) Run(ctx context.Context) error {
	pause, told := firstPause, ""
	for {
		heard, err := l.listen(ctx)
		l.hears.Store(false)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.hint()
		if errors.Is(err, errors.ErrUnsupported) {
			l.log.Info("this system does not tell when a camera is plugged in; cameras are looked for at intervals", "reason", err)
			<-ctx.Done()
			return ctx.Err()
		}
		if heard {
			pause = firstPause
		}
		if told != err.Error() {
			told = err.Error()
			l.log.Warn("listening for plugged cameras failed, it is tried again; meanwhile they are looked for at intervals", "error", err)
		}
		if wait(ctx, pause) != nil {
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
}

// listen opens the socket and gives hints until that fails or ctx ends.
func (l *Listener) listen(ctx context.Context) (heard bool, err error) {
	from, err := l.open()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	news := make(chan struct{}, 1)
	var work sync.WaitGroup
	work.Go(func() { l.pass(ctx, news) })
	stop := context.AfterFunc(ctx, func() { _ = from.Close() })
	defer func() {
		cancel()
		if stop() {
			err = errors.Join(err, from.Close())
		}
		work.Wait()
	}()
	l.hears.Store(true)
	l.hint() // what came before the socket was open
	for {
		m, err := from.receive()
		switch {
		case errors.Is(err, errLost):
			l.log.Debug("uevents were lost, looking for cameras")
		case err != nil:
			return heard, fmt.Errorf("reading uevents: %w", err)
		case !trusted(m):
			continue
		case !relevant(m.payload):
			heard = true
			continue
		}
		heard = true
		select {
		case news <- struct{}{}:
		default: // one is due already
		}
	}
}

// Netlink's multicast groups for uevents.
const (
	groupKernel = 1
	groupUdev   = 2
)

// trusted says whether the kernel sent the message, or a program of root's as udevd.
func trusted(m message) bool {
	switch m.group {
	case groupKernel:
		return m.sender == 0
	case groupUdev:
		return m.signed && m.user == 0
	}
	return false
}

// relevant says whether a message is worth a look; one that cannot be read is.
func relevant(payload []byte) bool {
	e, err := parse(payload)
	return err != nil || e.matters()
}

// pass gives hints for news, with a pause after each, so that a device that comes
// and goes all the time costs a bounded number of looks. The last news is never lost.
func (l *Listener) pass(ctx context.Context, news <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
		}
		l.hint()
		if wait(ctx, Apart) != nil {
			return
		}
	}
}

func (l *Listener) hint() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, hints := range l.hints {
		select {
		case hints <- struct{}{}:
		default: // one waits already
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
