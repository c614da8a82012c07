package lanes

import (
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// window gathers what a mix carries, from when it is complete and has found its
// rate.
type window struct {
	complete      time.Time // since when the mix is; zero: it is not
	lasted        time.Duration
	carried       map[wire.Kind]float64 // bytes, what was lost taken off
	packets, gone float64               // packets sent and lost
	// Packets sent and lost at a short queue, and the looks that found some lost:
	// many at once may be the end of a queue that was long a moment ago. Kept over
	// windows, fading, because a slow lane loses few in one.
	calm, lost, events float64
	seen               float64 // of calm, in this window
}

func (w *window) restart() {
	w.complete = time.Time{}
	w.begin()
}

// fade begins the next window: what was seen before counts less.
func (w *window) fade() {
	if w.seen == 0 || w.events >= 2*fewLosses || w.calm > 2*fewLosses/lossy {
		w.calm, w.lost, w.events = w.calm/2, w.lost/2, w.events/2
	}
	w.begin()
}

func (w *window) begin() {
	w.lasted, w.seen, w.packets, w.gone, w.carried = 0, 0, 0, 0, map[wire.Kind]float64{}
}

func (w *window) add(kind wire.Kind, s step) {
	w.packets += float64(s.packets)
	w.gone += float64(s.lost)
	if s.packets > 0 {
		w.carried[kind] += float64(s.bytes) * max(0, 1-float64(s.lost)/float64(s.packets))
	}
}

// tell takes in what a step says of the path.
func (w *window) tell(s step) {
	if s.calm {
		w.seen += float64(s.packets)
		w.calm += float64(s.packets)
		w.lost += float64(s.lost)
		w.events += float64(min(s.lost, 1))
	}
}

func (w *window) lossy() bool { return w.losing(fewLosses) }

func (w *window) losing(events float64) bool { return w.events >= events && w.lost >= lossy*w.calm }

// settled says whether the lanes have found their rate.
func (w *window) settled(now time.Time, rtt time.Duration) bool {
	return !w.complete.IsZero() && now.Sub(w.complete) >= max(settleLasts, settleRTTs*rtt)
}

// full says whether the window is long enough for a verdict.
func (w *window) full(rtt time.Duration) bool { return w.lasted >= max(windowLasts, windowRTTs*rtt) }

// telling says whether it shows already, before the lanes have settled, that
// the path is a lossy one.
func (w *window) telling(now time.Time, rtt time.Duration) bool {
	return w.losing(signs) && !w.complete.IsZero() && now.Sub(w.complete) >= max(tellLasts, tellRTTs*rtt)
}

func (w *window) measure() measure {
	seconds := max(w.lasted, time.Millisecond).Seconds()
	return measure{quic: w.carried[wire.QUIC] / seconds, tcp: w.carried[wire.TCP] / seconds, lossy: w.lossy(), lost: w.gone / max(w.packets, 1)}
}
