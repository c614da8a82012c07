package bus

import (
	"encoding/binary"
	"errors"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// Standard requests (USB 2.0, table 9-4).
const (
	requestGetStatus        = 0
	requestClearFeature     = 1
	requestSetFeature       = 3
	requestSetAddress       = 5
	requestGetDescriptor    = 6
	requestGetConfiguration = 8
	requestSetConfiguration = 9
	requestGetInterface     = 10
	requestSetInterface     = 11

	typeMask        = 0x60
	typeStandard    = 0
	recipientMask   = 0x1f
	toDevice        = 0
	toInterface     = 1
	toEndpoint      = 2
	featureHalt     = 0
	featureWakeup   = 1
	statusSelfPower = 1
	statusHalted    = 1
)

// control answers one request on endpoint 0. A nil slice with a nil error is an
// empty answer; an error is a stall.
func (h *Host) control(s usbip.Setup, data []byte) ([]byte, error) {
	if s.RequestType&typeMask != typeStandard {
		return h.function.Control(h, s, data)
	}
	switch recipient := s.RequestType & recipientMask; {
	case s.Request == requestGetDescriptor && recipient == toDevice:
		if d := h.identity.descriptor(s.Value); d != nil {
			return d, nil
		}
	case recipient == toDevice:
		return h.deviceRequest(s)
	case recipient == toInterface:
		return h.interfaceRequest(s)
	case recipient == toEndpoint:
		return h.endpointRequest(s)
	}
	return nil, ErrStall
}

func (h *Host) deviceRequest(s usbip.Setup) ([]byte, error) {
	switch s.Request {
	case requestGetStatus:
		return []byte{statusSelfPower, 0}, nil
	case requestGetConfiguration:
		return []byte{h.configuration}, nil
	case requestSetConfiguration:
		if s.Value > configurationValue {
			return nil, ErrStall
		}
		h.configuration = byte(s.Value)
		h.reset()
		return nil, nil
	case requestSetAddress:
		return nil, nil
	case requestClearFeature, requestSetFeature:
		if s.Value == featureWakeup {
			return nil, nil
		}
	}
	return nil, ErrStall
}

func (h *Host) interfaceRequest(s usbip.Setup) ([]byte, error) {
	switch {
	case int(s.Index) != len(h.identity.Lie.others()):
	case s.Request == requestGetStatus:
		return []byte{0, 0}, nil
	case s.Request == requestGetInterface:
		return []byte{0}, nil
	case s.Request == requestSetInterface && s.Value == 0:
		return nil, nil
	}
	return nil, ErrStall
}

func (h *Host) endpointRequest(s usbip.Setup) ([]byte, error) {
	address := byte(s.Index)
	if address&0x0f == 0 { // endpoint 0 is never halted for longer than a request
		if s.Request == requestGetStatus {
			return []byte{0, 0}, nil
		}
		return nil, nil
	}
	if h.endpoint(address) == nil || s.Index > 0xff {
		return nil, ErrStall
	}
	switch {
	case s.Request == requestGetStatus:
		status := uint16(0)
		if h.halted(address) {
			status = statusHalted
		}
		return binary.LittleEndian.AppendUint16(nil, status), nil
	case s.Request == requestClearFeature && s.Value == featureHalt:
		h.clearHalt(address)
		return nil, nil
	case s.Request == requestSetFeature && s.Value == featureHalt:
		h.Halt(AnyEpoch, address)
		return nil, nil
	}
	return nil, ErrStall
}

// submitControl answers a transfer on endpoint 0, in the reader's own turn.
func (h *Host) submitControl(r *usbip.Request, data []byte) error {
	s := r.Setup
	in := s.RequestType&directionIn != 0
	answer, err := h.control(s, data)
	reply := usbip.Reply{Command: usbip.ReplySubmit, Sequence: r.Sequence}
	switch {
	case errors.Is(err, ErrStall):
		reply.Status, answer = usbip.StatusStall, nil
	case err != nil:
		return err
	case in && r.Direction == usbip.In:
		answer = answer[:min(len(answer), int(s.Length), r.Length)]
		reply.Length = len(answer)
	default:
		answer = nil
		reply.Length = len(data)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.write(reply, answer)
}
