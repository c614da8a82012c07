package fault

import (
	"math"
	"slices"
)

// Size is the size to declare for an object.
func (s *Set) Size(path string, size int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		switch {
		case !a.concerns(path):
		case a.Kind == Size, a.Kind == Changing && a.asked > 0 && a.asked%2 == 0:
			size = sum(size, a.Delta)
		}
	}
	return size
}

// sum is size and difference together, from 0 to the largest size there is.
func sum(size, difference int64) int64 {
	if difference > 0 && size > math.MaxInt64-difference {
		return math.MaxInt64
	}
	return max(0, size+difference)
}

// Described is called when the host asks what an object is.
func (s *Set) Described(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if (a.Kind == Changing || a.Kind == Grow) && a.concerns(path) {
			a.asked++
		}
	}
}

// Present is how many of an object's bytes are there by now.
func (s *Set) Present(path string, size int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if a.Kind == Grow && a.concerns(path) {
			steps := int64(max(0, a.asked-1))
			if steps <= (size-min(size, a.At))/a.Delta {
				size = min(size, a.At+steps*a.Delta)
			}
		}
	}
	return size
}

// Unreadable is the first byte of the n from offset on that is in a bad block.
func (s *Set) Unreadable(path string, offset, n int64) (at int64, bad bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		first := a.At / BlockSize * BlockSize
		if a.Kind == BadBlock && a.concerns(path) && offset < first+BlockSize && offset+n > first {
			return max(offset, first), true
		}
	}
	return 0, false
}

// Endless says whether an object has bytes without end.
func (s *Set) Endless(path string) bool {
	return s.any(func(a *armed) bool { return a.Kind == Endless && a.concerns(path) })
}

// Has says whether a fault of a kind that is a mere state is armed.
func (s *Set) Has(k Kind) bool {
	return s.any(func(a *armed) bool { return a.Kind == k && !a.spent })
}

func (s *Set) any(f func(*armed) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.list, f)
}

// Erase is called when the host wants an object deleted. With ErrUnplug, the cable is
// pulled before (done false) or after (done true) the object is deleted.
func (s *Set) Erase() (done bool, err error) {
	if s.Has(ReadOnly) {
		return false, ErrReadOnly
	}
	s.mu.Lock()
	var strike *armed
	for _, a := range s.list {
		if a.Kind != UnplugErase || a.spent {
			continue
		}
		if a.asked++; a.asked == a.Count && strike == nil {
			a.spent, strike = true, a
		}
	}
	s.mu.Unlock()
	if strike == nil {
		return true, nil
	}
	s.tell(strike.Fault)
	return strike.Variant == VariantAfter, ErrUnplug
}

// Lies says whether this container or dataset is to lie in that way, and counts it.
func (s *Set) Lies(variant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if a.Kind == Containers && a.Variant == variant && !a.spent {
			a.asked++
			a.spent = a.Count != 0 && a.asked == a.Count
			return true
		}
	}
	return false
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
		case a.Variant == VariantEndless:
			a.asked++
			handles = slices.Clone(handles)
			for i := range min(a.asked*a.Count, maxCount) {
				handles = append(handles, firstPhantom+uint32(i))
			}
		}
	}
	return handles
}

// Loops says whether folders are to contain each other.
func (s *Set) Loops() bool {
	return s.any(func(a *armed) bool { return a.Kind == Handles && a.Variant == VariantLoop })
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
