package lanes

import (
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

const (
	silence     = 1500 * time.Millisecond // a peer that answers nothing for so long, or for
	silenceRTTs = 4                       // so many round trips, has fallen silent
	// On a lane that carries next to nothing one lost packet looks the same, and
	// nothing waits for it: there it takes so many times as long.
	patience = 4
	little   = 2000 // bytes a second: a status now and then
	// So many packets may be mere acknowledgements of what was heard last, which are
	// never answered. What is owed an answer, QUIC sends again by then.
	mere = 2

	floorLasts = 30 * time.Minute // the shortest round trip counts for so long, and up to twice that
	rangeLasts = 15 * time.Second // and the range of round trips, in the same way
)

// watch is what is seen of one lane. Pure: it is told the time.
type watch struct {
	last  wire.Traffic
	at    time.Time // of last; zero before the first look
	sent  uint64    // packets sent when the peer was last heard
	asked time.Time // since when something sent is unanswered; zero: nothing is
	rate  float64   // bytes a second, smoothed
	pace  float64   // rate when the peer began to owe an answer
}

// step is what happened between two looks at a lane.
type step struct {
	lasted               time.Duration
	bytes, packets, lost uint64
	calm                 bool          // the queue of the path was short all the time
	rtt                  time.Duration // the longer of both ends
}

// look takes in the traffic so far.
func (w *watch) look(now time.Time, t wire.Traffic, trips *trips) step {
	first := w.at.IsZero()
	if first || t.ReceivedPackets > w.last.ReceivedPackets {
		w.sent, w.asked = t.SentPackets, time.Time{}
	} else if w.asked.IsZero() && (t.SentPackets > w.sent || t.InFlight) {
		w.asked, w.pace = now, w.rate
	}
	s := step{rtt: max(t.RTT, w.last.RTT)}
	if !first {
		s.lasted = now.Sub(w.at)
		s.bytes, s.packets, s.lost = grown(t.SentBytes, w.last.SentBytes), grown(t.SentPackets, w.last.SentPackets), grown(t.LostPackets, w.last.LostPackets)
		s.calm = w.last.RTT > 0 && trips.short(s.rtt)
		if s.lasted > 0 {
			w.rate += (float64(s.bytes)/s.lasted.Seconds() - w.rate) * min(1, s.lasted.Seconds())
		}
	}
	w.last, w.at = t, now
	return s
}

// grown is how much a counter grew; one that fell back (QUIC learns that a
// packet was not lost) has not.
func grown(now, before uint64) uint64 {
	if now < before {
		return 0
	}
	return now - before
}

// silent says whether the peer answers no more what is sent.
func (w *watch) silent(now time.Time) bool {
	bound := max(silence, silenceRTTs*w.last.RTT)
	if w.pace < little {
		if bound *= patience; w.last.SentPackets <= w.sent+mere && !w.last.InFlight {
			return false
		}
	}
	return w.silentFor(now) >= bound
}

func (w *watch) silentFor(now time.Time) time.Duration {
	if w.asked.IsZero() {
		return 0
	}
	return now.Sub(w.asked)
}

// trips are the round trips of the path of late, over all lanes.
type trips struct {
	floor, low, high extreme
}

func (t *trips) see(now time.Time, rtt time.Duration) {
	if rtt > 0 {
		t.floor.see(now, rtt, floorLasts, shorter)
		t.low.see(now, rtt, rangeLasts, shorter)
		t.high.see(now, rtt, rangeLasts, longer)
	}
}

// short says whether packets that took rtt met no queue to speak of. What is
// lost behind a long queue is lost by our own or others' sending, and more lanes
// would only take from others; what is lost at a short one is the path's doing.
// The floor may be that of a path that was never empty: so where round trips
// vary much, which is a queue that comes and goes, only the shortest count.
func (t *trips) short(rtt time.Duration) bool {
	if rtt > above(t.floor.get(shorter)) {
		return false
	}
	low, high := t.low.get(shorter), t.high.get(longer)
	return high <= above(low) || rtt <= low+(high-low)/4
}

// above is what still counts as the same round trip.
func above(rtt time.Duration) time.Duration { return rtt + rtt/5 + 2*time.Millisecond }

func shorter(a, b time.Duration) bool { return a < b }
func longer(a, b time.Duration) bool  { return a > b }

// extreme is the shortest or longest of late: of this period and the one before.
type extreme struct {
	now, before time.Duration
	since       time.Time
}

func (e *extreme) see(at time.Time, rtt, lasts time.Duration, better func(a, b time.Duration) bool) {
	if at.Sub(e.since) >= lasts {
		e.before, e.now, e.since = e.now, rtt, at
	}
	if better(rtt, e.now) {
		e.now = rtt
	}
}

func (e *extreme) get(better func(a, b time.Duration) bool) time.Duration {
	if e.before > 0 && better(e.before, e.now) {
		return e.before
	}
	return e.now
}
