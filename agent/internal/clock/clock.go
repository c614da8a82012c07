// Package clock compares clocks by exchanges of readings: the dock's with the
// server's, a camera's with the dock's.
//
// Each exchange gives an interval in which the offset lies for certain, whatever
// the delays on the way were: one clock is read between two readings of the
// other. The intervals of several exchanges are cut with each other, so that many
// coarse or slow readings give a narrow result. That holds while both clocks run
// evenly; exchanges that contradict each other give the whole range between them.
//
// It promises that the true offset lies within the stated uncertainty, as long as
// the readings were made in the order that is stated. It reads no clock itself.
package clock

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Estimate collects exchanges. The zero value is ready. For one goroutine.
type Estimate struct {
	low, high time.Duration
	exchanges int
}

// Add takes in one exchange that shows the offset to lie between low and high,
// which may be given in either order.
func (e *Estimate) Add(low, high time.Duration) {
	if low > high {
		low, high = high, low
	}
	e.exchanges++
	if e.exchanges == 1 {
		e.low, e.high = low, high
		return
	}
	both, either := max(e.low, low), min(e.high, high)
	if both <= either {
		e.low, e.high = both, either
		return
	}
	e.low, e.high = min(e.low, low), max(e.high, high)
}

// Width is how wide the interval still is, and how many exchanges it rests on.
func (e *Estimate) Width() (width time.Duration, exchanges int) { return e.high - e.low, e.exchanges }

// Offset is the result, for a moment of the reference clock; nil without any
// exchange. The uncertainty is rounded up to whole microseconds.
func (e *Estimate) Offset(at time.Time) *evidence.Offset {
	if e.exchanges == 0 {
		return nil
	}
	middle := e.low + (e.high-e.low)/2
	return &evidence.Offset{
		At: at.UTC(), Ahead: middle.Microseconds(), Uncertainty: ((e.high-e.low)/2 + 2*time.Microsecond).Microseconds(), Exchanges: e.exchanges,
	}
}

// Drift is how fast a clock gains on its reference, from two measurements of it
// a while apart. ok is false when they are too close together to say anything.
func Drift(first, second *evidence.Offset) (d evidence.Drift, ok bool) {
	elapsed := second.At.Sub(first.At).Seconds()
	if elapsed < 0.5 {
		return d, false
	}
	return evidence.Drift{
		PPM:         float64(second.Ahead-first.Ahead) / elapsed,
		Uncertainty: float64(second.Uncertainty+first.Uncertainty) / elapsed,
	}, true
}
