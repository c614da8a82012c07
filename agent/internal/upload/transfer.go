package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// errReceipt marks a receipt that does not hold.
var errReceipt = errors.New("the receipt does not hold")

// provingRate is how slowly a server may read a recording back, bytes a second.
const provingRate = 4 << 20

func protocolSegments(length uint64) uint64 { return evidence.LeafCount(length) }

// transfer hands over one recording on a stream of its own: offer, data,
// finish, receipt. A nil error means that the journal says received.
func (u *Uploader) transfer(ctx context.Context, s Session, rec spool.Recording) error {
	c, err := u.opt.Spool.OpenCopy(ctx, rec.Evidence)
	if err != nil {
		return err
	}
	defer c.Close()
	if c.Attempt != rec.Attempt {
		return spool.ErrState
	}
	stream, err := s.OpenStream(ctx)
	if err != nil {
		return err
	}
	// Breaks off what is still under way; after a clean end it does nothing.
	defer stream.Reset(protocol.EndNormal)
	stop := context.AfterFunc(ctx, func() { stream.Reset(protocol.EndGoingAway) })
	defer stop()
	answer, err := u.offer(stream, c)
	if err != nil {
		return err
	}
	if accept, ok := answer.(*protocol.Accept); ok {
		if answer, err = u.send(ctx, stream, c, accept.GetResumeSegment()); err != nil {
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
func (u *Uploader) offer(stream Stream, c *spool.Copy) (protocol.Message, error) {
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

// send gives the segments from resume on and returns the final answer. Sending
// and reading run side by side; the server's word comes before our own failure
// to write, since it explains it.
func (u *Uploader) send(ctx context.Context, stream Stream, c *spool.Copy, resume uint64) (protocol.Message, error) {
	if resume > c.Segments() {
		return nil, protocol.Errorf(protocol.CodeBadFrame, "the server wants segment %d of %d", resume, c.Segments())
	}
	if c.Segments() > 1 { // a short one is through before anybody looks
		if err := u.opt.Spool.Offered(ctx, c.Evidence, resume); err != nil && !errors.Is(err, spool.ErrFull) {
			return nil, err
		}
	}
	u.progress(c.Evidence, resume, false)
	if err := u.alive(stream, u.opt.Stall); err != nil {
		return nil, err
	}
	sent := make(chan error, 1)
	go func() {
		err := u.sendSegments(stream, c, resume)
		if errors.Is(err, spool.ErrRot) {
			stream.Reset(protocol.EndNormal) // no word of the server's matters any more
		}
		sent <- err
	}()
	answer, err := u.follow(stream, c)
	if err != nil || answer.Kind() == protocol.KindError {
		stream.Reset(protocol.EndNormal)
	}
	failed := <-sent
	switch {
	case errors.Is(failed, spool.ErrRot):
		return nil, failed
	case err != nil && failed != nil:
		return nil, errors.Join(err, failed)
	case err != nil:
		return nil, err
	}
	if refused, ok := answer.(*protocol.Error); ok {
		return nil, refused
	}
	if failed != nil {
		return nil, failed
	}
	return answer, nil
}

// sendSegments writes Data frames and Finish.
func (u *Uploader) sendSegments(stream Stream, c *spool.Copy, resume uint64) error {
	frame, give := u.frame(c)
	defer give()
	for index := resume; index < c.Segments(); index++ {
		full, err := c.ReadSegment(frame[:protocol.DataHeaderSize], index)
		if err != nil {
			return err
		}
		if err := protocol.PutDataHeader(full, index); err != nil {
			return err
		}
		if _, err := stream.Write(full); err != nil {
			return fmt.Errorf("sending segment %d of %s: %w", index, c.Source.Path, err)
		}
		if err := u.alive(stream, u.opt.Stall); err != nil {
			return err
		}
	}
	if err := protocol.WriteMessage(stream, &protocol.Finish{}); err != nil {
		return fmt.Errorf("finishing %s: %w", c.Source.Path, err)
	}
	u.progress(c.Evidence, 0, true)
	return u.alive(stream, u.opt.Stall+time.Duration(c.Length/provingRate)*time.Second)
}

// frame gives the memory for one segment of a recording, and what to call when
// it is done with.
func (u *Uploader) frame(c *spool.Copy) (frame []byte, give func()) {
	if c.Segments() == 1 {
		return make([]byte, protocol.DataHeaderSize, protocol.DataHeaderSize+c.Length+seal.Overhead), func() {}
	}
	frame = <-u.buffers
	if frame == nil {
		frame = make([]byte, protocol.DataHeaderSize, protocol.DataHeaderSize+protocol.MaxSegment)
	}
	return frame, func() { u.buffers <- frame }
}

// alive gives the transfer some more time.
func (u *Uploader) alive(stream Stream, more time.Duration) error {
	return stream.SetReadDeadline(time.Now().Add(more))
}

// follow reads acknowledgements until the final answer.
func (u *Uploader) follow(stream Stream, c *spool.Copy) (protocol.Message, error) {
	var buffer protocol.Buffer
	for {
		m, err := protocol.ReadMessage(stream, &buffer, protocol.KindAck, protocol.KindReceipt, protocol.KindError)
		if err != nil {
			return nil, fmt.Errorf("waiting for the receipt of %s: %w", c.Source.Path, unexpectedEnd(err))
		}
		ack, ok := m.(*protocol.Ack)
		if !ok {
			return m, nil
		}
		u.progress(c.Evidence, min(ack.GetDurableSegments(), c.Segments()), false)
	}
}

func unexpectedEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (u *Uploader) progress(id evidence.EvidenceID, durable uint64, proving bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if t := u.under[id]; t != nil {
		t.Durable, t.Sealing = max(t.Durable, durable), t.Sealing || proving
	}
}

// take verifies a receipt and journals it. From the moment that it returns nil,
// and not before, the camera may erase.
func (u *Uploader) take(ctx context.Context, c *spool.Copy, raw []byte) error {
	manifest, err := evidence.ParseEnvelope(c.Manifest)
	if err != nil {
		return fmt.Errorf("reading our own manifest of %s: %w: %w", c.Source.Path, spool.ErrRot, err)
	}
	var m evidence.Manifest
	if err := evidence.Decode(manifest.Payload, &m); err != nil {
		return fmt.Errorf("reading our own manifest of %s: %w: %w", c.Source.Path, spool.ErrRot, err)
	}
	envelope, err := evidence.ParseEnvelope(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errReceipt, err)
	}
	receipt, err := proof.CheckReceipt(envelope, u.opt.Trust, proof.Want(&m, manifest.Payload))
	if err != nil {
		return fmt.Errorf("%w: %w", errReceipt, err)
	}
	size, err := u.compare(receipt)
	if err != nil {
		return fmt.Errorf("%w: %w", errReceipt, err)
	}
	err = u.opt.Spool.Received(ctx, c.Evidence, c.Attempt, spool.Receipt{
		Envelope: raw, Digest: evidence.SHA256(envelope.Payload), Item: receipt.Evidence, LogSize: size, Checkpoint: []byte(receipt.Proof.Checkpoint),
	})
	if err != nil {
		return err
	}
	u.opt.Log.Info("receipt verified: the recording is safe at the server", "path", c.Source.Path, "item", receipt.Evidence, "log_index", receipt.Proof.Index)
	return nil
}

// compare holds the receipt's checkpoint against the newest one seen: the same
// size with another root would be a forked log.
func (u *Uploader) compare(r *evidence.Receipt) (size int64, err error) {
	u.mu.Lock()
	newest := u.newest
	u.mu.Unlock()
	if r.Proof.Checkpoint == newest.text { // receipts that were logged together share it
		return newest.size, nil
	}
	verifier, err := tlog.NewVerifier(u.opt.Trust.LogOrigin, u.opt.Trust.LogPublicKey)
	if err != nil {
		return 0, err
	}
	head, err := tlog.OpenCheckpoint([]byte(r.Proof.Checkpoint), u.opt.Trust.LogOrigin, verifier)
	if err != nil {
		return 0, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case head.Size == u.newest.size && head.Root != u.newest.root:
		return 0, fmt.Errorf("the custody log showed two heads of size %d: the log was forked; keep the file of checkpoints and tell the auditor", head.Size)
	case head.Size > u.newest.size:
		u.newest = checkpoint{head.Size, head.Root, r.Proof.Checkpoint}
	}
	return head.Size, nil
}
