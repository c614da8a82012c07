package usbip

import (
	"encoding/binary"
	"fmt"
)

// HeaderSize is the length in bytes of every command and reply after an import.
const HeaderSize = 48

// MaxTransfer is the longest transfer buffer, in bytes, that this package lets a
// command or reply announce (the kernel's own usbfs limit for all transfers together).
const MaxTransfer = 16 << 20

// Command is the first word of a header.
type Command uint32

// Commands and replies.
const (
	CommandSubmit Command = 1
	CommandUnlink Command = 2
	ReplySubmit   Command = 3
	ReplyUnlink   Command = 4
)

// Direction of a transfer, seen from the host.
type Direction uint32

// Directions.
const (
	Out Direction = 0
	In  Direction = 1
)

// Status values of replies: negated Linux errno numbers.
const (
	StatusOK         int32 = 0
	StatusNoEntry    int32 = -2   // ENOENT: cancelled by the host, which waited for it
	StatusNoDevice   int32 = -19  // ENODEV: the device is gone
	StatusStall      int32 = -32  // EPIPE: the endpoint stalled
	StatusProtocol   int32 = -71  // EPROTO
	StatusOverflow   int32 = -75  // EOVERFLOW: the device sent more than was asked
	StatusReset      int32 = -104 // ECONNRESET: an unlink took effect
	StatusShutdown   int32 = -108 // ESHUTDOWN: device or controller is gone
	StatusTimedOut   int32 = -110 // ETIMEDOUT
	StatusShortNotOK int32 = -121 // EREMOTEIO: short packet although the flag forbade it
)

const (
	noIsochronous      = 0xffffffff // number of packets that some clients send for none
	maxEndpoint        = 15
	directionOffset    = 12
	submitFieldsOffset = 20
)

// Transfer flags (Linux URB flags) that a command may carry. A server may ignore
// all but FlagShortNotOK and FlagZeroPacket.
const (
	FlagShortNotOK uint32 = 0x0001
	FlagZeroPacket uint32 = 0x0040 // end an OUT transfer of full packets with an empty one
	FlagDirIn      uint32 = 0x0200
)

// Setup is the setup packet of a control transfer (USB 2.0, 9.3). On the wire its
// words are little-endian.
type Setup struct {
	RequestType, Request uint8
	Value, Index, Length uint16
}

// Bytes returns the packet as USB carries it.
func (s Setup) Bytes() [8]byte {
	b := [8]byte{s.RequestType, s.Request}
	binary.LittleEndian.PutUint16(b[2:], s.Value)
	binary.LittleEndian.PutUint16(b[4:], s.Index)
	binary.LittleEndian.PutUint16(b[6:], s.Length)
	return b
}

// ParseSetup reads a setup packet; any eight bytes are one.
func ParseSetup(b [8]byte) Setup {
	le := binary.LittleEndian
	return Setup{b[0], b[1], le.Uint16(b[2:]), le.Uint16(b[4:]), le.Uint16(b[6:])}
}

// Request is a command of the client: a submit or an unlink.
type Request struct {
	Command   Command // CommandSubmit or CommandUnlink
	Sequence  uint32  // names the transfer; the client never reuses one that is pending
	DeviceID  uint32
	Direction Direction
	Endpoint  uint8 // number without the direction bit, 0 to 15

	// Of a submit.
	Flags    uint32
	Length   int   // bytes of the transfer buffer, 0 to MaxTransfer
	Interval int32 // polling interval of interrupt endpoints
	Setup    Setup // of endpoint 0

	// Of an unlink: the Sequence of the submit to cancel.
	Target uint32
}

// PayloadLength is how many bytes follow the header on the wire.
func (r *Request) PayloadLength() int {
	if r.Command == CommandSubmit && r.Direction == Out {
		return r.Length
	}
	return 0
}

// Append writes the HeaderSize bytes of r. Payload, if any, has to follow.
func (r *Request) Append(dst []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, err
	}
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(r.Command))
	dst = be.AppendUint32(dst, r.Sequence)
	dst = be.AppendUint32(dst, r.DeviceID)
	dst = be.AppendUint32(dst, uint32(r.Direction))
	dst = be.AppendUint32(dst, uint32(r.Endpoint))
	if r.Command == CommandUnlink {
		dst = be.AppendUint32(dst, r.Target)
		return append(dst, make([]byte, 24)...), nil
	}
	dst = be.AppendUint32(dst, r.Flags)
	dst = be.AppendUint32(dst, uint32(r.Length))
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint32(dst, uint32(r.Interval))
	setup := r.Setup.Bytes()
	return append(dst, setup[:]...), nil
}

func (r *Request) check() error {
	switch {
	case r.Command != CommandSubmit && r.Command != CommandUnlink:
		return fmt.Errorf("command %d: %w", r.Command, ErrInvalid)
	case r.Direction != In && r.Direction != Out:
		return fmt.Errorf("direction %d: %w", r.Direction, ErrInvalid)
	case r.Endpoint > maxEndpoint:
		return fmt.Errorf("endpoint %d: %w", r.Endpoint, ErrInvalid)
	case r.Length < 0 || r.Length > MaxTransfer:
		return fmt.Errorf("transfer of %d bytes, limit %d: %w", r.Length, MaxTransfer, ErrTooLarge)
	}
	return nil
}

