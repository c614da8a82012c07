package firmware

import (
	"math"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/camera"
)

func operations() []camera.Operation {
	return []camera.Operation{
		camera.OpGetDeviceInfo, camera.OpOpenSession, camera.OpCloseSession, camera.OpGetStorageIDs, camera.OpGetStorageInfo,
		camera.OpGetNumObjects, camera.OpGetObjectHandles, camera.OpGetObjectInfo, camera.OpGetObject, camera.OpDeleteObject,
		camera.OpGetDevicePropDesc, camera.OpGetDevicePropValue, camera.OpSetDevicePropValue, camera.OpGetPartialObject,
		camera.OpGetPartialObject64, camera.OpGetObjectPropsSupported, camera.OpGetObjectPropDesc, camera.OpGetObjectPropValue,
		camera.OpGetObjectPropList,
	}
}

// operate performs one operation. An error ends the transaction without a response.
func (c *Camera) operate(t *transaction) (answer, error) {
	if r, known := ruleOf(t.op); known {
		return c.extend(t, r)
	}
	switch t.op { // those that take data from the host, wanted or not
	case camera.OpSetDevicePropValue, camera.OpSetObjectPropValue, camera.OpSendObjectInfo, camera.OpSendObject:
		data, err := t.receive(maxDataOut)
		if err != nil {
			return answer{}, err
		}
		if t.op != camera.OpSetDevicePropValue {
			return refuse(camera.RespOperationNotSupported), nil
		}
		if code, ok := c.ready(); !ok {
			return refuse(code), nil
		}
		if code, ok := c.permitted(t.op); !ok {
			return refuse(code), nil
		}
		return c.setDeviceProperty(camera.DeviceProperty(t.command.Parameter(0)), data), nil
	case camera.OpGetDeviceInfo:
		return c.deviceInfo(), nil
	case camera.OpOpenSession:
		return c.openSession(t.command.Parameter(0)), nil
	}
	if code, ok := c.ready(); !ok {
		return refuse(code), nil
	}
	if code, ok := c.permitted(t.op); !ok {
		return refuse(code), nil
	}
	if t.op == camera.OpDeleteObject {
		return c.deleteObject(t, t.command.Parameter(0))
	}
	return c.inSession(t), nil
}

// ready says whether a session is open and no fault makes the camera busy.
func (c *Camera) ready() (camera.Response, bool) {
	c.mu.Lock()
	open := c.session != 0
	c.mu.Unlock()
	if !open {
		return camera.RespSessionNotOpen, false
	}
	if c.faults.Busy() {
		return camera.RespDeviceBusy, false
	}
	return camera.RespOK, true
}

func (c *Camera) inSession(t *transaction) answer {
	p := t.command.Parameter
	switch t.op {
	case camera.OpCloseSession:
		c.endSession()
		return accept()
	case camera.OpGetStorageIDs:
		return give(camera.AppendHandles(nil, c.storages()), nil)
	case camera.OpGetStorageInfo:
		return c.storageInfo(p(0))
	case camera.OpGetNumObjects, camera.OpGetObjectHandles:
		return c.handles(t.op, p(0), camera.Format(p(1)), p(2))
	case camera.OpGetObjectInfo:
		return c.objectInfo(p(0))
	case camera.OpGetObject:
		return c.object(p(0), 0, -1, false)
	case camera.OpGetPartialObject:
		return c.object(p(0), uint64(p(1)), int64(p(2)), true)
	case camera.OpGetPartialObject64:
		return c.object(p(0), uint64(p(1))|uint64(p(2))<<32, int64(p(3)), true)
	case camera.OpGetDevicePropDesc:
		return c.deviceProperty(camera.DeviceProperty(p(0)), true)
	case camera.OpGetDevicePropValue:
		return c.deviceProperty(camera.DeviceProperty(p(0)), false)
	case camera.OpGetObjectPropsSupported:
		return give(camera.AppendProperties(nil, objectProperties()), nil)
	case camera.OpGetObjectPropDesc:
		return objectPropertyDescription(camera.ObjectProperty(p(0)))
	case camera.OpGetObjectPropValue:
		return c.objectProperty(p(0), camera.ObjectProperty(p(1)))
	case camera.OpGetObjectPropList:
		return c.objectPropertyList(p)
	}
	return refuse(camera.RespOperationNotSupported)
}

