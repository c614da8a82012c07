package schedule

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWindowsAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]Window{
		"mon-fri 08:00-18:00 2 Mbit/s":      {31, 480, 1080, 2 * mbit},
		"MON-FRI 8:00-18:00 2mbit/s":        {31, 480, 1080, 2 * mbit},
		"sat-mon 22:00-06:00 none":          {1 | 32 | 64, 1320, 360, NoLimit},
		"sat,sun 00:00-24:00 stop":          {32 | 64, 0, 1440, 0},
		"daily 00:00-00:00 1.5 Mbit/s":      {127, 0, 0, 187_500},
		"tue,thu-fri 12:30-12:31 250 kB/s":  {2 | 8 | 16, 750, 751, 250_000},
		"wed 00:00-01:00 1000 Gbit/s":       {4, 0, 60, MaxRate},
		"wed 00:00-01:00 17 B/s":            {4, 0, 60, 17},
		"wed   00:00-01:00   64    kbit/s ": {4, 0, 60, 8_000},
	} {
		if got, err := ParseWindow(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestWindowsThatAreRefusedSayHowToWriteThem(t *testing.T) {
	for text, says := range map[string]string{
		"":                               "mon-fri 08:00-18:00 2 Mbit/s",
		"mon-fri 2 Mbit/s":               "from-until",
		"monday 08:00-18:00 2 Mbit/s":    "mon, tue",
		"mon- 08:00-18:00 2 Mbit/s":      "mon, tue",
		"mon 08:00-25:00 2 Mbit/s":       "00:00 to 24:00",
		"mon 08:00-24:01 2 Mbit/s":       "00:00 to 24:00",
		"mon 8-18 2 Mbit/s":              "00:00 to 24:00",
		"mon 08:60-18:00 2 Mbit/s":       "00:00 to 24:00",
		"mon 08:00 18:00 2 Mbit/s":       "from-until",
		"mon 08:00-18:00 2":              "kbit/s",
		"mon 08:00-18:00 fast":           "kbit/s",
		"mon 08:00-18:00 0 Mbit/s":       "stop",
		"mon 08:00-18:00 -1 Mbit/s":      "above 0",
		"mon 08:00-18:00 NaN Mbit/s":     "above 0",
		"mon 08:00-18:00 1001 Gbit/s":    "at most",
		"mon 08:00-18:00 0.0001 kbit/s":  "above 0",
		"mon 08:00-18:00 1 furlong/week": "kbit/s",
	} {
		if got, err := ParseWindow(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, %v, want an error that says %q", text, got, err, says)
		}
	}
}

func TestRatesAreWrittenExactly(t *testing.T) {
	for rate, want := range map[uint64]string{
		NoLimit: "none", 0: "stop", 2 * mbit: "2 Mbit/s", 187_500: "1.5 Mbit/s", 125_000_000: "1 Gbit/s",
		12_500: "100 kbit/s", 1_250_000_125: "10000.001 Mbit/s", 17: "17 B/s", 126: "1.008 kbit/s", 127_001: "1016.008 kbit/s",
	} {
		if got := RateText(rate); got != want {
			t.Errorf("%d: %q, want %q", rate, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Uint64Range(0, MaxRate).Draw(t, "rate")
		if got, err := ParseRate(RateText(rate)); err != nil || got != rate {
			t.Fatalf("%d was written %q and read as %d, %v", rate, RateText(rate), got, err)
		}
	})
}

func FuzzParseWindow(f *testing.F) {
	f.Add("mon-fri 08:00-18:00 2 Mbit/s")
	f.Add("sat-mon 22:00-06:00 none")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWindow(text)
		if err != nil {
			return
		}
		if again, err := ParseWindow(w.String()); err != nil || again != w {
			t.Fatalf("%q is %v, written %q, read again as %v, %v", text, w, w, again, err)
		}
		if err := w.check(); err != nil {
			t.Fatalf("%q is %v, which no table takes: %v", text, w, err)
		}
	})
}
