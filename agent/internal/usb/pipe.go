//go:build cgo && linux

package usb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/gousb"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

const (
	// pieceSize is one bulk transfer. All devices together share usbfs's 16 MiB of
	// transfer memory, so sixteen bays take half of it.
	pieceSize      = 512 << 10
	minPieceSize   = 16 << 10
	controlTimeout = 5 * time.Second

	requestClearFeature = 1 // USB 2.0 section 9.4.1
	toEndpoint          = 0x02
)

// pipe is one open camera. It implements camera.Pipe.
type pipe struct {
	bus    *Bus
	port   string
	serial string

	controlling sync.Mutex // held during a control transfer: gousb keeps its timeout in the device

	listening sync.Mutex // guards the two below; held for moments, also with mu
	hush      func()     // ends the interrupt transfer that waits; nil when none does
	wanted    int        // how many wait for the device to be theirs alone

	// mu is held for reading while the device is used, for writing by Reset and Close.
	mu        sync.RWMutex
	context   *gousb.Context
	device    *gousb.Device
	config    *gousb.Config
	claimed   *gousb.Interface
	place     place
	others    []camera.Other
	in        *gousb.InEndpoint
	out       *gousb.OutEndpoint
	interrupt *gousb.InEndpoint // nil when the camera has none
	piece     int               // bytes; shrinks when the kernel has no memory. Used by bulk reads only
}

var (
	_ camera.Pipe      = (*pipe)(nil)
	_ camera.Composite = (*pipe)(nil)
)

// claim takes the still image interface and its endpoints.
func (p *pipe) claim() error {
	active, err := p.device.ActiveConfigNum()
	if err != nil {
		return fmt.Errorf("asking for the configuration: %w", translate(err))
	}
	if p.place, err = p.bus.finder(p.device.Desc).find(active); err != nil {
		return err
	}
	p.others = others(p.device.Desc, p.place)
	if p.config, err = p.device.Config(p.place.configuration); err != nil {
		return fmt.Errorf("choosing configuration %d: %w", p.place.configuration, translate(err))
	}
	if p.claimed, err = p.config.Interface(p.place.number, p.place.alternate); err != nil {
		return fmt.Errorf("claiming interface %d: %w", p.place.number, translate(err))
	}
	if p.in, err = p.claimed.InEndpoint(p.place.in.Number); err != nil {
		return fmt.Errorf("opening the bulk-in endpoint: %w", translate(err))
	}
	if p.out, err = p.claimed.OutEndpoint(p.place.out.Number); err != nil {
		return fmt.Errorf("opening the bulk-out endpoint: %w", translate(err))
	}
	if p.place.interrupt.MaxPacketSize > 0 {
		if p.interrupt, err = p.claimed.InEndpoint(p.place.interrupt.Number); err != nil {
			return fmt.Errorf("opening the interrupt endpoint: %w", translate(err))
		}
	}
	return nil
}

// release gives the interface back. The caller holds mu for writing.
func (p *pipe) release() error {
	p.in, p.out, p.interrupt = nil, nil, nil
	if p.claimed != nil {
		p.claimed.Close()
		p.claimed = nil
	}
	if p.config == nil {
		return nil
	}
	err := p.config.Close()
	p.config = nil
	return err
}

var errClosed = fmt.Errorf("%w: it was closed", camera.ErrGone)

// BulkIn implements camera.Pipe. libusb itself keeps the kernel's queue filled
// within one transfer.
func (p *pipe) BulkIn(ctx context.Context, data []byte) (int, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.in == nil {
		return 0, errClosed
	}
	done := 0
	for {
		size := min(len(data)-done, p.piece-p.piece%p.place.in.MaxPacketSize)
		n, err := p.in.ReadContext(ctx, data[done:done+size])
		if errors.Is(err, gousb.ErrorNoMem) && n == 0 && p.piece > minPieceSize {
			p.piece /= 2
			continue
		}
		done += n
		if err != nil {
			return done, judge(ctx, err)
		}
		if n < size || done == len(data) {
			return done, nil
		}
	}
}

// BulkOut implements camera.Pipe.
func (p *pipe) BulkOut(ctx context.Context, data []byte) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.out == nil {
		return errClosed
	}
	n, err := p.out.WriteContext(ctx, data)
	if err == nil && n != len(data) {
		return fmt.Errorf("%w: it took %d of %d bytes", camera.ErrProtocol, n, len(data))
	}
	if err == nil && n > 0 && n%p.place.out.MaxPacketSize == 0 {
		_, err = p.out.WriteContext(ctx, nil)
	}
	return judge(ctx, err)
}

// Interrupt implements camera.Pipe. One goroutine uses it. A Reset ends a transfer
// that waits with camera.ErrTimeout, and it is asked again.
func (p *pipe) Interrupt(ctx context.Context, data []byte) (int, error) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	if !p.listen(cancel) {
		return 0, fmt.Errorf("%w: it is being reset or closed", camera.ErrTimeout)
	}
	defer p.listen(nil)
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.in == nil {
		return 0, errClosed
	}
	if p.interrupt == nil {
		return 0, camera.ErrNoEvents
	}
	n, err := p.interrupt.ReadContext(waiting, data)
	return n, judge(ctx, err)
}

