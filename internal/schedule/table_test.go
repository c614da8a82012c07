package schedule

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/proto/upload"
)

func table(t testing.TB, zone string, windows ...string) *Table {
	t.Helper()
	made, err := ParseTable(zone, windows)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func clock(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

const mbit = 125_000

func TestTheFirstWindowThatHoldsAMomentCounts(t *testing.T) {
	at := table(t, "America/New_York", "fri 17:00-18:00 1 Mbit/s", "mon-fri 08:00-18:00 2 Mbit/s", "daily 00:00-24:00 50 Mbit/s")
	for _, c := range []struct {
		now   string
		rate  uint64
		until string
	}{
		{"2026-11-25T07:59:59-05:00", 50 * mbit, "2026-11-25T08:00:00-05:00"}, // Wednesday
		{"2026-11-25T08:00:00-05:00", 2 * mbit, "2026-11-25T18:00:00-05:00"},
		{"2026-11-27T16:59:59.999999999-05:00", 2 * mbit, "2026-11-27T17:00:00-05:00"},
		{"2026-11-27T17:30:00-05:00", mbit, "2026-11-27T18:00:00-05:00"},
		{"2026-11-27T18:00:00-05:00", 50 * mbit, "2026-11-30T08:00:00-05:00"}, // over the weekend
	} {
		rate, until := at.At(clock(t, c.now))
		if rate != c.rate || !until.Equal(clock(t, c.until)) {
			t.Errorf("at %s: %d until %s, want %d until %s", c.now, rate, until, c.rate, c.until)
		}
	}
}

func TestAWindowOverMidnightBelongsToTheDayOnWhichItBegins(t *testing.T) {
	at := table(t, "UTC", "sun 22:00-06:00 stop", "tue 10:00-10:00 1 Mbit/s")
	for _, c := range []struct {
		now   string
		rate  uint64
		until string
	}{
		{"2026-11-29T21:59:00Z", NoLimit, "2026-11-29T22:00:00Z"}, // Sunday
		{"2026-11-29T23:00:00Z", 0, "2026-11-30T06:00:00Z"},       // over the end of the week
		{"2026-11-30T05:59:59Z", 0, "2026-11-30T06:00:00Z"},
		{"2026-11-30T23:00:00Z", NoLimit, "2026-12-01T10:00:00Z"}, // not on Monday night
		{"2026-12-01T10:00:00Z", mbit, "2026-12-02T10:00:00Z"},    // a whole day
	} {
		rate, until := at.At(clock(t, c.now))
		if rate != c.rate || !until.Equal(clock(t, c.until)) {
			t.Errorf("at %s: %d until %s, want %d until %s", c.now, rate, until, c.rate, c.until)
		}
	}
}

func TestClocksThatAreSetForwardAndBack(t *testing.T) {
	for _, c := range []struct {
		name, zone, window, now string
		rate                    uint64
		until                   string
	}{
		{"a day has 23 hours in spring", "America/New_York", "daily 08:00-18:00 stop", "2026-03-08T00:30:00-05:00", NoLimit, "2026-03-08T08:00:00-04:00"},
		{"a window in the hour that is left out", "America/New_York", "sun 02:15-02:45 stop", "2026-03-08T01:59:00-05:00", NoLimit, "2026-03-15T02:15:00-04:00"},
		{"a window that begins in the hour that is left out", "America/New_York", "sun 02:30-04:00 stop", "2026-03-08T01:00:00-05:00", NoLimit, "2026-03-08T03:00:00-04:00"},
		{"an hour that comes twice counts twice", "Europe/Berlin", "sun 02:00-03:00 stop", "2026-10-25T02:30:00+02:00", 0, "2026-10-25T03:00:00+01:00"},
		{"the clock falls back into a window", "Europe/Berlin", "sun 02:15-02:45 stop", "2026-10-25T02:50:00+02:00", NoLimit, "2026-10-25T02:15:00+01:00"},
		{"the clock falls back out of a window", "Europe/Berlin", "sun 02:30-04:00 stop", "2026-10-25T02:59:00+02:00", 0, "2026-10-25T02:00:00+01:00"},
		{"half an hour", "Australia/Lord_Howe", "daily 08:00-18:00 stop", "2026-04-05T00:00:00+11:00", NoLimit, "2026-04-05T08:00:00+10:30"},
		{"a zone that is far ahead", "Pacific/Kiritimati", "mon 00:00-01:00 stop", "2026-11-29T10:00:00Z", 0, "2026-11-29T11:00:00Z"},
	} {
		rate, until := table(t, c.zone, c.window).At(clock(t, c.now))
		if rate != c.rate || !until.Equal(clock(t, c.until)) {
			t.Errorf("%s: %d until %s, want %d until %s", c.name, rate, until, c.rate, c.until)
		}
	}
}

func TestATableThatNeverChangesSaysSo(t *testing.T) {
	var none *Table
	for name, c := range map[string]struct {
		table *Table
		rate  uint64
	}{
		"none":         {none, NoLimit},
		"all the time": {table(t, "Europe/Berlin", "daily 00:00-24:00 2 Mbit/s"), 2 * mbit},
		"in two parts": {table(t, "Europe/Berlin", "daily 18:00-08:00 2 Mbit/s", "daily 07:00-19:00 2 Mbit/s"), 2 * mbit},
	} {
		if rate, until := c.table.At(clock(t, "2026-10-25T02:30:00+02:00")); rate != c.rate || !until.IsZero() {
			t.Errorf("%s: %d until %v, want %d for ever", name, rate, until, c.rate)
		}
	}
}

func TestTablesThatAreRefusedSayWhatToDo(t *testing.T) {
	day := &upload.Window{Days: 1, From: 0, Until: 60}
	for name, c := range map[string]struct {
		table *upload.Bandwidth
		says  string
	}{
		"no zone":       {&upload.Bandwidth{Windows: []*upload.Window{day}}, "give an IANA name"},
		"local zone":    {&upload.Bandwidth{Zone: "Local"}, "give an IANA name"},
		"unknown zone":  {&upload.Bandwidth{Zone: "Mars/Olympus"}, "there is no time zone"},
		"path as zone":  {&upload.Bandwidth{Zone: "../../etc/passwd"}, "there is no time zone"},
		"no day":        {&upload.Bandwidth{Zone: "UTC", Windows: []*upload.Window{day, {From: 1}}}, "window 2: it names no day"},
		"eighth day":    {&upload.Bandwidth{Zone: "UTC", Windows: []*upload.Window{{Days: 128}}}, "names no day"},
		"25 o'clock":    {&upload.Bandwidth{Zone: "UTC", Windows: []*upload.Window{{Days: 1, Until: 1441}}}, "beyond 24:00"},
		"many windows":  {&upload.Bandwidth{Zone: "UTC", Windows: make([]*upload.Window, upload.MaxWindows+1)}, "at most 64"},
		"a window nil":  {&upload.Bandwidth{Zone: "UTC", Windows: []*upload.Window{nil}}, "names no day"},
		"a zone as row": {&upload.Bandwidth{Zone: "UTC\n"}, "there is no time zone"},
	} {
		if _, err := New(c.table); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.says)
		}
	}
}

