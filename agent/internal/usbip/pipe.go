package usbip

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/camera"
	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

// Bulk reads are cut into transfers of pieceSize bytes, depth of which are in flight.
const (
	pieceSize = 1 << 20
	depth     = 4
)

// pipe is one imported camera.
type pipe struct {
	line   *line
	port   string
	serial string
	layout layout

	// early holds transfers that completed although a short packet before them had
	// ended the read that asked for them. The next reads get their bytes first. Owned
	// by the one goroutine that uses the bulk endpoints.
	early []arrival

	// ahead holds transfers that Exchange has submitted for reads to come, oldest
	// first. Their bytes come after those of early. Owned as early is.
	ahead []*transfer
}

// arrival is what a transfer brought.
type arrival struct {
	data  []byte
	short bool // the transfer ended with it
}

var (
	_ camera.Pipe      = (*pipe)(nil)
	_ camera.Exchanger = (*pipe)(nil)
	_ camera.Ending    = (*pipe)(nil)
	_ camera.Composite = (*pipe)(nil)
)

func openPipe(ctx context.Context, address, busID, port string) (*pipe, error) {
	conn, device, err := importDevice(ctx, address, busID)
	if err != nil {
		return nil, err
	}
	p := &pipe{line: newLine(conn, device.DeviceID()), port: port}
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	if err := p.describe(ctx); err != nil {
		p.line.close()
		return nil, err
	}
	return p, nil
}

// Control implements camera.Pipe.
func (p *pipe) Control(ctx context.Context, requestType, request uint8, value, index uint16, data []byte) (int, error) {
	if len(data) > 0xFFFF {
		return 0, fmt.Errorf("control transfer of %d bytes, at most 65535", len(data))
	}
	setup := wire.Setup{RequestType: requestType, Request: request, Value: value, Index: index, Length: uint16(len(data))}
	return p.run(ctx, 0, directionOf(requestType), setup, data)
}

// run makes one transfer.
func (p *pipe) run(ctx context.Context, endpoint uint8, direction wire.Direction, setup wire.Setup, data []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t := newTransfer(endpoint, direction, setup, data)
	if err := p.line.submit(t); err != nil {
		return 0, err
	}
	return p.line.wait(ctx, t)
}

// BulkOut implements camera.Pipe.
func (p *pipe) BulkOut(ctx context.Context, data []byte) error {
	n, err := p.run(ctx, p.layout.bulkOut, wire.Out, wire.Setup{}, data)
	if err != nil {
		return err
	}
	if n != len(data) {
		return fmt.Errorf("%w: it took %d of %d bytes", camera.ErrProtocol, n, len(data))
	}
	if len(data) > 0 && len(data)%p.layout.outPacket == 0 {
		_, err = p.run(ctx, p.layout.bulkOut, wire.Out, wire.Setup{}, nil)
	}
	return err
}

// Interrupt implements camera.Pipe.
func (p *pipe) Interrupt(ctx context.Context, data []byte) (int, error) {
	if p.layout.interrupt == 0 {
		return 0, camera.ErrNoEvents
	}
	return p.run(ctx, p.layout.interrupt, wire.In, wire.Setup{}, data)
}

// BulkIn implements camera.Pipe.
func (p *pipe) BulkIn(ctx context.Context, data []byte) (int, error) {
	done, ended := p.takeEarly(data)
	if ended || done == len(data) && done > 0 {
		return done, nil
	}
	if err := ctx.Err(); err != nil {
		return done, err
	}
	if len(p.ahead) > 0 {
		n, err := p.arrive(ctx)
		switch {
		case err != nil:
			return done, err
		case n == 0: // an empty packet ends the read
			return done, nil
		}
		n, err = p.BulkIn(ctx, data[done:])
		return done + n, err
	}
	n, err := p.readAhead(ctx, data[done:])
	return done + n, err
}

