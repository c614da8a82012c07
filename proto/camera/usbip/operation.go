package usbip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Version is the protocol version of every operation header (1.1.1).
const Version = 0x0111

// DefaultPort is the TCP port registered for USB/IP.
const DefaultPort = 3240

// Sizes on the wire, in bytes.
const (
	OpHeaderSize  = 8
	CountSize     = 4   // number of devices, after the header of a device list
	BusIDSize     = 32  // body of an import request
	DeviceSize    = 312 // one device without its interfaces; body of an import reply
	InterfaceSize = 4
	pathSize      = 256
)

// Limits on what a peer may claim.
const (
	MaxDevices    = 256
	MaxInterfaces = 32
)

// Errors of this package. Decoders wrap them with what was wrong.
var (
	ErrShort       = errors.New("message is cut short")
	ErrVersion     = errors.New("USB/IP version is not supported")
	ErrInvalid     = errors.New("message is not valid USB/IP")
	ErrTooLarge    = errors.New("length is above the limit")
	ErrIsochronous = errors.New("isochronous transfers are not supported")
)

// Op is the code of an operation.
type Op uint16

// Operations.
const (
	OpRequestDeviceList Op = 0x8005
	OpReplyDeviceList   Op = 0x0005
	OpRequestImport     Op = 0x8003
	OpReplyImport       Op = 0x0003
)

// OpStatus is the result that an operation reply carries.
type OpStatus uint32

// Operation results (the kernel's tools/usb/usbip/libsrc/usbip_common.h).
const (
	OpOK         OpStatus = 0
	OpFailed     OpStatus = 1
	OpBusy       OpStatus = 2 // somebody else has imported the device
	OpDeviceBad  OpStatus = 3
	OpNoDevice   OpStatus = 4
	OpUnexpected OpStatus = 5
)

// String names the result for people.
func (s OpStatus) String() string {
	switch s {
	case OpOK:
		return "ok"
	case OpFailed:
		return "request failed"
	case OpBusy:
		return "device is busy (exported to another host)"
	case OpDeviceBad:
		return "device is in an error state"
	case OpNoDevice:
		return "no such device"
	case OpUnexpected:
		return "unexpected response"
	}
	return fmt.Sprintf("status %d", uint32(s))
}

// Speed is a USB speed as Linux numbers it (enum usb_device_speed).
type Speed uint32

// Speeds.
const (
	SpeedUnknown Speed = 0
	SpeedLow     Speed = 1
	SpeedFull    Speed = 2
	SpeedHigh    Speed = 3
	SpeedSuper   Speed = 5
)

// OpHeader starts every operation and its reply.
type OpHeader struct {
	Code   Op
	Status OpStatus // zero in requests
}

// Append writes the header.
func (h OpHeader) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, Version)
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Code))
	return binary.BigEndian.AppendUint32(dst, uint32(h.Status))
}

// ParseOpHeader reads the first OpHeaderSize bytes of b. The header is returned
// with ErrVersion too, so that a server can answer in kind.
func ParseOpHeader(b []byte) (OpHeader, error) {
	if len(b) < OpHeaderSize {
		return OpHeader{}, fmt.Errorf("reading operation header of %d bytes: %w", len(b), ErrShort)
	}
	h := OpHeader{Code: Op(binary.BigEndian.Uint16(b[2:])), Status: OpStatus(binary.BigEndian.Uint32(b[4:]))}
	if v := binary.BigEndian.Uint16(b); v != Version {
		return h, fmt.Errorf("reading operation header of version %#04x: %w", v, ErrVersion)
	}
	return h, nil
}

// Interface is the class triple of one interface.
type Interface struct {
	Class, SubClass, Protocol uint8
}

// Device describes an exported device.
type Device struct {
	Path   string // at most 255 bytes; informative
	BusID  string // at most 31 bytes; what an import names
	BusNum uint32
	DevNum uint32
	Speed  Speed

	Vendor, Product, Release      uint16 // idVendor, idProduct, bcdDevice
	Class, SubClass, Protocol     uint8
	Configuration, Configurations uint8
	// Interfaces travel in device lists only. A list may leave them out even for a
	// device that has some (usbip-host does once a device is bound): read the
	// descriptors over endpoint 0 instead of trusting this.
	Interfaces []Interface
}

// DeviceID is what commands carry in Request.DeviceID for this device.
func (d *Device) DeviceID() uint32 { return d.BusNum<<16 | d.DevNum&0xffff }

func appendText(dst []byte, what, text string, size int) ([]byte, error) {
	if len(text) >= size || bytes.IndexByte([]byte(text), 0) >= 0 {
		return dst, fmt.Errorf("encoding %s of %d bytes, limit %d without NUL: %w", what, len(text), size-1, ErrInvalid)
	}
	dst = append(dst, text...)
	return append(dst, make([]byte, size-len(text))...), nil
}

