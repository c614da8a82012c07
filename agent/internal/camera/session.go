package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

const (
	minFirstRead = ptp.MaxBlockSize // bytes: a header and every response fit
	bulkPiece    = 4 << 20          // bytes of the longest single bulk read; the timeout is per piece
	slowPiece    = 128 << 10        // the same for a camera that once was too slow for it
	wholeMost    = 128 << 10        // bytes of the longest container that is read in one go
	maxDataset   = 4<<20 + 64
	maxSkips     = 16 // zero-length packets and stray events before an answer
)

// session runs PTP transactions, one at a time.
type session struct {
	pipe    Pipe
	swift   Exchanger     // the pipe, where it takes command and reads swift  ; else nil
	packet  int           // of the bulk-in endpoint, bytes
	timeout time.Duration // for one bulk transfer
	log     *slog.Logger

	piece       int    // bytes of the longest single bulk read
	first       []byte // where the first packets of a container arrive; a multiple of the packet size
	whole       []byte // where a whole short container arrives; nil before it is needed
	wary        bool   // a container that was read in one go did not come as it should: none is any more
	transaction uint32 // id of the last transaction begun
	generation  int    // how many sessions were opened: handles may mean other objects in another one
	open        bool
	halted      bool // an endpoint stalled and was not cleared since
	doubt       bool // the last transaction did not end as it should: recover before the next
}

func newSession(pipe Pipe, timeout time.Duration, log *slog.Logger) *session {
	packet := max(pipe.MaxPacket(), 1)
	size := (minFirstRead + packet - 1) / packet * packet
	swift, _ := pipe.(Exchanger)
	return &session{pipe: pipe, swift: swift, packet: packet, timeout: timeout, log: log, piece: bulkPiece - bulkPiece%packet, first: make([]byte, size)}
}

// next returns the id of the next transaction: 1 to 0xFFFFFFFE, and 0 outside a session.
func (s *session) next() uint32 {
	if !s.open {
		return 0
	}
	s.transaction++
	if s.transaction == 0xFFFFFFFF {
		s.transaction = 1
	}
	return s.transaction
}

// judge tells a timeout of ours from the end of the caller's context, and notes that
// the transaction's state is in doubt.
func (s *session) judge(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	s.doubt = true
	s.halted = s.halted || errors.Is(err, ErrStall)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w (%v)", doing, ErrTimeout, s.timeout)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (s *session) bulkIn(ctx context.Context, p []byte) (int, error) {
	return s.take(ctx, nil, p, false)
}

// take reads into p. Where the pipe can do that at once, it sends the command first,
// and asks for the container that follows.
func (s *session) take(ctx context.Context, command, p []byte, follows bool) (n int, err error) {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	switch {
	case s.swift == nil:
		n, err = s.pipe.BulkIn(limited, p)
	case follows:
		n, err = s.swift.Exchange(limited, command, p, len(s.first))
	default:
		n, err = s.swift.Exchange(limited, command, p, 0)
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		s.piece = min(s.piece, slowPiece-slowPiece%s.packet)
	}
	if n < 0 || n > len(p) {
		n, err = 0, fmt.Errorf("%w: more bytes than asked for", ErrProtocol)
	}
	return n, s.judge(ctx, "reading from the camera", err)
}

