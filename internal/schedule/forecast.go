package schedule

import (
	"math/bits"
	"time"

	"github.com/sealdock/sealdock/proto/upload"
)

// Horizon is how far forecasts look.
const Horizon = 60 * 24 * time.Hour

// Cap is a table, or a part of one, that a forecast has to keep to.
type Cap struct {
	Table    *Table
	SharePPM uint32 // parts of a million of the table's rate that count; 0 counts as all
}

// At is [Table.At] of the share.
func (c Cap) At(now time.Time) (bytesPerSecond uint64, until time.Time) {
	rate, until := c.Table.At(now)
	if rate == NoLimit || c.SharePPM == 0 {
		return rate, until
	}
	return scale(rate, uint64(min(c.SharePPM, upload.MaxShare)), upload.MaxShare), until
}

// At is the smallest rate that several caps allow at a moment, and until when.
func At(now time.Time, caps ...Cap) (bytesPerSecond uint64, until time.Time) {
	rate := uint64(NoLimit)
	for _, c := range caps {
		r, end := c.At(now)
		rate, until = min(rate, r), earlier(until, end)
	}
	return rate, until
}

// Finish forecasts when so many bytes will be through, beginning at now: at each
// moment at the link's rate or at what the caps allow, whichever is less. rate is
// what the link carries in bytes a second; [NoLimit] where only the caps count.
// It answers false where that is not within [Horizon], as at rate 0.
func Finish(now time.Time, bytes, rate uint64, caps ...Cap) (time.Time, bool) {
	if bytes == 0 {
		return now, true
	}
	if rate == 0 {
		return time.Time{}, false
	}
	horizon := now.Add(Horizon)
	for at := now; at.Before(horizon); {
		r, until := At(at, caps...)
		r = min(r, rate)
		if until.IsZero() || until.After(horizon) {
			until = horizon
		}
		if need := takes(bytes, r); need <= until.Sub(at) {
			return at.Add(need), true
		}
		bytes -= carried(until.Sub(at), r)
		at = until
	}
	return time.Time{}, false
}

// takes is the time that bytes need at a rate, rounded up; the longest there is
// where it is longer or never.
func takes(bytes, rate uint64) time.Duration {
	const never = time.Duration(1<<63 - 1)
	hi, lo := bits.Mul64(bytes, uint64(time.Second))
	if hi >= rate {
		return never
	}
	n, rest := bits.Div64(hi, lo, rate)
	if rest > 0 {
		n++
	}
	if n > uint64(never) || n == 0 && bytes > 0 {
		return never
	}
	return time.Duration(n)
}

// carried is what a rate carries in a time, rounded down.
func carried(d time.Duration, rate uint64) uint64 { return scale(rate, uint64(d), uint64(time.Second)) }

// scale is n*part/whole, or the largest number where that is larger.
func scale(n, part, whole uint64) uint64 {
	hi, lo := bits.Mul64(n, part)
	if hi >= whole {
		return NoLimit
	}
	q, _ := bits.Div64(hi, lo, whole)
	return q
}

// earlier is the earlier of two moments; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
