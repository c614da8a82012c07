package dashboard

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

func TestSpansAreWrittenInPlainUnits(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 ms": 0, "38 ms": 38 * time.Millisecond, "2.4 s": 2400 * time.Millisecond, "3 min 12 s": 3*time.Minute + 12*time.Second,
		"1 h 17 min": time.Hour + 17*time.Minute, "2 h": 2 * time.Hour, "412 d 5 h": 412*24*time.Hour + 5*time.Hour, "1 d": 24*time.Hour + time.Second,
	} {
		if got := spanText(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}

func TestAnUncertaintyIsNeverShownSmallerThanItIs(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "1 ms"}, {time.Microsecond, "1 ms"}, {1001 * time.Microsecond, "2 ms"}, {999 * time.Millisecond, "999 ms"}, {time.Second, "1.0 s"}, {1010 * time.Millisecond, "1.1 s"},
		{59950 * time.Millisecond, "1 min"}, {61100 * time.Millisecond, "1 min 2 s"}, {time.Hour + time.Second, "1 h 1 min"}, {25*time.Hour + time.Minute, "1 d 2 h"},
	} {
		if got := aboutText(c.d); got != c.want {
			t.Errorf("%v is written %q, want %q", c.d, got, c.want)
		}
	}
}

func TestOffsetsSayWhichWay(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		0: "equal to", 500 * time.Microsecond: "equal to", time.Hour + 17*time.Minute: "1 h 17 min ahead of", -830 * time.Millisecond: "830 ms behind",
	} {
		if got := offsetText(&evidence.Offset{Ahead: ahead.Microseconds()}); got != want {
			t.Errorf("%v is written %q, want %q", ahead, got, want)
		}
	}
}
