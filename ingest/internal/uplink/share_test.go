package uplink

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/upload"
)

func TestAStationsBandwidthIsSharedByWhoHasSomethingToSend(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.must(g.CommandLine().SetStationBandwidth(t.Context(), "north", g.table("daily 00:00-24:00 20 Mbit/s")))
		g.sends("front", 50<<30, 0)
		g.sends("garage", 50<<30, 0)
		g.run(func() {
			pass(time.Second)
			for _, dock := range []string{"front", "garage"} {
				if got := g.limit(evidenceDock(dock)); got != 10*mbit {
					t.Errorf("%s of two: %d, want %d", dock, got, 10*mbit)
				}
			}
			g.sends("garage", 0, 0) // through
			pass(2 * time.Second)
			if front, garage := g.limit("front"), g.limit("garage"); front+garage != 20*mbit || garage == 0 || garage > 20*mbit/100 {
				t.Errorf("one has nothing: %d and %d of %d", front, garage, 20*mbit)
			}
			g.sends("garage", 5<<30, 0)
			pass(2 * time.Second)
			if front, garage := g.limit("front"), g.limit("garage"); front != 10*mbit || garage != 10*mbit {
				t.Errorf("it has something again: %d and %d", front, garage)
			}
		})
	})
}

func TestWhatASlowDockCannotUseGoesToTheOthers(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.must(g.CommandLine().SetStationBandwidth(t.Context(), "north", g.table("daily 00:00-24:00 20 Mbit/s")))
		carry := uint64(2 * mbit) // what the garage's line carries
		report := func() {
			g.sends("front", 50<<30, g.limit("front"))
			g.sends("garage", 50<<30, min(carry, g.limit("garage")))
		}
		settled := func(until time.Duration) {
			for range until / time.Second {
				report()
				pass(time.Second)
				if front, garage := g.limit("front"), g.limit("garage"); front+garage > 20*mbit {
					t.Fatalf("%d and %d are above %d", front, garage, 20*mbit)
				}
			}
		}
		g.run(func() {
			settled(30 * time.Second)
			if front, garage := g.limit("front"), g.limit("garage"); front < 17*mbit || garage < carry {
				t.Errorf("a slow one: %d and %d", front, garage)
			}
			before := g.limit("front")
			settled(60 * time.Second)
			if now := g.limit("front"); now != before {
				t.Errorf("it swings: %d, then %d", before, now)
			}
			carry = 50 * mbit // its line was mended
			settled(60 * time.Second)
			if front, garage := g.limit("front"), g.limit("garage"); front != 10*mbit || garage != 10*mbit {
				t.Errorf("a mended line: %d and %d", front, garage)
			}
		})
	})
}

func TestUrgentRecordingsGoFirstBetweenDocksToo(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.must(g.CommandLine().SetStationBandwidth(t.Context(), "north", g.table("daily 00:00-24:00 20 Mbit/s")))
		g.sends("front", 50<<30, 0)
		g.sends("garage", 50<<30, 0)
		g.run(func() {
			pass(time.Second)
			urgent := waits(1)
			urgent.Urgent = true
			g.queue("garage", urgent)
			pass(2 * time.Second)
			if front, garage := g.limit("front"), g.limit("garage"); front != 4*mbit || garage != 16*mbit {
				t.Errorf("%d and %d, want 4 and 16 Mbit/s", front, garage)
			}
		})
	})
}

// TestTheLimitChangesAtTheMomentAtWhichAWindowBegins looks at every limit in force
// around the changes, to the nanosecond, for all docks together.
func TestTheLimitChangesAtTheMomentAtWhichAWindowBegins(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) { // it is Saturday 00:00
		g.must(g.CommandLine().SetStationBandwidth(t.Context(), "north", g.table("sat 08:00-18:00 8 Mbit/s", "sat 18:00-22:00 stop")))
		g.must(g.CommandLine().SetDockBandwidth(t.Context(), "front", g.table("sat 12:00-13:00 1 Mbit/s")))
		g.sends("front", 500<<30, 0)
		g.sends("garage", 500<<30, 0)
		midnight := time.Now()
		g.run(func() {
			for _, c := range []struct {
				at            time.Duration
				front, garage uint64
			}{
				{8*time.Hour - 1, NoLimit, NoLimit},
				{8 * time.Hour, 4 * mbit, 4 * mbit},
				{12*time.Hour - 1, 4 * mbit, 4 * mbit},
				{12 * time.Hour, mbit, 7 * mbit},
				{13*time.Hour - 1, mbit, 7 * mbit},
				{13 * time.Hour, 4 * mbit, 4 * mbit},
				{18*time.Hour - 1, 4 * mbit, 4 * mbit},
				{18 * time.Hour, 0, 0},
				{22*time.Hour - 1, 0, 0},
				{22 * time.Hour, NoLimit, NoLimit},
			} {
				for _, dock := range []string{"front", "garage"} { // they use what they may
					g.sends(evidenceDock(dock), 500<<30, min(g.limit(evidenceDock(dock)), 40*mbit))
				}
				pass(time.Until(midnight.Add(c.at)))
				if front, garage := g.limit("front"), g.limit("garage"); front != c.front || garage != c.garage {
					t.Errorf("at %v: %d and %d, want %d and %d", c.at, front, garage, c.front, c.garage)
				}
			}
		})
	})
}

