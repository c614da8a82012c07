package hosttest

import (
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// Endpoint numbers of a simulated camera.
const (
	BulkIn      = 1
	BulkOut     = 2
	InterruptIn = 3
)

// window is the length of bulk IN transfers.
const window = 1 << 20

// ErrStall says that an endpoint is halted.
var ErrStall = errors.New("the endpoint stalled")

// Answer is the outcome of a transaction.
type Answer struct {
	Code       camera.Response
	Parameters []uint32
	Data       []byte        // payload of the data phase
	Header     camera.Header // of the data phase
}

// Write sends one bulk OUT transfer and waits for it.
func (h *Host) Write(p []byte) error {
	r, err := h.Out(BulkOut, p).Wait()
	if err != nil {
		return err
	}
	return fault(r)
}

func fault(r Result) error {
	switch r.Status {
	case usbip.StatusOK:
		return nil
	case usbip.StatusStall:
		return ErrStall
	}
	return fmt.Errorf("transfer failed with status %d", r.Status)
}

// Read takes one message from the bulk IN endpoint, up to its short or empty
// packet, by transfers of the length given.
func (h *Host) Read(length int) ([]byte, error) {
	var message []byte
	for {
		r, err := h.In(BulkIn, length).Wait()
		if err == nil {
			err = fault(r)
		}
		if err != nil {
			return message, err
		}
		message = append(message, r.Data...)
		if r.Length < length {
			return message, nil
		}
	}
}

// Command sends an operation and does not wait for anything else.
func (h *Host) Command(op camera.Operation, parameters ...uint32) error {
	h.transaction++
	b, err := camera.Command(op, h.transaction, parameters...).Append(nil)
	if err != nil {
		return err
	}
	return h.Write(b)
}

// Do runs a transaction without data from the host.
func (h *Host) Do(op camera.Operation, parameters ...uint32) (Answer, error) {
	if err := h.Command(op, parameters...); err != nil {
		return Answer{}, err
	}
	return h.Finish()
}

// DoOut runs a transaction with data from the host; after whole packets an empty one follows.
func (h *Host) DoOut(data []byte, op camera.Operation, parameters ...uint32) (Answer, error) {
	if err := h.Command(op, parameters...); err != nil {
		return Answer{}, err
	}
	p := append(camera.DataHeader(op, h.transaction, uint64(len(data))).Append(nil), data...)
	if err := h.Write(p); err != nil {
		return Answer{}, err
	}
	if len(p)%512 == 0 {
		if err := h.Write(nil); err != nil {
			return Answer{}, err
		}
	}
	return h.Finish()
}

// Finish reads the data phase, if there is one, and the response.
func (h *Host) Finish() (Answer, error) {
	var a Answer
	for {
		message, err := h.Read(window)
		if err != nil {
			return a, err
		}
		header, err := camera.ParseHeader(message)
		if err != nil {
			return a, err
		}
		if header.Transaction != h.transaction {
			return a, fmt.Errorf("container of transaction %d in transaction %d", header.Transaction, h.transaction)
		}
		if header.Type == camera.ContainerData {
			a.Header, a.Data = header, message[camera.HeaderSize:]
			if n, known := header.PayloadSize(); known && n != uint64(len(a.Data)) {
				return a, fmt.Errorf("data phase of %d bytes announced as %d", len(a.Data), n)
			}
			continue
		}
		b, err := camera.ParseBlock(message)
		if err != nil || b.Type != camera.ContainerResponse {
			return a, fmt.Errorf("%v where a response belongs: %w", b.Type, err)
		}
		a.Code, a.Parameters = camera.Response(b.Code), b.Parameters
		return a, nil
	}
}

// OpenSession opens session 1.
func (h *Host) OpenSession() error {
	a, err := h.Do(camera.OpOpenSession, 1)
	if err == nil && a.Code != camera.RespOK {
		err = fmt.Errorf("OpenSession: %v", a.Code)
	}
	return err
}

// Handles lists all objects.
func (h *Host) Handles() ([]uint32, error) {
	a, err := h.Do(camera.OpGetObjectHandles, camera.AllStorages, 0, 0)
	if err != nil {
		return nil, err
	}
	if a.Code != camera.RespOK {
		return nil, fmt.Errorf("GetObjectHandles: %v", a.Code)
	}
	return camera.ParseHandles(a.Data)
}

// Info describes an object.
func (h *Host) Info(handle uint32) (camera.ObjectInfo, error) {
	a, err := h.Do(camera.OpGetObjectInfo, handle)
	if err != nil {
		return camera.ObjectInfo{}, err
	}
	if a.Code != camera.RespOK {
		return camera.ObjectInfo{}, fmt.Errorf("GetObjectInfo: %v", a.Code)
	}
	return camera.ParseObjectInfo(a.Data)
}

// Cancel sends the class's Cancel request for the transaction under way.
func (h *Host) Cancel() error {
	data := camera.AppendCancelRequest(nil, h.transaction)
	r, err := h.Control(usbip.Setup{RequestType: camera.RequestTypeOut, Request: camera.RequestCancel, Length: uint16(len(data))}, data)
	if err != nil {
		return err
	}
	return fault(r)
}

// ResetClass sends the class's Reset request.
func (h *Host) ResetClass() error {
	r, err := h.Control(usbip.Setup{RequestType: camera.RequestTypeOut, Request: camera.RequestReset}, nil)
	if err != nil {
		return err
	}
	return fault(r)
}

// Status asks for the device status.
func (h *Host) Status() (camera.DeviceStatus, error) {
	r, err := h.Control(usbip.Setup{RequestType: camera.RequestTypeIn, Request: camera.RequestGetDeviceStatus, Length: camera.MaxDeviceStatusSize}, nil)
	if err == nil {
		err = fault(r)
	}
	if err != nil {
		return camera.DeviceStatus{}, err
	}
	return camera.ParseDeviceStatus(r.Data)
}

// ClearHalt clears an endpoint's halt.
func (h *Host) ClearHalt(address uint8) error {
	r, err := h.Control(usbip.Setup{RequestType: 0x02, Request: 1, Index: uint16(address)}, nil)
	if err != nil {
		return err
	}
	return fault(r)
}
