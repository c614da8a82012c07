package upload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Buffer is memory that ReadMessage reuses from call to call: at most MaxFrame
// bytes, no more than the largest frame read so far. The zero value is ready.
// A Buffer belongs to one reader at a time.
type Buffer struct {
	header  [HeaderSize]byte
	payload []byte
	data    Data
}

// ReadMessage reads one frame and returns its validated message (SPEC.md
// section 2). With kinds given, any other kind is refused before its payload
// is read; without, every known kind is allowed.
//
// A *Data and its Sealed bytes live in b and are valid until b is used again;
// every other message owns its memory. An Error frame comes back as the message
// *Error with a nil error.
//
// At a clean end of the stream the error is io.EOF itself; an end within a
// frame wraps io.ErrUnexpectedEOF; bytes outside the protocol give an *Error
// with CodeBadFrame, after which the stream cannot be used; all else is the
// reader's own error, wrapped.
func ReadMessage(r io.Reader, b *Buffer, kinds ...Kind) (Message, error) {
	if _, err := io.ReadFull(r, b.header[:]); err != nil {
		if err == io.EOF {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("reading frame header: %w", err)
	}
	kind := Kind(b.header[0])
	length := binary.BigEndian.Uint32(b.header[1:])
	if err := admit(kind, length, kinds); err != nil {
		return nil, err
	}
	payload, err := b.read(r, int(length))
	if err != nil {
		return nil, fmt.Errorf("reading %v frame of %d bytes: %w", kind, length, err)
	}
	message, err := b.decode(kind, payload)
	if err != nil {
		return nil, err
	}
	return message, nil
}

// Expect reads one frame that must be a T. A peer's Error frame is returned as
// error, another kind as an *Error with CodeBadFrame; else it is ReadMessage.
func Expect[T Message](r io.Reader, b *Buffer) (T, error) {
	var none T
	message, err := ReadMessage(r, b, none.Kind(), KindError)
	if err != nil {
		return none, err
	}
	if wanted, ok := message.(T); ok {
		return wanted, nil
	}
	return none, message.(*Error)
}

func admit(kind Kind, length uint32, kinds []Kind) error {
	limit := kind.MaxPayload()
	switch {
	case limit == 0:
		return badFrame("unknown frame %v", kind)
	case len(kinds) > 0 && !slices.Contains(kinds, kind):
		return badFrame("unexpected %v frame, expected %v", kind, kinds)
	case uint64(length) > uint64(limit):
		return badFrame("%v frame of %d bytes is longer than %d", kind, length, limit)
	case kind == KindData && length <= IndexSize:
		return badFrame("Data frame of %d bytes has no segment", length)
	}
	return nil
}

// read fills the buffer with n bytes of payload. Memory for more than a
// segment grows with what has really come, not with what was announced.
func (b *Buffer) read(r io.Reader, n int) ([]byte, error) {
	have := 0
	for {
		step := min(n, max(MaxData, 2*have))
		if cap(b.payload) < step {
			grown := make([]byte, step)
			copy(grown, b.payload[:have])
			b.payload = grown
		}
		b.payload = b.payload[:step]
		got, err := io.ReadFull(r, b.payload[have:])
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		have += got
		if have == n {
			return b.payload, nil
		}
	}
}

func (b *Buffer) decode(kind Kind, payload []byte) (Message, error) {
	var message interface {
		Message
		proto.Message
	}
	switch kind {
	case KindData:
		b.data = Data{Index: binary.BigEndian.Uint64(payload), Sealed: payload[IndexSize:]}
		return &b.data, b.data.Validate()
	case KindError:
		var failure Failure
		if err := unmarshal(kind, payload, &failure); err != nil {
			return nil, err
		}
		return failure.error()
	case KindHello:
		message = new(Hello)
	case KindWelcome:
		message = new(Welcome)
	case KindInventory:
		message = new(Inventory)
	case KindInventoryAck:
		message = new(InventoryAck)
	case KindStatus:
		message = new(Status)
	case KindRelease:
		message = new(Release)
	case KindReleaseAck:
		message = new(ReleaseAck)
	case KindOffer:
		message = new(Offer)
	case KindAccept:
		message = new(Accept)
	case KindAck:
		message = new(Ack)
	case KindFinish:
		message = new(Finish)
	case KindReceipt:
		message = new(Receipt)
	case KindAsk:
		message = new(Ask)
	case KindAnswer:
		message = new(Answer)
	case KindFirmwareFetch:
		message = new(FirmwareFetch)
	case KindFirmwareBlock:
		message = new(FirmwareBlock)
	case KindJoin:
		message = new(Join)
	case KindDirection:
		message = new(Direction)
	case KindQueue:
		message = new(Queue)
	}
	if err := unmarshal(kind, payload, message); err != nil {
		return nil, err
	}
	return message, message.Validate()
}

// unmarshal counts what a Status, a Queue, a Direction and a PolicyAnswer repeat
// before decoding it: an empty bay has two bytes on the wire and a hundred times
// that in memory.
func unmarshal(kind Kind, payload []byte, m proto.Message) error {
	switch kind {
	case KindStatus:
		if n := countField(payload, 2); n > MaxBays {
			return badFrame("Status: %d bays, allowed are %d", n, MaxBays)
		}
	case KindQueue:
		if n := countField(payload, 1); n > MaxWaiting {
			return badFrame("Queue: %d recordings, allowed are %d", n, MaxWaiting)
		}
	case KindDirection:
		if n := countWindows(payload); n > 2*MaxWindows {
			return badFrame("Direction: %d windows, allowed are %d in each of two tables", n, MaxWindows)
		}
		if n := countField(payload, 12); n > MaxCategories {
			return badFrame("Direction: %d categories, allowed are %d", n, MaxCategories)
		}
	case KindAnswer:
		if n := countPolicies(payload); n > 2*MaxPolicies {
			return badFrame("Answer: %d settings and firmware offers, allowed are %d of each", n, MaxPolicies)
		}
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(payload, m); err != nil {
		return badFrame("%v frame is not protobuf: %v", kind, err)
	}
	return nil
}

// countField counts the occurrences of a field at the top of an encoded
// message, up to the first malformed one.
func countField(payload []byte, number protowire.Number) int {
	count := 0
	for len(payload) > 0 {
		field, _, n := protowire.ConsumeField(payload)
		if n < 0 {
			return count
		}
		if field == number {
			count++
		}
		payload = payload[n:]
	}
	return count
}

// countPolicies counts settings and firmware offers in all policies of an
// encoded Answer.
func countPolicies(payload []byte) (count int) {
	eachMessage(payload, func(field protowire.Number, policy []byte) {
		if field == 3 {
			count += countField(policy, 5) + countField(policy, 6)
		}
	})
	return count
}

// countWindows counts the windows in both tables of an encoded Direction.
func countWindows(payload []byte) (count int) {
	eachMessage(payload, func(field protowire.Number, table []byte) {
		if field == 6 || field == 7 {
			count += countField(table, 2)
		}
	})
	return count
}

// eachMessage gives the fields of an encoded message that may be messages
// themselves, up to the first malformed one.
func eachMessage(payload []byte, each func(field protowire.Number, message []byte)) {
	for len(payload) > 0 {
		field, kind, n := protowire.ConsumeField(payload)
		if n < 0 {
			return
		}
		if kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(payload)
			message, _ := protowire.ConsumeBytes(payload[tag:])
			each(field, message)
		}
		payload = payload[n:]
	}
}

// WriteMessage validates m and writes it as one frame: a control message in
// one Write, Data in two (header, then the segment as it lies, uncopied).
// Writers that keep DataHeaderSize bytes free in front of a sealed segment use
// PutDataHeader and a single Write instead. Not safe for concurrent use on one
// stream.
func WriteMessage(w io.Writer, m Message) error {
	if err := m.Validate(); err != nil {
		return fmt.Errorf("writing %v frame: %w", m.Kind(), err)
	}
	if data, ok := m.(*Data); ok {
		return writeData(w, data)
	}
	frame, err := appendFrame(nil, m)
	if err != nil {
		return err
	}
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("writing %v frame: %w", m.Kind(), err)
	}
	return nil
}

