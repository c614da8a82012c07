package receivetest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"

	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/upload"
)

// Client is one connection of a dock, after its Hello.
type Client struct {
	Session *wire.Session
	Control *wire.Stream
	Welcome *upload.Welcome

	Direction *upload.Direction // the last one that was read
}

// Connect dials and greets. A refusal is an *upload.Error.
func Connect(ctx context.Context, address string, conf *tls.Config, hello *upload.Hello) (*Client, error) {
	session, err := wire.Dial(ctx, address, conf, wire.Options{})
	if err != nil {
		return nil, err
	}
	c := &Client{Session: session}
	if c.Control, err = session.OpenStream(ctx); err != nil {
		return nil, err
	}
	if err := upload.WriteMessage(c.Control, hello); err != nil {
		return nil, err
	}
	if c.Welcome, err = upload.Expect[*upload.Welcome](c.Control, new(upload.Buffer)); err != nil {
		return nil, errors.Join(err, session.Close(upload.EndNormal, ""))
	}
	return c, c.AwaitDirection()
}

// AwaitDirection reads the next direction.
func (c *Client) AwaitDirection() (err error) {
	c.Direction, err = upload.Expect[*upload.Direction](c.Control, new(upload.Buffer))
	return err
}

// Close ends the connection at once.
func (c *Client) Close() { c.Session.Close(upload.EndNormal, "") }

// Ask sends a request on the control stream and returns its answer.
func (c *Client) Ask(m upload.Message) (upload.Message, error) {
	if err := upload.WriteMessage(c.Control, m); err != nil {
		return nil, err
	}
	for {
		answer, err := upload.ReadMessage(c.Control, new(upload.Buffer))
		switch m := answer.(type) {
		case *upload.Error:
			return nil, m
		case *upload.Direction:
			c.Direction = m
			continue
		}
		return answer, err
	}
}

// Stream is one recording stream or stripe after its Accept.
type Stream struct {
	*wire.Stream
	Resume uint64
	Acked  uint64 // segments from the first on, as of the last answer that was read
	Frames uint64 // Data frames of this stream, the same
	held   []byte
	buffer upload.Buffer
}

// Holds says whether Accept told that the server has a segment.
func (s *Stream) Holds(index uint64) bool {
	at := index - s.Resume
	return index < s.Resume || at/8 < uint64(len(s.held)) && s.held[at/8]>>(at%8)&1 == 1
}

// ack takes an acknowledgement, which must not go back.
func (s *Stream) ack(m *upload.Ack) error {
	if m.GetDurableSegments() < s.Acked || m.GetFrames() < s.Frames {
		return fmt.Errorf("%d segments and %d frames were acknowledged after %d and %d", m.GetDurableSegments(), m.GetFrames(), s.Acked, s.Frames)
	}
	s.Acked, s.Frames = m.GetDurableSegments(), m.GetFrames()
	return nil
}

// Offer opens a recording stream. It returns the receipt when the recording is
// stored already, else the stream.
func (c *Client) Offer(ctx context.Context, r *Recording) (*Stream, *upload.Receipt, error) {
	return c.open(ctx, r.Offer)
}

// Join opens a stripe of a recording.
func (c *Client) Join(ctx context.Context, r *Recording) (*Stream, error) {
	s, _, err := c.open(ctx, &upload.Join{EvidenceId: r.Manifest.Evidence.String(), Attempt: r.Manifest.Attempt})
	return s, err
}

func (c *Client) open(ctx context.Context, first upload.Message) (*Stream, *upload.Receipt, error) {
	raw, err := c.Session.OpenStream(ctx)
	if err != nil {
		return nil, nil, err
	}
	s := &Stream{Stream: raw}
	if err := upload.WriteMessage(s, first); err != nil {
		return nil, nil, err
	}
	answer, err := upload.ReadMessage(s, &s.buffer)
	if err != nil {
		return nil, nil, err
	}
	switch m := answer.(type) {
	case *upload.Accept:
		s.Resume, s.held = m.GetResumeSegment(), m.GetHeld()
		return s, nil, nil
	case *upload.Receipt:
		return nil, m, s.CloseWrite()
	case *upload.Error:
		return nil, nil, m
	}
	return nil, nil, fmt.Errorf("unexpected answer %v", answer.Kind())
}