var zones = []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "America/Nuuk", "Pacific/Apia"}

func windows() *rapid.Generator[[]Window] {
	minute := rapid.OneOf(rapid.Uint32Range(0, minutesOfDay), rapid.SampledFrom([]uint32{0, 60, 90, 120, 150, 180, minutesOfDay}))
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Window {
		return Window{Days: rapid.Uint32Range(1, 127).Draw(t, "days"), From: minute.Draw(t, "from"), Until: minute.Draw(t, "until"), BytesPerSecond: rapid.Uint64Range(0, 3).Draw(t, "rate")}
	}), 0, 6)
}

// byTheWall judges a moment by the clock on the wall alone, window by window.
func byTheWall(zone *time.Location, windows []Window, now time.Time) uint64 {
	wall := now.In(zone)
	today, minute := weekday(wall), uint32(wall.Hour()*60+wall.Minute())
	for _, w := range windows {
		on := func(day int) bool { return w.Days>>((day+7)%7)&1 == 1 }
		over := w.Until <= w.From
		switch {
		case !over && on(today) && w.From <= minute && minute < w.Until,
			over && on(today) && minute >= w.From,
			over && on(today-1) && minute < w.Until,
			over && w.From == minutesOfDay && w.Until == minutesOfDay && on(today-1):
			return w.BytesPerSecond
		}
	}
	return NoLimit
}

func TestEveryMomentIsJudgedByTheClockOnTheWall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		all := windows().Draw(t, "windows")
		made, err := Of(zone, all...)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "now"), 0)
		if rapid.Bool().Draw(t, "near a change of the clock") {
			if _, end := now.In(made.zone).ZoneBounds(); !end.IsZero() {
				now = end.Add(time.Duration(rapid.IntRange(-9000, 9000).Draw(t, "seconds")) * time.Second)
			}
		}
		rate, until := made.At(now)
		if want := byTheWall(made.zone, all, now); rate != want {
			t.Fatalf("at %s: %d, want %d", now.In(made.zone), rate, want)
		}
		if until.IsZero() {
			until = now.AddDate(0, 0, 8)
		} else if !until.After(now) {
			t.Fatalf("at %s: until %s", now, until)
		} else if after := byTheWall(made.zone, all, until); after == rate && until.Before(now.AddDate(0, 0, 8)) {
			t.Fatalf("at %s: until %s, where nothing changes", now, until)
		}
		for range 200 { // it holds until then
			between := now.Add(rand.N(until.Sub(now)))
			if got := byTheWall(made.zone, all, between); got != rate {
				t.Fatalf("at %s: %d until %s, but %d at %s", now, rate, until, got, between)
			}
		}
	})
}

func TestTablesSurviveTheWireAndText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made, err := Of(rapid.SampledFrom(zones).Draw(t, "zone"), windows().Draw(t, "windows")...)
		if err != nil {
			t.Fatal(err)
		}
		again, err := New(made.Bandwidth())
		if err != nil || !proto.Equal(again.Bandwidth(), made.Bandwidth()) {
			t.Fatalf("%v, %v, want %v", again.Bandwidth(), err, made.Bandwidth())
		}
		for _, w := range made.Windows() {
			if read, err := ParseWindow(w.String()); err != nil || read != w {
				t.Fatalf("%q was read as %v, %v, want %v", w, read, err, w)
			}
		}
	})
}
