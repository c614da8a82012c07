package fault

import (
	"errors"
	"math"
	"testing"
)

func TestAFileGrowsEachTimeTheHostAsksUntilItIsWhole(t *testing.T) {
	s := armedSet(t, Fault{Kind: Grow, Path: "a", At: 100, Delta: 40})
	for _, want := range []int64{100, 140, 180, 200, 200} {
		s.Described("a")
		s.Described("b")
		if got := s.Present("a", 200); got != want {
			t.Errorf("%d bytes are there, want %d", got, want)
		}
	}
	if s.Present("b", 50) != 50 {
		t.Error("another recording grows")
	}
}

func TestASizeChangesEverySecondTime(t *testing.T) {
	s := armedSet(t, Fault{Kind: Changing, Delta: 5})
	for _, want := range []int64{10, 15, 10, 15} {
		s.Described("a")
		if got := s.Size("a", 10); got != want {
			t.Errorf("size %d, want %d", got, want)
		}
	}
}

func TestNoLieAboutASizePassesTheLargestNumber(t *testing.T) {
	s := armedSet(t, Fault{Kind: Size, Delta: math.MaxInt64})
	if got := s.Size("a", 10); got != math.MaxInt64 {
		t.Errorf("size %d", got)
	}
}

func TestOneReadingGivesOtherBytes(t *testing.T) {
	s := armedSet(t, Fault{Kind: Swap, Path: "a", Read: 2})
	for reading := 1; reading <= 3; reading++ {
		p := append(deliver(t, s, "a", 0, 4), deliver(t, s, "a", 4, 4)...)
		want := byte(0)
		if reading == 2 {
			want = 0xFF
		}
		for i, b := range p {
			if b != want {
				t.Errorf("reading %d, byte %d: %#x", reading, i, b)
			}
		}
	}
	if len(s.Pending()) != 0 {
		t.Error("it may still strike")
	}
}

func TestABadBlockIsAsWideAsItsFlash(t *testing.T) {
	s := armedSet(t, Fault{Kind: BadBlock, Path: "a", At: BlockSize + 7})
	for _, c := range []struct {
		offset, n, at int64
		bad           bool
	}{{0, BlockSize, 0, false}, {0, BlockSize + 1, BlockSize, true}, {2*BlockSize - 1, 10, 2*BlockSize - 1, true}, {2 * BlockSize, 100, 0, false}} {
		if at, bad := s.Unreadable("a", c.offset, c.n); at != c.at || bad != c.bad {
			t.Errorf("%d bytes from %d on: %d, %t", c.n, c.offset, at, bad)
		}
	}
	if _, bad := s.Unreadable("b", BlockSize, 1); bad {
		t.Error("another recording has the block")
	}
}

func TestTheCableIsPulledAtTheDeletionThatTheScriptNames(t *testing.T) {
	var told []Kind
	s := armedSet(t, Fault{Kind: UnplugErase, Variant: VariantAfter, Count: 2})
	s.Observe(func(f Fault) { told = append(told, f.Kind) })
	if done, err := s.Erase(); !done || err != nil {
		t.Errorf("first deletion: %t, %v", done, err)
	}
	if done, err := s.Erase(); !done || !errors.Is(err, ErrUnplug) {
		t.Errorf("second deletion: %t, %v", done, err)
	}
	if done, err := s.Erase(); !done || err != nil || len(told) != 1 {
		t.Errorf("third deletion: %t, %v, told %v", done, err, told)
	}
	s = armedSet(t, Fault{Kind: UnplugErase, Variant: VariantBefore, Count: 1})
	if done, err := s.Erase(); done || !errors.Is(err, ErrUnplug) {
		t.Errorf("before the deletion: %t, %v", done, err)
	}
	s = armedSet(t, Fault{Kind: ReadOnly})
	if done, err := s.Erase(); done || !errors.Is(err, ErrReadOnly) {
		t.Errorf("read-only: %t, %v", done, err)
	}
}

func TestContainersLieAsOftenAsTheScriptSays(t *testing.T) {
	s := armedSet(t, Fault{Kind: Containers, Variant: VariantShort, Count: 2}, Fault{Kind: Containers, Variant: VariantCount})
	for i, want := range []bool{true, true, false} {
		if s.Lies(VariantShort) != want || !s.Lies(VariantCount) || s.Lies(VariantText) {
			t.Errorf("container %d", i+1)
		}
	}
}

func TestAnEndlessListGrowsToAMillionAndNoFurther(t *testing.T) {
	s := armedSet(t, Fault{Kind: Handles, Variant: VariantEndless, Count: 400_000})
	for _, want := range []int{400_002, 800_002, maxCount + 2, maxCount + 2} {
		if got := len(s.List([]uint32{1, 2})); got != want {
			t.Errorf("%d handles, want %d", got, want)
		}
	}
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, f := range []Fault{{Kind: Reboot}, {Kind: Storm}, {Kind: Events, Rate: maxRate + 1}, {Kind: Swap, Path: "a"}, {Kind: BadBlock}, {Kind: Grow, Path: "a"},
		{Kind: Again}, {Kind: Changing}, {Kind: Serial}, {Kind: ClockDrift, Drift: math.NaN()}, {Kind: ClockJump, Variant: "soon"}, {Kind: UnplugErase, Variant: VariantAfter}, {Kind: Handles, Variant: VariantEndless}} {
		if err := f.Check(); !errors.Is(err, ErrScript) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
