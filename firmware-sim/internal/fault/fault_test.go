package fault

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func armedSet(t *testing.T, faults ...Fault) *Set {
	t.Helper()
	s := &Set{}
	for _, f := range faults {
		if err := s.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// deliver lets the host have n bytes of path from offset on.
func deliver(t *testing.T, s *Set, path string, offset int64, n int) []byte {
	t.Helper()
	p := make([]byte, n)
	if err := s.Fill(t.Context(), path, offset, p); err != nil {
		t.Fatalf("bytes %d to %d: %v", offset, offset+int64(n), err)
	}
	s.Sent(path, offset, n)
	return p
}

func TestUnplugStrikesAtTheByteAndOnce(t *testing.T) {
	s := armedSet(t, Fault{Kind: Unplug, At: 1000})
	deliver(t, s, "a", 0, 600)
	deliver(t, s, "b", 0, 400)
	if err := s.Fill(t.Context(), "b", 400, make([]byte, 1)); !errors.Is(err, ErrUnplug) {
		t.Fatalf("byte 1000: %v", err)
	}
	deliver(t, s, "b", 400, 5000)
}

func TestDataThatTheHostNeverGotDoesNotCount(t *testing.T) {
	s := armedSet(t, Fault{Kind: Halt, At: 1000})
	for range 5 {
		if err := s.Fill(t.Context(), "a", 0, make([]byte, 900)); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, s, "a", 0, 1000)
	if err := s.Fill(t.Context(), "a", 1000, make([]byte, 1)); !errors.Is(err, ErrHalt) {
		t.Fatalf("byte 1000: %v", err)
	}
}

func TestAFaultOfOnePathLeavesOthersAlone(t *testing.T) {
	s := armedSet(t, Fault{Kind: Unplug, Path: "a"}, Fault{Kind: Size, Path: "a", Delta: -5}, Fault{Kind: Dates, Path: "a", Variant: VariantEmpty})
	deliver(t, s, "b", 0, 100)
	if s.Size("b", 7) != 7 || s.Date("b", "x") != "x" {
		t.Error("another recording is touched")
	}
	if s.Size("a", 7) != 2 || s.Size("a", 3) != 0 || s.Date("a", "x") != "" {
		t.Error("the recording is not touched")
	}
	if err := s.Fill(t.Context(), "a", 0, make([]byte, 1)); !errors.Is(err, ErrUnplug) {
		t.Errorf("recording a: %v", err)
	}
}

func TestABitFlipsOnTheReadingThatTheScriptNames(t *testing.T) {
	s := armedSet(t, Fault{Kind: Flip, Path: "a", At: 10, Bit: 3, Read: 2})
	for reading := 1; reading <= 3; reading++ {
		if err := s.Fill(t.Context(), "a", 0, make([]byte, 20)); err != nil { // cancelled: counts for nothing
			t.Fatal(err)
		}
		p := append(deliver(t, s, "a", 0, 10), deliver(t, s, "a", 10, 10)...)
		want := make([]byte, 20)
		if reading == 2 {
			want[10] = 8
		}
		if !bytes.Equal(p, want) {
			t.Errorf("reading %d: %x, want %x", reading, p, want)
		}
	}
	if left := s.Pending(); len(left) != 0 {
		t.Errorf("still pending: %v", left)
	}
	always := armedSet(t, Fault{Kind: Flip, Path: "a", At: 0})
	for range 3 {
		if p := deliver(t, always, "a", 0, 1); p[0] != 1 {
			t.Error("a fault for each reading missed one")
		}
	}
}

func TestAStallLastsAsLongAsTheScriptSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := armedSet(t, Fault{Kind: Stall, At: 5, For: time.Minute})
		begun := time.Now()
		deliver(t, s, "a", 0, 5)
		if d := time.Since(begun); d != 0 {
			t.Errorf("stalled %v before its byte", d)
		}
		deliver(t, s, "a", 5, 5)
		if d := time.Since(begun); d != time.Minute {
			t.Errorf("stalled %v, want a minute", d)
		}
		deliver(t, s, "a", 10, 5)
		if d := time.Since(begun); d != time.Minute {
			t.Errorf("stalled twice: %v", d)
		}
	})
}

