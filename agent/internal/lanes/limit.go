package lanes

import (
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	// leastOverhead is the least that a byte of content costs on the wire: what is
	// handed to the transport is charged with it at once, and what is more when
	// the session has counted it.
	leastOverhead = 1.03
	// A piece lasts about so long at the limit: an urgent one waits for one of
	// them, and a timer runs out once for each.
	pieceLasts = 20 * time.Millisecond
	// What was not used in burstLasts is gone. A busy machine runs timers late: what
	// they are late for should not be lost.
	burstLasts = 250 * time.Millisecond

	leastPiece   = 4 << 10
	longestPiece = 128 << 10
	// Without a limit a piece is what the lane carries in freeLasts or so, so that
	// a limit takes hold soon.
	freeLasts        = 80 * time.Millisecond
	leastFreePiece   = 16 << 10
	longestFreePiece = 1 << 20
)

// limiter holds what all lanes send together within a rate, in IP bytes. It
// charges what is handed over with a prediction that is never too high, and
// corrects it upwards by what the sessions counted: so what they send again and
// what passes the limiter by (acknowledgements, control frames) is paid for too,
// and no error adds up.
type limiter struct {
	now func() time.Time

	mu       sync.Mutex // guards all below
	limited  bool
	rate     float64 // bytes a second
	credit   float64 // bytes that may be sent; below zero: what was sent ahead
	settled  time.Time
	charged  float64 // wire bytes charged so far, on the scale of sent
	sessions map[Session]struct{}
	gone     uint64 // wire bytes of sessions that have ended
	urgent   *list.List
	waiting  *list.List
	timer    *time.Timer
}

// waiter is one Write that waits for its next piece.
type waiter struct {
	want    int
	granted chan int // has room for one
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, sessions: map[Session]struct{}{}, urgent: list.New(), waiting: list.New()}
}

// add counts what s sends.
func (l *limiter) add(s Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[s] = struct{}{}
}

// remove counts s no more; it must have ended.
func (l *limiter) remove(s Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.sessions[s]; there {
		delete(l.sessions, s)
		l.gone += s.Traffic().SentBytes
	}
}

// sent is what all sessions together sent so far. Called under mu.
func (l *limiter) sent() float64 {
	sum := l.gone
	for s := range l.sessions {
		sum += s.Traffic().SentBytes
	}
	return float64(sum)
}

// set changes the limit.
func (l *limiter) set(limited bool, bytesPerSecond uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !limited:
		l.limited = false
		for _, queue := range []*list.List{l.urgent, l.waiting} {
			for queue.Len() > 0 {
				w := queue.Remove(queue.Front()).(*waiter)
				w.granted <- w.want
			}
		}
		return
	case l.limited:
		l.settle()
	default: // what is under way counts from now on
		l.limited, l.credit, l.charged, l.settled = true, 0, l.sent(), l.now()
	}
	l.rate = float64(bytesPerSecond)
	l.credit = min(l.credit, l.burst())
	l.pass()
}

func (l *limiter) burst() float64 { return l.rate * burstLasts.Seconds() }

// held says whether a limit holds writes up at the moment.
func (l *limiter) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limited && l.urgent.Len()+l.waiting.Len() > 0
}

// settle brings credit up to date. Called under mu, with a limit.
func (l *limiter) settle() {
	now := l.now()
	l.credit += l.rate * now.Sub(l.settled).Seconds()
	l.settled = now
	if sent := l.sent(); sent > l.charged {
		l.credit -= sent - l.charged
		l.charged = sent
	}
	l.credit = min(l.credit, l.burst())
}

// pass lets waiting pieces go as far as the credit reaches, and sets the timer
// for the next. Called under mu, settled, with a limit.
func (l *limiter) pass() {
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.rate == 0 {
		return
	}
	for l.credit >= 0 {
		queue := l.urgent
		if queue.Len() == 0 {
			queue = l.waiting
		}
		if queue.Len() == 0 {
			return
		}
		w := queue.Remove(queue.Front()).(*waiter)
		n := min(w.want, l.piece())
		l.charge(n)
		w.granted <- n
	}
	if l.urgent.Len()+l.waiting.Len() == 0 {
		return
	}
	pause := time.Duration(-l.credit/l.rate*float64(time.Second)) + time.Microsecond
	if l.timer == nil {
		l.timer = time.AfterFunc(pause, l.expired)
	} else {
		l.timer.Reset(pause)
	}
}

func (l *limiter) expired() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limited {
		l.settle()
		l.pass()
	}
}

// piece is how many bytes go at once under the limit.
func (l *limiter) piece() int {
	return int(min(max(l.rate*pieceLasts.Seconds(), leastPiece), longestPiece))
}

func (l *limiter) charge(n int) {
	cost := leastOverhead * float64(n)
	l.credit -= cost
	l.charged += cost
}

// take waits until up to want bytes may be sent, and says how many: free at
// most, where there is no limit.
func (l *limiter) take(ctx context.Context, want, free int, urgent bool) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	if !l.limited {
		l.mu.Unlock()
		return min(want, min(max(free, leastFreePiece), longestFreePiece)), nil
	}
	queue := l.waiting
	if urgent {
		queue = l.urgent
	}
	w := &waiter{want, make(chan int, 1)}
	place := queue.PushBack(w)
	l.settle()
	l.pass()
	l.mu.Unlock()
	select {
	case n := <-w.granted:
		return n, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case n := <-w.granted: // at the same moment
		if l.limited {
			l.charge(-n)
			l.settle()
			l.pass()
		}
	default:
		queue.Remove(place)
	}
	return 0, ctx.Err()
}

// stop ends the timer; what waits is ended by its context.
func (l *limiter) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
}
