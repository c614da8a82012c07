package ledger

import (
	"fmt"
	"slices"
)

// Gap is a run of numbers that nobody has seen.
type Gap struct {
	First, Last uint64
}

// Count is how many numbers are in the gap.
func (g Gap) Count() uint64 { return g.Last - g.First + 1 }

// MaxGaps bounds how many gaps are named of one camera. A hostile camera could
// make as many as it has recordings.
const MaxGaps = 1000

// maxJump is the longest run of derived numbers that is taken for recordings
// that are missing. What is beyond is a counter that began anew.
const maxJump = 100

// Gaps returns the runs of numbers from first to next-1 that are not in seen,
// the lowest first and at most MaxGaps. A first of 0 is 1.
func Gaps(seen []uint64, first, next uint64) []Gap {
	if next == 0 {
		return nil
	}
	var gaps []Gap
	expected := max(first, 1)
	for _, n := range distinct(seen) {
		if n >= next {
			break
		}
		if n < expected {
			continue
		}
		if n > expected {
			gaps = append(gaps, Gap{expected, n - 1})
		}
		expected = n + 1
		if len(gaps) == MaxGaps {
			return gaps
		}
	}
	if expected < next {
		gaps = append(gaps, Gap{expected, next - 1})
	}
	return gaps
}

// Hints returns the short runs that are missing between numbers that were read
// from names.
func Hints(seen []uint64) []Gap {
	var gaps []Gap
	sorted := distinct(seen)
	for i := 1; i < len(sorted) && len(gaps) < MaxGaps; i++ {
		if jump := sorted[i] - sorted[i-1] - 1; jump > 0 && jump <= maxJump {
			gaps = append(gaps, Gap{sorted[i-1] + 1, sorted[i] - 1})
		}
	}
	return gaps
}

// distinct returns the numbers but 0, sorted, each once.
func distinct(numbers []uint64) []uint64 {
	sorted := slices.Clone(numbers)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	if len(sorted) > 0 && sorted[0] == 0 {
		sorted = sorted[1:]
	}
	return sorted
}

func (g Gap) String() string {
	if g.First == g.Last {
		return fmt.Sprintf("number %d", g.First)
	}
	return fmt.Sprintf("numbers %d to %d", g.First, g.Last)
}
