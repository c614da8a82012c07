package upload

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// worthJoining is how many segments must be missing for a stripe on another lane.
const worthJoining = 3

// pump writes segments on one lane, one after the other, until the lane ends.
// What is urgent has a pump of its own: it does not wait for the segment that
// is being written.
func (u *Uploader) pump(ctx context.Context, l *lane, urgent bool) error {
	var frame []byte
	for {
		u.mu.Lock()
		st, index := u.choose(l, urgent)
		work := u.work
		u.mu.Unlock()
		if st == nil {
			select {
			case <-work:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		frame = u.sendSegment(st, index, frame)
	}
}

// choose gives the segment that goes next on a lane; nil when there is none. It
// has a stripe opened where only other lanes have something. u.mu is held.
func (u *Uploader) choose(l *lane, urgent bool) (*stripe, uint64) {
	if l.closing {
		return nil, 0
	}
	var best *stripe
	var distant *transfer
	for _, t := range u.under {
		if t.missing.count == 0 {
			continue
		}
		st := t.stripes[l]
		here := st != nil && !st.broken
		if t.rec.urgent != urgent {
			if here && t.rec.urgent {
				return nil, 0 // the other pump's turn
			}
			continue
		}
		switch {
		case here && (best == nil || u.before(t, best.transfer)):
			best = st
		case !here && st == nil && !t.unjoined[l] && t.missing.count >= worthJoining && (distant == nil || u.before(t, distant)):
			distant = t
		}
	}
	if best == nil {
		if distant != nil {
			u.stretch(distant, l)
		}
		return nil, 0
	}
	t := best.transfer
	index := t.missing.take()
	best.sent = append(best.sent, index)
	best.taken++
	t.work.Add(1)
	u.served[t.rec.Bay] += min(t.rec.SealedLength(), protocol.SegmentSize)
	return best, index
}

// before says whether t goes before other: the bay that had less goes first,
// then the older. u.mu is held.
func (u *Uploader) before(t, other *transfer) bool {
	a, b := u.served[t.rec.Bay], u.served[other.rec.Bay]
	return a < b || a == b && t.number < other.number
}

// stretch opens a stripe of t on a lane that has nothing else. u.mu is held.
func (u *Uploader) stretch(t *transfer, l *lane) {
	t.unjoined[l] = true
	t.work.Add(1)
	go func() {
		defer t.work.Done()
		u.join(t, l)
	}()
}

// sendSegment writes one segment and returns the memory for the next. What
// fails ends its stripe; why is read from the stream.
func (u *Uploader) sendSegment(st *stripe, index uint64, frame []byte) []byte {
	t := st.transfer
	defer t.work.Done()
	if need := protocol.DataHeaderSize + int(min(t.rec.SealedLength(), protocol.SegmentSize)) + protocol.SegmentSeal; cap(frame) < need {
		frame = make([]byte, 0, need)
	}
	full, err := t.copy.ReadSegment(frame[:protocol.DataHeaderSize], index)
	if err == nil {
		err = protocol.PutDataHeader(full, index)
	}
	if err == nil {
		st.expect(u.opt.Stall)
		st.writing.Lock()
		_, err = st.lane.Write(st.ctx, st.stream, full, t.rec.urgent)
		st.writing.Unlock()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	st.taken--
	switch {
	case err == nil:
		t.check()
		return full[:0]
	case errors.Is(err, spool.ErrRot):
		t.cancel(err)
	case st != t.primary:
		t.drop(st)
	}
	if !st.broken {
		st.broken = true
		st.expect(u.opt.Answer)
	}
	u.stir()
	return frame
}

// seat makes sure that a bay which has had its pause does not now go before all
// others until it has caught up. u.mu is held.
func (u *Uploader) seat(bay string) {
	least := uint64(math.MaxUint64)
	for _, t := range u.under {
		if t.rec.Bay == bay {
			return
		}
		least = min(least, u.served[t.rec.Bay])
	}
	if least != math.MaxUint64 {
		u.served[bay] = max(u.served[bay], least)
	}
}

// busy says whether there is enough to send that another lane could help.
func (u *Uploader) busy() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	var n uint64
	for _, t := range u.under {
		n += t.missing.count
	}
	return n >= 2*worthJoining || len(u.under) >= u.opt.InFlight
}

// soon is how long nothing may be offered yet.
func (u *Uploader) paused() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pause.Sub(u.opt.Now())
}
