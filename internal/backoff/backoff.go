package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff counts failures in a row and gives the pause after each. It belongs
// to one goroutine.
type Backoff struct {
	first, longest time.Duration
	random         func() float64
	sleep          func(context.Context, time.Duration) error
	next           time.Duration // upper end of the next pause
	failures       int
}

// New begins with a pause of about first, doubles it after each failure, and
// never exceeds longest. What must recover by itself within a minute needs a
// longest of 30 s or less. Durations of zero or less count as one millisecond.
func New(first, longest time.Duration) *Backoff {
	return NewWith(first, longest, rand.Float64, sleep)
}

// NewWith is New with a source of numbers from 0 up to but without 1, and with
// the function that waits; it returns the context's error when that ends first.
func NewWith(first, longest time.Duration, random func() float64, sleep func(context.Context, time.Duration) error) *Backoff {
	first = max(first, time.Millisecond)
	longest = max(longest, first)
	return &Backoff{first: first, longest: longest, random: random, sleep: sleep, next: first}
}

// Pause counts one failure and gives the time to wait after it: between half of
// the current step and the whole.
func (b *Backoff) Pause() time.Duration {
	step := b.next
	b.failures++
	b.next = b.longest
	if step <= b.longest/2 {
		b.next = 2 * step
	}
	return step/2 + time.Duration(b.random()*float64(step-step/2))
}

// Wait counts one failure and waits, for atLeast if that is longer: what a
// server asked for. It returns ctx's error when ctx ends first.
func (b *Backoff) Wait(ctx context.Context, atLeast time.Duration) error {
	return b.sleep(ctx, max(b.Pause(), atLeast))
}

// Failures is how many failures were counted since the last success.
func (b *Backoff) Failures() int { return b.failures }

// Reset begins anew, after a success.
func (b *Backoff) Reset() { b.next, b.failures = b.first, 0 }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
