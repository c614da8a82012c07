package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// errReceipt marks a receipt that does not hold.
var errReceipt = errors.New("the receipt does not hold")

// errDone ends what still goes on for a transfer that has its answer.
var errDone = errors.New("the transfer is over")

// provingRate is how slowly a server may read a recording back, bytes a second.
const provingRate = 4 << 20

// transfer is one recording under way: its offer, and its segments on the
// streams that carry them.
type transfer struct {
	rec    waiting
	number uint64 // counts transfers: the older goes first
	ctx    context.Context
	cancel context.CancelCauseFunc
	copy   *spool.Copy
	work   sync.WaitGroup // all that reads the copy or writes to a stream

	// Guarded by Uploader.mu.
	offering *lane
	primary  *stripe           // nil before Accept
	stripes  map[*lane]*stripe // the primary among them
	unjoined map[*lane]bool    // where a stripe is being opened, or was refused a moment ago
	missing  segments
	durable  uint64        // segments that the server holds for good
	whole    chan struct{} // closed when Finish may be sent
	proving  bool
}

// stripe is a stream that carries segments of a transfer.
type stripe struct {
	transfer *transfer
	lane     *lane
	stream   lanes.Stream
	ctx      context.Context // ends with the stripe
	cancel   context.CancelFunc
	writing  sync.Mutex // one frame at a time

	// Guarded by Uploader.mu.
	sent   []uint64 // in order, not acknowledged
	acked  uint64   // frames acknowledged
	taken  int      // of sent, not yet written
	broken bool     // takes nothing more
}

func newStripe(t *transfer, l *lane, stream lanes.Stream) *stripe {
	st := &stripe{transfer: t, lane: l, stream: stream}
	st.ctx, st.cancel = context.WithCancel(t.ctx)
	return st
}

func (t *transfer) show() Transfer {
	return Transfer{Item: t.rec.Evidence, Path: t.rec.Source.Path, Bay: t.rec.Bay, Segments: evidence.LeafCount(t.rec.SealedLength()), Durable: t.durable, Sealing: t.proving, Urgent: t.rec.urgent}
}

// owes says whether segments are on their way. Uploader.mu is held.
func (t *transfer) owes() bool {
	for _, st := range t.stripes {
		if len(st.sent) > 0 {
			return true
		}
	}
	return false
}

// run hands the recording over: offer, data, finish, receipt. A nil error means
// that the journal says received.
func (u *Uploader) run(t *transfer, l *lane) (err error) {
	ctx := t.ctx
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, errDone) {
			err = cause
		}
		t.cancel(errDone)
		t.work.Wait()
		if t.copy != nil {
			t.copy.Close()
		}
	}()
	t.copy, err = u.opt.Spool.OpenCopy(ctx, t.rec.Evidence)
	if err != nil {
		return err
	}
	c := t.copy
	if c.Attempt != t.rec.Attempt {
		return spool.ErrState
	}
	stream, err := l.Session().OpenStream(ctx)
	if err != nil {
		return err
	}
	// Breaks off what is still under way; after a clean end it does nothing.
	defer stream.Reset(protocol.EndNormal)
	stop := context.AfterFunc(ctx, func() { stream.Reset(protocol.EndGoingAway) })
	defer stop()
	prefer(stream, t.rec.urgent)
	answer, err := u.offer(stream, c)
	if err != nil {
		return err
	}
	if accept, ok := answer.(*protocol.Accept); ok {
		if answer, err = u.send(t, l, stream, accept); err != nil {
			return err
		}
	}
	receipt, ok := answer.(*protocol.Receipt)
	if !ok {
		return protocol.Errorf(protocol.CodeBadFrame, "the server answered %v", answer.Kind())
	}
	if err := u.take(ctx, c, receipt.GetEnvelope()); err != nil {
		return err
	}
	if err := stream.CloseWrite(); err != nil {
		u.opt.Log.Debug("a stream did not end in order, after its receipt", "path", c.Source.Path, "error", err)
	}
	return nil
}

