package auth

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A source may try to sign in 10 times at once and then once in 3 seconds: far
// more than a person needs, and few enough that a flood fills neither the
// custody log nor the processor.
const (
	sourceBurst = 10
	sourceEvery = 3 * time.Second
	maxSources  = 4096
)

// TooManyError tells a source to wait.
type TooManyError struct{ RetryAfter time.Duration }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many sign-ins from this place; try again in %d seconds", int(e.RetryAfter.Seconds())+1)
}

// sources counts attempts per network address.
type sources struct {
	now func() time.Time

	mu   sync.Mutex // guards seen
	seen map[netip.Prefix]*rate.Limiter
}

func newSources(now func() time.Time) *sources {
	return &sources{now: now, seen: map[netip.Prefix]*rate.Limiter{}}
}

// admit counts an attempt from address, and returns a *TooManyError for one
// too many.
func (s *sources) admit(address string) error {
	at := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	place := network(address)
	limiter := s.seen[place]
	if limiter == nil {
		if len(s.seen) >= maxSources {
			s.forget(at)
		}
		limiter = rate.NewLimiter(rate.Every(sourceEvery), sourceBurst)
		s.seen[place] = limiter
	}
	if !limiter.AllowN(at, 1) {
		return &TooManyError{RetryAfter: time.Duration((1 - limiter.TokensAt(at)) * float64(sourceEvery))}
	}
	return nil
}

// forget drops the sources that have their full number of attempts again, or
// all when none has: then the flood comes from everywhere, and the hashing
// places are the bound.
func (s *sources) forget(at time.Time) {
	for place, limiter := range s.seen {
		if limiter.TokensAt(at) >= sourceBurst {
			delete(s.seen, place)
		}
	}
	if len(s.seen) >= maxSources {
		clear(s.seen)
	}
}

// network is what counts as one source: an IPv4 address, or an IPv6 /64.
func network(address string) netip.Prefix {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
