package fault

import (
	"context"
	"slices"
	"sync"
	"time"
)

// armed is a fault with what it has seen so far.
type armed struct {
	Fault
	sent  int64 // object bytes of Path that the host got since
	reads int   // of Flip: how often the host got the byte
	spent bool
}

func (a *armed) concerns(path string) bool { return a.Path == "" || a.Path == path }

// Set is the faults of one camera. The zero value has none. Its methods may be
// called concurrently.
type Set struct {
	mu   sync.Mutex
	list []*armed // guarded by mu
}

// Add arms a fault. Names is an act of the camera rather than a state: it has no
// effect here.
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
	case Unplug:
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
		case Unplug, Halt, Stall:
			if strike == nil && a.sent+int64(len(p)) > a.At {
				strike = a
			}
		case Flip:
			if at := a.At - offset; at >= 0 && at < int64(len(p)) && (a.Read == 0 || a.reads+1 == a.Read) {
				p[at] ^= 1 << a.Bit
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
	}
}

// Size is the size to declare for an object.
func (s *Set) Size(path string, size int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if a.Kind == Size && a.concerns(path) {
			size = max(0, size+a.Delta)
		}
	}
	return size
}

// Date is the date to send instead of an object's own.
func (s *Set) Date(path, date string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if a.Kind != Dates || !a.concerns(path) {
			continue
		}
		switch a.Variant {
		case VariantGarbage:
			return "99999999T\x00\u202eABCDEF'\"<script>"
		case VariantImpossible:
			return "20260230T256199"
		case VariantEmpty:
			return ""
		case VariantFuture:
			return "99991231T235959.9Z"
		}
	}
	return date
}

// firstPhantom is where the handles begin that name no object.
const firstPhantom = 0x0100_0000

// List is the handle list to send instead of a true one.
func (s *Set) List(handles []uint32) []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		switch {
		case a.Kind != Handles:
		case a.Variant == VariantDouble:
			handles = slices.Repeat(handles, 2)
		case a.Variant == VariantMany:
			handles = slices.Clone(handles)
			for i := range a.Count {
				handles = append(handles, firstPhantom+uint32(i))
			}
		}
	}
	return handles
}

// Loops says whether folders are to contain each other.
func (s *Set) Loops() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.list, func(a *armed) bool { return a.Kind == Handles && a.Variant == VariantLoop })
}

// Busy says whether to refuse this transaction, and counts it.
func (s *Set) Busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if a.Kind == Busy && !a.spent {
			a.Count--
			a.spent = a.Count == 0
			return true
		}
	}
	return false
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
