package audit_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/tlog"
)

var logged = flag.Int("events", 20_000, "length of the log that benchmarks work on")

// percentile sorts times.
func percentile(all []time.Duration, of float64) float64 {
	slices.Sort(all)
	return float64(all[min(len(all)-1, int(of*float64(len(all))))]) / float64(time.Millisecond)
}

// BenchmarkAnEventUntilItsProof appends events, each in a transaction of its own as
// acts do, from one and from many callers, until each is durable, below a signed
// checkpoint, and proven.
func BenchmarkAnEventUntilItsProof(b *testing.B) {
	for name, callers := range map[string]int{"one caller": 1, "64 callers": 64} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			l := w.open()
			var left atomic.Int64
			left.Store(int64(b.N))
			var mu sync.Mutex
			var took []time.Duration
			var all sync.WaitGroup
			b.ResetTimer()
			for range callers {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						began := time.Now()
						id := w.append(1)
						if _, _, err := l.Sequence(b.Context()); err != nil {
							b.Error(err)
						}
						if _, _, _, _, err := l.Prove(b.Context(), id); err != nil {
							b.Error(err)
						}
						mu.Lock()
						took = append(took, time.Since(began))
						mu.Unlock()
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(percentile(took, 0.5), "p50-ms")
			b.ReportMetric(percentile(took, 0.99), "p99-ms")
		})
	}
}

// BenchmarkAProofOfAnyEvent proves events anywhere in a long log (-events 1000000),
// with nothing kept from the proof before.
func BenchmarkAProofOfAnyEvent(b *testing.B) {
	w := newWorld(b)
	l := w.open()
	began := time.Now()
	for left := *logged; left > 0; left -= 10_000 {
		w.append(min(left, 10_000))
		_, _, err := l.Sequence(b.Context())
		w.must(err)
	}
	b.Logf("%d events in %s", *logged, time.Since(began).Round(time.Millisecond))
	head := l.Head().Checkpoint
	var took []time.Duration
	for b.Loop() {
		index := rand.Int64N(head.Size)
		began := time.Now()
		proof, err := tlog.ProveInclusion(b.Context(), w.config().Tiles, head.Size, index)
		took = append(took, time.Since(began))
		w.must(err)
		if len(proof) == 0 {
			b.Fatal("an empty proof")
		}
	}
	b.ReportMetric(percentile(took, 0.99), "p99-ms")
}
