package lanes

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

func TestALaneIsSilentWhenWhatIsSentIsNotAnswered(t *testing.T) {
	const ms = time.Millisecond
	type at struct {
		after          time.Duration
		sent, received uint64
		silent         bool
	}
	for name, c := range map[string]struct {
		rtt  time.Duration
		seen []at
	}{
		"nothing is sent": {20 * ms, []at{{0, 10, 10, false}, {time.Minute, 10, 10, false}, {time.Hour, 10, 10, false}}},
		"all is answered": {20 * ms, []at{{0, 10, 10, false}, {1000 * ms, 500, 200, false}, {9000 * ms, 900, 201, false}}},
		"an answer is missing": {20 * ms, []at{{0, 10, 10, false}, {250 * ms, 20, 10, false}, {500 * ms, 20, 10, false},
			{1700 * ms, 21, 10, false}, {1750 * ms, 21, 10, true}, {2000 * ms, 22, 11, false}}},
		"a long path has more time": {time.Second, []at{{0, 10, 10, false}, {250 * ms, 20, 10, false}, {4200 * ms, 20, 10, false}, {4250 * ms, 20, 10, true}}},
		"sent after a long rest":    {20 * ms, []at{{0, 10, 10, false}, {time.Hour, 11, 10, false}, {time.Hour + 1500*ms, 11, 10, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch{rate: 10 * little}
			for i, s := range c.seen {
				now := noon.Add(s.after)
				w.look(now, wire.Traffic{SentPackets: s.sent, ReceivedPackets: s.received, RTT: c.rtt}, seen(c.rtt))
				if w.silent(now) != s.silent {
					t.Errorf("look %d: silent is %v", i, !s.silent)
				}
			}
		})
	}
}

func TestALaneThatCarriesNextToNothingHasMoreTime(t *testing.T) {
	w := watch{rate: little / 2}
	for i, sent := range []uint64{10, 11 + mere} {
		w.look(noon.Add(time.Duration(i)*time.Second), wire.Traffic{SentPackets: sent, ReceivedPackets: 10, RTT: 20 * time.Millisecond}, seen(20*time.Millisecond))
	}
	asked := noon.Add(time.Second)
	if w.silent(asked.Add(patience*silence - time.Millisecond)) {
		t.Error("it is silent too soon")
	}
	if !w.silent(asked.Add(patience * silence)) {
		t.Error("it is never silent")
	}
}

// An idle lane that has acknowledged what it heard is owed nothing.
func TestAcknowledgementsAloneAreNotAnswered(t *testing.T) {
	w := watch{}
	for i, sent := range []uint64{10, 10 + mere} {
		w.look(noon.Add(time.Duration(i)*time.Second), wire.Traffic{SentPackets: sent, ReceivedPackets: 10, RTT: 20 * time.Millisecond}, seen(20*time.Millisecond))
	}
	if w.silent(noon.Add(time.Hour)) {
		t.Error("it is silent because nobody acknowledges its acknowledgements")
	}
}

// A TCP connection whose local address is gone sends nothing that counts.
func TestALaneIsSilentWhenWhatIsInFlightIsNotAnswered(t *testing.T) {
	w := watch{rate: 10 * little}
	for _, s := range []struct {
		after    time.Duration
		received uint64
		inFlight bool
		silent   bool
	}{
		{0, 10, true, false}, {250 * time.Millisecond, 10, true, false}, {1700 * time.Millisecond, 10, true, false}, {1750 * time.Millisecond, 10, true, true},
		{2 * time.Second, 11, false, false}, {time.Hour, 11, false, false},
	} {
		now := noon.Add(s.after)
		w.look(now, wire.Traffic{SentPackets: 10, ReceivedPackets: s.received, InFlight: s.inFlight, RTT: 20 * time.Millisecond}, seen(20*time.Millisecond))
		if w.silent(now) != s.silent {
			t.Errorf("after %v: silent is %v", s.after, !s.silent)
		}
	}
}

func TestOnlyLossesAtAShortQueueSpeakOfThePath(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		rtts   [2]time.Duration
		floor  time.Duration
		lost   uint64
		sent   uint64
		lossy  bool
		rounds int
	}{
		"random losses":                           {[2]time.Duration{82 * ms, 84 * ms}, 80 * ms, 2, 250, true, 4},
		"many at once":                            {[2]time.Duration{82 * ms, 84 * ms}, 80 * ms, 100, 1000, false, 1},
		"few losses, many packets":                {[2]time.Duration{82 * ms, 84 * ms}, 80 * ms, 1, 2500, false, 4},
		"too few to tell":                         {[2]time.Duration{82 * ms, 84 * ms}, 80 * ms, 1, 100, false, 3},
		"a slow lane tells in time":               {[2]time.Duration{82 * ms, 84 * ms}, 80 * ms, 1, 100, true, 4},
		"the queue was full before the loss":      {[2]time.Duration{160 * ms, 80 * ms}, 80 * ms, 100, 1000, false, 1},
		"the queue was filling up":                {[2]time.Duration{80 * ms, 150 * ms}, 80 * ms, 100, 1000, false, 1},
		"someone else's queue":                    {[2]time.Duration{30 * ms, 33 * ms}, 20 * ms, 100, 1000, false, 1},
		"on a fast network a queue is ever short": {[2]time.Duration{1 * ms, 2 * ms}, 1 * ms, 1, 5000, false, 4},
		"nothing known of the round trip":         {[2]time.Duration{0, 20 * ms}, 20 * ms, 100, 1000, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var w watch
			var in window
			in.restart()
			traffic := wire.Traffic{RTT: c.rtts[0]}
			now := noon
			w.look(now, traffic, seen(c.floor))
			for range c.rounds {
				traffic.SentPackets, traffic.LostPackets, traffic.RTT = traffic.SentPackets+c.sent, traffic.LostPackets+c.lost, c.rtts[1]
				traffic.SentBytes += 1400 * c.sent
				now = now.Add(250 * ms)
				s := w.look(now, traffic, seen(c.floor))
				in.add(wire.QUIC, s)
				in.tell(s)
			}
			if in.lossy() != c.lossy {
				t.Errorf("lossy is %v", !c.lossy)
			}
			if want := 1400 * float64(int(c.sent)-int(c.lost)) * float64(c.rounds); in.carried[wire.QUIC] < 0.999*want || in.carried[wire.QUIC] > 1.001*want {
				t.Errorf("carried %v, want %v", in.carried[wire.QUIC], want)
			}
		})
	}
}

