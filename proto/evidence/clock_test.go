package evidence

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// trueClock is a camera's clock as it really ran: what it reads at a moment.
func trueClock(start time.Time, ahead time.Duration, ppm float64) func(time.Time) time.Time {
	return func(at time.Time) time.Time {
		return at.Add(ahead + time.Duration(ppm/1e6*float64(at.Sub(start))))
	}
}

func offset(at time.Time, ahead, uncertainty time.Duration) *Offset {
	return &Offset{At: at, Ahead: ahead.Microseconds(), Uncertainty: uncertainty.Microseconds(), Exchanges: 8}
}

func TestACorrectedTimeIsWithinItsUncertainty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		docked := time.Date(2026, 11, 25, 22, 0, 0, 0, time.UTC)
		set := docked.Add(-time.Duration(rapid.Int64Range(int64(time.Hour), int64(300*time.Hour)).Draw(t, "since set")))
		ppm := rapid.Float64Range(-2000, 2000).Draw(t, "ppm")
		ahead := time.Duration(rapid.Int64Range(-int64(time.Second), int64(time.Second)).Draw(t, "residual"))
		reads := trueClock(set, ahead, ppm)
		u := 5 * time.Millisecond
		wrong := func(name string) time.Duration {
			return time.Duration(rapid.Int64Range(-int64(u), int64(u)).Draw(t, name))
		}
		recorded := set.Add(time.Duration(rapid.Float64Range(0.001, 0.999).Draw(t, "when") * float64(docked.Sub(set))))
		dock := time.Duration(rapid.Int64Range(-int64(time.Minute), int64(time.Minute)).Draw(t, "dock"))
		c := Clocks{
			Camera: offset(docked.Add(dock), reads(docked).Sub(docked.Add(dock))+wrong("camera"), u),
			Set:    offset(set.Add(dock), reads(set).Sub(set.Add(dock))+wrong("set"), u),
			Dock:   offset(docked, dock+wrong("dock"), u),
		}
		got, ok := c.Correct(reads(recorded))
		if !ok {
			t.Fatal("not corrected")
		}
		if off := got.At.Sub(recorded).Abs(); off > got.Uncertainty+time.Millisecond {
			t.Fatalf("off by %v, stated uncertainty %v (%s)", off, got.Uncertainty, got.Basis)
		}
		if limit := u*2 + time.Duration(bent*math.Abs(ppm)/1e6*float64(docked.Sub(set))) + time.Millisecond + u; got.Uncertainty > limit {
			t.Fatalf("uncertainty %v is more than %v", got.Uncertainty, limit)
		}
	})
}

func TestAClockAnHourWrongIsCorrected(t *testing.T) {
	docked := time.Date(2026, 11, 25, 22, 0, 0, 0, time.UTC)
	recorded := docked.Add(-20 * time.Minute)
	reads := trueClock(docked.Add(-8*time.Hour), time.Hour+17*time.Minute, 700)
	measured := offset(docked, reads(docked).Sub(docked), 3*time.Millisecond)
	for name, c := range map[string]Clocks{
		"drift measured":    {Camera: measured, Drift: &Drift{PPM: 650, Uncertainty: 200}, Dock: offset(docked, 0, time.Millisecond)},
		"set eight h. ago":  {Camera: measured, Set: offset(docked.Add(-8*time.Hour), time.Hour+17*time.Minute, time.Millisecond), Dock: offset(docked, 0, time.Millisecond)},
		"dock not compared": {Camera: measured, Drift: &Drift{PPM: 700, Uncertainty: 1}},
	} {
		got, ok := c.Correct(reads(recorded))
		if off := got.At.Sub(recorded).Abs(); !ok || off > got.Uncertainty || got.Basis == "" {
			t.Errorf("%s: off by %v, uncertainty %v, %q", name, off, got.Uncertainty, got.Basis)
		}
	}
	if got, ok := (&Clocks{Camera: measured, Dock: offset(docked, 0, 0)}).Correct(docked.Add(time.Hour)); !ok || got.Uncertainty > time.Second {
		t.Errorf("shortly before the docking, nothing else known: %v, %v", got.Uncertainty, ok)
	}
	if _, ok := (&Clocks{}).Correct(recorded); ok {
		t.Error("corrected without a measurement")
	}
	// Recorded before the last setting: what the clock read then is not known from it.
	c := Clocks{Camera: measured, Set: offset(docked.Add(-time.Hour), 0, 0)}
	if got, _ := c.Correct(docked.Add(-30 * time.Hour)); got.Uncertainty < 10*time.Second {
		t.Errorf("a reading from before the setting claims %v", got.Uncertainty)
	}
}

func TestBrokenClocksAreRefused(t *testing.T) {
	now := time.Date(2026, 11, 25, 22, 0, 0, 0, time.UTC)
	for name, spoil := range map[string]func(*Clocks){
		"no dock time": func(c *Clocks) { c.DockStart = time.Time{} },
		"exchanges":    func(c *Clocks) { c.Camera = &Offset{At: now} },
		"negative":     func(c *Clocks) { c.Set = &Offset{At: now, Exchanges: 1, Uncertainty: -1} },
		"centuries":    func(c *Clocks) { c.Dock = &Offset{At: now, Exchanges: 1, Ahead: math.MaxInt64} },
		"drift":        func(c *Clocks) { c.Drift = &Drift{PPM: math.NaN()} },
	} {
		c := Clocks{DockStart: now, DockEnd: now}
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
		if spoil(&c); c.check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