// ParseRequest reads the first HeaderSize bytes of b as a command of a client. On
// an error the stream can no longer be followed: drop the connection.
func ParseRequest(b []byte) (Request, error) {
	if len(b) < HeaderSize {
		return Request{}, fmt.Errorf("reading command of %d bytes: %w", len(b), ErrShort)
	}
	be := binary.BigEndian
	if e := be.Uint32(b[directionOffset+4:]); e > maxEndpoint {
		return Request{}, fmt.Errorf("reading command: endpoint %d: %w", e, ErrInvalid)
	}
	r := Request{
		Command: Command(be.Uint32(b)), Sequence: be.Uint32(b[4:]), DeviceID: be.Uint32(b[8:]),
		Direction: Direction(be.Uint32(b[directionOffset:])), Endpoint: b[directionOffset+7],
	}
	t := b[submitFieldsOffset:]
	if r.Command == CommandUnlink {
		r.Target = be.Uint32(t)
		if err := r.check(); err != nil {
			return Request{}, fmt.Errorf("reading unlink: %w", err)
		}
		return r, nil
	}
	length := be.Uint32(t[4:])
	if length > MaxTransfer {
		return Request{}, fmt.Errorf("reading command: transfer of %d bytes, limit %d: %w", length, MaxTransfer, ErrTooLarge)
	}
	r.Flags, r.Length, r.Interval = be.Uint32(t), int(length), int32(be.Uint32(t[16:]))
	r.Setup = ParseSetup([8]byte(t[20:28]))
	if err := r.check(); err != nil {
		return Request{}, fmt.Errorf("reading command: %w", err)
	}
	if n := be.Uint32(t[12:]); n != 0 && n != noIsochronous {
		return Request{}, fmt.Errorf("reading command with %d packets: %w", n, ErrIsochronous)
	}
	return r, nil
}

// Reply answers a Request.
type Reply struct {
	Command  Command // ReplySubmit or ReplyUnlink
	Sequence uint32  // of the Request: an unlink's reply carries the unlink's own
	Status   int32   // StatusOK or a negated errno
	Length   int     // ReplySubmit: bytes really moved, 0 to MaxTransfer
}

// PayloadLength is how many bytes follow the header on the wire, given the
// direction of the submit that is answered.
func (r *Reply) PayloadLength(d Direction) int {
	if r.Command == ReplySubmit && d == In {
		return r.Length
	}
	return 0
}

// Append writes the HeaderSize bytes of r. Payload, if any, has to follow.
func (r *Reply) Append(dst []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, err
	}
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(r.Command))
	dst = be.AppendUint32(dst, r.Sequence)
	dst = append(dst, make([]byte, 12)...)
	dst = be.AppendUint32(dst, uint32(r.Status))
	if r.Command == ReplyUnlink {
		return append(dst, make([]byte, 24)...), nil
	}
	dst = be.AppendUint32(dst, uint32(r.Length))
	return append(dst, make([]byte, 20)...), nil
}

func (r *Reply) check() error {
	switch {
	case r.Command != ReplySubmit && r.Command != ReplyUnlink:
		return fmt.Errorf("reply %d: %w", r.Command, ErrInvalid)
	case r.Status > 0:
		return fmt.Errorf("reply status %d is not a negated errno: %w", r.Status, ErrInvalid)
	case r.Length < 0 || r.Length > MaxTransfer:
		return fmt.Errorf("reply of %d bytes, limit %d: %w", r.Length, MaxTransfer, ErrTooLarge)
	}
	return nil
}

// ParseReply reads the first HeaderSize bytes of b as a reply of a server. On an
// error the stream can no longer be followed: drop the connection. The caller has
// to check that Length is not above what it asked for.
func ParseReply(b []byte) (Reply, error) {
	if len(b) < HeaderSize {
		return Reply{}, fmt.Errorf("reading reply of %d bytes: %w", len(b), ErrShort)
	}
	be := binary.BigEndian
	t := b[submitFieldsOffset:]
	r := Reply{Command: Command(be.Uint32(b)), Sequence: be.Uint32(b[4:]), Status: int32(be.Uint32(t))}
	if r.Command == ReplySubmit {
		length := be.Uint32(t[4:])
		if length > MaxTransfer {
			return Reply{}, fmt.Errorf("reading reply of %d bytes, limit %d: %w", length, MaxTransfer, ErrTooLarge)
		}
		r.Length = int(length)
		if n := be.Uint32(t[12:]); n != 0 && n != noIsochronous {
			return Reply{}, fmt.Errorf("reading reply with %d packets: %w", n, ErrIsochronous)
		}
	}
	if err := r.check(); err != nil {
		return Reply{}, fmt.Errorf("reading reply: %w", err)
	}
	return r, nil
}
