package lanes

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

var plainPath = path{rate: 50 * mbit, rtt: 20 * time.Millisecond}

func TestQUICIsDialledFirstAndAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		l := w.begin(t, nil)
		connectedWithin(t, l, time.Second, over(wire.QUIC))
		<-time.After(time.Minute)
		if len(w.dials) != 1 {
			t.Errorf("dialled %v", w.dials)
		}
		if s := l.State(); s.Lanes != 1 || s.Why != "1 connection over QUIC." || s.RTT == 0 || s.Failure != nil {
			t.Errorf("state %+v", s)
		}
	})
}

func TestWhereUDPIsBlockedTCPServesWithin5Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		w.blocked[wire.QUIC] = true
		l := w.begin(t, nil)
		if took := connectedWithin(t, l, 5*time.Second, over(wire.TCP)); took > 2*time.Second {
			t.Errorf("connected after %v", took)
		}
		<-time.After(10 * time.Second)
		if s := l.State(); !strings.Contains(s.Why, "UDP does not get through") || s.Lanes != 1 {
			t.Errorf("state %+v", s)
		}
		// QUIC is tried again, ever more seldom, and the work goes on over TCP.
		began := time.Now()
		<-time.After(time.Hour)
		tries := w.since(began)
		if len(tries) < 12 || len(tries) > 40 {
			t.Errorf("%d tries of QUIC in an hour", len(tries))
		}
		for i, d := range tries {
			if d.kind != wire.QUIC {
				t.Errorf("dialled %v", d)
			}
			if i > 0 && d.at.Sub(tries[i-1].at) > 6*time.Minute {
				t.Errorf("%v between two tries", d.at.Sub(tries[i-1].at))
			}
		}
		w.set(func() { w.blocked[wire.QUIC] = false })
		connectedWithin(t, l, 6*time.Minute, over(wire.QUIC))
		<-time.After(5 * time.Second)
		if m := w.mix(); m != (Mix{1, 0}) || w.most > 2 {
			t.Errorf("at the end %v, %d sessions at most", m, w.most)
		}
		if s := l.State(); s.Why != "1 connection over QUIC." {
			t.Errorf("state %+v", s)
		}
	})
}

func TestAProbeThatDoesNotHoldMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		w.blocked[wire.QUIC] = true
		l := w.begin(t, nil)
		connectedWithin(t, l, 5*time.Second, over(wire.TCP))
		<-time.After(6 * time.Second)
		w.set(func() { w.blocked[wire.QUIC] = false })
		for w.mix().QUIC == 0 {
			<-time.After(100 * time.Millisecond)
		}
		<-time.After(200 * time.Millisecond)
		w.set(func() { w.blocked[wire.QUIC] = true })
		for range 600 {
			<-time.After(100 * time.Millisecond)
			if s := l.State(); !s.Connected || w.mix().TCP == 0 {
				t.Fatalf("state %+v", s)
			}
		}
	})
}

func TestASilentLaneIsReplacedOverTCPWithin5Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		l := w.begin(t, nil)
		connectedWithin(t, l, time.Second, over(wire.QUIC))
		<-time.After(20 * time.Second)
		w.set(func() { w.blocked[wire.QUIC] = true })
		took := connectedWithin(t, l, 5*time.Second, over(wire.TCP))
		if took < time.Second {
			t.Errorf("replaced after %v already", took)
		}
		if w.most > 2 {
			t.Errorf("%d sessions at once", w.most)
		}
		<-time.After(time.Second)
		if m := w.mix(); m != (Mix{0, 1}) {
			t.Errorf("%v", m)
		}
		if s := l.State(); !strings.Contains(s.Why, "UDP does not get through") {
			t.Errorf("state %+v", s)
		}
	})
}

func TestALaneThatIsHeardAgainStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		l := w.begin(t, nil)
		connectedWithin(t, l, time.Second, over(wire.QUIC))
		<-time.After(20 * time.Second)
		dark := func(on bool) {
			w.set(func() { w.blocked[wire.QUIC], w.blocked[wire.TCP] = on, on })
		}
		dark(true)
		<-time.After(4 * time.Second)
		if s := l.State(); s.Connected || !strings.Contains(s.Why, "beside the old one") {
			t.Errorf("in the dark: %+v", s)
		}
		w.set(func() { w.blocked[wire.QUIC] = false })
		connectedWithin(t, l, time.Second, over(wire.QUIC))
		dark(false)
		<-time.After(2 * time.Second)
		if m := w.mix(); m != (Mix{1, 0}) || w.most > 2 {
			t.Errorf("%v, %d sessions at most", m, w.most)
		}
	})
}

