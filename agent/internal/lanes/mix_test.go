package lanes

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheMixFollowsThePath(t *testing.T) {
	clean50 := path{rate: 50 * mbit, rtt: 20 * time.Millisecond}
	clean100 := path{rate: 100 * mbit, rtt: 80 * time.Millisecond}
	onePercent := path{rate: 100 * mbit, rtt: 80 * time.Millisecond, loss: 0.01, quic: 2.8 * mbit, tcp: 83 * mbit, noise: 0.2}
	bursts := path{rate: 20 * mbit, rtt: 40 * time.Millisecond, loss: 0.03, quic: 4 * mbit, tcp: 18.5 * mbit, noise: 0.1}
	noBBR := path{rate: 100 * mbit, rtt: 80 * time.Millisecond, loss: 0.01, quic: 2.8 * mbit, tcp: 2.4 * mbit, noise: 0.2}
	for _, c := range []struct {
		name string
		path path
		set  func(*Options)
		most int // sessions at once
		good func(m Mix) bool
		rate float64 // least share of the link afterwards
	}{
		{name: "clean, 20 ms", path: clean50, most: 1, good: func(m Mix) bool { return m == Mix{1, 0} }, rate: 0.9},
		{name: "clean, 80 ms", path: clean100, most: 1, good: func(m Mix) bool { return m == Mix{1, 0} }, rate: 0.9},
		{name: "1 % lost", path: onePercent, most: 4, good: func(m Mix) bool { return m.QUIC == 0 && m.TCP <= 2 }, rate: 0.75},
		{name: "3 % lost in bursts", path: bursts, most: 4, good: func(m Mix) bool { return m.TCP >= 1 && m.total() <= 2 }, rate: 0.85},
		{name: "1 % lost, TCP no better", path: noBBR, most: 32, good: func(m Mix) bool { return m.QUIC >= 15 }, rate: 0.35},
		{name: "1 % lost, TCP not allowed", path: onePercent, set: func(o *Options) { o.NoTCP = true }, most: 32, good: func(m Mix) bool { return m == Mix{16, 0} }, rate: 0.35},
		{name: "1 % lost, QUIC not allowed", path: onePercent, set: func(o *Options) { o.NoQUIC = true }, most: 4, good: func(m Mix) bool { return m.QUIC == 0 && m.TCP <= 2 }, rate: 0.75},
		{name: "the processor is the limit", path: path{rate: 10000 * mbit, rtt: time.Millisecond, processor: 2000 * mbit}, most: 2, good: func(m Mix) bool { return m == Mix{2, 0} }, rate: 0.25},
		{name: "one lane of TCP does more than one of QUIC", path: path{rate: 10000 * mbit, rtt: time.Millisecond, quic: 600 * mbit, tcp: 2500 * mbit}, most: 4, good: func(m Mix) bool { return m.TCP == 1 && m.total() <= 2 }, rate: 0.25},
		{name: "a fast link is the limit", path: path{rate: 1000 * mbit, rtt: time.Millisecond}, most: 2, good: func(m Mix) bool { return m.QUIC > 0 }, rate: 0.9},
		{name: "one core", path: path{rate: 10000 * mbit, rtt: time.Millisecond, processor: 2000 * mbit}, set: func(o *Options) { o.Cores = 1 }, most: 2, good: func(m Mix) bool { return m == Mix{1, 0} }, rate: 0.15},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.path)
				l := w.begin(t, c.set)
				<-time.After(40 * time.Second)
				for range 10 { // another mix may just be measured
					if !c.good(w.mix()) {
						<-time.After(time.Second)
					}
				}
				if m := w.mix(); !c.good(m) {
					t.Errorf("after 40 s: %v. %s", m, l.State().Why)
				}
				if got := float64(l.State().Rate) / c.path.rate; got < c.rate {
					t.Errorf("the lanes reach %.3f of the link, want %.3f", got, c.rate)
				}
				if w.most > c.most {
					t.Errorf("%d sessions at once, want %d at most", w.most, c.most)
				}
				t.Log(l.State().Why)
			})
		})
	}
}

func TestAPathThatChangesIsNoticedBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clean := path{rate: 100 * mbit, rtt: 80 * time.Millisecond}
		lossy := path{rate: 100 * mbit, rtt: 80 * time.Millisecond, loss: 0.01, quic: 2.8 * mbit, tcp: 83 * mbit, noise: 0.2}
		w := newWorld(clean)
		w.begin(t, nil)
		<-time.After(10 * time.Minute)
		if m := w.mix(); m != (Mix{1, 0}) || w.most > 1 {
			t.Errorf("on the clean path: %v, %d at most", m, w.most)
		}
		w.set(func() { w.path = lossy })
		w.staysWithin(t, 2*time.Minute, func(m Mix) bool { return m.QUIC == 0 && m.TCP <= 2 })
		w.set(func() { w.path = clean })
		w.staysWithin(t, 10*time.Minute, func(m Mix) bool { return m == Mix{1, 0} })
	})
}

// staysWithin waits until the mix has been a good one for a minute.
func (w *world) staysWithin(t *testing.T, limit time.Duration, good func(Mix) bool) {
	t.Helper()
	for since, end := time.Now(), time.Now().Add(limit); time.Since(since) < time.Minute; <-time.After(time.Second) {
		if m := w.mix(); !good(m) {
			since = time.Now()
			if since.After(end) {
				t.Fatalf("after %v: %v", limit, m)
			}
		}
	}
}

func TestManyLanesShrinkWhenThePathIsCleanAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(path{rate: 20 * mbit, rtt: 40 * time.Millisecond, loss: 0.01, quic: 3 * mbit, noise: 0.1})
		w.begin(t, func(o *Options) { o.NoTCP = true })
		<-time.After(time.Minute)
		if m := w.mix(); m.QUIC < 8 {
			t.Errorf("on the lossy path: %v", m)
		}
		w.set(func() { w.path = path{rate: 20 * mbit, rtt: 40 * time.Millisecond} })
		<-time.After(20 * time.Minute)
		if m := w.mix(); m != (Mix{1, 0}) {
			t.Errorf("20 minutes after the path is clean: %v", m)
		}
	})
}

// The losses of a competitor's and our own queue must not look like a lossy
// path, or lanes would take from others by their number.
func TestASharedCleanLinkGetsNoSecondLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(path{rate: 25 * mbit, rtt: 20 * time.Millisecond})
		w.begin(t, nil)
		<-time.After(30 * time.Minute)
		if w.most > 1 {
			t.Errorf("%d sessions at once", w.most)
		}
	})
}

func TestIdleShrinksToOneLaneAndWorkBringsTheOthersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(path{rate: 20 * mbit, rtt: 40 * time.Millisecond, loss: 0.01, quic: 3 * mbit, noise: 0.1})
		w.begin(t, func(o *Options) { o.NoTCP = true })
		<-time.After(time.Minute)
		before := w.mix()
		w.set(func() { w.busy = false })
		<-time.After(15 * time.Second)
		if m := w.mix(); m != (Mix{1, 0}) {
			t.Errorf("idle: %v", m)
		}
		w.set(func() { w.busy = true })
		<-time.After(3 * time.Second)
		if m := w.mix(); m != before {
			t.Errorf("busy again: %v, before it was %v", m, before)
		}
	})
}

func TestUnderALimitNoLaneIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(path{rate: 100 * mbit, rtt: 80 * time.Millisecond, loss: 0.01, quic: 2.8 * mbit, tcp: 83 * mbit})
		w.use = func(ctx context.Context, lane *Lane) error { // as a pump that the limit holds
			_, err := lane.Write(ctx, io.Discard, make([]byte, 1<<20), false)
			return err
		}
		l := w.begin(t, nil)
		l.SetLimit(true, 0)
		<-time.After(10 * time.Minute)
		if w.most > 1 {
			t.Errorf("%d sessions at once", w.most)
		}
	})
}

// A TCP lane may wait for seconds for what was lost several times over.
func TestALaneThatStallsOnALossyPathIsReplacedInKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(path{rate: 20 * mbit, rtt: 40 * time.Millisecond, loss: 0.03, quic: 0.5 * mbit, tcp: 18.5 * mbit})
		l := w.begin(t, nil)
		w.staysWithin(t, time.Minute, func(m Mix) bool { return m.QUIC == 0 })
		stalled := time.Now()
		w.set(func() {
			for s := range w.sessions {
				s.mute = true
			}
		})
		connectedWithin(t, l, 500*time.Millisecond, anything) // not noticed yet
		<-time.After(1500 * time.Millisecond)
		connectedWithin(t, l, time.Second, over("tcp"))
		<-time.After(10 * time.Second)
		if m := w.mix(); m.QUIC != 0 || m.TCP == 0 {
			t.Errorf("afterwards %v", m)
		}
		for _, d := range w.since(stalled) {
			if d.kind != "tcp" {
				t.Errorf("dialled %v", d)
			}
		}
	})
}
