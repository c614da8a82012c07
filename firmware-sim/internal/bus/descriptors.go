package bus

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// Descriptor types (USB 2.0, table 9-5).
const (
	descriptorDevice        = 1
	descriptorConfiguration = 2
	descriptorString        = 3
	descriptorQualifier     = 6
	descriptorOtherSpeed    = 7
)

// String indexes of every device.
const (
	stringLanguages = iota
	stringManufacturer
	stringModel
	stringSerial
	stringInterface
)

const (
	languageEnglish    = 0x0409
	maxStringUnits     = 126
	configurationValue = 1
	selfPowered        = 0xC0 // with the bit that must always be set
	halfAmpere         = 250  // in units of 2 mA
)

// deviceDescriptor is USB 2.0, table 9-8.
func (id *Identity) deviceDescriptor() []byte {
	d := []byte{18, descriptorDevice, 0x00, 0x02, 0, 0, 0, 64}
	d = binary.LittleEndian.AppendUint16(d, id.Vendor)
	d = binary.LittleEndian.AppendUint16(d, id.Product)
	d = binary.LittleEndian.AppendUint16(d, id.Release)
	return append(d, stringManufacturer, stringModel, stringSerial, 1)
}

// qualifier is USB 2.0, table 9-9: the device at the other speed.
func (id *Identity) qualifier() []byte {
	return []byte{10, descriptorQualifier, 0x00, 0x02, 0, 0, 0, 64, 1, 0}
}

// configuration is USB 2.0, tables 9-10 to 9-13, for the speed at hand or (as
// "other speed") for full speed.
func (id *Identity) configuration(kind byte) []byte {
	packet, interval := uint16(bulkPacket), byte(6) // 2^5 micro-frames: 4 ms
	if kind == descriptorOtherSpeed {
		packet, interval = 64, 10
	}
	c := []byte{9, kind, 0, 0, 1, configurationValue, 0, selfPowered, halfAmpere,
		9, 4, 0, 0, 3, id.Class, id.SubClass, id.ProtocolOfClass, stringInterface}
	for _, e := range []struct {
		address, attributes byte
		packet              uint16
		interval            byte
	}{{BulkIn, 2, packet, 0}, {BulkOut, 2, packet, 0}, {InterruptIn, 3, interruptPacket, interval}} {
		c = append(c, 7, 5, e.address, e.attributes)
		c = binary.LittleEndian.AppendUint16(c, e.packet)
		c = append(c, e.interval)
	}
	binary.LittleEndian.PutUint16(c[2:], uint16(len(c)))
	return id.Lie.twist(c)
}

// text is the string descriptor of an index, or nil.
func (id *Identity) text(index byte) []byte {
	var s string
	switch index {
	case stringLanguages:
		return []byte{4, descriptorString, languageEnglish & 0xff, languageEnglish >> 8}
	case stringManufacturer:
		s = id.Manufacturer
	case stringModel:
		s = id.Model
	case stringSerial:
		s = id.Serial
	case stringInterface:
		s = id.Interface
	default:
		return nil
	}
	units := utf16.Encode([]rune(s))
	units = units[:min(len(units), maxStringUnits)]
	d := []byte{byte(2 + 2*len(units)), descriptorString}
	for _, u := range units {
		d = binary.LittleEndian.AppendUint16(d, u)
	}
	return d
}

// descriptor answers GET_DESCRIPTOR; nil means stall.
func (id *Identity) descriptor(value uint16) []byte {
	switch kind, index := byte(value>>8), byte(value); {
	case kind == descriptorDevice && index == 0:
		return id.deviceDescriptor()
	case (kind == descriptorConfiguration || kind == descriptorOtherSpeed) && index == 0:
		return id.configuration(kind)
	case kind == descriptorQualifier && index == 0:
		return id.qualifier()
	case kind == descriptorString:
		return id.text(index)
	}
	return nil
}

// exported is the device as lists and imports show it.
func (id *Identity) exported(busID string, number uint32) usbip.Device {
	return usbip.Device{
		Path: "/sys/devices/sealdock/usb1/" + busID, BusID: busID, BusNum: 1, DevNum: number, Speed: usbip.SpeedHigh,
		Vendor: id.Vendor, Product: id.Product, Release: id.Release,
		Configuration: configurationValue, Configurations: 1,
		Interfaces: id.shown(),
	}
}
