package camera

import (
	"encoding/binary"
	"fmt"
)

// The USB Still Image Capture Device class: the interface's codes, and its requests on
// the control endpoint (PIMA 15740 annex D.5.2).
const (
	InterfaceClass    uint8 = 6
	InterfaceSubClass uint8 = 1
	InterfaceProtocol uint8 = 1

	RequestCancel          uint8 = 0x64 // data out: CancelRequest
	RequestExtendedEvent   uint8 = 0x65 // data in
	RequestReset           uint8 = 0x66 // no data; ends the session
	RequestGetDeviceStatus uint8 = 0x67 // data in: DeviceStatus
	RequestTypeOut         uint8 = 0x21 // class request to the interface
	RequestTypeIn          uint8 = 0xA1
	CancelRequestSize            = 6
	MaxDeviceStatusSize          = 4 + 4*MaxParameters
)

// AppendCancelRequest appends the data of a Cancel request for the transaction.
func AppendCancelRequest(dst []byte, transaction uint32) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(EventCancelTransaction))
	return binary.LittleEndian.AppendUint32(dst, transaction)
}

// ParseCancelRequest decodes the data of a Cancel request.
func ParseCancelRequest(p []byte) (transaction uint32, err error) {
	if len(p) != CancelRequestSize || Event(binary.LittleEndian.Uint16(p)) != EventCancelTransaction {
		return 0, fmt.Errorf("reading a Cancel request: %w: %d bytes", ErrMalformed, len(p))
	}
	return binary.LittleEndian.Uint32(p[2:]), nil
}

// DeviceStatus is the answer to GetDeviceStatus: RespOK when the device takes
// commands, RespDeviceBusy while it cancels, and RespTransactionCancelled with the
// addresses of the endpoints that it stalled.
type DeviceStatus struct {
	Code      Response
	Endpoints []uint32
}

// Append appends the dataset to dst.
func (s DeviceStatus) Append(dst []byte) ([]byte, error) {
	if len(s.Endpoints) > MaxParameters {
		return dst, fmt.Errorf("writing a device status: %d endpoints, at most %d", len(s.Endpoints), MaxParameters)
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(4+4*len(s.Endpoints)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(s.Code))
	for _, e := range s.Endpoints {
		dst = binary.LittleEndian.AppendUint32(dst, e)
	}
	return dst, nil
}

// ParseDeviceStatus decodes the data of GetDeviceStatus.
func ParseDeviceStatus(p []byte) (DeviceStatus, error) {
	c := cursor{rest: p, what: "a device status"}
	length := int(c.u16("length"))
	s := DeviceStatus{Code: Response(c.u16("code"))}
	if c.fault != nil {
		return DeviceStatus{}, c.fault
	}
	if length < 4 || length > len(p) || length > MaxDeviceStatusSize || length%4 != 0 {
		c.fail("length", "%d in %d bytes", length, len(p))
		return DeviceStatus{}, c.fault
	}
	for range (length - 4) / 4 {
		s.Endpoints = append(s.Endpoints, c.u32("endpoint"))
	}
	return s, c.fault
}
