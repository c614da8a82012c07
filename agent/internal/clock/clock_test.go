package clock

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTheTrueOffsetLiesWithinTheUncertainty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ahead := time.Duration(rapid.Int64Range(-int64(100*time.Hour), int64(100*time.Hour)).Draw(t, "ahead"))
		resolution := rapid.SampledFrom([]time.Duration{time.Microsecond, time.Second}).Draw(t, "resolution")
		now := time.Date(2026, 11, 25, 22, 0, 0, rapid.IntRange(0, 999_999_999).Draw(t, "start"), time.UTC)
		var e Estimate
		for range rapid.IntRange(1, 60).Draw(t, "exchanges") {
			before := now
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(30*time.Millisecond)).Draw(t, "out")))
			reading := now.Add(ahead).Truncate(resolution)
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(30*time.Millisecond)).Draw(t, "back")))
			e.Add(reading.Sub(now), reading.Add(resolution).Sub(before))
		}
		o := e.Offset(now)
		if off := (time.Duration(o.Ahead)*time.Microsecond - ahead).Abs(); off > time.Duration(o.Uncertainty)*time.Microsecond {
			t.Fatalf("off by %v, uncertainty %d us", off, o.Uncertainty)
		}
	})
}

func TestManyCoarseReadingsGiveAFineResult(t *testing.T) {
	now := time.Date(2026, 11, 25, 22, 0, 0, 123_456_789, time.UTC)
	ahead := time.Hour + 17*time.Minute + 345*time.Millisecond
	var e Estimate
	for range 60 {
		before := now
		now = now.Add(20 * time.Millisecond)
		reading := now.Add(ahead - 10*time.Millisecond).Truncate(time.Second)
		e.Add(reading.Sub(now), reading.Add(time.Second).Sub(before))
	}
	if o := e.Offset(now); o.Uncertainty > 21_000 || o.Exchanges != 60 {
		t.Errorf("%+v", o)
	}
}

func TestReadingsThatContradictEachOtherGiveTheWholeRange(t *testing.T) {
	var e Estimate
	e.Add(0, 10*time.Millisecond)
	e.Add(time.Hour, time.Hour+time.Millisecond)
	if o := e.Offset(time.Now()); o.Uncertainty < time.Hour.Microseconds()/2 {
		t.Errorf("%+v", o)
	}
	if new(Estimate).Offset(time.Now()) != nil {
		t.Error("an offset without exchanges")
	}
}

func TestDriftIsFoundFromTwoMeasurements(t *testing.T) {
	at := time.Date(2026, 11, 25, 22, 0, 0, 0, time.UTC)
	var first, second Estimate
	first.Add(0, 200*time.Microsecond)
	second.Add(1000*time.Microsecond, 1200*time.Microsecond)
	d, ok := Drift(first.Offset(at), second.Offset(at.Add(2*time.Second)))
	if !ok || math.Abs(d.PPM-500) > d.Uncertainty || d.Uncertainty > 150 {
		t.Errorf("%+v, %v", d, ok)
	}
	if _, ok := Drift(first.Offset(at), second.Offset(at.Add(time.Millisecond))); ok {
		t.Error("a drift from one moment")
	}
}
