package fault

import (
	"context"
	"sync"
	"time"
)

// armed is a fault with what it has seen so far.
type armed struct {
	Fault
	sent  int64 // object bytes of Path that the host got since
	reads int   // of Flip: how often the host got the byte; of Swap: how often byte 0
	asked int   // how often the host asked what is lied about
	spent bool
}

func (a *armed) concerns(path string) bool { return a.Path == "" || a.Path == path }

// Set is the faults of one camera. The zero value has none. Its methods may be
// called concurrently.
type Set struct {
	mu     sync.Mutex
	list   []*armed    // guarded by mu
	struck func(Fault) // guarded by mu
}

// Observe has f called when the camera goes away by a fault. One observer at most;
// it must not block.
func (s *Set) Observe(f func(Fault)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.struck = f
}

// Add arms a fault. Acts of the simulator rather than states of the camera, such as
// Names, have no effect here.
func (s *Set) Add(f Fault) error {
	if err := f.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, &armed{Fault: f})
	return nil
}

// Clear removes every fault. One that strikes at the moment goes on until the host cancels.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
}

// Pending lists the faults that may still strike.
func (s *Set) Pending() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Fault{}
	for _, a := range s.list {
		if !a.spent {
			list = append(list, a.Fault)
		}
	}
	return list
}

// Fill is called before the bytes p from an object's offset on go to the host, and
// may change p, wait, or fail.
func (s *Set) Fill(ctx context.Context, path string, offset int64, p []byte) error {
	strike, delay := s.judge(path, offset, p)
	if delay > 0 {
		if err := wait(ctx, delay); err != nil {
			return err
		}
	}
	if strike == nil {
		return nil
	}
	switch strike.Kind {
	case Unplug, Reboot:
		s.tell(strike.Fault)
		return ErrUnplug
	case Halt:
		return ErrHalt
	}
	if strike.For == 0 {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return wait(ctx, strike.For)
}

// judge applies the bit flips and finds the first fault that strikes within p.
func (s *Set) judge(path string, offset int64, p []byte) (strike *armed, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if a.spent || !a.concerns(path) {
			continue
		}
		switch a.Kind {
		case Unplug, Reboot, Halt, Stall:
			if strike == nil && a.sent+int64(len(p)) > a.At {
				strike = a
			}
		case Flip:
			if at := a.At - offset; at >= 0 && at < int64(len(p)) && (a.Read == 0 || a.reads+1 == a.Read) {
				p[at] ^= 1 << a.Bit
			}
		case Swap:
			if a.reading(offset) == a.Read {
				invert(p)
			}
		case Slow:
			delay = max(delay, time.Duration(float64(len(p))/float64(a.Rate)*float64(time.Second)))
		}
	}
	if strike != nil {
		strike.spent = true
	}
	return strike, delay
}

// Sent is called after the host got n bytes of an object from offset on.
func (s *Set) Sent(path string, offset int64, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if !a.concerns(path) {
			continue
		}
		a.sent += int64(n)
		if a.Kind == Flip && a.At >= offset && a.At < offset+int64(n) {
			a.reads++
			a.spent = a.Read != 0 && a.reads >= a.Read
		}
		if a.Kind == Swap && offset == 0 && n > 0 {
			a.reads++
			a.spent = a.reads > a.Read
		}
	}
}

// reading is which reading of the recording the bytes from offset on belong to.
func (a *armed) reading(offset int64) int {
	if offset == 0 {
		return a.reads + 1
	}
	return a.reads
}

func invert(p []byte) {
	for i := range p {
		p[i] ^= 0xFF
	}
}

func (s *Set) tell(f Fault) {
	s.mu.Lock()
	struck := s.struck
	s.mu.Unlock()
	if struck != nil {
		struck(f)
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