// listen notes how the interrupt transfer that begins can be ended; false when it must not begin.
func (p *pipe) listen(hush func()) bool {
	p.listening.Lock()
	defer p.listening.Unlock()
	if hush != nil && p.wanted > 0 {
		return false
	}
	p.hush = hush
	return true
}

// lock takes mu for writing. An interrupt transfer may wait for ever, so it is ended.
func (p *pipe) lock() {
	p.listening.Lock()
	p.wanted++
	if p.hush != nil {
		p.hush()
	}
	p.listening.Unlock()
	p.mu.Lock()
	p.listening.Lock()
	p.wanted--
	p.listening.Unlock()
}

// Control implements camera.Pipe. It ends at the deadline of ctx or after five
// seconds; a cancellation in between is seen when it ends.
func (p *pipe) Control(ctx context.Context, requestType, request uint8, value, index uint16, data []byte) (int, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.in == nil {
		return 0, errClosed
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p.controlling.Lock()
	defer p.controlling.Unlock()
	p.device.ControlTimeout = controlTimeout
	if deadline, ok := ctx.Deadline(); ok {
		// Below a millisecond libusb would take the timeout for none.
		p.device.ControlTimeout = max(min(time.Until(deadline), controlTimeout), time.Millisecond)
	}
	n, err := p.device.Control(requestType, request, value, index, data)
	return n, judge(ctx, err)
}

// ClearHalt implements camera.Pipe.
func (p *pipe) ClearHalt(ctx context.Context) error {
	const endpointHalt = 0
	for _, e := range []gousb.EndpointDesc{p.place.in, p.place.out} {
		if _, err := p.Control(ctx, toEndpoint, requestClearFeature, endpointHalt, uint16(e.Address), nil); err != nil {
			return fmt.Errorf("clearing the halt of endpoint 0x%02x: %w", uint8(e.Address), err)
		}
	}
	return nil
}

// Reset implements camera.Pipe with a reset of the USB port.
func (p *pipe) Reset(ctx context.Context) error {
	p.lock()
	defer p.mu.Unlock()
	if p.device == nil {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.release(); err != nil {
		return fmt.Errorf("releasing the camera for a reset: %w", translate(err))
	}
	if err := p.device.Reset(); err != nil {
		return fmt.Errorf("resetting the camera's USB port: %w", translate(err))
	}
	return p.claim()
}

// Others implements camera.Composite.
func (p *pipe) Others() []camera.Other { return p.others }

func (p *pipe) Serial() string    { return p.serial }
func (p *pipe) Port() string      { return p.port }
func (p *pipe) Interface() uint16 { return uint16(p.place.number) }
func (p *pipe) MaxPacket() int    { return p.place.in.MaxPacketSize }

// Close implements camera.Pipe. It waits for transfers that run.
func (p *pipe) Close() error {
	p.lock()
	defer p.mu.Unlock()
	if p.device == nil {
		return nil
	}
	err := errors.Join(p.release(), p.device.Close(), p.bus.end(p.context))
	p.device = nil
	if err != nil {
		return fmt.Errorf("closing the camera in bay %s: %w", p.port, err)
	}
	return nil
}

// judge translates a transfer's error; a cancelled transfer is the context's end.
func judge(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && (errors.Is(err, gousb.TransferCancelled) || errors.Is(err, gousb.ErrorTimeout)) {
		return ctx.Err()
	}
	return translate(err)
}

// translate maps libusb's errors to the camera package's.
func translate(err error) error {
	kind := camera.ErrProtocol
	var transfer gousb.TransferStatus
	var code gousb.Error
	switch {
	case errors.As(err, &transfer):
		switch transfer {
		case gousb.TransferStall:
			kind = camera.ErrStall
		case gousb.TransferNoDevice:
			kind = camera.ErrGone
		case gousb.TransferTimedOut, gousb.TransferCancelled:
			kind = camera.ErrTimeout
		}
	case errors.As(err, &code):
		switch code {
		case gousb.ErrorPipe:
			kind = camera.ErrStall
		case gousb.ErrorNoDevice, gousb.ErrorNotFound:
			kind = camera.ErrGone
		case gousb.ErrorTimeout:
			kind = camera.ErrTimeout
		case gousb.ErrorAccess, gousb.ErrorBusy, gousb.ErrorNoMem:
			return err // this machine's doing, not the camera's
		}
	default:
		if code, found := hiddenCode(err); found {
			return fmt.Errorf("%w (%s)", translate(code), err)
		}
		return err
	}
	return fmt.Errorf("%w (%w)", kind, err)
}

// hiddenCode finds the libusb error at the end of an error's text. gousb 1.1.3 puts
// it there with %v when it chooses a configuration or claims an interface, and so
// hides it from errors.Is.
func hiddenCode(err error) (gousb.Error, bool) {
	for _, code := range []gousb.Error{
		gousb.ErrorBusy, gousb.ErrorAccess, gousb.ErrorNoDevice, gousb.ErrorNotFound,
		gousb.ErrorPipe, gousb.ErrorTimeout, gousb.ErrorNoMem, gousb.ErrorIO,
	} {
		if strings.HasSuffix(err.Error(), code.Error()) {
			return code, true
		}
	}
	return 0, false
}
