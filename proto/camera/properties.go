package camera

import (
	"encoding/binary"
	"fmt"
)

// FormFlag says how a property's legal values are described (PIMA 15740 section 13.3.3;
// MTP 1.1 section 5.2.1).
type FormFlag uint8

// The forms in use. The others that MTP knows are refused by the decoder when
// they carry data of unknown shape.
const (
	FormNone     FormFlag = 0
	FormRange    FormFlag = 1
	FormEnum     FormFlag = 2
	FormDateTime FormFlag = 3 // object properties only; carries no data
)

// maxEnum is how many values an enumeration form may list.
const maxEnum = 1 << 12

// Form describes the legal values of a property.
type Form struct {
	Flag             FormFlag
	Minimum, Maximum Value // of FormRange
	Step             Value
	Enumeration      []Value // of FormEnum
}

func (c *cursor) form(t DataType) Form {
	f := Form{Flag: FormFlag(c.u8("form"))}
	switch f.Flag {
	case FormNone, FormDateTime:
	case FormRange:
		f.Minimum = c.value("minimum", t)
		f.Maximum = c.value("maximum", t)
		f.Step = c.value("step", t)
	case FormEnum:
		n := int(c.u16("enumeration"))
		if n > maxEnum || n > len(c.rest) {
			c.fail("enumeration", "%d values in %d bytes, at most %d", n, len(c.rest), maxEnum)
			return f
		}
		for range n {
			if c.fault != nil {
				return f
			}
			f.Enumeration = append(f.Enumeration, c.value("enumeration", t))
		}
	default:
		c.fail("form", "unknown form %d", f.Flag)
	}
	return f
}

func (f *Form) append(dst []byte, t DataType) ([]byte, error) {
	dst = append(dst, byte(f.Flag))
	switch f.Flag {
	case FormRange:
		return appendValues(dst, t, f.Minimum, f.Maximum, f.Step)
	case FormEnum:
		if len(f.Enumeration) > maxEnum {
			return dst, fmt.Errorf("writing an enumeration: %d values, at most %d", len(f.Enumeration), maxEnum)
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(f.Enumeration)))
		return appendValues(dst, t, f.Enumeration...)
	}
	return dst, nil
}

func appendValues(dst []byte, t DataType, values ...Value) ([]byte, error) {
	for _, v := range values {
		if v.Type != t {
			return dst, fmt.Errorf("writing a property: a value of type 0x%04x in a property of type 0x%04x", uint16(v.Type), uint16(t))
		}
		var err error
		if dst, err = v.Append(dst); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// DevicePropDesc describes a device property (PIMA 15740 section 13.3.3).
type DevicePropDesc struct {
	Property DeviceProperty
	Type     DataType
	Writable bool
	Default  Value
	Current  Value
	Form     Form
}

// ParseDevicePropDesc decodes the data of GetDevicePropDesc.
func ParseDevicePropDesc(p []byte) (DevicePropDesc, error) {
	c := cursor{rest: p, what: "DevicePropDesc"}
	d := DevicePropDesc{
		Property: DeviceProperty(c.u16("property")),
		Type:     DataType(c.u16("data type")),
		Writable: c.u8("get/set") != 0,
	}
	d.Default = c.value("default", d.Type)
	d.Current = c.value("current value", d.Type)
	d.Form = c.form(d.Type)
	return d, c.fault
}

// Append appends the dataset to dst.
func (d *DevicePropDesc) Append(dst []byte) ([]byte, error) {
	dst = appendPropHead(dst, uint16(d.Property), d.Type, d.Writable)
	dst, err := appendValues(dst, d.Type, d.Default, d.Current)
	if err != nil {
		return dst, err
	}
	return d.Form.append(dst, d.Type)
}

// ObjectPropDesc describes an object property (MTP 1.1 section 5.2.1.1).
type ObjectPropDesc struct {
	Property ObjectProperty
	Type     DataType
	Writable bool
	Default  Value
	Group    uint32
	Form     Form
}

// ParseObjectPropDesc decodes the data of GetObjectPropDesc.
func ParseObjectPropDesc(p []byte) (ObjectPropDesc, error) {
	c := cursor{rest: p, what: "ObjectPropDesc"}
	d := ObjectPropDesc{
		Property: ObjectProperty(c.u16("property")),
		Type:     DataType(c.u16("data type")),
		Writable: c.u8("get/set") != 0,
	}
	d.Default = c.value("default", d.Type)
	d.Group = c.u32("group")
	d.Form = c.form(d.Type)
	return d, c.fault
}

// Append appends the dataset to dst.
func (d *ObjectPropDesc) Append(dst []byte) ([]byte, error) {
	dst = appendPropHead(dst, uint16(d.Property), d.Type, d.Writable)
	dst, err := appendValues(dst, d.Type, d.Default)
	if err != nil {
		return dst, err
	}
	dst = binary.LittleEndian.AppendUint32(dst, d.Group)
	return d.Form.append(dst, d.Type)
}

func appendPropHead(dst []byte, property uint16, t DataType, writable bool) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, property)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(t))
	if writable {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// ObjectPropElement is one quadruple of an object property list.
type ObjectPropElement struct {
	Handle   uint32
	Property ObjectProperty
	Value    Value
}

// ParseObjectPropList decodes the data of GetObjectPropList (MTP 1.1 appendix E.2.1.1).
func ParseObjectPropList(p []byte) ([]ObjectPropElement, error) {
	c := cursor{rest: p, what: "ObjectPropList"}
	n := c.count("elements", 4+2+2+1)
	var list []ObjectPropElement
	for range n {
		e := ObjectPropElement{Handle: c.u32("handle"), Property: ObjectProperty(c.u16("property"))}
		e.Value = c.value("value", DataType(c.u16("data type")))
		if c.fault != nil {
			return nil, c.fault
		}
		list = append(list, e)
	}
	return list, c.fault
}

// AppendObjectPropList appends the list to dst.
func AppendObjectPropList(dst []byte, list []ObjectPropElement) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(list)))
	for _, e := range list {
		dst = binary.LittleEndian.AppendUint32(dst, e.Handle)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(e.Property))
		dst = binary.LittleEndian.AppendUint16(dst, uint16(e.Value.Type))
		var err error
		if dst, err = e.Value.Append(dst); err != nil {
			return dst, fmt.Errorf("writing a property list, handle %d, property 0x%04x: %w", e.Handle, uint16(e.Property), err)
		}
	}
	return dst, nil
}