func TestNothingIsLostWhenTheWholeNetworkComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		l := w.begin(t, nil)
		connectedWithin(t, l, time.Second, over(wire.QUIC))
		w.set(func() { w.blocked[wire.QUIC], w.blocked[wire.TCP] = true, true })
		<-time.After(10 * time.Minute)
		w.restart() // the session has long run out of time
		<-time.After(time.Minute)
		w.set(func() { w.blocked[wire.QUIC], w.blocked[wire.TCP] = false, false })
		connectedWithin(t, l, 30*time.Second, anything)
		connectedWithin(t, l, 6*time.Minute, over(wire.QUIC))
		if w.most > 2 {
			t.Errorf("%d sessions at once", w.most)
		}
	})
}

// patient is a refusal that names the earliest moment for another try.
type patient struct{ least time.Duration }

func (p patient) Error() string        { return "the server does not know this dock" }
func (p patient) Least() time.Duration { return p.least }

func TestARefusalIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		w.refuse = patient{5 * time.Minute}
		l := w.begin(t, nil)
		<-time.After(time.Hour)
		if n := len(w.dials); n < 10 || n > 13 {
			t.Errorf("%d dials in an hour", n)
		}
		for i, d := range w.dials {
			if d.kind != wire.QUIC {
				t.Errorf("another kind was tried against a refusal: %v", d)
			}
			if i > 0 && d.at.Sub(w.dials[i-1].at) < 5*time.Minute {
				t.Errorf("tried again after %v", d.at.Sub(w.dials[i-1].at))
			}
		}
		if s := l.State(); s.Connected || !errors.As(s.Failure, new(patient)) || !strings.Contains(s.Why, "does not know this dock") {
			t.Errorf("state %+v", s)
		}
		w.set(func() { w.refuse = nil })
		connectedWithin(t, l, 6*time.Minute, over(wire.QUIC))
	})
}

func TestFailuresArePausedAndBothKindsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		w.down = true
		l := w.begin(t, nil)
		<-time.After(10 * time.Minute)
		kinds := map[wire.Kind]int{}
		for _, d := range w.dials {
			kinds[d.kind]++
		}
		if n := kinds[wire.QUIC]; n < 30 || n > 70 || n != kinds[wire.TCP] {
			t.Errorf("in 10 minutes: %v", kinds)
		}
		w.set(func() { w.down = false })
		connectedWithin(t, l, 21*time.Second, over(wire.QUIC))
	})
}

func TestTheServerMayBeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		var lane *Lane
		w.use = func(ctx context.Context, l *Lane) error {
			w.set(func() { lane = l })
			select {
			case <-l.Retiring():
				<-time.After(20 * time.Second) // what was under way
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		w.begin(t, nil)
		<-time.After(time.Minute)
		left := time.Now()
		old := lane
		for range 3 { // it comes on every connection, and again
			old.Leave(2 * time.Minute)
		}
		<-time.After(5 * time.Minute)
		again := w.since(left)
		if len(again) != 1 || again[0].at.Sub(left) > 2*time.Minute || w.most > 2 {
			t.Errorf("left at %v, dialled %v, %d sessions at most", left, again, w.most)
		}
		if lane == old || w.mix() != (Mix{1, 0}) {
			t.Errorf("%v", w.mix())
		}
	})
}

func TestALaneThatDoesNotRetireIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(plainPath)
		w.use = func(ctx context.Context, l *Lane) error {
			if len(w.since(time.Time{})) == 1 {
				l.Leave(0)
			}
			<-ctx.Done()
			return ctx.Err()
		}
		l := w.begin(t, nil)
		<-time.After(time.Minute)
		if m := w.mix(); m != (Mix{2, 0}) {
			t.Errorf("while the old one retires: %v", m)
		}
		<-time.After(2 * time.Minute)
		if s := l.State(); w.mix() != (Mix{1, 0}) || !s.Connected || s.Failure != nil {
			t.Errorf("%v, %+v", w.mix(), s)
		}
	})
}

func TestAServersRestartMakesNoStorm(t *testing.T) {
	for name, away := range map[string]time.Duration{"at once": 0, "after 8 s": 8 * time.Second, "after 10 minutes": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const docks = 300
				var worlds []*world
				var all []*Lanes
				for range docks {
					w := newWorld(plainPath)
					worlds = append(worlds, w)
					all = append(all, w.begin(t, nil))
				}
				<-time.After(time.Minute)
				for _, w := range worlds {
					w.set(func() { w.down = true })
					w.restart()
				}
				<-time.After(away)
				up := time.Now()
				for _, w := range worlds {
					w.set(func() { w.down = false })
				}
				<-time.After(30 * time.Second)
				const slot = 100 * time.Millisecond
				var slots [300]int
				for i, w := range worlds {
					if !all[i].State().Connected {
						t.Fatalf("dock %d is not back after 30 s", i)
					}
					for _, d := range w.since(up) {
						slots[min(int(d.at.Sub(up)/slot), len(slots)-1)]++
					}
				}
				for i, n := range slots {
					if n > docks/12 {
						t.Errorf("%d of %d docks dial in the tenth of a second after %v", n, docks, time.Duration(i)*slot)
					}
				}
			})
		})
	}
}
