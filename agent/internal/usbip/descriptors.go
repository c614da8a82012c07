package usbip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
	wire "github.com/sealdock/sealdock/proto/camera/usbip"
)

// Standard requests and descriptor types (USB 2.0 section 9.4).
const (
	requestClearFeature     = 1
	requestGetDescriptor    = 6
	requestGetConfiguration = 8
	requestSetConfiguration = 9

	toDevice   = 0x00
	toEndpoint = 0x02
	fromDevice = 0x80

	descriptorDevice        = 1
	descriptorConfiguration = 2
	descriptorString        = 3
	descriptorInterface     = 4
	descriptorEndpoint      = 5

	maxConfiguration = 4096 // bytes of a configuration with all its descriptors
	maxString        = 255
	english          = 0x0409
)

// errNoInterface says that a device is no camera.
var errNoInterface = errors.New("the device has no still image interface (class 6, subclass 1, protocol 1) and none of the maker's own kind that is named MTP")

func isStillImage(class, subClass, protocol uint8) bool {
	return class == ptp.InterfaceClass && subClass == ptp.InterfaceSubClass && protocol == ptp.InterfaceProtocol
}

// isMakersOwn is the class of makers who use one of their own for MTP, as Android did
// until version 7; the interface is then named MTP.
func isMakersOwn(class, subClass, protocol uint8) bool {
	return class == 0xff && subClass == 0xff && protocol == 0
}

// layout is where a camera's interface is. Interfaces of other kinds are never used.
type layout struct {
	configuration uint8
	number        uint16 // of the interface
	name          uint8  // string descriptor that names the interface, 0 for none
	bulkIn        uint8  // endpoint addresses, direction bit included
	bulkOut       uint8
	interrupt     uint8 // 0 when there is none
	inPacket      int   // bytes
	outPacket     int
	others        []camera.Other // what the device has besides
}

// parseConfiguration finds the first interface of a kind, alternate setting 0, in a
// configuration descriptor with everything that belongs to it (USB 2.0 section 9.6.3).
func parseConfiguration(p []byte, kind func(class, subClass, protocol uint8) bool) (layout, error) {
	if len(p) < 9 || p[1] != descriptorConfiguration {
		return layout{}, fmt.Errorf("%w: %d bytes are no configuration descriptor", camera.ErrProtocol, len(p))
	}
	whole := p
	found := layout{configuration: p[5]}
	inside := false
	for len(p) > 0 {
		length := int(p[0])
		if length < 2 || length > len(p) {
			return layout{}, fmt.Errorf("%w: a descriptor of %d bytes where %d are left", camera.ErrProtocol, length, len(p))
		}
		d := p[:length]
		p = p[length:]
		switch {
		case d[1] == descriptorInterface && length >= 9:
			if found.complete() {
				found.others = others(whole, found.number)
				return found, nil
			}
			inside = d[3] == 0 && kind(d[5], d[6], d[7])
			found = layout{configuration: found.configuration, number: uint16(d[2]), name: d[8]}
		case d[1] == descriptorEndpoint && length >= 7 && inside:
			found.endpoint(d)
		}
	}
	if !found.complete() {
		return layout{}, errNoInterface
	}
	found.others = others(whole, found.number)
	return found, nil
}

// others lists the interfaces but the one that is used, as far as the descriptors are sound.
func others(p []byte, used uint16) []camera.Other {
	var list []camera.Other
	for len(p) >= 2 {
		length := int(p[0])
		if length < 2 || length > len(p) {
			break
		}
		if d := p[:length]; d[1] == descriptorInterface && length >= 9 && d[3] == 0 && uint16(d[2]) != used {
			list = append(list, camera.Other{Number: uint16(d[2]), Class: d[5], SubClass: d[6], Protocol: d[7]})
		}
		p = p[length:]
	}
	return list
}

func (l *layout) complete() bool { return l.bulkIn != 0 && l.bulkOut != 0 }

func (l *layout) endpoint(d []byte) {
	const (
		kindMask      = 3
		kindBulk      = 2
		kindInterrupt = 3
		in            = 0x80
	)
	address, size := d[2], int(binary.LittleEndian.Uint16(d[4:])&0x7ff)
	if address&0x0f == 0 || size == 0 {
		return
	}
	switch kind := d[3] & kindMask; {
	case kind == kindBulk && address&in != 0 && l.bulkIn == 0:
		l.bulkIn, l.inPacket = address, size
	case kind == kindBulk && address&in == 0 && l.bulkOut == 0:
		l.bulkOut, l.outPacket = address, size
	case kind == kindInterrupt && address&in != 0 && l.interrupt == 0:
		l.interrupt = address
	}
}

