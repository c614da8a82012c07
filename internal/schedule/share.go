package schedule

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// Demand is one of several that share a rate.
type Demand struct {
	Want   uint64 // bytes a second that it can use; [NoLimit] where that is not known
	Weight uint64 // against the others'; 0 counts as 1
}

// Share divides a rate among demands: fairly by weight, nobody more than it can
// use, and what one cannot use goes to the others (max-min fairness). Nothing is
// given away twice, and less than a byte a second each is left over while anybody
// wants more. A capacity of [NoLimit] gives everybody what it wants.
func Share(capacity uint64, demands []Demand) []uint64 {
	given := make([]uint64, len(demands))
	order := make([]int, len(demands))
	weights := uint64(0)
	for i := range demands {
		order[i] = i
		weights += demands[i].weight()
	}
	// Who is satisfied soonest comes first: the others share what it leaves.
	slices.SortStableFunc(order, func(a, b int) int {
		ahi, alo := bits.Mul64(demands[a].Want, demands[b].weight())
		bhi, blo := bits.Mul64(demands[b].Want, demands[a].weight())
		return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo))
	})
	for _, i := range order {
		d := demands[i]
		part := d.Want
		if capacity != NoLimit {
			part = min(part, scale(capacity, d.weight(), weights))
			capacity -= part
		}
		given[i] = part
		weights -= d.weight()
	}
	return given
}

// weight bounds weights so that their sum is a number.
func (d Demand) weight() uint64 { return min(max(d.Weight, 1), 1<<32) }

// Load is what one of several sharers of a table has to send.
type Load struct {
	Bytes  uint64
	Rate   uint64 // bytes a second that its link carries; [NoLimit] where that is not known
	Own    *Table // limits it alone
	Weight uint64 // 0 counts as 1
}

// FinishShared forecasts when each of several loads will be through that share a
// table as [Share] does, at each moment among those that still have something to
// send. A zero time: not within [Horizon].
func FinishShared(now time.Time, shared *Table, loads []Load) []time.Time {
	finish := make([]time.Time, len(loads))
	left := make([]uint64, len(loads))
	for i := range loads {
		if left[i] = loads[i].Bytes; left[i] == 0 {
			finish[i] = now
		}
	}
	horizon := now.Add(Horizon)
	for at := now; at.Before(horizon) && slices.ContainsFunc(left, func(n uint64) bool { return n > 0 }); {
		rates, until := shareAt(at, shared, loads, left)
		if until.IsZero() || until.After(horizon) {
			until = horizon
		}
		for i := range left { // the next of them that is through
			if need := takes(left[i], rates[i]); left[i] > 0 && need < until.Sub(at) {
				until = at.Add(need)
			}
		}
		for i := range left {
			if left[i] == 0 {
				continue
			}
			if takes(left[i], rates[i]) <= until.Sub(at) {
				left[i], finish[i] = 0, until
			} else {
				left[i] -= carried(until.Sub(at), rates[i])
			}
		}
		at = until
	}
	return finish
}

// shareAt gives each load that has something left its rate at a moment, and when
// one of the tables changes.
func shareAt(at time.Time, shared *Table, loads []Load, left []uint64) (rates []uint64, until time.Time) {
	capacity, until := shared.At(at)
	demands, of := []Demand{}, []int{}
	for i, load := range loads {
		if left[i] == 0 {
			continue
		}
		own, end := load.Own.At(at)
		until = earlier(until, end)
		demands, of = append(demands, Demand{Want: min(load.Rate, own), Weight: load.Weight}), append(of, i)
	}
	rates = make([]uint64, len(loads))
	for n, rate := range Share(capacity, demands) {
		rates[of[n]] = rate
	}
	return rates, until
}
