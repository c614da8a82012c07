package schedule

import (
	"math/bits"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWhatOneCannotUseGoesToTheOthers(t *testing.T) {
	for _, c := range []struct {
		name     string
		capacity uint64
		demands  []Demand
		want     []uint64
	}{
		{"equally", 90, []Demand{{NoLimit, 1}, {NoLimit, 1}, {NoLimit, 0}}, []uint64{30, 30, 30}},
		{"by weight", 90, []Demand{{NoLimit, 1}, {NoLimit, 2}}, []uint64{30, 60}},
		{"a small one gets all it wants", 90, []Demand{{NoLimit, 1}, {10, 1}, {NoLimit, 1}}, []uint64{40, 10, 40}},
		{"enough for all", 90, []Demand{{20, 1}, {10, 9}}, []uint64{20, 10}},
		{"no limit", NoLimit, []Demand{{NoLimit, 1}, {10, 1}}, []uint64{NoLimit, 10}},
		{"nothing", 0, []Demand{{NoLimit, 1}, {10, 1}}, []uint64{0, 0}},
		{"nobody", 90, nil, []uint64{}},
	} {
		if got := Share(c.capacity, c.demands); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSharesAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.Uint64Max(1<<40).Draw(t, "capacity")
		demands := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Demand {
			return Demand{Want: rapid.OneOf(rapid.Uint64Max(1<<38), rapid.Just(uint64(NoLimit))).Draw(t, "want"), Weight: rapid.Uint64Max(20).Draw(t, "weight")}
		}), 1, 12).Draw(t, "demands")
		given := Share(capacity, demands)
		rounding := uint64(len(demands)) + 1
		var sum, wanted, over uint64
		for i, d := range demands {
			if given[i] > d.Want {
				t.Fatalf("%d gets %d and can use %d", i, given[i], d.Want)
			}
			sum += given[i]
			wanted, over = bits.Add64(wanted, d.Want, 0)
			if over > 0 || wanted > capacity {
				wanted = NoLimit
			}
			for j, other := range demands { // nobody who wants more has less for its weight
				if given[i] < d.Want && given[j]*d.weight() > (given[i]+1)*other.weight()+rounding*d.weight() {
					t.Fatalf("%d gets %d of %v, %d gets %d of %v", i, given[i], d, j, given[j], other)
				}
			}
		}
		if sum > capacity || sum < min(capacity, wanted) && capacity-sum >= uint64(len(demands)) {
			t.Fatalf("%d given away of %d, %d wanted", sum, capacity, wanted)
		}
	})
}

func TestSharersThatAreThroughLeaveTheirPart(t *testing.T) {
	now := clock(t, "2026-11-25T11:00:00Z")
	station := table(t, "UTC", "daily 00:00-24:00 8 Mbit/s")
	// 8 Mbit/s: both have 4 until the first is through after 10 minutes; then
	// the second has 8 for what is left.
	got := FinishShared(now, station, []Load{
		{Bytes: 600 * 4 * mbit, Rate: NoLimit},
		{Bytes: 600*4*mbit + 300*8*mbit, Rate: NoLimit},
		{},
		{Bytes: 1, Own: table(t, "UTC", "daily 00:00-24:00 stop"), Rate: NoLimit},
	})
	for i, want := range []time.Time{now.Add(10 * time.Minute), now.Add(15 * time.Minute), now, {}} {
		if !got[i].Equal(want) {
			t.Errorf("load %d: %s, want %s", i, got[i], want)
		}
	}
}

func TestASharedForecastOfOneIsItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own, err1 := Of("Europe/Berlin", windows().Draw(t, "windows")...)
		station, err2 := Of("America/New_York", windows().Draw(t, "station's windows")...)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		now := time.Unix(rapid.Int64Range(1_790_000_000, 1_800_000_000).Draw(t, "now"), 0)
		bytes, rate := rapid.Uint64Range(1, 200_000).Draw(t, "bytes"), rapid.Uint64Range(1, 4).Draw(t, "rate")
		want, ok := Finish(now, bytes, rate, Cap{Table: own}, Cap{Table: station})
		got := FinishShared(now, station, []Load{{Bytes: bytes, Rate: rate, Own: own}, {Rate: 5}})
		if !ok != got[0].IsZero() || !got[0].Equal(want) {
			t.Fatalf("%s, want %s", got[0], want)
		}
	})
}