func parseText(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// Append writes the DeviceSize bytes of d, without its interfaces but with their number.
func (d *Device) Append(dst []byte) ([]byte, error) {
	if len(d.Interfaces) > MaxInterfaces {
		return dst, fmt.Errorf("encoding device with %d interfaces, limit %d: %w", len(d.Interfaces), MaxInterfaces, ErrTooLarge)
	}
	dst, err := appendText(dst, "device path", d.Path, pathSize)
	if err != nil {
		return dst, err
	}
	if dst, err = appendText(dst, "bus id", d.BusID, BusIDSize); err != nil {
		return dst, err
	}
	be := binary.BigEndian
	dst = be.AppendUint32(dst, d.BusNum)
	dst = be.AppendUint32(dst, d.DevNum)
	dst = be.AppendUint32(dst, uint32(d.Speed))
	dst = be.AppendUint16(dst, d.Vendor)
	dst = be.AppendUint16(dst, d.Product)
	dst = be.AppendUint16(dst, d.Release)
	return append(dst, d.Class, d.SubClass, d.Protocol, d.Configuration, d.Configurations, uint8(len(d.Interfaces))), nil
}

// ParseDevice reads the first DeviceSize bytes of b. The device has no interfaces
// yet; their announced number, at most MaxInterfaces, is the second result: in a
// device list that many times InterfaceSize bytes follow, in an import reply none.
// Texts are as the peer sent them: escape them before people see them.
func ParseDevice(b []byte) (Device, int, error) {
	if len(b) < DeviceSize {
		return Device{}, 0, fmt.Errorf("reading device of %d bytes: %w", len(b), ErrShort)
	}
	t := b[pathSize+BusIDSize:]
	be := binary.BigEndian
	d := Device{
		Path: parseText(b[:pathSize]), BusID: parseText(b[pathSize : pathSize+BusIDSize]),
		BusNum: be.Uint32(t), DevNum: be.Uint32(t[4:]), Speed: Speed(be.Uint32(t[8:])),
		Vendor: be.Uint16(t[12:]), Product: be.Uint16(t[14:]), Release: be.Uint16(t[16:]),
		Class: t[18], SubClass: t[19], Protocol: t[20], Configuration: t[21], Configurations: t[22],
	}
	n := int(t[23])
	if n > MaxInterfaces {
		return Device{}, 0, fmt.Errorf("reading device %q with %d interfaces, limit %d: %w", d.BusID, n, MaxInterfaces, ErrTooLarge)
	}
	return d, n, nil
}

// ParseInterfaces reads count interfaces from b.
func ParseInterfaces(b []byte, count int) ([]Interface, error) {
	if count < 0 || count > MaxInterfaces {
		return nil, fmt.Errorf("reading %d interfaces, limit %d: %w", count, MaxInterfaces, ErrTooLarge)
	}
	if len(b) < count*InterfaceSize {
		return nil, fmt.Errorf("reading %d interfaces from %d bytes: %w", count, len(b), ErrShort)
	}
	if count == 0 {
		return nil, nil
	}
	list := make([]Interface, count)
	for i := range list {
		p := b[i*InterfaceSize:]
		list[i] = Interface{p[0], p[1], p[2]}
	}
	return list, nil
}

// AppendDeviceList writes a whole successful device list reply, header included.
func AppendDeviceList(dst []byte, devices []Device) ([]byte, error) {
	if len(devices) > MaxDevices {
		return dst, fmt.Errorf("encoding %d devices, limit %d: %w", len(devices), MaxDevices, ErrTooLarge)
	}
	dst = OpHeader{Code: OpReplyDeviceList}.Append(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(devices)))
	var err error
	for i := range devices {
		if dst, err = devices[i].Append(dst); err != nil {
			return dst, err
		}
		for _, f := range devices[i].Interfaces {
			dst = append(dst, f.Class, f.SubClass, f.Protocol, 0)
		}
	}
	return dst, nil
}

// ParseCount reads the number of devices that follows the header of a device list,
// at most MaxDevices. A reader on a socket takes CountSize bytes here, then for each
// device DeviceSize bytes (ParseDevice) and its interfaces (ParseInterfaces).
func ParseCount(b []byte) (int, error) {
	if len(b) < CountSize {
		return 0, fmt.Errorf("reading number of devices: %w", ErrShort)
	}
	n := binary.BigEndian.Uint32(b)
	if n > MaxDevices {
		return 0, fmt.Errorf("reading list of %d devices, limit %d: %w", n, MaxDevices, ErrTooLarge)
	}
	return int(n), nil
}

// ParseDeviceList reads the body of a device list (all after the header) that is
// in memory as a whole; trailing bytes are an error.
func ParseDeviceList(b []byte) ([]Device, error) {
	n, err := ParseCount(b)
	if err != nil {
		return nil, err
	}
	b = b[CountSize:]
	var list []Device
	for range n {
		d, interfaces, err := ParseDevice(b)
		if err != nil {
			return nil, err
		}
		b = b[DeviceSize:]
		if d.Interfaces, err = ParseInterfaces(b, interfaces); err != nil {
			return nil, fmt.Errorf("reading device %q: %w", d.BusID, err)
		}
		b = b[interfaces*InterfaceSize:]
		list = append(list, d)
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("reading device list with %d trailing bytes: %w", len(b), ErrInvalid)
	}
	return list, nil
}

// AppendImport writes a whole import request for a bus id, header included.
func AppendImport(dst []byte, busID string) ([]byte, error) {
	dst = OpHeader{Code: OpRequestImport}.Append(dst)
	return appendText(dst, "bus id", busID, BusIDSize)
}

// ParseImport reads the bus id from the BusIDSize bytes after the header of an import request.
func ParseImport(b []byte) (string, error) {
	if len(b) < BusIDSize {
		return "", fmt.Errorf("reading bus id of %d bytes: %w", len(b), ErrShort)
	}
	if bytes.IndexByte(b[:BusIDSize], 0) < 0 {
		return "", fmt.Errorf("reading bus id without end: %w", ErrInvalid)
	}
	return parseText(b[:BusIDSize]), nil
}
