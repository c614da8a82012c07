package bus

import (
	"context"
	"errors"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// Endpoint addresses of every device that this package makes.
const (
	BulkIn      uint8 = 0x81
	BulkOut     uint8 = 0x02
	InterruptIn uint8 = 0x83
)

const (
	bulkPacket      = 512 // bytes; USB 2.0, 5.8.3, high speed
	interruptPacket = 64
	directionIn     = 0x80
)

// Errors that the parts of a device tell each other.
var (
	// ErrGone says that the host or the cable is no longer there.
	ErrGone = errors.New("the host is gone")
	// ErrFlushed says that the host cancelled what was going on.
	ErrFlushed = errors.New("the transaction was cancelled by the host")
	// ErrHalted says that the endpoint was halted in mid-transfer.
	ErrHalted = errors.New("the endpoint is halted")
	// ErrStall is what Function.Control returns for a request that it refuses.
	ErrStall = errors.New("request refused with a stall")
	// ErrUnplug, returned by a Source, pulls the cable.
	ErrUnplug = errors.New("the cable was pulled by a fault")
	// ErrTaken says that a device is plugged in or a host holds it.
	ErrTaken  = errors.New("a camera is plugged in there")
	errPulled = errors.New("the camera was pulled out of its bay")
)

// Identity is what the device's descriptors say.
type Identity struct {
	Vendor, Product, Release         uint16
	Manufacturer, Model, Serial      string // string descriptors; at most 126 UTF-16 units each
	Interface                        string
	Class, SubClass, ProtocolOfClass uint8 // of the one interface
	Lie                              Lie   // how the descriptors are wrong
}

// Function is what a device does.
type Function interface {
	// Run serves one host until ctx ends or the host is gone. It is the only caller
	// of Receive and Send of that Host.
	Run(ctx context.Context, host *Host)
	// Control answers a class or vendor request on endpoint 0: data is what came
	// with an OUT request; the result, cut to the length asked for, goes back for an
	// IN request. It must not block. ErrStall refuses.
	Control(host *Host, setup usbip.Setup, data []byte) ([]byte, error)
	// Reset tells that the host configured the device anew: any session is over.
	Reset(host *Host)
}

// Source gives the bytes of a transfer to the host.
type Source interface {
	// Fill fills p with the bytes from offset on, and returns nil only if p is full.
	// It may be asked for the same bytes again if the host cancelled. It may block
	// until ctx ends. ErrUnplug pulls the cable; any other error halts the endpoint.
	Fill(ctx context.Context, p []byte, offset int64) error
	// Sent tells that the host has got n bytes from offset on. Called in order, once
	// for each byte, and under a lock: it must be quick.
	Sent(offset int64, n int)
}

// Bytes is a Source of bytes in memory.
type Bytes []byte

// Fill implements Source.
func (b Bytes) Fill(_ context.Context, p []byte, offset int64) error {
	copy(p, b[offset:])
	return nil
}

// Sent implements Source.
func (b Bytes) Sent(int64, int) {}

// Chunk is the payload of one bulk OUT transfer.
type Chunk struct {
	Data []byte // the receiver's own
	Ends bool   // by a short packet or a zero-length one
	// Epoch counts the flushes of this host so far. A function keeps the epoch of
	// the chunk that began a transaction and hands it on, so that nothing of a
	// cancelled transaction can reach the host.
	Epoch uint64
}