// TestTheCapHoldsAcrossAChange lets two docks send all that they may, by what they
// are told and when they are told it, and adds up each minute.
func TestTheCapHoldsAcrossAChange(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		table := g.table("sat 00:10-00:20 2 Mbit/s", "sat 00:00-01:00 20 Mbit/s")
		g.must(g.CommandLine().SetStationBandwidth(t.Context(), "north", table))
		begin := time.Now()
		g.sends("front", 50<<30, 0)
		g.sends("garage", 50<<30, 0)
		g.run(func() {
			pass(time.Second)
			for minute := range 30 {
				sent, allowed := 0.0, 0.0
				for range 600 { // a tenth of a second each
					now := time.Now()
					rate, _ := table.At(now)
					allowed += float64(rate) / 10
					for _, dock := range []string{"front", "garage"} {
						limit := g.limit(evidenceDock(dock))
						sent += float64(limit) / 10
						if now.Sub(begin)%time.Second == 0 {
							g.sends(evidenceDock(dock), 50<<30, limit)
						}
					}
					pass(100 * time.Millisecond)
				}
				if sent > allowed*1.0001 || sent < allowed*0.97 {
					t.Errorf("minute %d: %.0f bytes sent, %.0f allowed", minute, sent, allowed)
				}
			}
		})
	})
}

func TestADockIsToldOnlyWhatHasChanged(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.sends("front", 50<<30, 40*mbit)
		g.run(func() {
			pass(time.Second)
			before, changed := g.Direction("north", "front")
			if before.GetLimited() || before.GetLimitWhy() != "" {
				t.Errorf("without a table: %v", before)
			}
			for n := range 20 {
				g.sends("front", 50<<30-uint64(n)<<20, 40*mbit+uint64(n))
				pass(time.Second)
			}
			select {
			case <-changed:
				t.Error("told again, with nothing new")
			default:
			}
			g.must(g.CommandLine().SetDockBandwidth(t.Context(), "front", g.table("daily 00:00-24:00 5 Mbit/s")))
			told := time.Now()
			<-changed
			if late := time.Since(told); late > time.Second {
				t.Errorf("told after %v", late)
			}
			after, _ := g.Direction("north", "front")
			if after.GetBytesPerSecond() != 5*mbit || after.GetDockBandwidth().GetZone() != "UTC" || after.GetLimitWhy() != "Dock front may send 5 Mbit/s, by its bandwidth table." {
				t.Errorf("told %v", after)
			}
		})
	})
}

func TestManyDecisionsInAMomentAreToldOnce(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.sends("front", 50<<30, 0)
		g.queue("front", waits(1), waits(2), waits(3), waits(4))
		g.run(func() {
			pass(10 * time.Second)
			told := 0
			stop := make(chan struct{})
			go func() {
				for {
					_, changed := g.Direction("north", "front")
					select {
					case <-changed:
						told++
					case <-stop:
						return
					}
				}
			}()
			for n := byte(1); n <= 4; n++ {
				g.must(g.For(operator()).Urgent(t.Context(), "front", item(n), true))
				pass(10 * time.Millisecond)
			}
			pass(3 * time.Second)
			close(stop)
			if d, _ := g.Direction("north", "front"); told > 2 || len(d.GetUrgent()) != 4 {
				t.Errorf("told %d times, at last %v", told, d.GetUrgent())
			}
		})
	})
}

func TestADockOfAnotherStationHasItsOwnLimit(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.must(g.CommandLine().SetStationBandwidth(t.Context(), "north", g.table("daily 00:00-24:00 20 Mbit/s")))
		g.sends("front", 50<<30, 0)
		g.live.set("pier", func(d *Dock) { d.Station, d.Status = "harbour", &upload.Status{WaitingBytes: 1 << 30} })
		g.live.set("theirs", func(d *Dock) { d.Agency, d.Status = "county", &upload.Status{WaitingBytes: 1 << 30} })
		g.run(func() {
			pass(time.Second)
			if front, pier := g.limit("front"), g.limit("pier"); front != 20*mbit || pier != NoLimit {
				t.Errorf("%d and %d", front, pier)
			}
		})
	})
}

func TestDirectionsNameThePolicy(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		var policy atomic.Pointer[[]byte]
		set := func(b byte) {
			digest := bytes.Repeat([]byte{b}, 32)
			policy.Store(&digest)
		}
		set(1)
		g.policy = func(context.Context) ([]byte, error) { return *policy.Load(), nil }
		g.Service = g.service()
		direction, changed := g.Direction("north", "front")
		if !bytes.Equal(direction.GetPolicyDigest(), *policy.Load()) {
			t.Errorf("the first direction names %x", direction.GetPolicyDigest())
		}
		g.sends("front", 0, 0)
		g.run(func() {
			pass(time.Minute)
			select {
			case <-changed:
				t.Error("a direction was told anew though nothing changed")
			default:
			}
			set(2)
			pass(look + gather)
			select {
			case <-changed:
			default:
				t.Fatal("another policy is not told")
			}
			if direction, _ = g.Direction("north", "front"); !bytes.Equal(direction.GetPolicyDigest(), *policy.Load()) || direction.Validate() != nil {
				t.Errorf("another policy: the direction names %x", direction.GetPolicyDigest())
			}
		})
	})
}

// Without a table nobody needs to hear of the others.
func TestADockThatComesDirectsNoOther(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.sends("front", 0, 0)
		_, changed := g.Direction("north", "front")
		g.run(func() {
			g.sends("garage", 1<<30, mbit)
			pass(time.Minute)
			select {
			case <-changed:
				t.Error("the other dock was directed anew")
			default:
			}
		})
	})
}
