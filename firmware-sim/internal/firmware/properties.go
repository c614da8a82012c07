package firmware

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/sealdock/sealdock/proto/camera"
)

// declared is the object as ObjectInfo and properties describe it, lies included.
func (c *Camera) declared(o *object) (parent uint32, size int64, date string) {
	parent, size = o.parent, o.size()
	if c.faults.Loops() && o.folder() {
		parent = c.child(o)
	}
	if !o.folder() {
		size = c.faults.Size(o.path, c.faults.Present(o.path, size))
	}
	return parent, size, c.faults.Date(o.path, camera.FormatDateTime(o.captured.UTC(), true))
}

// child is a folder inside o, or o itself: what makes a parent loop.
func (c *Camera) child(o *object) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.order {
		if i := c.objects[h]; i.folder() && i.parent == o.handle {
			return h
		}
	}
	return o.handle
}

func (c *Camera) objectInfo(handle uint32) answer {
	o := c.find(handle)
	if o == nil {
		return refuse(camera.RespInvalidObjectHandle)
	}
	c.faults.Described(o.path)
	parent, size, date := c.declared(o)
	info := camera.ObjectInfo{Storage: storageID, Format: o.format(), CompressedSize: camera.SizeIsUnknown, Parent: parent,
		SequenceNumber: o.sequence, Filename: o.name, CaptureDate: camera.NewText(date), ModificationDate: camera.NewText(date)}
	if size < int64(camera.SizeIsUnknown) {
		info.CompressedSize = uint32(size)
	}
	if o.folder() {
		info.AssociationType = camera.AssociationGenericFolder
	}
	return give(info.Append(nil))
}

// objectProperties lists what every object has, in the order of the codes.
func objectProperties() []camera.ObjectProperty {
	return []camera.ObjectProperty{
		camera.ObjPropStorageID, camera.ObjPropObjectFormat, camera.ObjPropProtectionStatus, camera.ObjPropObjectSize,
		camera.ObjPropObjectFileName, camera.ObjPropDateCreated, camera.ObjPropDateModified, camera.ObjPropParentObject,
		camera.ObjPropPersistentID, camera.ObjPropName,
	}
}

func propertyType(p camera.ObjectProperty) (camera.DataType, bool) {
	switch p {
	case camera.ObjPropStorageID, camera.ObjPropParentObject:
		return camera.TypeUint32, true
	case camera.ObjPropObjectFormat, camera.ObjPropProtectionStatus:
		return camera.TypeUint16, true
	case camera.ObjPropObjectSize:
		return camera.TypeUint64, true
	case camera.ObjPropPersistentID:
		return camera.TypeUint128, true
	case camera.ObjPropObjectFileName, camera.ObjPropDateCreated, camera.ObjPropDateModified, camera.ObjPropName:
		return camera.TypeText, true
	}
	return 0, false
}

func objectPropertyDescription(p camera.ObjectProperty) answer {
	kind, known := propertyType(p)
	if !known {
		return refuse(camera.RespInvalidObjectPropCode)
	}
	d := camera.ObjectPropDesc{Property: p, Type: kind, Default: camera.Value{Type: kind}}
	switch p {
	case camera.ObjPropDateCreated, camera.ObjPropDateModified:
		d.Form.Flag = camera.FormDateTime
	case camera.ObjPropProtectionStatus:
		d.Form = camera.Form{Flag: camera.FormEnum, Enumeration: []camera.Value{camera.Uint16Value(camera.ProtectionNone)}}
	}
	return give(d.Append(nil))
}

func (c *Camera) propertyValue(o *object, p camera.ObjectProperty) (camera.Value, bool) {
	parent, size, date := c.declared(o)
	switch p {
	case camera.ObjPropStorageID:
		return camera.Uint32Value(storageID), true
	case camera.ObjPropObjectFormat:
		return camera.Uint16Value(uint16(o.format())), true
	case camera.ObjPropProtectionStatus:
		return camera.Uint16Value(camera.ProtectionNone), true
	case camera.ObjPropObjectSize:
		return camera.Uint64Value(uint64(size)), true
	case camera.ObjPropObjectFileName, camera.ObjPropName:
		return camera.Value{Type: camera.TypeText, Text: o.name}, true
	case camera.ObjPropDateCreated, camera.ObjPropDateModified:
		return camera.Value{Type: camera.TypeText, Text: camera.NewText(date)}, true
	case camera.ObjPropParentObject:
		return camera.Uint32Value(parent), true
	case camera.ObjPropPersistentID:
		return c.persistentID(o), true
	}
	return camera.Value{}, false
}

