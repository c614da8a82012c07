package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// errReceipt marks a receipt that does not hold.
var errReceipt = errors.New("a receipt does not hold")

// provingRate is how slowly a server may read a recording back, bytes a second.
const provingRate = 4 << 20

// deliver offers a recording until it has its receipt, or until it is refused for
// good.
func (d *dock) deliver(ctx context.Context, r *recording) {
	began := time.Now()
	pauses := backoff.New(time.Second, longest)
	for {
		receipt, err := d.attempt(ctx, r)
		if err == nil {
			d.f.tally.receipt(receipt, time.Since(began))
			return
		}
		if ctx.Err() != nil {
			return
		}
		least := time.Duration(0)
		var refused *protocol.Error
		switch {
		case errors.As(err, &refused):
			d.f.tally.refuse(refused)
			least = refused.RetryAfter
			if refused.Code.Retryable() {
				break
			}
			fallthrough
		case errors.Is(err, errReceipt):
			d.f.tally.fail(fmt.Errorf("dock %s, recording %s: %w", d.id.Dock, r.manifest.Recording.Path, err), errors.Is(err, errReceipt))
			return
		default:
			d.f.tally.brokenOff()
		}
		if pauses.Wait(ctx, least) != nil {
			return
		}
	}
}

// attempt offers a recording once, on the connection that there is.
func (d *dock) attempt(ctx context.Context, r *recording) (*evidence.Receipt, error) {
	u, err := d.await(ctx)
	if err != nil {
		return nil, err
	}
	defer u.under.Done()
	within, cancel := context.WithCancel(u.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	stream, err := u.lane.Session().OpenStream(within)
	if err != nil {
		return nil, err
	}
	defer stream.Reset(protocol.EndNormal) // after a clean end it does nothing
	defer context.AfterFunc(within, func() { stream.Reset(protocol.EndGoingAway) })()
	if err := stream.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	wrote := protocol.WriteMessage(stream, r.offer)
	answer, err := protocol.ReadMessage(stream, new(protocol.Buffer), protocol.KindAccept, protocol.KindReceipt, protocol.KindError)
	if err != nil {
		return nil, errors.Join(wrote, unexpected(err))
	}
	if accept, ok := answer.(*protocol.Accept); ok {
		if answer, err = d.send(within, u.lane, stream, r, accept); err != nil {
			return nil, err
		}
	}
	switch m := answer.(type) {
	case *protocol.Error:
		return nil, m
	case *protocol.Receipt:
		receipt, err := d.check(r, m.GetEnvelope())
		if err == nil {
			_ = stream.CloseWrite() // a courtesy: all was said
		}
		return receipt, err
	}
	return nil, protocol.Errorf(protocol.CodeBadFrame, "the server answered %v", answer.Kind())
}

// send sends the segments that the server lacks, and gives its final answer.
func (d *dock) send(ctx context.Context, lane *lanes.Lane, stream lanes.Stream, r *recording, accept *protocol.Accept) (answer protocol.Message, err error) {
	ctx, cancel := context.WithCancel(ctx)
	wrote := make(chan struct{})
	defer func() {
		if !done(wrote, answer) {
			stream.Reset(protocol.EndNormal) // lets a write go that nobody reads
		}
		cancel()
		<-wrote
	}()
	if err := stream.SetReadDeadline(time.Now().Add(5*time.Minute + time.Duration(r.manifest.Length/provingRate)*time.Second)); err != nil {
		close(wrote)
		return nil, err
	}
	go func() {
		defer close(wrote)
		if err := d.write(ctx, lane, stream, r, accept); err != nil {
			d.f.opt.Log.Debug("sending broke off", "dock", d.id.Dock, "error", err) // why is told by what can be read
		}
	}()
	for {
		m, err := protocol.ReadMessage(stream, new(protocol.Buffer), protocol.KindAck, protocol.KindReceipt, protocol.KindError)
		if err != nil {
			return nil, unexpected(err)
		}
		if _, ok := m.(*protocol.Ack); !ok {
			return m, nil
		}
	}
}

// done waits a moment for the writer where the receipt has come, and says whether
// it has ended.
func done(wrote <-chan struct{}, answer protocol.Message) bool {
	if _, ok := answer.(*protocol.Receipt); !ok {
		return false
	}
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-wrote:
		return true
	case <-late.C:
		return false
	}
}

func (d *dock) write(ctx context.Context, lane *lanes.Lane, stream lanes.Stream, r *recording, accept *protocol.Accept) error {
	for i := range seal.SegmentCount(r.manifest.Length) {
		if accept.Holds(i) {
			continue
		}
		if err := d.writeSegment(ctx, lane, stream, r, i); err != nil {
			return err
		}
	}
	return protocol.WriteMessage(stream, &protocol.Finish{})
}

func (d *dock) writeSegment(ctx context.Context, lane *lanes.Lane, stream lanes.Stream, r *recording, index uint64) error {
	b := d.f.maker.pool.Get().(*buffers)
	defer d.f.maker.pool.Put(b)
	frame, err := d.f.maker.frame(b, r, index)
	if err != nil {
		return err
	}
	n, err := lane.Write(ctx, stream, frame, false)
	d.f.tally.sent(n)
	return err
}

// check judges a receipt.
func (d *dock) check(r *recording, raw []byte) (*evidence.Receipt, error) {
	envelope, err := evidence.ParseEnvelope(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errReceipt, err)
	}
	want := proof.Want(&r.manifest, r.payload)
	want.SameReading = true
	receipt, err := proof.CheckReceipt(envelope, d.f.opt.Server.Trust, want)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errReceipt, err)
	}
	return receipt, nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