func TestLossesAreForgottenWhenThereAreNoMore(t *testing.T) {
	var w window
	w.restart()
	for range 40 {
		w.tell(step{packets: 25, lost: 1, calm: true})
	}
	windows := 0
	for ; w.lossy() && windows < 100; windows++ {
		w.fade()
		w.tell(step{packets: 1000, calm: true})
	}
	if windows < 3 || windows > 20 {
		t.Errorf("forgotten after %d clean windows", windows)
	}
	for range 40 {
		w.tell(step{packets: 3, lost: 1, calm: true})
	}
	for windows = 0; w.lossy() && windows < 100; windows++ { // the queue is always long: nothing tells
		w.fade()
		w.tell(step{packets: 1000})
	}
	if windows < 2 || windows > 20 {
		t.Errorf("forgotten after %d windows that tell nothing", windows)
	}
}

func TestACounterThatFallsBackIsNotALargeOne(t *testing.T) {
	var w watch
	w.look(noon, wire.Traffic{SentPackets: 100, LostPackets: 7, RTT: 1}, seen(1))
	if s := w.look(noon.Add(time.Second), wire.Traffic{SentPackets: 200, LostPackets: 5, RTT: 1}, seen(1)); s.lost != 0 || s.packets != 100 {
		t.Errorf("%+v", s)
	}
}

// seen are round trips of which the shortest is known.
func seen(rtts ...time.Duration) *trips {
	var t trips
	for i, rtt := range rtts {
		t.see(noon.Add(time.Duration(i)*time.Second), rtt)
	}
	return &t
}

func TestAShortQueueIsToldFromALongOne(t *testing.T) {
	const ms = time.Millisecond
	empty, queued, waves := seen(20*ms, 21*ms, 22*ms), seen(20*ms, 34*ms, 46*ms), seen(34*ms, 36*ms, 46*ms, 35*ms)
	jitter := seen(40*ms, 44*ms, 47*ms, 41*ms)
	for name, c := range map[string]struct {
		trips *trips
		rtt   time.Duration
		want  bool
	}{
		"no queue":                          {empty, 23 * ms, true},
		"a queue":                           {empty, 30 * ms, false},
		"a queue, the floor is known":       {queued, 36 * ms, false},
		"a queue that comes and goes, low":  {waves, 35 * ms, true},
		"a queue that comes and goes, high": {waves, 41 * ms, false},
		"jitter":                            {jitter, 47 * ms, true},
	} {
		if got := c.trips.short(c.rtt); got != c.want {
			t.Errorf("%s: short is %v", name, got)
		}
	}
}

func TestTheShortestRoundTripIsThatOfLate(t *testing.T) {
	trips := seen(50*time.Millisecond, 20*time.Millisecond, 80*time.Millisecond, 0)
	if got := trips.floor.get(shorter); got != 20*time.Millisecond {
		t.Errorf("floor %v", got)
	}
	if got := trips.high.get(longer); got != 80*time.Millisecond {
		t.Errorf("longest %v", got)
	}
	for now := noon; now.Before(noon.Add(2*floorLasts + time.Minute)); now = now.Add(time.Second) {
		trips.see(now, 90*time.Millisecond) // the path became a longer one
	}
	if got := trips.floor.get(shorter); got != 90*time.Millisecond {
		t.Errorf("after a while %v", got)
	}
}
