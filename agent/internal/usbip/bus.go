package usbip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

// Source is the camera.Location source of this package.
const Source = "usbip"

const operationTimeout = 5 * time.Second // to connect, to list, to import

// Bus finds the cameras of one or more USB/IP servers. It implements camera.Bus.
type Bus struct {
	addresses []string
	log       *slog.Logger

	mu     sync.Mutex        // guards the maps below
	open   map[string]*pipe  // by port; entries whose connection ended are dropped on a scan
	looked map[string]bool   // is this device, which was listed without interfaces, a camera
	failed map[string]string // last failure told per address, so that each is told once
}

// New returns a bus over servers at addresses: "host:port", "unix:/path" or
// "/path". With one address a bay is the bus id, such as "1-1"; with several it is
// the bus id, '@' and the address.
func New(addresses []string, log *slog.Logger) (*Bus, error) {
	for _, a := range addresses {
		network, address := split(a)
		if network == "tcp" {
			if _, _, err := net.SplitHostPort(address); err != nil {
				return nil, fmt.Errorf("USB/IP address %q: %w (want host:port or unix:/path)", a, err)
			}
		} else if address == "" {
			return nil, fmt.Errorf("USB/IP address %q: the path is empty", a)
		}
	}
	return &Bus{addresses: addresses, log: log.With("component", "usbip"), open: map[string]*pipe{}, looked: map[string]bool{}, failed: map[string]string{}}, nil
}

func split(address string) (network, rest string) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", path
	}
	if strings.HasPrefix(address, "/") {
		return "unix", address
	}
	return "tcp", address
}

func (b *Bus) port(address, busID string) string {
	if len(b.addresses) == 1 {
		return busID
	}
	return busID + "@" + address
}

func (b *Bus) locate(port string) (address, busID string, err error) {
	busID, address, found := strings.Cut(port, "@")
	if !found && len(b.addresses) == 1 {
		address = b.addresses[0]
	}
	for _, a := range b.addresses {
		if a == address && validBusID(busID) {
			return address, busID, nil
		}
	}
	return "", "", fmt.Errorf("no USB/IP server is configured for bay %q", port)
}

// validBusID takes what Linux and the simulator use as bus ids: "1-2.3".
func validBusID(id string) bool {
	return id != "" && len(id) < wire.BusIDSize && strings.Trim(id, "0123456789-.") == ""
}

// Devices implements camera.Bus. A server that cannot be reached is reported once
// in the log and counts as having no cameras; an error comes only when ctx ends.
func (b *Bus) Devices(ctx context.Context) ([]camera.Location, error) {
	var list []camera.Location
	present := map[string]bool{}
	for _, address := range b.addresses {
		devices, err := listDevices(ctx, address)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("listing USB/IP devices: %w", ctx.Err())
		}
		b.report(address, err)
		for _, d := range devices {
			port := b.port(address, d.BusID)
			if !validBusID(d.BusID) || present[port] || !b.isCamera(ctx, address, d) {
				continue
			}
			present[port] = true
			list = append(list, camera.Location{Source: Source, Port: port})
		}
	}
	// Servers leave devices out that somebody has imported, also when that is us.
	for _, port := range b.alive() {
		if !present[port] {
			list = append(list, camera.Location{Source: Source, Port: port})
		}
	}
	return list, nil
}

func (b *Bus) report(address string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	b.mu.Lock()
	before := b.failed[address]
	b.failed[address] = text
	b.mu.Unlock()
	switch {
	case text == before:
	case err != nil:
		b.log.Warn("no cameras from this USB/IP server", "address", address, "error", err)
	default:
		b.log.Info("USB/IP server answers again", "address", address)
	}
}

func (b *Bus) alive() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ports []string
	for port, p := range b.open {
		if p.line.ended() {
			delete(b.open, port)
			continue
		}
		ports = append(ports, port)
	}
	return ports
}

// isCamera looks for a still image interface in the device list or, where the list
// names no interfaces or one of a maker's own kind, in the descriptors; the latter
// is remembered, because it takes an import.
func (b *Bus) isCamera(ctx context.Context, address string, d wire.Device) bool {
	perhaps := len(d.Interfaces) == 0
	for _, i := range d.Interfaces {
		if isStillImage(i.Class, i.SubClass, i.Protocol) {
			return true
		}
		perhaps = perhaps || isMakersOwn(i.Class, i.SubClass, i.Protocol)
	}
	if !perhaps {
		return false
	}
	key := fmt.Sprintf("%s %s %08x %04x:%04x", address, d.BusID, d.DeviceID(), d.Vendor, d.Product)
	b.mu.Lock()
	answer, known := b.looked[key]
	if len(b.looked) > 4*wire.MaxDevices {
		clear(b.looked)
	}
	b.mu.Unlock()
	if known {
		return answer
	}
	p, err := openPipe(ctx, address, d.BusID, b.port(address, d.BusID))
	if err == nil {
		err = p.Close()
	} else if !errors.Is(err, errNoInterface) {
		b.log.Debug("cannot look at a USB/IP device", "busid", d.BusID, "error", err)
		return false
	}
	answer = err == nil
	b.mu.Lock()
	b.looked[key] = answer
	b.mu.Unlock()
	return answer
}

// Open implements camera.Bus.
func (b *Bus) Open(ctx context.Context, at camera.Location) (camera.Pipe, error) {
	address, busID, err := b.locate(at.Port)
	if err != nil {
		return nil, err
	}
	p, err := openPipe(ctx, address, busID, at.Port)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", at, err)
	}
	b.mu.Lock()
	b.open[at.Port] = p
	b.mu.Unlock()
	return p, nil
}