// Exchange implements camera.Exchanger: all of it is one write to the server.
func (p *pipe) Exchange(ctx context.Context, out, in []byte, more int) (int, error) {
	if out != nil && len(p.early) == 0 && len(p.ahead) == 1 && len(in) >= len(p.ahead[0].buffer) && len(out)%p.layout.outPacket != 0 {
		return p.exchangeAhead(ctx, out, in, more)
	}
	plain := len(p.early) > 0 || len(p.ahead) > 0 || len(in) == 0 || len(in) > pieceSize
	if out != nil && (plain || len(out)%p.layout.outPacket == 0) {
		if err := p.BulkOut(ctx, out); err != nil {
			return 0, err
		}
		return p.BulkIn(ctx, in)
	}
	if plain {
		return p.BulkIn(ctx, in)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	first := newTransfer(p.layout.bulkIn, wire.In, wire.Setup{}, in)
	if out == nil {
		return p.converse(ctx, nil, first, more, first)
	}
	sent := p.sending(out)
	return p.converse(ctx, sent, first, more, sent, first)
}

// exchangeAhead is Exchange while a read is asked for already, which the camera did
// not need for its last answer. So it gets the beginning of this one.
func (p *pipe) exchangeAhead(ctx context.Context, out, in []byte, more int) (int, error) {
	sent, first := p.sending(out), p.ahead[0]
	p.ahead = nil
	if len(in) > len(first.buffer) {
		more = 0 // the rest comes before it
	}
	n, err := p.converse(ctx, sent, first, more, sent)
	n = copy(in, first.buffer[:n])
	if err != nil || n < len(first.buffer) || n == len(in) {
		return n, err
	}
	rest, err := p.BulkIn(ctx, in[n:])
	return n + rest, err
}

func (p *pipe) sending(out []byte) *transfer {
	t := newTransfer(p.layout.bulkOut, wire.Out, wire.Setup{}, out)
	t.failed = make(chan struct{})
	return t
}

// converse submits a batch, and behind it a read ahead when more > 0, and waits for
// the first answer to what is sent.
func (p *pipe) converse(ctx context.Context, sent, first *transfer, more int, batch ...*transfer) (int, error) {
	if more > 0 {
		p.ahead = []*transfer{newTransfer(p.layout.bulkIn, wire.In, wire.Setup{}, make([]byte, more))}
		batch = append(batch, p.ahead...)
	}
	if err := p.line.submit(batch...); err != nil {
		p.ahead = nil
		return 0, err
	}
	n, err := p.answer(ctx, sent, first)
	if err != nil {
		p.giveUpAhead()
	}
	return n, err
}

// answer waits for the first transfer that answers what was sent, if anything was.
func (p *pipe) answer(ctx context.Context, sent, first *transfer) (int, error) {
	if sent == nil {
		return p.line.wait(ctx, first)
	}
	select {
	case <-first.done:
	case <-sent.failed:
	case <-ctx.Done():
	}
	n, err := p.line.wait(ctx, sent)
	if err == nil && n != len(sent.buffer) {
		err = fmt.Errorf("%w: it took %d of %d bytes", camera.ErrProtocol, n, len(sent.buffer))
	}
	if err != nil {
		p.line.cancel(first)
		return first.n, err
	}
	return p.line.wait(ctx, first)
}

// arrive waits for the oldest transfer of ahead, and moves it to early.
func (p *pipe) arrive(ctx context.Context) (int, error) {
	t := p.ahead[0]
	n, err := p.line.wait(ctx, t)
	if err != nil {
		p.giveUpAhead()
		return n, err
	}
	p.ahead = p.ahead[1:]
	if n > 0 {
		p.early = append(p.early, arrival{data: t.buffer[:n], short: n < len(t.buffer)})
	}
	return n, nil
}

// giveUpAhead cancels what was submitted for reads to come.
func (p *pipe) giveUpAhead() {
	rest := p.ahead
	p.ahead = nil
	p.abandon(rest)
}

// takeEarly gives out bytes that came before they were asked for.
func (p *pipe) takeEarly(data []byte) (n int, ended bool) {
	for len(p.early) > 0 {
		a := &p.early[0]
		took := copy(data[n:], a.data)
		n += took
		a.data = a.data[took:]
		if len(a.data) > 0 {
			return n, true
		}
		short := a.short
		p.early = p.early[1:]
		if short {
			return n, true
		}
	}
	p.early = nil
	return n, false
}

// readAhead reads one bulk transfer with several USB/IP transfers in flight.
func (p *pipe) readAhead(ctx context.Context, data []byte) (int, error) {
	var flight [depth]*transfer
	first, count, offset, done := 0, 0, 0, 0
	for {
		for count < depth && (offset < len(data) || offset == 0 && count == 0 && done == 0) {
			size := min(pieceSize, len(data)-offset)
			t := newTransfer(p.layout.bulkIn, wire.In, wire.Setup{}, data[offset:offset+size])
			if err := p.line.submit(t); err != nil {
				return done, err // the line has ended, and with it what was in flight
			}
			flight[(first+count)%depth] = t
			count++
			offset += size
			if size == 0 {
				break
			}
		}
		if count == 0 {
			return done, nil
		}
		t := flight[first]
		first, count = (first+1)%depth, count-1
		n, err := p.line.wait(ctx, t)
		done += n
		if err == nil && n == len(t.buffer) && n > 0 {
			continue
		}
		rest := make([]*transfer, 0, depth)
		for i := range count {
			rest = append(rest, flight[(first+i)%depth])
		}
		p.abandon(rest)
		return done, err
	}
}

// abandon cancels the transfers after the one that ended the read, and keeps what
// they brought in the meantime.
func (p *pipe) abandon(rest []*transfer) {
	p.line.cancel(rest...)
	for _, t := range rest {
		if t.err == nil {
			p.early = append(p.early, arrival{data: append([]byte(nil), t.buffer[:t.n]...), short: t.n < len(t.buffer)})
		}
	}
}

// ClearHalt implements camera.Pipe (USB 2.0 section 9.4.1).
func (p *pipe) ClearHalt(ctx context.Context) error {
	const endpointHalt = 0
	p.forget()
	for _, endpoint := range []uint8{p.layout.bulkIn, p.layout.bulkOut} {
		if _, err := p.Control(ctx, toEndpoint, requestClearFeature, endpointHalt, uint16(endpoint), nil); err != nil {
			return fmt.Errorf("clearing the halt of endpoint 0x%02x: %w", endpoint, err)
		}
	}
	return nil
}

// Reset implements camera.Pipe. USB/IP has no port reset; setting the configuration
// again resets every endpoint and interface (USB 2.0 section 9.1.1.5).
func (p *pipe) Reset(ctx context.Context) error {
	p.forget()
	return p.configure(ctx)
}

// forget drops what was to be read.
func (p *pipe) forget() {
	p.giveUpAhead()
	p.early = nil
}

// Others implements camera.Composite.
func (p *pipe) Others() []camera.Other { return p.layout.others }

func (p *pipe) Serial() string    { return p.serial }
func (p *pipe) Port() string      { return p.port }
func (p *pipe) Interface() uint16 { return p.layout.number }
func (p *pipe) MaxPacket() int    { return p.layout.inPacket }

// Ended implements camera.Ending: the server closes the connection of a device
// that is taken out, and the line's reader sees it.
func (p *pipe) Ended() <-chan struct{} { return p.line.exited }

// Close implements camera.Pipe. Afterwards every call fails with camera.ErrGone.
func (p *pipe) Close() error {
	p.line.close()
	return nil
}
