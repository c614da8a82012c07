package bus

import (
	"encoding/binary"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// Lie is how a device's descriptors are wrong.
type Lie string

// The lies. A host sees them when it takes the device the next time.
const (
	Truthful        Lie = ""
	LieZeroLength   Lie = "zero-length"  // an endpoint descriptor of length 0
	LieTotalLength  Lie = "total-length" // a configuration of 65,535 bytes, of which there are few
	LieInterfaces   Lie = "interfaces"   // 255 interfaces, the last of them the device's own
	LieNoEndpoints  Lie = "no-endpoints" // the interface has none
	LieMoreFunction Lie = "bad-usb"      // a keyboard, a network card and a disk as well
)

const manyInterfaces = 255

// others are the interfaces before the device's own: class, subclass, protocol.
func (l Lie) others() [][3]uint8 {
	switch l {
	case LieMoreFunction:
		return [][3]uint8{{3, 1, 1}, {2, 6, 0}, {8, 6, 80}} // boot keyboard, Ethernet control, bulk-only disk
	case LieInterfaces:
		list := make([][3]uint8, manyInterfaces-1)
		for i := range list {
			list[i] = [3]uint8{0xFF, 0, 0}
		}
		return list
	}
	return nil
}

// shown are the interfaces that USB/IP lists name, as many as such a list may have.
func (id *Identity) shown() []usbip.Interface {
	own := usbip.Interface{Class: id.Class, SubClass: id.SubClass, Protocol: id.ProtocolOfClass}
	var list []usbip.Interface
	for _, o := range id.Lie.others() {
		if len(list) == usbip.MaxInterfaces-1 {
			break
		}
		list = append(list, usbip.Interface{Class: o[0], SubClass: o[1], Protocol: o[2]})
	}
	return append(list, own)
}

// twist makes a true configuration descriptor a lying one. c has the configuration,
// one interface and its endpoints, each with the length that belongs to it.
func (l Lie) twist(c []byte) []byte {
	const head, interfaceSize = 9, 9
	switch l {
	case LieZeroLength:
		c[head+interfaceSize] = 0
	case LieTotalLength:
		binary.LittleEndian.PutUint16(c[2:], 0xFFFF)
	case LieNoEndpoints:
		c = c[:head+interfaceSize]
		c[head+4] = 0
		binary.LittleEndian.PutUint16(c[2:], uint16(len(c)))
	case LieInterfaces, LieMoreFunction:
		twisted := append([]byte(nil), c[:head]...)
		others := l.others()
		for i, o := range others {
			twisted = append(twisted, interfaceSize, 4, byte(i), 0, 0, o[0], o[1], o[2], 0)
		}
		own := len(twisted)
		twisted = append(twisted, c[head:]...)
		twisted[own+2] = byte(len(others))
		twisted[4] = byte(len(others) + 1)
		binary.LittleEndian.PutUint16(twisted[2:], uint16(len(twisted)))
		return twisted
	}
	return c
}
