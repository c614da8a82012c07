package uplink

import (
	"bytes"
	"context"
	"time"

	"github.com/sealdock/sealdock/internal/schedule"
)

const (
	// gather is how long what docks report is gathered before it is acted on.
	gather = time.Second
	// hurry is the same for what people decide.
	hurry = 200 * time.Millisecond
	// look is how often the rules, the spools and the store are looked at, whatever
	// is reported: another process may have changed the rules.
	look = 5 * time.Second
)

// Run keeps the directions up to date, and alerts raised and cleared, until ctx
// ends. Without it, directions stay as they were asked for first.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looked time.Time
	for {
		changed := s.Live.Changed() // before looking, to miss nothing
		if now := s.Now(); looked.IsZero() || now.Sub(looked) >= look {
			looked = now
			s.lookAround(ctx)
		}
		border := s.refresh(s.Now())
		if !s.rest(ctx, timer, border, looked.Add(look), changed) {
			return nil
		}
	}
}

// rest waits until there is something to do: at a border at once, after what
// people decided in a moment, after reports a little later. False: ctx ended.
func (s *Service) rest(ctx context.Context, timer *time.Timer, border, next time.Time, changed <-chan struct{}) bool {
	begun := s.Now()
	for _, pause := range []struct {
		until         time.Time
		wake, changed <-chan struct{}
	}{
		{begun.Add(hurry), nil, nil},
		{begun.Add(gather), s.wake, nil},
		{next, s.wake, changed},
	} {
		timer.Reset(max(earlier(border, pause.until).Sub(s.Now()), 0))
		select {
		case <-ctx.Done():
			return false
		case <-pause.wake:
			return true
		case <-pause.changed:
			return true
		case <-timer.C:
			if pause.until = earlier(border, pause.until); pause.until.Equal(border) {
				return true
			}
		}
	}
	return true
}

// refresh takes in what docks report, and directs them. It returns when the next
// window begins or ends.
func (s *Service) refresh(now time.Time) time.Time {
	reports := s.Live.Docks()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeAll(now, reports)
	return s.direct(now)
}

// takeAll takes in what docks report. It runs with the lock held, as take does.
func (s *Service) takeAll(now time.Time, reports []Dock) {
	for i := range reports {
		if report := &reports[i]; report.Agency == s.Agency {
			s.take(now, report)
		}
	}
}

// take takes in what one dock reports.
func (s *Service) take(now time.Time, report *Dock) {
	d := s.docks[report.Dock]
	if d == nil {
		d = &dock{changed: make(chan struct{})}
		s.docks[report.Dock] = d
	}
	d.live = *report
	limit := s.limit(now, d)
	if rate := d.rate(); report.Connected && rate > 0 && d.eager() > 0 {
		// What was sent below the limit is what the line carries; at the limit it
		// carries at least as much.
		if limit == schedule.NoLimit || rate < limit/10*9 {
			d.carries = rate
		} else {
			d.carries = max(d.carries, rate)
		}
	}
	d.sample(now, limit)
}

// limit is what a dock may send at a moment.
func (s *Service) limit(now time.Time, d *dock) uint64 {
	own, _ := s.rules.docks[d.live.Dock].At(now)
	if d.since.IsZero() {
		return own
	}
	return min(own, d.given)
}

// Sample is how much a dock sent at a moment.
type Sample struct {
	At    time.Time
	Rate  uint64 // bytes a second
	Limit uint64 // that was in force; NoLimit
}

const (
	sampleEvery = 5 * time.Second
	samples     = 120 // ten minutes
)

func (d *dock) sample(now time.Time, limit uint64) {
	if now.Sub(d.sampled) < sampleEvery {
		return
	}
	d.sampled = now
	rate := uint64(0)
	if d.live.Connected && d.eager() > 0 {
		rate = d.rate()
	}
	if len(d.history) == samples {
		d.history = d.history[:copy(d.history, d.history[1:])]
	}
	d.history = append(d.history, Sample{At: now, Rate: rate, Limit: limit})
}

// lookPolicy has docks told when another policy is in force.
func (s *Service) lookPolicy(ctx context.Context) error {
	if s.Policy == nil {
		return nil
	}
	digest, err := s.Policy(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !bytes.Equal(digest, s.policy) {
		s.policy = digest
		s.version++
	}
	return nil
}

// lookAround does what need not be done at every report. What fails is told in
// the log and tried again.
func (s *Service) lookAround(ctx context.Context) {
	for what, do := range map[string]func(context.Context) error{
		"reading how docks send": s.reload, "reading what docks follow": s.lookPolicy, "dropping marks of what is stored": s.dropStored, "alerts of spools and store": s.alarms,
	} {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "directing docks: a look around failed", "at", what, "error", err)
		}
	}
	select {
	case <-s.wake: // by reload; the directions are made anew next
	default:
	}
}
