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
}

// arrival is what a transfer brought.
type arrival struct {
	data  []byte
	short bool // the transfer ended with it
}

var (
	_ camera.Pipe      = (*pipe)(nil)
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
	t, err := p.line.submit(endpoint&0x0f, direction, setup, data)
	if err != nil {
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
	n, err := p.readAhead(ctx, data[done:])
	return done + n, err
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
			t, err := p.line.submit(p.layout.bulkIn&0x0f, wire.In, wire.Setup{}, data[offset:offset+size])
			if err != nil {
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
	p.early = nil
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
	p.early = nil
	return p.configure(ctx)
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
