// Package throttle counts how often somebody asks, in bounded memory.
//
// It promises that whoever keeps within a rate is never told to wait, that
// whoever does not is told for how long, and that a flood from everywhere costs
// a fixed amount of memory: what has its full number of asks again is forgotten
// first, and all when nothing has.
//
// The dashboard calls it. A Meter is safe for concurrent use.
package throttle

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxKeys is how many are counted at once.
const maxKeys = 8192

// Meter counts by key. The zero value is ready.
type Meter struct {
	mu   sync.Mutex // guards seen
	seen map[string]*rate.Limiter
}

// Ask counts one request of key at a time and returns how long to wait before
// the next try, 0 when this one may pass. perMinute is the rate; a fifth of it
// may come at once.
func (m *Meter) Ask(key string, perMinute int64, at time.Time) time.Duration {
	return m.Count(key, perMinute, at).Wait
}

// Count is where somebody stands after a request.
type Count struct {
	Wait   time.Duration // before the next try; 0: this one may pass
	Left   int           // that may come at once
	Quota  int           // the most of those
	Window time.Duration // in which as many come back
	Full   time.Duration // until there are Quota again
}

// Count is Ask, with how much is left.
func (m *Meter) Count(key string, perMinute int64, at time.Time) Count {
	limit, burst := rate.Limit(float64(perMinute)/60), max(int(perMinute/5), 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.seen[key]
	switch {
	case l == nil:
		if len(m.seen) >= maxKeys {
			m.forget(at)
		}
		if m.seen == nil {
			m.seen = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(limit, burst)
		m.seen[key] = l
	case l.Limit() != limit:
		l.SetLimitAt(at, limit)
		l.SetBurstAt(at, burst)
	}
	allowed := l.AllowN(at, 1)
	left := l.TokensAt(at)
	lasts := func(n float64) time.Duration { return time.Duration(max(n, 0) / float64(limit) * float64(time.Second)) }
	c := Count{Left: max(int(left), 0), Quota: burst, Window: lasts(float64(burst)), Full: lasts(float64(burst) - left)}
	if !allowed {
		c.Wait = lasts(1 - left)
	}
	return c
}

func (m *Meter) forget(at time.Time) {
	for key, l := range m.seen {
		if l.TokensAt(at) >= float64(l.Burst()) {
			delete(m.seen, key)
		}
	}
	if len(m.seen) >= maxKeys {
		clear(m.seen)
	}
}

// Place is what counts as one source: an IPv4 address, or an IPv6 /64.
func Place(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64) // 64 fits
		return p.String()
	}
	return ip.String()
}
