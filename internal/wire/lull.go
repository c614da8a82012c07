package wire

import "time"

// On a slow link packets come one by one, and each wakes this process: at
// 100 Mbit/s that costs more than all else. A lull lets a reader rest for lullTime
// before it asks the kernel again, while packets of bulk come in that way; it then
// gets several at once, and answers them with fewer acknowledgements. What the
// kernel joins, and what is small or rare, is never delayed.
const (
	lullTime   = time.Millisecond
	lullPeriod = 10 * time.Millisecond
	// lullFrom is how many packets of bulk in one period, each come alone, make the
	// next one a lull: about 12 Mbit/s.
	lullFrom = 10
	// bulkPacket is the least length of a packet of bulk, in bytes.
	bulkPacket = 1000
)

// lull belongs to one reader.
type lull struct {
	began time.Time // of the period
	alone int       // packets in it
	on    bool
	timer *time.Timer
	ended <-chan struct{} // closed when there is nothing to rest for any more; nil: never
}

// note counts packets of bulk that came alone.
func (l *lull) note(alone int, now time.Time) {
	if now.Sub(l.began) >= lullPeriod {
		l.on = l.alone >= lullFrom && now.Sub(l.began) < 2*lullPeriod
		l.began, l.alone = now, 0
	}
	l.alone += alone
}

// rest waits, when it is worth while.
func (l *lull) rest() {
	if !l.on {
		return
	}
	if l.timer == nil {
		l.timer = time.NewTimer(lullTime)
	} else {
		l.timer.Reset(lullTime)
	}
	select {
	case <-l.timer.C:
	case <-l.ended:
		l.timer.Stop()
	}
}
