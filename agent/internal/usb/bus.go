//go:build cgo && linux

package usb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/gousb"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

// Source is the camera.Location source of this package.
const Source = "usb"

const (
	sysfsDevices = "/sys/bus/usb/devices"
	accessTime   = 2 * time.Second // udev sets a new device's mode a moment after it appears, and its helpers look at it
	accessPause  = 100 * time.Millisecond
)

// Bus finds the cameras on this machine's USB ports. It implements camera.Bus.
type Bus struct {
	log   *slog.Logger
	sysfs string
	proc  string

	mu      sync.Mutex // guards the fields below
	told    string     // the last trouble that was logged, so that each is logged once
	opening sync.Mutex // one libusb context is made or ended at a time
}

// New returns the machine's USB.
func New(log *slog.Logger) *Bus {
	return &Bus{log: log.With("component", "usb"), sysfs: sysfsDevices, proc: procFolder}
}

// tell logs trouble when it is new.
func (b *Bus) tell(trouble string) {
	b.mu.Lock()
	news := trouble != b.told
	b.told = trouble
	b.mu.Unlock()
	if news && trouble != "" {
		b.log.Warn(trouble)
	}
}

// context makes a libusb context. gousb panics where libusb cannot start, for
// one when it was built without udev and /dev/bus/usb is missing.
func (b *Bus) context() (made *gousb.Context, err error) {
	b.opening.Lock()
	defer b.opening.Unlock()
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("libusb does not start: %v", cause)
		}
	}()
	return gousb.NewContext(), nil
}

func (b *Bus) end(c *gousb.Context) error {
	b.opening.Lock()
	defer b.opening.Unlock()
	return c.Close()
}

func (b *Bus) finder(d *gousb.DeviceDesc) finder {
	return finder{desc: d, named: b.namedIn(portPath(d))}
}

// portPath is the device's place in Linux's words: "1-2.3".
func portPath(d *gousb.DeviceDesc) string {
	ports := make([]string, len(d.Path))
	for i, port := range d.Path {
		ports[i] = strconv.Itoa(port)
	}
	return strconv.Itoa(d.Bus) + "-" + strings.Join(ports, ".")
}

// Open implements camera.Bus. A device that may not be used yet, or that somebody
// holds, is tried for two seconds; then the error says who holds it.
func (b *Bus) Open(ctx context.Context, at camera.Location) (camera.Pipe, error) {
	deadline := time.Now().Add(accessTime)
	for {
		p, where, err := b.open(at)
		if err == nil {
			return p, nil
		}
		passing := errors.Is(err, gousb.ErrorAccess) || errors.Is(err, gousb.ErrorBusy)
		if !passing || time.Now().After(deadline) {
			return nil, fmt.Errorf("opening %s: %w", at, b.explain(where, err))
		}
		pause := time.NewTimer(accessPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, fmt.Errorf("opening %s: %w", at, ctx.Err())
		case <-pause.C:
		}
	}
}

// open tries once; where is filled in as far as it is known.
func (b *Bus) open(at camera.Location) (p *pipe, where spot, err error) {
	context, err := b.context()
	if err != nil {
		return nil, where, err
	}
	devices, err := context.OpenDevices(func(d *gousb.DeviceDesc) bool {
		if len(d.Path) == 0 || portPath(d) != at.Port {
			return false
		}
		where = spot{node: nodeOf(d), port: at.Port}
		return true
	})
	if len(devices) != 1 {
		for _, d := range devices {
			err = errors.Join(err, d.Close())
		}
		if err == nil || !errors.Is(err, gousb.ErrorAccess) {
			err = errors.Join(fmt.Errorf("%w: there are %d devices in this bay", camera.ErrGone, len(devices)), err)
		}
		return nil, where, errors.Join(err, b.end(context))
	}
	p = &pipe{bus: b, context: context, device: devices[0], port: at.Port, piece: pieceSize}
	if err := p.claim(); err != nil {
		where.configuration, where.number = p.place.configuration, p.place.number
		return nil, where, errors.Join(err, p.Close())
	}
	if p.serial, err = p.device.SerialNumber(); err != nil {
		p.serial = "" // the camera's own PTP serial number counts more
	}
	return p, where, nil
}
