package schedule

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAForecastGoesThroughTheComingWindows(t *testing.T) {
	day := table(t, "America/New_York", "daily 08:00-18:00 8 Mbit/s")
	shared := table(t, "America/New_York", "daily 12:00-13:00 stop")
	noon := clock(t, "2026-11-25T11:00:00-05:00")
	for _, c := range []struct {
		name        string
		bytes, rate uint64
		caps        []Cap
		want        string
	}{
		{"the link alone", 3_600 * mbit, mbit, nil, "2026-11-25T12:00:00-05:00"},
		{"nothing waits", 0, 0, nil, "2026-11-25T11:00:00-05:00"},
		{"the table", 3_600 * 8 * mbit, 100 * mbit, []Cap{{Table: day}}, "2026-11-25T12:00:00-05:00"},
		{"a quarter of the table", 3_600 * 2 * mbit, 100 * mbit, []Cap{{Table: day, SharePPM: 250_000}}, "2026-11-25T12:00:00-05:00"},
		{"two tables", 2 * 3_600 * 8 * mbit, 100 * mbit, []Cap{{Table: day}, {Table: shared}}, "2026-11-25T14:00:00-05:00"},
		{"into the evening", 7*3_600*8*mbit + 60*100*mbit, 100 * mbit, []Cap{{Table: day}}, "2026-11-25T18:01:00-05:00"},
		{"rounded up", 1, 3, nil, "2026-11-25T11:00:00.333333334-05:00"},
		{"only what is limited counts", 7*3_600*8*mbit + 1, NoLimit, []Cap{{Table: day}}, "2026-11-25T18:00:00.000000001-05:00"},
	} {
		at, ok := Finish(noon, c.bytes, c.rate, c.caps...)
		if !ok || !at.Equal(clock(t, c.want)) {
			t.Errorf("%s: %s, %t, want %s", c.name, at, ok, c.want)
		}
	}
}

func TestNotInSightIsAnAnswer(t *testing.T) {
	now := clock(t, "2026-11-25T11:00:00-05:00")
	never := table(t, "UTC", "daily 00:00-24:00 stop")
	for name, c := range map[string]struct {
		bytes, rate uint64
		cap         Cap
	}{
		"no rate":      {1, 0, Cap{}},
		"stopped":      {1, mbit, Cap{Table: never}},
		"too much":     {1 << 62, mbit, Cap{}},
		"no share":     {1 << 40, mbit, Cap{Table: table(t, "UTC", "daily 00:00-24:00 1 Mbit/s"), SharePPM: 1}},
		"all there is": {NoLimit, mbit, Cap{}},
	} {
		if at, ok := Finish(now, c.bytes, c.rate, c.cap); ok {
			t.Errorf("%s: %s", name, at)
		}
	}
	if at, ok := Finish(now, uint64(Horizon/time.Second)*mbit, mbit); !ok || !at.Equal(now.Add(Horizon)) {
		t.Errorf("at the horizon: %s, %t", at, ok)
	}
}

// TestAForecastIsWhatSecondBySecondComesOut sends a backlog second by second.
func TestAForecastIsWhatSecondBySecondComesOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own, err1 := Of(rapid.SampledFrom(zones).Draw(t, "zone"), windows().Draw(t, "windows")...)
		station, err2 := Of(rapid.SampledFrom(zones).Draw(t, "station's zone"), windows().Draw(t, "station's windows")...)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		caps := []Cap{{Table: own}, {Table: station}}
		now := time.Unix(rapid.Int64Range(1_790_000_000, 1_800_000_000).Draw(t, "now"), 0)
		bytes, rate := rapid.Uint64Range(1, 40_000).Draw(t, "bytes"), rapid.Uint64Range(1, 4).Draw(t, "rate")
		at, ok := Finish(now, bytes, rate, caps...)
		left, second := bytes, now
		for ; left > 0 && second.Before(now.Add(8*time.Hour)); second = second.Add(time.Second) {
			r, _ := At(second, caps...)
			left -= min(left, min(r, rate))
		}
		switch {
		case left > 0 && (!ok || at.After(now.Add(8*time.Hour))):
		case left > 0, !ok, at.After(second), second.Sub(at) > time.Second:
			t.Fatalf("%d bytes at %d: forecast %s, %t; sent by %s, %d left", bytes, rate, at, ok, second, left)
		}
	})
}
