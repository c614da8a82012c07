package netlab

import (
	"math"
	"testing"
	"time"
)

func shaperFor(t *testing.T, c Conditions) *shaper {
	t.Helper()
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	up, _ := c.ways()
	return newShaper(up, 1)
}

func TestRateAndQueue(t *testing.T) {
	s := shaperFor(t, Conditions{Rate: 8e6, RTT: 20 * time.Millisecond, Queue: 10_000})
	now := time.Unix(100, 0)
	// 1000 bytes take 1 ms at 8 Mbit/s; ten fit in the queue.
	for i := 1; i <= 10; i++ {
		at, what := s.admit(now, 1000)
		if what != passes {
			t.Fatalf("packet %d was dropped: %v", i, what)
		}
		if want := now.Add(time.Duration(i)*time.Millisecond + 10*time.Millisecond); !at.Equal(want) {
			t.Errorf("packet %d arrives at %v, want %v", i, at, want)
		}
	}
	if _, what := s.admit(now, 1000); what != queueDrop {
		t.Errorf("a packet over the queue's limit: %v", what)
	}
	if _, what := s.admit(now.Add(5*time.Millisecond), 1000); what != passes {
		t.Errorf("a packet after the queue had drained: %v", what)
	}
}

func TestTheQueueHoldsOneRoundTripUnlessTold(t *testing.T) {
	for want, c := range map[int]Conditions{
		1_000_000: {Rate: 100e6, RTT: 80 * time.Millisecond},
		64 << 10:  {Rate: 1e6, RTT: 10 * time.Millisecond},
		5000:      {Rate: 1e6, RTT: 10 * time.Millisecond, Queue: 5000},
	} {
		if up, _ := c.ways(); up.queueBytes != want {
			t.Errorf("%+v: a queue of %d bytes, want %d", c, up.queueBytes, want)
		}
	}
}

func TestJitterKeepsOrder(t *testing.T) {
	s := shaperFor(t, Conditions{RTT: 2 * time.Millisecond, Jitter: 20 * time.Millisecond})
	now, last := time.Unix(100, 0), time.Time{}
	for range 1000 {
		at, _ := s.admit(now, 100)
		if at.Before(last) {
			t.Fatal("a packet overtook the one before it")
		}
		last, now = at, now.Add(100*time.Microsecond)
	}
}

func TestLossShares(t *testing.T) {
	const n = 400_000
	for _, c := range []struct {
		conditions Conditions
		share, run float64
	}{
		{Conditions{Loss: 0.01}, 0.01, 1 / 0.99},
		{Conditions{BurstLoss: 0.03}, 0.03, 5},
		{Conditions{BurstLoss: 0.1, BurstLen: 20}, 0.1, 20},
	} {
		s := shaperFor(t, c.conditions)
		gone, runs, within := 0, 0, false
		for range n {
			_, what := s.admit(time.Unix(0, 0), 100)
			if what == lost {
				gone++
				if !within {
					runs++
				}
			}
			within = what == lost
		}
		if got := float64(gone) / n; math.Abs(got-c.share) > 0.1*c.share {
			t.Errorf("%+v: %.4f lost", c.conditions, got)
		}
		if got := float64(gone) / float64(runs); math.Abs(got-c.run) > 0.1*c.run {
			t.Errorf("%+v: runs of %.2f", c.conditions, got)
		}
	}
}

func TestLossRepeatsWithItsSeed(t *testing.T) {
	fates := func(seed uint64) (all []fate) {
		up, _ := Conditions{Loss: 0.2}.ways()
		s := newShaper(up, seed)
		for range 200 {
			_, what := s.admit(time.Unix(0, 0), 100)
			all = append(all, what)
		}
		return all
	}
	same := func(a, b []fate) bool {
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	}
	if !same(fates(3), fates(3)) || same(fates(3), fates(4)) {
		t.Error("what is lost must follow from the seed, and differ between seeds")
	}
}

func TestLossGoesOneWayWhereTold(t *testing.T) {
	up, down := Conditions{Loss: 0.5, BurstLoss: 0.5, Lossy: Down}.ways()
	if up.loss != 0 || up.toBad != 0 || down.loss != 0.5 || down.toBad == 0 {
		t.Errorf("up %+v, down %+v", up, down)
	}
}

func TestConditionsThatMakeNoLink(t *testing.T) {
	for _, c := range []Conditions{{Rate: -1}, {Loss: 1}, {BurstLoss: -0.1}, {BurstLoss: 0.1, BurstLen: 0.5}, {MTU: 100}, {Queue: -1}, {RTT: -1}} {
		if c.check() == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestTheGateKeepsItsTimes(t *testing.T) {
	g := gate{outages: []Span{{time.Second, 2 * time.Second}}, udpDrops: []Span{{3 * time.Second, 4 * time.Second}}}
	udp, tcp := make([]byte, 28), make([]byte, 40)
	udp[9], tcp[9] = protocolUDP, protocolTCP
	start := time.Unix(100, 0)
	if v := g.at(start.Add(1500*time.Millisecond), udp); v != open {
		t.Errorf("before Begin: %v", v)
	}
	g.begin(start)
	for _, c := range []struct {
		after    time.Duration
		udp, tcp verdict
	}{
		{0, open, open}, {time.Second, inOutage, inOutage}, {2 * time.Second, open, open},
		{3500 * time.Millisecond, atFirewall, open}, {4 * time.Second, open, open},
	} {
		if got := g.at(start.Add(c.after), udp); got != c.udp {
			t.Errorf("UDP after %v: %v", c.after, got)
		}
		if got := g.at(start.Add(c.after), tcp); got != c.tcp {
			t.Errorf("TCP after %v: %v", c.after, got)
		}
	}
	yes, no := true, false
	g.set(nil, &yes)
	if g.at(start, udp) != atFirewall || g.at(start, tcp) != open {
		t.Error("a firewall on command")
	}
	g.set(&yes, &no)
	if g.at(start, udp) != inOutage || g.at(start, tcp) != inOutage {
		t.Error("an outage on command")
	}
	g.set(&no, nil)
	if g.at(start, udp) != open {
		t.Error("a link that is open again")
	}
}