// offer sends the manifest and returns Accept or Receipt; a refusal is an error.
func (u *Uploader) offer(stream lanes.Stream, c *spool.Copy) (protocol.Message, error) {
	if err := stream.SetReadDeadline(time.Now().Add(u.opt.Answer)); err != nil {
		return nil, err
	}
	offer := &protocol.Offer{Manifest: c.Manifest, WrappedKey: c.WrappedKey, Header: c.Header, Leaves: c.Leaves}
	wrote := protocol.WriteMessage(stream, offer)
	var buffer protocol.Buffer
	answer, err := protocol.ReadMessage(stream, &buffer, protocol.KindAccept, protocol.KindReceipt, protocol.KindError)
	switch {
	case err != nil && wrote != nil:
		return nil, fmt.Errorf("offering %s: %w", c.Source.Path, wrote)
	case err != nil:
		return nil, fmt.Errorf("waiting for the answer to the offer of %s: %w", c.Source.Path, unexpectedEnd(err))
	}
	if refused, ok := answer.(*protocol.Error); ok {
		return nil, refused
	}
	return answer, nil
}

// send lets the pumps of all lanes have the segments that the server lacks, and
// returns its final answer.
func (u *Uploader) send(t *transfer, l *lane, stream lanes.Stream, accept *protocol.Accept) (protocol.Message, error) {
	n := t.copy.Segments()
	if accept.GetResumeSegment() > n {
		return nil, protocol.Errorf(protocol.CodeBadFrame, "the server wants segment %d of %d", accept.GetResumeSegment(), n)
	}
	if n > 1 { // a short one is through before anybody looks
		if err := u.opt.Spool.Offered(t.ctx, t.rec.Evidence, accept.GetResumeSegment()); err != nil && !errors.Is(err, spool.ErrFull) {
			return nil, err
		}
	}
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	st := u.begin(t, l, stream, accept)
	t.work.Go(func() { u.finish(st) })
	answer, err := u.readAcks(st)
	u.endSending(t)
	if err != nil {
		return nil, fmt.Errorf("waiting for the receipt of %s: %w", t.rec.Source.Path, err)
	}
	if refused, ok := answer.(*protocol.Error); ok {
		return nil, refused
	}
	return answer, nil
}

// begin opens the primary stripe.
func (u *Uploader) begin(t *transfer, l *lane, stream lanes.Stream, accept *protocol.Accept) *stripe {
	st := newStripe(t, l, stream)
	u.mu.Lock()
	defer u.mu.Unlock()
	t.offering, t.primary = nil, st
	t.stripes = map[*lane]*stripe{l: st}
	t.missing = missingOf(accept, t.copy.Segments())
	t.durable = t.copy.Segments() - t.missing.count
	t.check()
	u.stir()
	return st
}

// endSending takes the transfer's segments away from the pumps.
func (u *Uploader) endSending(t *transfer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t.missing = segments{}
	for _, st := range t.stripes {
		st.broken = true
		st.cancel()
		if st != t.primary {
			st.stream.Reset(protocol.EndNormal)
		}
	}
}

// finish sends Finish when all segments are sent.
func (u *Uploader) finish(st *stripe) {
	t := st.transfer
	select {
	case <-t.whole:
	case <-t.ctx.Done():
		return
	}
	u.mu.Lock()
	t.proving = true
	u.mu.Unlock()
	st.expect(u.opt.Stall + time.Duration(t.copy.Length/provingRate)*time.Second)
	st.writing.Lock()
	defer st.writing.Unlock()
	if err := protocol.WriteMessage(st.stream, &protocol.Finish{}); err != nil { // why is told by what can be read
		u.opt.Log.Debug("a transfer could not be finished", "path", t.rec.Source.Path, "error", err)
		st.expect(u.opt.Answer)
	}
}

// check sees whether all was sent and what went over other lanes is durable.
// Uploader.mu is held.
func (t *transfer) check() {
	if t.missing.count > 0 || t.primary.taken > 0 {
		return
	}
	for _, st := range t.stripes {
		if st != t.primary && len(st.sent) > 0 {
			return
		}
	}
	select {
	case <-t.whole:
	default:
		close(t.whole)
	}
}

// drop ends a stripe that is not the primary: what it did not get acknowledged
// is sent again elsewhere. Uploader.mu is held.
func (t *transfer) drop(st *stripe) {
	if t.stripes[st.lane] != st || st == t.primary {
		return
	}
	delete(t.stripes, st.lane)
	st.broken = true
	for _, index := range st.sent {
		t.missing.add(index)
	}
	st.sent = nil
	st.cancel()
	st.stream.Reset(protocol.EndNormal)
}