func writeData(w io.Writer, m *Data) error {
	var header [DataHeaderSize]byte
	putDataHeader(header[:], m.Index, len(m.Sealed))
	if _, err := w.Write(header[:]); err != nil {
		return fmt.Errorf("writing header of segment %d: %w", m.Index, err)
	}
	if _, err := w.Write(m.Sealed); err != nil {
		return fmt.Errorf("writing segment %d: %w", m.Index, err)
	}
	return nil
}

// PutDataHeader turns frame into a whole Data frame: its first DataHeaderSize
// bytes are overwritten, the sealed segment follows them.
func PutDataHeader(frame []byte, index uint64) error {
	if len(frame) < DataHeaderSize {
		return errors.New("framing a segment: no room for the frame header")
	}
	data := Data{Index: index, Sealed: frame[DataHeaderSize:]}
	if err := data.Validate(); err != nil {
		return fmt.Errorf("framing segment %d: %w", index, err)
	}
	putDataHeader(frame, index, len(data.Sealed))
	return nil
}

func putDataHeader(frame []byte, index uint64, sealed int) {
	frame[0] = byte(KindData)
	binary.BigEndian.PutUint32(frame[1:], uint32(IndexSize+sealed))
	binary.BigEndian.PutUint64(frame[HeaderSize:], index)
}

func appendFrame(dst []byte, m Message) ([]byte, error) {
	payload, ok := m.(proto.Message)
	if failure, is := m.(*Error); is {
		payload, ok = failure.wire(), true
	}
	if !ok {
		return nil, fmt.Errorf("writing %v frame: %T has no payload encoding", m.Kind(), m)
	}
	start := len(dst)
	dst = append(dst, byte(m.Kind()), 0, 0, 0, 0)
	dst, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, payload)
	if err != nil {
		return nil, fmt.Errorf("encoding %v frame: %w", m.Kind(), err)
	}
	length := len(dst) - start - HeaderSize
	if length > m.Kind().MaxPayload() {
		return nil, badFrame("%v frame of %d bytes is longer than %d", m.Kind(), length, m.Kind().MaxPayload())
	}
	binary.BigEndian.PutUint32(dst[start+1:], uint32(length))
	return dst, nil
}
