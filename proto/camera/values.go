package camera

import (
	"encoding/binary"
	"fmt"
)

// DataType is the type of a property's value (PIMA 15740 section 5.3).
type DataType uint16

// The data types. TypeArray is set in the code of an array of a number type.
const (
	TypeInt8    DataType = 0x0001
	TypeUint8   DataType = 0x0002
	TypeInt16   DataType = 0x0003
	TypeUint16  DataType = 0x0004
	TypeInt32   DataType = 0x0005
	TypeUint32  DataType = 0x0006
	TypeInt64   DataType = 0x0007
	TypeUint64  DataType = 0x0008
	TypeInt128  DataType = 0x0009
	TypeUint128 DataType = 0x000A
	TypeArray   DataType = 0x4000
	TypeText    DataType = 0xFFFF
)

// size returns the bytes of one number of the type, 0 when it is no number type.
func (t DataType) size() int {
	switch t {
	case TypeInt8, TypeUint8:
		return 1
	case TypeInt16, TypeUint16:
		return 2
	case TypeInt32, TypeUint32:
		return 4
	case TypeInt64, TypeUint64:
		return 8
	case TypeInt128, TypeUint128:
		return 16
	}
	return 0
}

// Value is a property's value. Which field holds it depends on Type: Text for
// TypeText, Raw for arrays (the elements' bytes, little-endian, without the count),
// Low and High for numbers. Signed numbers are sign-extended into Low, and into
// High for the 128-bit type.
type Value struct {
	Type DataType
	Low  uint64 // the number, or the low half of one of 128 bits
	High uint64 // the high half of one of 128 bits
	Text Text
	Raw  []byte
}

// Uint8Value and the functions below make the values that cameras commonly send.
func Uint8Value(v uint8) Value { return Value{Type: TypeUint8, Low: uint64(v)} }

// Uint16Value returns a 16-bit value.
func Uint16Value(v uint16) Value { return Value{Type: TypeUint16, Low: uint64(v)} }

// Uint32Value returns a 32-bit value.
func Uint32Value(v uint32) Value { return Value{Type: TypeUint32, Low: uint64(v)} }

// Uint64Value returns a 64-bit value.
func Uint64Value(v uint64) Value { return Value{Type: TypeUint64, Low: v} }

// Uint128Value returns a 128-bit value of two halves.
func Uint128Value(high, low uint64) Value { return Value{Type: TypeUint128, Low: low, High: high} }

// TextValue returns a string value.
func TextValue(s string) Value { return Value{Type: TypeText, Text: NewText(s)} }

// value reads one value of a type that the dataset or the property's definition gives.
func (c *cursor) value(field string, t DataType) Value {
	v := Value{Type: t}
	switch {
	case t == TypeText:
		v.Text = c.text(field)
	case t&TypeArray != 0 && (t&^TypeArray).size() > 0:
		size := (t &^ TypeArray).size()
		n := c.count(field, size)
		v.Raw = append([]byte(nil), c.take(field, n*size)...)
	case t.size() > 0:
		c.number(field, &v)
	default:
		c.fail(field, "unknown data type 0x%04x", uint16(t))
	}
	return v
}

func (c *cursor) number(field string, v *Value) {
	switch v.Type {
	case TypeInt8:
		v.Low = uint64(int64(int8(c.u8(field))))
	case TypeUint8:
		v.Low = uint64(c.u8(field))
	case TypeInt16:
		v.Low = uint64(int64(int16(c.u16(field))))
	case TypeUint16:
		v.Low = uint64(c.u16(field))
	case TypeInt32:
		v.Low = uint64(int64(int32(c.u32(field))))
	case TypeUint32:
		v.Low = uint64(c.u32(field))
	case TypeInt64, TypeUint64:
		v.Low = c.u64(field)
	case TypeInt128, TypeUint128:
		v.Low = c.u64(field)
		v.High = c.u64(field)
	}
}

// ParseValue decodes a value of type t at the start of p, the data of
// GetDevicePropValue, GetObjectPropValue and their Set counterparts.
func ParseValue(t DataType, p []byte) (Value, error) {
	c := cursor{rest: p, what: "a property value"}
	v := c.value("value", t)
	return v, c.fault
}

// Append appends the value, without its type, to dst.
func (v Value) Append(dst []byte) ([]byte, error) {
	switch {
	case v.Type == TypeText:
		return v.Text.Append(dst)
	case v.Type&TypeArray != 0 && (v.Type&^TypeArray).size() > 0:
		size := (v.Type &^ TypeArray).size()
		if len(v.Raw)%size != 0 {
			return dst, fmt.Errorf("writing a property value: %d bytes are no whole elements of %d", len(v.Raw), size)
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v.Raw)/size))
		return append(dst, v.Raw...), nil
	}
	switch v.Type.size() {
	case 1:
		return append(dst, byte(v.Low)), nil
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(v.Low)), nil
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(v.Low)), nil
	case 8:
		return binary.LittleEndian.AppendUint64(dst, v.Low), nil
	case 16:
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, v.Low), v.High), nil
	}
	return dst, fmt.Errorf("writing a property value: unknown data type 0x%04x", uint16(v.Type))
}
