package backoff

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func fixed(n float64) func() float64 { return func() float64 { return n } }

func TestPausesDoubleUpToTheLongest(t *testing.T) {
	b := NewWith(time.Second, 10*time.Second, fixed(0), sleep)
	for i, want := range []time.Duration{500, 1000, 2000, 4000, 5000, 5000} {
		if got := b.Pause(); got != want*time.Millisecond {
			t.Errorf("pause %d is %v, want %v", i, got, want*time.Millisecond)
		}
	}
	if b.Failures() != 6 {
		t.Errorf("%d failures counted, want 6", b.Failures())
	}
	b.Reset()
	if got := b.Pause(); got != 500*time.Millisecond || b.Failures() != 1 {
		t.Errorf("after a success the pause is %v and failures are %d", got, b.Failures())
	}
}

func TestEveryPauseIsBetweenHalfAndWhole(t *testing.T) {
	b := New(time.Second, time.Minute)
	seen := map[time.Duration]bool{}
	for range 1000 {
		b.Reset()
		d := b.Pause()
		if d < 500*time.Millisecond || d > time.Second {
			t.Fatalf("a pause of %v", d)
		}
		seen[d] = true
	}
	if len(seen) < 900 {
		t.Errorf("only %d different pauses in 1000", len(seen))
	}
}

func TestNoDurationOverflows(t *testing.T) {
	const forever = time.Duration(1<<63 - 1)
	b := NewWith(0, forever, fixed(0.999), sleep)
	for range 200 {
		if d := b.Pause(); d <= 0 {
			t.Fatalf("a pause of %v", d)
		}
	}
	b = NewWith(-time.Hour, -time.Second, fixed(0.5), sleep)
	if d := b.Pause(); d <= 0 || d > time.Millisecond {
		t.Errorf("a pause of %v from negative durations", d)
	}
}

func TestWaitKeepsToWhatTheServerAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(time.Second, time.Minute)
		began := time.Now()
		if err := b.Wait(t.Context(), 20*time.Second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("waited %v, want 20 s", took)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("stopping")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(stop) })
		if err := New(time.Minute, time.Hour).Wait(ctx, 0); !errors.Is(err, stop) {
			t.Errorf("error %v, want the context's cause", err)
		}
	})
}