// persistentID stays the same over sessions and restarts.
func (c *Camera) persistentID(o *object) camera.Value {
	h := sha256.New()
	h.Write([]byte(c.settings.Serial + "\x00" + o.path + "\x00"))
	if !o.folder() {
		h.Write(o.recording.SHA256[:])
	}
	sum := h.Sum(nil)
	return camera.Uint128Value(binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:]))
}

func (c *Camera) objectProperty(handle uint32, p camera.ObjectProperty) answer {
	o := c.find(handle)
	if o == nil {
		return refuse(camera.RespInvalidObjectHandle)
	}
	v, known := c.propertyValue(o, p)
	if !known {
		return refuse(camera.RespObjectPropNotSupported)
	}
	return give(v.Append(nil))
}

// objectPropertyList answers GetObjectPropList (MTP 1.1, E.2.1.1) for one object,
// for the children of one, and for all.
func (c *Camera) objectPropertyList(p func(int) uint32) answer {
	handle, format, property, group, depth := p(0), camera.Format(p(1)), p(2), p(3), p(4)
	const all = 0xFFFFFFFF
	if property == 0 {
		if group == 0 {
			return refuse(camera.RespInvalidParameter)
		}
		return refuse(camera.RespSpecByGroupUnsupported)
	}
	var handles []uint32
	known := true
	switch {
	case handle == all || handle == 0 && depth == all:
		handles, known = c.list(camera.AllObjects, format)
	case depth == 0:
		if handles = []uint32{handle}; handle == 0 {
			handles = nil
		}
	case depth == 1 && handle == 0:
		handles, known = c.list(camera.RootParent, format)
	case depth == 1:
		handles, known = c.list(handle, format)
	default:
		return refuse(camera.RespSpecByDepthUnsupported)
	}
	if !known {
		return refuse(camera.RespInvalidObjectHandle)
	}
	properties := objectProperties()
	if property != all {
		if _, ok := propertyType(camera.ObjectProperty(property)); !ok || property > 0xFFFF {
			return refuse(camera.RespObjectPropNotSupported)
		}
		properties = []camera.ObjectProperty{camera.ObjectProperty(property)}
	}
	var list []camera.ObjectPropElement
	for _, h := range handles {
		o := c.find(h)
		if o == nil {
			return refuse(camera.RespInvalidObjectHandle)
		}
		for _, code := range properties {
			v, _ := c.propertyValue(o, code)
			list = append(list, camera.ObjectPropElement{Handle: h, Property: code, Value: v})
		}
	}
	return give(camera.AppendObjectPropList(nil, list))
}

// deviceProperty answers with a device property's description or its value alone.
func (c *Camera) deviceProperty(p camera.DeviceProperty, describe bool) answer {
	d := camera.DevicePropDesc{Property: p}
	switch p {
	case camera.DevPropBatteryLevel:
		d.Type, d.Default, d.Current = camera.TypeUint8, camera.Uint8Value(100), camera.Uint8Value(c.battery())
		d.Form = camera.Form{Flag: camera.FormRange, Minimum: camera.Uint8Value(0), Maximum: camera.Uint8Value(100), Step: camera.Uint8Value(1)}
	case camera.DevPropDateTime:
		d.Type, d.Default, d.Writable = camera.TypeText, camera.TextValue(""), true
		d.Current = camera.TextValue(camera.FormatDateTime(c.Clock(), true))
	case camera.DevPropFriendlyName:
		d.Type, d.Default, d.Current = camera.TypeText, camera.TextValue(""), camera.TextValue(c.settings.FriendlyName)
	default:
		return refuse(camera.RespDevicePropNotSupported)
	}
	if describe {
		return give(d.Append(nil))
	}
	return give(d.Current.Append(nil))
}

func (c *Camera) setDeviceProperty(p camera.DeviceProperty, data []byte) answer {
	switch p {
	case camera.DevPropDateTime:
	case camera.DevPropBatteryLevel, camera.DevPropFriendlyName:
		return refuse(camera.RespAccessDenied)
	default:
		return refuse(camera.RespDevicePropNotSupported)
	}
	text, err := camera.ParseText(data)
	if err != nil {
		return refuse(camera.RespInvalidPropFormat)
	}
	at, err := camera.ParseDateTime(text.String())
	if err != nil {
		return refuse(camera.RespInvalidPropValue)
	}
	return c.adjust(at.Time, dateUncertainty)
}