func (s *session) broken(format string, args ...any) error {
	s.doubt = true
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// answer is what is expected of a command. What comes may be anything; it costs more
// when it is something else.
type answer struct {
	data  bool // a data phase, then the response; the response alone costs nothing either
	bytes int  // of the data, where that is known
}

// room is where the answer's first container is read to. Short data whose length is
// known is read in one go. A container that ends with a full packet may end without
// an empty one, so that the response would run into room for more.
func (s *session) room(expect answer) []byte {
	size := ptp.HeaderSize + expect.bytes
	if s.swift == nil || s.wary || expect.bytes == 0 || size > wholeMost {
		return s.first
	}
	if s.whole == nil {
		s.whole = make([]byte, (wholeMost+s.packet-1)/s.packet*s.packet)
	}
	return s.whole[:(size+s.packet-1)/s.packet*s.packet]
}

// begin sends a command and reads the container that answers it: the start of a
// data phase, or the response.
func (s *session) begin(ctx context.Context, op ptp.Operation, expect answer, parameters ...uint32) (*dataPhase, ptp.Block, error) {
	id := s.next()
	command, err := ptp.Command(op, id, parameters...).Append(make([]byte, 0, ptp.MaxBlockSize))
	if err != nil {
		return nil, ptp.Block{}, err
	}
	if s.swift == nil {
		limited, cancel := context.WithTimeout(ctx, s.timeout)
		err = s.pipe.BulkOut(limited, command)
		cancel()
		if err = s.judge(ctx, fmt.Sprintf("sending %s", op), err); err != nil {
			return nil, ptp.Block{}, err
		}
	}
	room := s.room(expect)
	n, header, err := s.answered(ctx, command, room, expect.data && (expect.bytes == 0 || len(room) > len(s.first)))
	if err != nil {
		return nil, ptp.Block{}, fmt.Errorf("waiting for the answer to %s: %w", op, err)
	}
	if header.Transaction != id {
		return nil, ptp.Block{}, s.broken("%s has transaction %d, want %d of %s", header.Type, header.Transaction, id, op)
	}
	if header.Type == ptp.ContainerResponse {
		block, err := s.block(room[:n])
		return nil, block, err
	}
	if header.Code != uint16(op) {
		return nil, ptp.Block{}, s.broken("data of operation 0x%04x, want %s", header.Code, op)
	}
	phase, err := s.startData(op, id, header, room, n)
	return phase, ptp.Block{}, err
}

// container reads until the header of a data or response container is in s.first.
func (s *session) container(ctx context.Context) (n int, header ptp.Header, err error) {
	return s.answered(ctx, nil, s.first, false)
}

// answered is container for what answers a command, into room.
func (s *session) answered(ctx context.Context, command, room []byte, follows bool) (n int, header ptp.Header, err error) {
	for range maxSkips {
		if n, err = s.take(ctx, command, room, follows); err != nil {
			return 0, header, err
		}
		command, follows = nil, false
		if n == 0 {
			continue
		}
		if header, err = ptp.ParseHeader(room[:n]); err != nil {
			return 0, header, s.broken("%v", err)
		}
		switch header.Type {
		case ptp.ContainerEvent:
			continue
		case ptp.ContainerCommand:
			return 0, header, s.broken("a command came from the camera")
		}
		return n, header, nil
	}
	return 0, header, s.broken("%d empty packets and events without an answer", maxSkips)
}

func (s *session) block(p []byte) (ptp.Block, error) {
	block, err := ptp.ParseBlock(p)
	if err != nil {
		return block, s.broken("%v", err)
	}
	return block, nil
}

// once runs a transaction whose data, limit bytes at most, is a dataset.
func (s *session) once(ctx context.Context, op ptp.Operation, limit int, parameters ...uint32) ([]byte, ptp.Block, error) {
	return s.dataset(ctx, op, answer{}, limit, parameters...)
}

func (s *session) dataset(ctx context.Context, op ptp.Operation, expect answer, limit int, parameters ...uint32) ([]byte, ptp.Block, error) {
	phase, block, err := s.begin(ctx, op, expect, parameters...)
	if err != nil || phase == nil {
		return nil, block, err
	}
	data, err := phase.readAll(ctx, limit)
	if err != nil {
		return nil, block, fmt.Errorf("reading the data of %s: %w", op, err)
	}
	block, err = phase.finish(ctx)
	return data, block, err
}

// ask is once with the patience that a camera may need: it waits while the camera
// is busy, and after a fault it recovers and tries one more time. So it is for
// operations that may run twice. Any response but OK is a RefusedError.
func (s *session) ask(ctx context.Context, op ptp.Operation, parameters ...uint32) ([]byte, ptp.Block, error) {
	var data []byte
	block, err := s.patiently(ctx, op, true, func() (block ptp.Block, err error) {
		data, block, err = s.dataset(ctx, op, answer{data: true}, maxDataset, parameters...)
		return block, err
	})
	return data, block, err
}

// patiently runs a transaction, waits while the camera is busy and, when the
// transaction may run twice, recovers once from a fault.
func (s *session) patiently(ctx context.Context, op ptp.Operation, twice bool, run func() (ptp.Block, error)) (ptp.Block, error) {
	const busyTries = 8
	wait := 50 * time.Millisecond
	recovered := false
	for busy := 0; ; {
		if s.doubt {
			if err := s.recover(ctx); err != nil {
				return ptp.Block{}, err
			}
		}
		block, err := run()
		switch {
		case err != nil && twice && !recovered && s.doubt && !errors.Is(err, ErrGone) && ctx.Err() == nil:
			s.log.Warn("camera transaction failed, recovering", "operation", op.String(), "error", err)
			recovered = true
		case err != nil:
			return block, err
		case ptp.Response(block.Code) == ptp.RespDeviceBusy && busy < busyTries:
			busy++
			if err := sleep(ctx, wait); err != nil {
				return block, err
			}
			wait = min(2*wait, time.Second)
		case ptp.Response(block.Code) != ptp.RespOK:
			return block, &RefusedError{Operation: op, Code: ptp.Response(block.Code)}
		default:
			return block, nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
