//go:build cgo && linux

package usb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/gousb"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
)

// place is where a device's camera interface is.
type place struct {
	configuration int
	number        int // of the interface
	alternate     int
	in, out       gousb.EndpointDesc
	interrupt     gousb.EndpointDesc // MaxPacketSize 0 when there is none
}

var errNoInterface = errors.New("the device has no still image interface (class 6, subclass 1, protocol 1) and none of the maker's own kind that is named MTP")

// named says whether the device names an interface MTP. Makers who use a class of
// their own for MTP, as Android did until version 7, tell it so.
type named func(configuration, number int) bool

// finder looks for the camera's interface. These two kinds and no other are ever claimed.
type finder struct {
	desc  *gousb.DeviceDesc
	named named
}

// find looks in the configuration that is active, and then in all others; active 0 stands for none.
func (f finder) find(active int) (place, error) {
	if c, ok := f.desc.Configs[active]; ok {
		if p, err := f.in(c); !errors.Is(err, errNoInterface) {
			return p, err
		}
	}
	for number := range 256 {
		if c, ok := f.desc.Configs[number]; ok && number != active {
			if p, err := f.in(c); !errors.Is(err, errNoInterface) {
				return p, err
			}
		}
	}
	return place{}, errNoInterface
}

func (f finder) in(c gousb.ConfigDesc) (place, error) {
	p, err := first(c, isStillImage)
	if errors.Is(err, errNoInterface) && f.named != nil {
		p, err = first(c, func(s gousb.InterfaceSetting) bool { return isMakersOwn(s) && f.named(c.Number, s.Number) })
	}
	return p, err
}

func isStillImage(s gousb.InterfaceSetting) bool {
	return uint8(s.Class) == ptp.InterfaceClass && uint8(s.SubClass) == ptp.InterfaceSubClass && uint8(s.Protocol) == ptp.InterfaceProtocol
}

func isMakersOwn(s gousb.InterfaceSetting) bool {
	return s.Class == gousb.ClassVendorSpec && s.SubClass == gousb.ClassVendorSpec && s.Protocol == 0
}

// first gives the first interface of a kind that has the endpoints that it takes.
func first(c gousb.ConfigDesc, kind func(gousb.InterfaceSetting) bool) (place, error) {
	for position, i := range c.Interfaces {
		for _, s := range i.AltSettings {
			if !kind(s) {
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

// others lists what the device is besides, in the configuration that is used.
func others(d *gousb.DeviceDesc, used place) []camera.Other {
	var list []camera.Other
	for _, i := range d.Configs[used.configuration].Interfaces {
		if i.Number != used.number && len(i.AltSettings) > 0 {
			s := i.AltSettings[0]
			list = append(list, camera.Other{Number: uint16(i.Number), Class: uint8(s.Class), SubClass: uint8(s.SubClass), Protocol: uint8(s.Protocol)})
		}
	}
	return list
}

// namedIn asks sysfs for the names of a device's interfaces: the kernel has read
// them, and nothing has to be opened.
func (b *Bus) namedIn(port string) named {
	return func(configuration, number int) bool {
		name, err := os.ReadFile(filepath.Join(b.sysfs, fmt.Sprintf("%s:%d.%d", port, configuration, number), "interface"))
		return err == nil && strings.EqualFold(strings.TrimSpace(string(name)), "MTP")
	}
}
