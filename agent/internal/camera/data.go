package camera

import (
	"context"
	"errors"
	"fmt"
	"io"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// dataPhase is a data container that is being read (PIMA 15740 annex D.7.1). All of
// its bytes have to be read, or the session recovers before its next transaction.
type dataPhase struct {
	s     *session
	op    ptp.Operation
	id    uint32
	size  uint64 // of the payload, when known
	known bool
	taken uint64 // payload bytes that arrived
	stash []byte // arrived in the session's memory, not yet given out
	ended bool   // all bytes arrived, or a short packet said so
}

// startData takes over after the header and maybe some payload arrived in room[:n].
func (s *session) startData(op ptp.Operation, id uint32, header ptp.Header, room []byte, n int) (*dataPhase, error) {
	d := &dataPhase{s: s, op: op, id: id}
	d.size, d.known = header.PayloadSize()
	got := n - ptp.HeaderSize
	if d.known && uint64(got) > d.size {
		return nil, s.broken("%d bytes of data, announced were %d", got, d.size)
	}
	d.taken = uint64(got)
	d.stash = room[ptp.HeaderSize:n]
	s.doubt = true // until finish saw the response
	headerAlone := got == 0 && n < len(room)
	d.settle(n < len(room) && !headerAlone)
	return d, nil
}

// settle notes after each transfer whether the data ended. A known length of
// zero also ends here.
func (d *dataPhase) settle(short bool) {
	d.ended = d.ended || short || d.known && d.taken == d.size
}

// read fills p as far as the data goes; io.EOF comes when nothing is left. Bytes go
// from the pipe into p without a copy, but for those that share a packet with the
// header or with the next caller's bytes.
func (d *dataPhase) read(ctx context.Context, p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if len(d.stash) > 0 {
			n := copy(p[done:], d.stash)
			d.stash = d.stash[n:]
			done += n
			continue
		}
		if d.ended {
			return done, io.EOF
		}
		n, err := d.receive(ctx, p[done:])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// receive takes one transfer, into p when that can hold whole packets or all that
// remains, else into the stash.
func (d *dataPhase) receive(ctx context.Context, p []byte) (int, error) {
	packet := d.s.packet
	want := len(p) - len(p)%packet
	rest := d.known && d.size-d.taken <= uint64(len(p))
	if rest {
		want = int(d.size - d.taken)
	}
	rest = rest && want <= d.s.piece
	want = min(want, d.s.piece)
	if want > 0 {
		n, err := d.s.take(ctx, nil, p[:want], rest)
		d.taken += uint64(n)
		d.settle(n < want && err == nil)
		return n, err
	}
	room := d.s.first
	if d.known && d.size-d.taken < uint64(len(room)) {
		room = room[:d.size-d.taken]
	}
	n, err := d.s.bulkIn(ctx, room)
	d.taken += uint64(n)
	d.stash = room[:n]
	d.settle(n < len(room) && err == nil)
	return 0, err
}

// readAll reads a dataset of limit bytes at most. Memory grows with what arrives.
func (d *dataPhase) readAll(ctx context.Context, limit int) ([]byte, error) {
	if d.known && d.size > uint64(limit) {
		return nil, d.s.broken("%d bytes of data, at most %d are taken", d.size, limit)
	}
	const step = 64 << 10
	var data []byte
	for {
		room := step
		if d.known {
			room = int(min(step, d.size-uint64(len(data))))
		}
		start := len(data)
		data = append(data, make([]byte, room)...)
		n, err := d.read(ctx, data[start:])
		data = data[:start+n]
		if errors.Is(err, io.EOF) || err == nil && d.ended && len(d.stash) == 0 {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) > limit {
			return nil, d.s.broken("more than %d bytes of data", limit)
		}
	}
}

// finish reads the response that ends the transaction.
func (d *dataPhase) finish(ctx context.Context) (ptp.Block, error) {
	if !d.ended && !d.known && len(d.stash) == 0 {
		// Data of unknown length that was asked for to the byte: its end is an empty packet.
		if _, err := d.receive(ctx, nil); err != nil {
			return ptp.Block{}, err
		}
	}
	if !d.ended || len(d.stash) > 0 {
		return ptp.Block{}, d.s.broken("data of %s goes on after what was asked for", d.op)
	}
	n, header, err := d.s.container(ctx)
	if err != nil {
		return ptp.Block{}, fmt.Errorf("waiting for the response to %s: %w", d.op, err)
	}
	if header.Type != ptp.ContainerResponse || header.Transaction != d.id {
		return ptp.Block{}, d.s.broken("%s of transaction %d instead of the response to %s, transaction %d", header.Type, header.Transaction, d.op, d.id)
	}
	block, err := d.s.block(d.s.first[:n])
	if err != nil {
		return block, err
	}
	if d.known && d.taken != d.size && ptp.Response(block.Code) == ptp.RespOK {
		return block, d.s.broken("%s sent %d of %d bytes and answered OK", d.op, d.taken, d.size)
	}
	d.s.doubt = false
	return block, nil
}
