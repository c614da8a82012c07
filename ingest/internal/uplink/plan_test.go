package uplink

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func (g *rig) planOf(station evidence.StationID) StationPlan {
	g.Helper()
	p, err := g.For(operator()).Plan(g.Context())
	g.must(err)
	for _, s := range p.Stations {
		if s.Station == station {
			return s
		}
	}
	g.Fatalf("no station %s in %+v", station, p)
	return StationPlan{}
}

func TestAStationIsClearWhenItsLastDockIs(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		// Both docks have 4 of 8 Mbit/s until front is through after 10 minutes;
		// then the garage has all of it for the 5 minutes that are left.
		g.must(g.CommandLine().SetStationBandwidth(t.Context(), "north", g.table("daily 00:00-24:00 8 Mbit/s")))
		front, garage := uint64(600*4*mbit), uint64(600*4*mbit+300*8*mbit)
		g.sends("front", front, 20*mbit)
		g.sends("garage", garage, 20*mbit)
		g.run(func() {
			pass(time.Second)
			s, now := g.planOf("north"), time.Now()
			if s.Limit != 8*mbit || s.Forecast.Unknown || !s.Forecast.ClearAt.Equal(now.Add(15*time.Minute)) {
				t.Errorf("station: limit %d, %+v at %s", s.Limit, s.Forecast, now)
			}
			if d := s.Docks[0]; d.Dock != "front" || d.Limit != 4*mbit || !d.Forecast.ClearAt.Equal(now.Add(10*time.Minute)) {
				t.Errorf("dock: %+v", d)
			}
		})
	})
}

func TestADocksOwnForecastIsTakenAndABaysToo(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		clear := time.Now().Add(3 * time.Hour)
		report := &upload.Status{
			WaitingBytes: 9 << 30, RecordingsWaiting: 12, BytesPerSecond: 5 * mbit, ClearAtUs: clear.UnixMicro(), SpoolBytes: 40, SpoolQuota: 100,
			Transport: &upload.Transport{Over: "tcp", Connections: 1, Why: "UDP is blocked on the way."},
			Bays:      []*upload.Bay{{Port: "1-1", CameraSerial: "SD-1", WaitingBytes: 4 << 30, ClearAtUs: clear.Add(-time.Hour).UnixMicro()}, {Port: "1-2"}, {Port: "1-3", WaitingBytes: 1}},
		}
		g.live.set("front", func(d *Dock) { d.Status, d.Busy = report, 3 })
		g.run(func() {
			pass(time.Second)
			d := g.planOf("north").Docks[0]
			if !d.Forecast.ClearAt.Equal(clear) || d.Forecast.Bytes != 9<<30 || d.Rate != 5*mbit || d.SpoolPercent != 40 || d.Busy != 3 || d.Transport.GetOver() != "tcp" {
				t.Errorf("dock %+v", d)
			}
			if b := d.Bays; len(b) != 3 || !b[0].Forecast.ClearAt.Equal(clear.Add(-time.Hour)) || !b[1].Forecast.Nothing() || !b[2].Forecast.Unknown {
				t.Errorf("bays %+v", b)
			}
			g.live.set("front", func(d *Dock) { d.Connected = false })
			pass(2 * time.Second)
			s := g.planOf("north")
			if d := s.Docks[0]; !d.Forecast.Unknown || d.Rate != 0 || !s.Forecast.Unknown || s.Forecast.Bytes != 9<<30 {
				t.Errorf("away: %+v, station %+v", d, s.Forecast)
			}
		})
	})
}

func TestWhatWasMeasuredUnderALimitIsNoLessAfterIt(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.must(g.CommandLine().SetDockBandwidth(t.Context(), "front", g.table("sat 01:00-02:00 2 Mbit/s")))
		g.sends("front", 900<<30, 40*mbit)
		g.run(func() {
			pass(time.Hour) // 01:00
			g.sends("front", 3600*2*mbit+60*40*mbit, 2*mbit)
			pass(2 * time.Second)
			got := g.planOf("north").Docks[0].Forecast.ClearAt
			if want := time.Date(2000, 1, 1, 2, 1, 0, 0, time.UTC); got.Sub(want).Abs() > 5*time.Second {
				t.Errorf("clear at %s, want %s: by the line of before the limit", got, want)
			}
		})
	})
}

func TestADockThatSpeaksNoMoreThanStatusHasAHistory(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.run(func() {
			for n := range 1000 {
				g.sends("front", 1<<40, uint64(n))
				pass(time.Second)
			}
			h := g.planOf("north").Docks[0].History
			if len(h) != samples || h[samples-1].Rate < 990 || h[samples-1].Limit != NoLimit || h[1].At.Sub(h[0].At) < sampleEvery {
				t.Errorf("%d samples, the last %+v", len(h), h[len(h)-1])
			}
		})
	})
}

func TestALimitIsExplainedByTheClockOfItsTable(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.must(g.CommandLine().SetStationBandwidth(t.Context(), "north", g.table("sat 00:00-18:00 8 Mbit/s")))
		g.sends("front", 1<<40, 20*mbit)
		g.sends("garage", 1<<40, 20*mbit)
		g.run(func() {
			pass(time.Second)
			want := "Station north may send 8 Mbit/s until Sat 18:00 UTC, by its bandwidth table. It is shared by 2 docks that have something to send."
			if d := g.planOf("north").Docks[0]; d.LimitWhy != want {
				t.Errorf("%q, want %q", d.LimitWhy, want)
			}
			direction, _ := g.Direction("north", "front")
			if direction.GetSharePpm() != 500_000 || direction.GetStationBandwidth().GetWindows()[0].GetUntil() != 18*60 {
				t.Errorf("told %v", direction)
			}
		})
	})
}
