package camera

import (
	"encoding/binary"
	"fmt"
)

// MaxElements is how many elements an array from a peer may have. It is above
// every listing that the agent accepts, and it bounds memory before that limit is
// looked at.
const MaxElements = 1 << 20

// cursor reads little-endian fields one after the other. After the first failure it
// reads zeros and keeps that failure, so a dataset is decoded without a check
// per field.
type cursor struct {
	rest  []byte
	what  string
	fault error
}

func (c *cursor) fail(field, format string, args ...any) {
	if c.fault == nil {
		c.fault = fmt.Errorf("reading %s, %s: %w: %s", c.what, field, ErrMalformed, fmt.Sprintf(format, args...))
	}
	c.rest = nil
}

func (c *cursor) take(field string, n int) []byte {
	if c.fault != nil {
		return nil
	}
	if len(c.rest) < n {
		c.fail(field, "needs %d bytes, %d are left", n, len(c.rest))
		return nil
	}
	p := c.rest[:n]
	c.rest = c.rest[n:]
	return p
}

func (c *cursor) u8(field string) uint8 {
	if p := c.take(field, 1); p != nil {
		return p[0]
	}
	return 0
}

func (c *cursor) u16(field string) uint16 {
	if p := c.take(field, 2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (c *cursor) u32(field string) uint32 {
	if p := c.take(field, 4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (c *cursor) u64(field string) uint64 {
	if p := c.take(field, 8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// text reads a PTP string (PIMA 15740 section 5.3.5): a count byte, then so many
// UTF-16LE units, the last of which is NUL.
func (c *cursor) text(field string) Text {
	p := c.take(field, 2*int(c.u8(field)))
	if len(p) == 0 {
		return nil
	}
	t := make(Text, len(p)/2)
	for i := range t {
		t[i] = binary.LittleEndian.Uint16(p[2*i:])
	}
	if t[len(t)-1] == 0 {
		t = t[:len(t)-1]
	}
	return t
}

// count reads an array's length and makes sure that so many elements of at least
// size bytes are there.
func (c *cursor) count(field string, size int) int {
	n := c.u32(field)
	if n > MaxElements {
		c.fail(field, "%d elements, at most %d", n, MaxElements)
		return 0
	}
	if int(n)*size > len(c.rest) {
		c.fail(field, "%d elements of %d bytes, %d bytes are left", n, size, len(c.rest))
		return 0
	}
	return int(n)
}

func array16[T ~uint16](c *cursor, field string) []T {
	n := c.count(field, 2)
	p := c.take(field, 2*n)
	if len(p) == 0 {
		return nil
	}
	out := make([]T, n)
	for i := range out {
		out[i] = T(binary.LittleEndian.Uint16(p[2*i:]))
	}
	return out
}

func array32[T ~uint32](c *cursor, field string) []T {
	n := c.count(field, 4)
	p := c.take(field, 4*n)
	if len(p) == 0 {
		return nil
	}
	out := make([]T, n)
	for i := range out {
		out[i] = T(binary.LittleEndian.Uint32(p[4*i:]))
	}
	return out
}

func appendArray16[T ~uint16](dst []byte, list []T) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(list)))
	for _, v := range list {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(v))
	}
	return dst
}

func appendArray32[T ~uint32](dst []byte, list []T) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(list)))
	for _, v := range list {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return dst
}

// ParseHandles decodes an array of object handles or storage ids, the data of
// GetObjectHandles and GetStorageIDs.
func ParseHandles(p []byte) ([]uint32, error) {
	c := cursor{rest: p, what: "a list of handles"}
	list := array32[uint32](&c, "handles")
	return list, c.fault
}

// AppendHandles appends an array of handles or storage ids to dst.
func AppendHandles(dst []byte, handles []uint32) []byte {
	return appendArray32(dst, handles)
}

// ParseProperties decodes an array of object property codes, the data of
// GetObjectPropsSupported.
func ParseProperties(p []byte) ([]ObjectProperty, error) {
	c := cursor{rest: p, what: "a list of properties"}
	list := array16[ObjectProperty](&c, "properties")
	return list, c.fault
}

// AppendProperties appends an array of object property codes to dst.
func AppendProperties(dst []byte, list []ObjectProperty) []byte {
	return appendArray16(dst, list)
}