func (c *Camera) deviceInfo() answer {
	description, list := "microsoft.com: 1.0;", operations()
	if c.Extended() {
		description, list = description+" "+camera.ExtensionMark, append(list, extensionOperations()...)
	}
	d := camera.DeviceInfo{
		StandardVersion: 100, VendorExtension: 6, VendorVersion: 100,
		VendorDesc: camera.NewText(description),
		Operations: list,
		Events: []camera.Event{camera.EventObjectAdded, camera.EventObjectRemoved, camera.EventStoreAdded,
			camera.EventStoreRemoved, camera.EventDevicePropChanged, camera.EventObjectInfoChanged},
		DeviceProperties: []camera.DeviceProperty{camera.DevPropBatteryLevel, camera.DevPropDateTime, camera.DevPropFriendlyName},
		ImageFormats:     []camera.Format{camera.FormatUndefined, camera.FormatAssociation, camera.FormatMP4},
		Manufacturer:     camera.NewText(c.settings.Manufacturer), Model: camera.NewText(c.settings.Model),
		DeviceVersion: camera.NewText(c.Status().Firmware), SerialNumber: camera.NewText(c.claim()),
	}
	return give(d.Append(nil))
}

func (c *Camera) openSession(id uint32) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case id == 0:
		return refuse(camera.RespInvalidParameter)
	case c.session != 0:
		return refuse(camera.RespSessionAlreadyOpen, c.session)
	}
	c.session = id
	return accept()
}

func (c *Camera) storageInfo(id uint32) answer {
	if id != storageID {
		return refuse(camera.RespInvalidStorageID)
	}
	c.mu.Lock()
	free := max(0, capacity-c.used)
	c.mu.Unlock()
	access := camera.AccessReadOnlyWithDelete
	if c.faults.Has(fault.ReadOnly) {
		access = camera.AccessReadOnly
	}
	if c.faults.Has(fault.Full) {
		free = 0
	}
	s := camera.StorageInfo{StorageType: camera.StorageFixedRAM, FilesystemType: camera.FilesystemDCF,
		Access: access, MaxCapacity: capacity, FreeSpace: uint64(free), FreeImages: 0xFFFFFFFF,
		Description: camera.NewText("Evidence storage"), VolumeLabel: camera.NewText("EVIDENCE")}
	return give(s.Append(nil))
}

func (c *Camera) handles(op camera.Operation, storage uint32, format camera.Format, parent uint32) answer {
	if storage != storageID && storage != camera.AllStorages {
		return refuse(camera.RespInvalidStorageID)
	}
	list, known := c.list(parent, format)
	if !known {
		return refuse(camera.RespInvalidParentObject)
	}
	list = c.faults.List(list)
	if op == camera.OpGetNumObjects {
		return accept(uint32(len(list)))
	}
	return give(camera.AppendHandles(nil, list), nil)
}

// object answers the three ways of reading: part of it up to limit bytes, or all.
func (c *Camera) object(handle uint32, offset uint64, limit int64, partial bool) answer {
	o := c.find(handle)
	if o == nil || o.folder() {
		return refuse(camera.RespInvalidObjectHandle)
	}
	size := c.faults.Present(o.path, o.size())
	if partial && c.faults.Endless(o.path) {
		size = math.MaxInt64
	}
	if offset > uint64(size) {
		return refuse(camera.RespInvalidParameter)
	}
	reader, err := o.recording.Content.Open()
	if err != nil {
		c.log.Error("recording cannot be read", "path", o.path, "error", err)
		return refuse(camera.RespGeneralError)
	}
	part := &content{reader: reader, path: o.path, offset: int64(offset), size: size - int64(offset), faults: &c.faults}
	if partial {
		part.size = min(part.size, limit)
	}
	if at, bad := c.faults.Unreadable(o.path, part.offset, part.size); bad {
		c.log.Warn("a block of a recording cannot be read", "path", o.path, "byte", at)
		reader.Close()
		return refuse(camera.RespGeneralError)
	}
	if !partial {
		return answer{code: camera.RespOK, phase: true, content: part}
	}
	return answer{code: camera.RespOK, parameters: []uint32{uint32(part.size)}, phase: true, content: part}
}

func (c *Camera) deleteObject(t *transaction, handle uint32) (answer, error) {
	if handle == camera.DeleteAll { // evidence goes one by one or not at all
		return refuse(camera.RespSpecificationUnsupported), nil
	}
	o := c.find(handle)
	switch {
	case o == nil:
		return refuse(camera.RespInvalidObjectHandle), nil
	case o.folder():
		return refuse(camera.RespObjectWriteProtected), nil
	}
	return c.deletion(t, o, nil)
}