func TestAnEndlessStallEndsWhenTheHostCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := armedSet(t, Fault{Kind: Stall})
		why := errors.New("cancelled")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Hour, func() { cancel(why) })
		if err := s.Fill(ctx, "a", 0, make([]byte, 1)); !errors.Is(err, why) {
			t.Errorf("stall ended with %v", err)
		}
		deliver(t, s, "a", 0, 1)
	})
}

func TestASlowLinkTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := armedSet(t, Fault{Kind: Slow, Rate: 1 << 20})
		begun := time.Now()
		deliver(t, s, "a", 0, 4<<20)
		if d := time.Since(begun); d != 4*time.Second {
			t.Errorf("4 MiB at 1 MiB/s took %v", d)
		}
	})
}

func TestHandleListsLie(t *testing.T) {
	true3 := []uint32{1, 2, 3}
	if got := armedSet(t, Fault{Kind: Handles, Variant: VariantMany, Count: 1_000_000}).List(true3); len(got) != 1_000_003 {
		t.Errorf("%d handles", len(got))
	}
	if got := armedSet(t, Fault{Kind: Handles, Variant: VariantDouble}).List(true3); len(got) != 6 {
		t.Errorf("%v", got)
	}
	if s := armedSet(t, Fault{Kind: Handles, Variant: VariantLoop}); !s.Loops() || len(s.List(true3)) != 3 {
		t.Error("no loop")
	}
	if len(true3) != 3 || (&Set{}).Loops() {
		t.Error("the true list was changed")
	}
}

func TestBusyCountsDown(t *testing.T) {
	s := armedSet(t, Fault{Kind: Busy, Count: 2})
	if got := [3]bool{s.Busy(), s.Busy(), s.Busy()}; got != [3]bool{true, true, false} {
		t.Errorf("busy %v, want exactly twice", got)
	}
}

func TestClearEndsEveryFault(t *testing.T) {
	s := armedSet(t, Fault{Kind: Busy, Count: 2}, Fault{Kind: Unplug}, Fault{Kind: Dates, Variant: VariantGarbage})
	s.Clear()
	deliver(t, s, "a", 0, 1)
	if s.Busy() || s.Date("a", "x") != "x" || len(s.Pending()) != 0 {
		t.Error("a fault is left")
	}
}

func TestNonsenseIsRefusedInWords(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		words string
	}{
		{Fault{}, `kind "" is unknown`},
		{Fault{Kind: "explode"}, "unplug-at"},
		{Fault{Kind: Unplug, At: -1}, "negative"},
		{Fault{Kind: Stall, For: -1}, "negative"},
		{Fault{Kind: Stall, Variant: "x"}, "no variants"},
		{Fault{Kind: Flip}, "which recording"},
		{Fault{Kind: Flip, Path: "a", Bit: 8}, "0 to 7"},
		{Fault{Kind: Flip, Path: "a", Read: -1}, "1 or more"},
		{Fault{Kind: Size}, "no lie"},
		{Fault{Kind: Dates, Variant: "yesterday"}, "garbage"},
		{Fault{Kind: Handles, Variant: VariantMany}, "how many"},
		{Fault{Kind: Handles, Variant: VariantMany, Count: 1_000_001}, "1000000"},
		{Fault{Kind: Names}, "surrogate"},
		{Fault{Kind: Busy}, "how many"},
		{Fault{Kind: Slow}, "more than 0"},
		{Fault{Kind: Unplug, Path: strings.Repeat("a", 5000)}, "4096"},
	} {
		err := (&Set{}).Add(c.fault)
		if !errors.Is(err, ErrScript) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%+v: %v, want words %q", c.fault, err, c.words)
		}
	}
}