// expect bounds how long the server may be silent from now on.
func (st *stripe) expect(within time.Duration) {
	// A stream that is over says so when it is read.
	_ = st.stream.SetReadDeadline(time.Now().Add(within))
}

// readAcks reads acknowledgements until the final answer.
func (u *Uploader) readAcks(st *stripe) (protocol.Message, error) {
	var buffer protocol.Buffer
	for {
		m, err := protocol.ReadMessage(st.stream, &buffer, protocol.KindAck, protocol.KindReceipt, protocol.KindError)
		if err != nil {
			return nil, unexpectedEnd(err)
		}
		ack, ok := m.(*protocol.Ack)
		if !ok {
			if _, ok := m.(*protocol.Receipt); ok { // it stands for the last acknowledgements
				u.mu.Lock()
				u.arrived(st.transfer, st.transfer.copy.Segments()-min(st.transfer.durable, st.transfer.copy.Segments()))
				u.mu.Unlock()
			}
			return m, nil
		}
		u.acknowledge(st, ack)
	}
}

// arrived notes that the server holds n more segments of a recording. u.mu is held.
func (u *Uploader) arrived(t *transfer, n uint64) {
	held := func() uint64 { return min(t.durable*protocol.SegmentSize, t.rec.SealedLength()) }
	before := held()
	t.durable += n
	u.carried += held() - before
}

// acknowledge notes which of the segments that were sent on a stripe are durable.
func (u *Uploader) acknowledge(st *stripe, ack *protocol.Ack) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ack.GetFrames() <= st.acked {
		return
	}
	n := min(ack.GetFrames()-st.acked, uint64(len(st.sent)))
	st.acked += n
	st.sent = st.sent[n:]
	u.arrived(st.transfer, n)
	switch {
	case st.transfer.proving:
	case len(st.sent) > 0:
		st.expect(u.opt.Stall)
	default:
		_ = st.stream.SetReadDeadline(time.Time{}) // it may rest: others go first
	}
	st.transfer.check()
	if st.lane.closing {
		u.stir()
	}
}

// join opens a stripe of a transfer on another lane, and reads what is
// acknowledged on it until it ends.
func (u *Uploader) join(t *transfer, l *lane) {
	st, err := u.openStripe(t, l)
	if err == nil {
		_, err = u.readAcks(st)
	}
	var refused *protocol.Error
	if t.ctx.Err() == nil && !errors.As(err, &refused) && !errors.Is(err, io.ErrUnexpectedEOF) {
		u.opt.Log.Debug("a stripe has ended", "path", t.rec.Source.Path, "error", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if st != nil {
		t.drop(st)
	}
	u.stir()
	// Not at once again on this lane.
	time.AfterFunc(u.opt.First, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(t.unjoined, l)
		u.stir()
	})
}

func (u *Uploader) openStripe(t *transfer, l *lane) (*stripe, error) {
	stream, err := l.Session().OpenStream(t.ctx)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(t.ctx, func() { stream.Reset(protocol.EndNormal) })
	prefer(stream, t.rec.urgent)
	if err := stream.SetReadDeadline(time.Now().Add(u.opt.Answer)); err != nil {
		return nil, err
	}
	if err := protocol.WriteMessage(stream, &protocol.Join{EvidenceId: t.rec.Evidence.String(), Attempt: t.rec.Attempt}); err != nil {
		return nil, err
	}
	var buffer protocol.Buffer
	if _, err := protocol.Expect[*protocol.Accept](stream, &buffer); err != nil {
		stream.Reset(protocol.EndNormal)
		return nil, unexpectedEnd(err)
	}
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	st := newStripe(t, l, stream)
	u.mu.Lock()
	defer u.mu.Unlock()
	if t.primary == nil || t.primary.broken || l.closing {
		st.cancel()
		stream.Reset(protocol.EndNormal)
		return nil, errDone
	}
	t.stripes[l] = st
	u.stir()
	return st, nil
}

// prefer puts what is urgent before all else of its lane, where the transport can.
func prefer(stream lanes.Stream, urgent bool) {
	if s, ok := stream.(interface{ Prefer(urgency int8) }); ok && urgent {
		s.Prefer(1)
	}
}

func unexpectedEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
