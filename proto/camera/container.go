package camera

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error of a decoder in this package.
var ErrMalformed = errors.New("malformed PTP data")

// ContainerType says what a container carries (PIMA 15740 annex D.7.1.1).
type ContainerType uint16

// The container types.
const (
	ContainerCommand  ContainerType = 1
	ContainerData     ContainerType = 2
	ContainerResponse ContainerType = 3
	ContainerEvent    ContainerType = 4
)

// String names the container type.
func (t ContainerType) String() string {
	switch t {
	case ContainerCommand:
		return "command"
	case ContainerData:
		return "data"
	case ContainerResponse:
		return "response"
	case ContainerEvent:
		return "event"
	}
	return fmt.Sprintf("container type %d", uint16(t))
}

const (
	// HeaderSize is the size in bytes of a container's header.
	HeaderSize = 12
	// MaxParameters is how many parameters a command or response carries at most.
	MaxParameters = 5
	// MaxBlockSize is the size in bytes of the longest command, response or event.
	MaxBlockSize = HeaderSize + 4*MaxParameters
	// LengthUnknown in a data container's header means 4 GiB or more: the
	// container ends at the first short packet.
	LengthUnknown uint32 = 0xFFFFFFFF
)

// Header is the header of every container (PIMA 15740 annex D.7.1.1).
type Header struct {
	Length      uint32 // bytes, header included; LengthUnknown in a data container of 4 GiB or more
	Type        ContainerType
	Code        uint16 // operation, response or event code
	Transaction uint32
}

// DataHeader returns the header of a data container for payload bytes of data.
func DataHeader(op Operation, transaction uint32, payload uint64) Header {
	length := LengthUnknown
	if payload < uint64(LengthUnknown)-HeaderSize {
		length = HeaderSize + uint32(payload)
	}
	return Header{Length: length, Type: ContainerData, Code: uint16(op), Transaction: transaction}
}

// PayloadSize returns how many bytes follow the header, and whether that is known.
func (h Header) PayloadSize() (size uint64, known bool) {
	if h.Type == ContainerData && h.Length == LengthUnknown {
		return 0, false
	}
	return uint64(h.Length) - HeaderSize, true
}

// Append appends the 12 bytes of the header to dst.
func (h Header) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, h.Length)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(h.Type))
	dst = binary.LittleEndian.AppendUint16(dst, h.Code)
	return binary.LittleEndian.AppendUint32(dst, h.Transaction)
}

// ParseHeader decodes the header at the start of p. The length is checked to be
// possible for the type; whether the bytes follow is for the caller to see.
func ParseHeader(p []byte) (Header, error) {
	if len(p) < HeaderSize {
		return Header{}, fmt.Errorf("reading a container header: %w: %d bytes, want %d", ErrMalformed, len(p), HeaderSize)
	}
	h := Header{
		Length:      binary.LittleEndian.Uint32(p),
		Type:        ContainerType(binary.LittleEndian.Uint16(p[4:])),
		Code:        binary.LittleEndian.Uint16(p[6:]),
		Transaction: binary.LittleEndian.Uint32(p[8:]),
	}
	if h.Length < HeaderSize {
		return Header{}, fmt.Errorf("reading a container header: %w: length %d is below the header's own %d", ErrMalformed, h.Length, HeaderSize)
	}
	switch h.Type {
	case ContainerData:
	case ContainerCommand, ContainerResponse, ContainerEvent:
		if h.Length > MaxBlockSize {
			return Header{}, fmt.Errorf("reading a container header: %w: %s of %d bytes, at most %d", ErrMalformed, h.Type, h.Length, MaxBlockSize)
		}
	default:
		return Header{}, fmt.Errorf("reading a container header: %w: unknown %s", ErrMalformed, h.Type)
	}
	return h, nil
}

// Block is a command, a response or an event: a container whose payload is a list
// of parameters (PIMA 15740 annex D.7.1.2).
type Block struct {
	Type        ContainerType
	Code        uint16
	Transaction uint32
	Parameters  []uint32 // MaxParameters at most
}

// Command returns the command block of an operation.
func Command(op Operation, transaction uint32, parameters ...uint32) Block {
	return Block{Type: ContainerCommand, Code: uint16(op), Transaction: transaction, Parameters: parameters}
}

// Respond returns the response block that ends a transaction.
func Respond(code Response, transaction uint32, parameters ...uint32) Block {
	return Block{Type: ContainerResponse, Code: uint16(code), Transaction: transaction, Parameters: parameters}
}

// Notify returns an event block. Transaction is 0 or 0xFFFFFFFF
// where the event belongs to no transaction.
func Notify(code Event, transaction uint32, parameters ...uint32) Block {
	return Block{Type: ContainerEvent, Code: uint16(code), Transaction: transaction, Parameters: parameters}
}

// Parameter returns parameter i, counted from 0; one that was not sent is 0, as
// PIMA 15740 section 9.3.1 rules.
func (b Block) Parameter(i int) uint32 {
	if i < 0 || i >= len(b.Parameters) {
		return 0
	}
	return b.Parameters[i]
}

// Append appends the whole container to dst. Parameters past MaxParameters are
// an error of the caller and refused.
func (b Block) Append(dst []byte) ([]byte, error) {
	if len(b.Parameters) > MaxParameters {
		return dst, fmt.Errorf("writing a %s block: %d parameters, at most %d", b.Type, len(b.Parameters), MaxParameters)
	}
	if b.Type != ContainerCommand && b.Type != ContainerResponse && b.Type != ContainerEvent {
		return dst, fmt.Errorf("writing a block: %s is none", b.Type)
	}
	h := Header{Length: uint32(HeaderSize + 4*len(b.Parameters)), Type: b.Type, Code: b.Code, Transaction: b.Transaction}
	dst = h.Append(dst)
	for _, v := range b.Parameters {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst, nil
}

// ParseBlock decodes a command, response or event that fills p. Bytes of p past
// the container's length are ignored, because some responders send the whole buffer,
// and so is a piece of a parameter at its end, because umtp-responder 1.3 was seen
// to answer OpenSession with one byte too many.
func ParseBlock(p []byte) (Block, error) {
	h, err := ParseHeader(p)
	if err != nil {
		return Block{}, err
	}
	if h.Type == ContainerData {
		return Block{}, fmt.Errorf("reading a block: %w: it is a data container", ErrMalformed)
	}
	if uint64(h.Length) > uint64(len(p)) {
		return Block{}, fmt.Errorf("reading a %s block: %w: %d of %d bytes", h.Type, ErrMalformed, len(p), h.Length)
	}
	payload := p[HeaderSize:h.Length]
	b := Block{Type: h.Type, Code: h.Code, Transaction: h.Transaction}
	for ; len(payload) >= 4; payload = payload[4:] {
		b.Parameters = append(b.Parameters, binary.LittleEndian.Uint32(payload))
	}
	return b, nil
}