// Send sends segments from..to-1.
func (s *Stream) Send(r *Recording, from, to uint64) error {
	for i := from; i < to; i++ {
		if err := upload.WriteMessage(s, &upload.Data{Index: i, Sealed: r.Sealed[i]}); err != nil {
			return err
		}
	}
	return nil
}

// Finish sends Finish and waits for the receipt.
func (s *Stream) Finish() (*upload.Receipt, error) {
	if err := upload.WriteMessage(s, &upload.Finish{}); err != nil {
		return nil, s.Refusal(err)
	}
	for {
		answer, err := upload.ReadMessage(s, &s.buffer)
		if err != nil {
			return nil, err
		}
		switch m := answer.(type) {
		case *upload.Ack:
			if err := s.ack(m); err != nil {
				return nil, err
			}
		case *upload.Receipt:
			return m, s.CloseWrite()
		case *upload.Error:
			return nil, m
		default:
			return nil, fmt.Errorf("unexpected answer %v", answer.Kind())
		}
	}
}

// Await reads until segments are acknowledged, from the first on.
func (s *Stream) Await(segments uint64) error {
	return s.await(func() bool { return s.Acked >= segments })
}

// AwaitFrames reads until so many Data frames of the stream are acknowledged.
func (s *Stream) AwaitFrames(frames uint64) error {
	return s.await(func() bool { return s.Frames >= frames })
}

func (s *Stream) await(there func() bool) error {
	for !there() {
		answer, err := upload.ReadMessage(s, &s.buffer, upload.KindAck, upload.KindError)
		if err != nil {
			return err
		}
		switch m := answer.(type) {
		case *upload.Ack:
			if err := s.ack(m); err != nil {
				return err
			}
		case *upload.Error:
			return m
		}
	}
	return nil
}

// End ends a stripe and waits until all that was sent on it is acknowledged and
// the server has ended its side.
func (s *Stream) End(frames uint64) error {
	if err := s.CloseWrite(); err != nil {
		return err
	}
	if err := s.AwaitFrames(frames); err != nil {
		return err
	}
	answer, err := upload.ReadMessage(s, &s.buffer, upload.KindAck, upload.KindError)
	switch {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("after the last acknowledgement came %v", answer.Kind())
}

// Refusal reads on to the Error that explains why a write failed.
func (s *Stream) Refusal(failed error) error {
	for {
		answer, err := upload.ReadMessage(s, &s.buffer)
		if err == io.EOF {
			return failed
		}
		if err != nil {
			return errors.Join(failed, err)
		}
		if refused, ok := answer.(*upload.Error); ok {
			return refused
		}
	}
}

// Upload does a whole recording.
func (c *Client) Upload(ctx context.Context, r *Recording) (*upload.Receipt, error) {
	s, receipt, err := c.Offer(ctx, r)
	if err != nil || receipt != nil {
		return receipt, err
	}
	if err := s.Send(r, s.Resume, uint64(len(r.Sealed))); err != nil {
		return nil, s.Refusal(err)
	}
	return s.Finish()
}

// Fetch asks for a firmware image from offset on and gives each block to take,
// whose error ends it. The blocks come in order; anything else is an error.
func (c *Client) Fetch(ctx context.Context, sum [32]byte, offset uint64, take func(block []byte) error) error {
	stream, err := c.Session.OpenStream(ctx)
	if err != nil {
		return err
	}
	if err := upload.WriteMessage(stream, &upload.FirmwareFetch{Sha256: sum[:], Offset: offset}); err != nil {
		return err
	}
	for {
		answer, err := upload.ReadMessage(stream, new(upload.Buffer), upload.KindFirmwareBlock, upload.KindError)
		if err == io.EOF {
			return stream.CloseWrite()
		}
		if err != nil {
			return err
		}
		if refused, ok := answer.(*upload.Error); ok {
			return refused
		}
		block := answer.(*upload.FirmwareBlock)
		if block.GetOffset() != offset {
			return fmt.Errorf("a block for %d came where %d was expected", block.GetOffset(), offset)
		}
		offset += uint64(len(block.GetData()))
		if err := take(block.GetData()); err != nil {
			stream.Reset(upload.EndNormal)
			return err
		}
	}
}
