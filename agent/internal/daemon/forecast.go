package daemon

import (
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/agent/internal/upload"
	"github.com/sealdock/sealdock/internal/schedule"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

const (
	memory     = 2 * time.Minute // how far back the measured rate of the line looks
	shortest   = 5 * time.Second // no rate is told before so much sending
	overhead   = 105             // IP bytes for 100 bytes of recordings: headers and acknowledgements
	recentMost = 150             // samples: one a second for longer than memory
)

// Forecast is when what waits will be at the server. It is as good as the rate
// that was measured and the tables that are in force.
type Forecast struct {
	Bytes uint64    `json:"bytes"`             // without a receipt: in the spool and on docked cameras
	At    time.Time `json:"clear_at,omitzero"` // zero: not in sight
}

// progress is a sample of how uploading went.
type progress struct {
	at      time.Time
	carried uint64 // bytes that became durable at the server so far
	busy    bool   // there was something to send since the sample before, and it was let
	bound   bool   // the limit, not the line, said how fast
}

// pace measures what the line carries when there is something to send. Safe for
// concurrent use.
type pace struct {
	mu     sync.Mutex
	recent []progress
	line   uint64 // bytes a second of recordings, as last measured without a limit in the way; 0: never
}

// note takes a sample; one a second is enough.
func (p *pace) note(now time.Time, state *upload.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.recent); n > 0 && now.Sub(p.recent[n-1].at) < time.Second/2 {
		return
	}
	t := &state.Transport
	s := progress{at: now, carried: state.Carried, busy: state.Sending && !(t.Limited && t.Limit == 0), bound: t.Limited && t.BytesPerSecond >= t.Limit/10*9}
	p.recent = append(p.recent, s)
	old := slices.IndexFunc(p.recent, func(s progress) bool { return now.Sub(s.at) <= memory })
	p.recent = slices.Delete(p.recent, 0, max(old, len(p.recent)-recentMost, 0))
	if free := p.rate(false); free > 0 {
		p.line = free
	} else {
		p.line = max(p.line, p.rate(true))
	}
}

// rate is what was carried a second while there was something to send, with or
// without a limit in the way; 0 when that was not for long enough. p.mu is held.
func (p *pace) rate(bound bool) (bytesPerSecond uint64) {
	var carried uint64
	var spent time.Duration
	for i := 1; i < len(p.recent); i++ {
		a, b := &p.recent[i-1], &p.recent[i]
		if took := b.at.Sub(a.at); a.busy && b.busy && b.bound == bound && took > 0 && took < memory {
			carried += b.carried - min(a.carried, b.carried)
			spent += took
		}
	}
	if spent < shortest {
		return 0
	}
	return uint64(float64(carried) / spent.Seconds())
}

// backlog is what one bay has without a receipt.
type backlog struct {
	bytes  uint64
	held   uint64 // of these, at the server already
	urgent bool
	copied time.Time // when all of it will be in the spool; zero: it is, or nobody knows
}

func (b backlog) left() uint64 { return b.bytes - b.held }

// forecast says when the dock and each of its bays will have handed everything
// over. Urgent bays go first; others share the line fairly.
func (p *pace) forecast(now time.Time, d *protocol.Direction, bays map[string]backlog) (all Forecast, byBay map[string]Forecast) {
	p.mu.Lock()
	line := p.line
	p.mu.Unlock()
	caps := capsOf(d)
	finish := func(bytes uint64, copied time.Time) time.Time {
		at, ok := schedule.Finish(now, bytes, line, caps...)
		if !ok {
			return time.Time{}
		}
		if at.Before(copied) {
			return copied
		}
		return at
	}
	byBay = map[string]Forecast{}
	var last time.Time
	var left uint64
	for name, b := range bays {
		all.Bytes += b.bytes
		left += b.left()
		if b.copied.After(last) {
			last = b.copied
		}
		byBay[name] = Forecast{b.bytes, finish(before(bays, b), b.copied)}
	}
	all.At = finish(left, last)
	return all, byBay
}

// before is how many bytes are sent until all of a bay's are.
func before(bays map[string]backlog, b backlog) (bytes uint64) {
	for _, other := range bays {
		switch {
		case other.urgent && !b.urgent:
			bytes += other.left()
		case other.urgent == b.urgent:
			bytes += min(other.left(), b.left())
		}
	}
	return bytes
}

// noteHeld notes what the server holds of recordings that are under way.
func noteHeld(bays map[string]backlog, transfers []upload.Transfer) {
	for _, t := range transfers {
		if b, ok := bays[t.Bay]; ok {
			b.held = min(b.held+t.Durable*protocol.SegmentSize, b.bytes)
			bays[t.Bay] = b
		}
	}
}

// capsOf are the tables that a direction names, in bytes of recordings. What
// cannot be read limits nothing: it is for a forecast only.
func capsOf(d *protocol.Direction) (caps []schedule.Cap) {
	add := func(b *protocol.Bandwidth, share uint32) {
		if b == nil {
			return
		}
		b = proto.CloneOf(b)
		for _, w := range b.GetWindows() {
			w.BytesPerSecond = w.GetBytesPerSecond() / overhead * 100
		}
		if table, err := schedule.New(b); err == nil {
			caps = append(caps, schedule.Cap{Table: table, SharePPM: share})
		}
	}
	add(d.GetDockBandwidth(), 0)
	add(d.GetStationBandwidth(), d.GetSharePpm())
	return caps
}

// forecast gathers what waits, in the spool and on cameras, and says when it
// will be at the server.
func (a *agent) forecast(docked []offload.Status) (all Forecast, byBay map[string]Forecast) {
	now := a.now()
	state := a.uploader.State()
	a.pace.note(now, &state)
	_, spooled := a.spool.WaitingBytes()
	bays := map[string]backlog{}
	for port, b := range spooled {
		bays[port] = backlog{bytes: b.Bytes}
	}
	noteHeld(bays, state.Transfers)
	for _, s := range docked {
		b := bays[s.Port]
		b.urgent = s.Urgent
		if s.BytesTotal > s.BytesDone {
			b.bytes += s.BytesTotal - s.BytesDone
			if s.SecondsLeft > 0 {
				b.copied = now.Add(time.Duration(s.SecondsLeft) * time.Second)
			}
		}
		if b.bytes > 0 {
			bays[s.Port] = b
		}
	}
	return a.pace.forecast(now, a.uploader.Direction(), bays)
}
