//go:build cgo && linux

package usb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/gousb"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
)

// Source is the camera.Location source of this package.
const Source = "usb"

const (
	sysfsDevices = "/sys/bus/usb/devices"
	accessTime   = 2 * time.Second // udev sets a new device's mode a moment after it appears
	accessPause  = 100 * time.Millisecond
)

// Bus finds the cameras on this machine's USB ports. It implements camera.Bus.
type Bus struct {
	log   *slog.Logger
	sysfs string

	mu      sync.Mutex // guards the fields below
	told    string     // the last trouble that was logged, so that each is logged once
	opening sync.Mutex // one libusb context is made or ended at a time
}

// New returns the machine's USB.
func New(log *slog.Logger) *Bus {
	return &Bus{log: log.With("component", "usb"), sysfs: sysfsDevices}
}

// Devices implements camera.Bus. A machine without USB is reported once in the
// log and has no cameras.
func (b *Bus) Devices(ctx context.Context) ([]camera.Location, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("scanning USB: %w", err)
	}
	if entries, err := os.ReadDir(b.sysfs); len(entries) == 0 && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		b.tell("this machine has no USB bus; cameras are found over USB/IP only")
		return nil, nil
	}
	context, err := b.context()
	if err != nil {
		b.tell("this machine's USB cannot be used; cameras are found over USB/IP only: " + err.Error())
		return nil, nil
	}
	var list []camera.Location
	devices, err := context.OpenDevices(func(d *gousb.DeviceDesc) bool {
		if _, found := findInterface(d, 0); found == nil && len(d.Path) > 0 {
			list = append(list, camera.Location{Source: Source, Port: portPath(d)})
		}
		return false
	})
	for _, d := range devices { // none: nothing was chosen to be opened
		err = errors.Join(err, d.Close())
	}
	if err != nil {
		b.tell("a USB device could not be looked at: " + err.Error())
	} else {
		b.tell("")
	}
	if err := b.end(context); err != nil {
		return list, fmt.Errorf("scanning USB: %w", err)
	}
	return list, nil
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

// portPath is the device's place in Linux's words: "1-2.3".
func portPath(d *gousb.DeviceDesc) string {
	ports := make([]string, len(d.Path))
	for i, port := range d.Path {
		ports[i] = strconv.Itoa(port)
	}
	return strconv.Itoa(d.Bus) + "-" + strings.Join(ports, ".")
}

// place is where a device's still image interface is.
type place struct {
	configuration int
	number        int // of the interface
	alternate     int
	in, out       gousb.EndpointDesc
	interrupt     gousb.EndpointDesc // MaxPacketSize 0 when there is none
}

var errNoInterface = errors.New("the device has no still image interface (class 6, subclass 1, protocol 1)")

// findInterface finds the still image interface, in the configuration that is active
// if it has one there; 0 stands for none.
func findInterface(d *gousb.DeviceDesc, active int) (place, error) {
	if c, ok := d.Configs[active]; ok {
		if p, err := findIn(c); !errors.Is(err, errNoInterface) {
			return p, err
		}
	}
	for number := range 256 {
		if c, ok := d.Configs[number]; ok && number != active {
			if p, err := findIn(c); !errors.Is(err, errNoInterface) {
				return p, err
			}
		}
	}
	return place{}, errNoInterface
}

func findIn(c gousb.ConfigDesc) (place, error) {
	for position, i := range c.Interfaces {
		for _, s := range i.AltSettings {
			if uint8(s.Class) != ptp.InterfaceClass || uint8(s.SubClass) != ptp.InterfaceSubClass || uint8(s.Protocol) != ptp.InterfaceProtocol {
				continue
			}
			p := place{configuration: c.Number, number: i.Number, alternate: s.Alternate}
			if !p.endpoints(s) {
				continue
			}
			// gousb 1.1.3 takes an interface's position for its number, and would claim another one.
			if i.Number != position {
				return place{}, fmt.Errorf("%w: its interfaces are numbered with gaps (number %d at position %d), which libusb's binding cannot address", camera.ErrProtocol, i.Number, position)
			}
			return p, nil
		}
	}
	return place{}, errNoInterface
}

// endpoints picks the lowest-numbered endpoint of each kind; all but the interrupt one must be there.
func (p *place) endpoints(s gousb.InterfaceSetting) bool {
	for address := range 256 {
		e, ok := s.Endpoints[gousb.EndpointAddress(address)]
		if !ok || e.MaxPacketSize <= 0 {
			continue
		}
		in := e.Direction == gousb.EndpointDirectionIn
		switch {
		case e.TransferType == gousb.TransferTypeBulk && in && p.in.MaxPacketSize == 0:
			p.in = e
		case e.TransferType == gousb.TransferTypeBulk && !in && p.out.MaxPacketSize == 0:
			p.out = e
		case e.TransferType == gousb.TransferTypeInterrupt && in && p.interrupt.MaxPacketSize == 0:
			p.interrupt = e
		}
	}
	return p.in.MaxPacketSize > 0 && p.out.MaxPacketSize > 0
}

// Open implements camera.Bus.
func (b *Bus) Open(ctx context.Context, at camera.Location) (camera.Pipe, error) {
	deadline := time.Now().Add(accessTime)
	for {
		p, err := b.open(at)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, gousb.ErrorAccess) || time.Now().After(deadline) {
			return nil, fmt.Errorf("opening %s: %w", at, err)
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

func (b *Bus) open(at camera.Location) (*pipe, error) {
	context, err := b.context()
	if err != nil {
		return nil, err
	}
	devices, err := context.OpenDevices(func(d *gousb.DeviceDesc) bool {
		return len(d.Path) > 0 && portPath(d) == at.Port
	})
	if len(devices) != 1 {
		for _, d := range devices {
			err = errors.Join(err, d.Close())
		}
		if err == nil || !errors.Is(err, gousb.ErrorAccess) {
			err = errors.Join(fmt.Errorf("%w: there are %d devices in this bay", camera.ErrGone, len(devices)), err)
		} else {
			err = fmt.Errorf("this program may not use the device (install the udev rule, or give the service user access to /dev/bus/usb): %w", err)
		}
		return nil, errors.Join(err, b.end(context))
	}
	p := &pipe{bus: b, context: context, device: devices[0], port: at.Port, piece: pieceSize}
	if err := p.claim(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if p.serial, err = p.device.SerialNumber(); err != nil {
		p.serial = "" // the camera's own PTP serial number counts more
	}
	return p, nil
}