// describe reads the descriptors over endpoint 0 and configures the device when
// nobody has done so.
func (p *pipe) describe(ctx context.Context) error {
	device := make([]byte, 18)
	n, err := p.Control(ctx, fromDevice, requestGetDescriptor, descriptorDevice<<8, 0, device)
	if err != nil {
		return fmt.Errorf("reading the device descriptor: %w", err)
	}
	if n < len(device) || device[1] != descriptorDevice {
		return fmt.Errorf("%w: %d bytes are no device descriptor", camera.ErrProtocol, n)
	}
	if p.layout, err = p.findInterface(ctx, device[17]); err != nil {
		return err
	}
	if p.serial, err = p.text(ctx, device[16]); err != nil {
		return fmt.Errorf("reading the serial number: %w", err)
	}
	active := make([]byte, 1)
	if n, err = p.Control(ctx, fromDevice, requestGetConfiguration, 0, 0, active); err != nil && !errors.Is(err, camera.ErrStall) {
		return fmt.Errorf("asking for the configuration: %w", err)
	}
	if err == nil && n == 1 && active[0] == p.layout.configuration {
		return nil
	}
	return p.configure(ctx)
}

func (p *pipe) configure(ctx context.Context) error {
	if _, err := p.Control(ctx, toDevice, requestSetConfiguration, uint16(p.layout.configuration), 0, nil); err != nil {
		return fmt.Errorf("setting configuration %d: %w", p.layout.configuration, err)
	}
	return nil
}

func (p *pipe) findInterface(ctx context.Context, configurations uint8) (layout, error) {
	for i := range min(configurations, 8) {
		head := make([]byte, 9)
		n, err := p.Control(ctx, fromDevice, requestGetDescriptor, descriptorConfiguration<<8|uint16(i), 0, head)
		if err != nil {
			return layout{}, fmt.Errorf("reading configuration descriptor %d: %w", i, err)
		}
		total := int(binary.LittleEndian.Uint16(head[2:]))
		if n < len(head) || total < len(head) || total > maxConfiguration {
			return layout{}, fmt.Errorf("%w: configuration descriptor %d of %d bytes", camera.ErrProtocol, i, total)
		}
		whole := make([]byte, total)
		if n, err = p.Control(ctx, fromDevice, requestGetDescriptor, descriptorConfiguration<<8|uint16(i), 0, whole); err != nil {
			return layout{}, fmt.Errorf("reading configuration descriptor %d: %w", i, err)
		}
		found, err := parseConfiguration(whole[:n], isStillImage)
		if errors.Is(err, errNoInterface) {
			found, err = p.namedMTP(ctx, whole[:n])
		}
		if !errors.Is(err, errNoInterface) {
			return found, err
		}
	}
	return layout{}, errNoInterface
}

// namedMTP finds an interface of the maker's own kind, if the device names it MTP.
func (p *pipe) namedMTP(ctx context.Context, configuration []byte) (layout, error) {
	found, err := parseConfiguration(configuration, isMakersOwn)
	if err != nil {
		return found, err
	}
	name, err := p.text(ctx, found.name)
	if err != nil {
		return layout{}, fmt.Errorf("reading the name of interface %d: %w", found.number, err)
	}
	if !strings.EqualFold(name, "MTP") {
		return layout{}, errNoInterface
	}
	return found, nil
}

// text reads a string descriptor. A camera that refuses has none.
func (p *pipe) text(ctx context.Context, index uint8) (string, error) {
	if index == 0 {
		return "", nil
	}
	d := make([]byte, maxString)
	n, err := p.Control(ctx, fromDevice, requestGetDescriptor, descriptorString<<8|uint16(index), english, d)
	if errors.Is(err, camera.ErrStall) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return parseString(d[:n]), nil
}

// parseString decodes a string descriptor; what is no such thing gives "".
func parseString(d []byte) string {
	if len(d) < 2 || d[1] != descriptorString {
		return ""
	}
	d = d[2:max(2, min(len(d), int(d[0])))]
	units := make([]uint16, len(d)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(d[2*i:])
	}
	return string(utf16.Decode(units))
}

// directionOf tells a control transfer's direction.
func directionOf(requestType uint8) wire.Direction {
	if requestType&fromDevice != 0 {
		return wire.In
	}
	return wire.Out
}
