package firmware_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera"
)

func TestACameraSaysWhoItIsWithoutASession(t *testing.T) {
	h := newRig(t).host(t)
	info, err := camera.ParseDeviceInfo(do(t, h, camera.OpGetDeviceInfo).Data)
	if err != nil {
		t.Fatal(err)
	}
	if info.SerialNumber.String() != "00112233445566778899aabbccddeeff" || info.Model.String() != "Test Camera" {
		t.Errorf("%+v", info)
	}
	if desc := info.VendorDesc.String(); info.VendorExtension != 6 || !strings.HasPrefix(desc, "microsoft.com: 1.0") || strings.Contains(desc, "android.com") {
		t.Errorf("vendor extension %d %q", info.VendorExtension, desc)
	}
	for _, op := range []camera.Operation{camera.OpGetPartialObject64, camera.OpDeleteObject, camera.OpGetObjectPropValue} {
		if !info.Supports(op) {
			t.Errorf("%v is not listed", op)
		}
	}
	refused(t, h, camera.RespSessionNotOpen, camera.OpGetStorageIDs)
}

func TestSessionsOpenOnceAndClose(t *testing.T) {
	h := newRig(t).host(t)
	refused(t, h, camera.RespInvalidParameter, camera.OpOpenSession, 0)
	do(t, h, camera.OpOpenSession, 7)
	a, err := h.Do(camera.OpOpenSession, 8)
	if err != nil || a.Code != camera.RespSessionAlreadyOpen || !slices.Equal(a.Parameters, []uint32{7}) {
		t.Errorf("second session: %+v, %v", a, err)
	}
	do(t, h, camera.OpCloseSession)
	refused(t, h, camera.RespSessionNotOpen, camera.OpCloseSession)
}

func TestAnUnpluggedCameraForgetsItsSession(t *testing.T) {
	rig := newRig(t)
	h := rig.session(t)
	h.Close()
	refused(t, rig.host(t), camera.RespSessionNotOpen, camera.OpGetStorageIDs)
}

func TestTheStorageIsATreeOfFolders(t *testing.T) {
	rig := newRig(t)
	rig.add(t, 1, 2, 3)
	h := rig.session(t)
	ids, err := camera.ParseHandles(do(t, h, camera.OpGetStorageIDs).Data)
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	storage, err := camera.ParseStorageInfo(do(t, h, camera.OpGetStorageInfo, ids[0]).Data)
	if err != nil || storage.MaxCapacity-storage.FreeSpace != 6 || storage.Access != camera.AccessReadOnlyWithDelete {
		t.Errorf("%+v, %v", storage, err)
	}
	list := func(parent uint32) []uint32 {
		handles, err := camera.ParseHandles(do(t, h, camera.OpGetObjectHandles, ids[0], 0, parent).Data)
		if err != nil {
			t.Fatal(err)
		}
		if a := do(t, h, camera.OpGetNumObjects, ids[0], 0, parent); int(a.Parameters[0]) != len(handles) {
			t.Errorf("GetNumObjects says %v, there are %d", a.Parameters, len(handles))
		}
		return handles
	}
	root := list(camera.RootParent)
	if len(root) != 1 {
		t.Fatalf("root holds %v", root)
	}
	var names []string
	for parent, depth := root[0], 0; depth < 2; depth++ {
		info, err := h.Info(parent)
		if err != nil || info.Format != camera.FormatAssociation || info.AssociationType != camera.AssociationGenericFolder {
			t.Fatalf("%+v, %v", info, err)
		}
		names = append(names, info.Filename.String())
		children := list(parent)
		child, err := h.Info(children[0])
		if err != nil || child.Parent != parent {
			t.Fatalf("%+v, %v", child, err)
		}
		parent = children[0]
	}
	if !slices.Equal(names, []string{"DCIM", "100SEALD"}) {
		t.Errorf("folders %v", names)
	}
	if all := list(camera.AllObjects); len(all) != 5 {
		t.Errorf("%d objects, want 2 folders and 3 recordings", len(all))
	}
	videos := do(t, h, camera.OpGetObjectHandles, camera.AllStorages, uint32(camera.FormatMP4), 0)
	if handles, _ := camera.ParseHandles(videos.Data); len(handles) != 3 {
		t.Errorf("%d videos", len(handles))
	}
	refused(t, h, camera.RespInvalidStorageID, camera.OpGetObjectHandles, 5, 0, 0)
	refused(t, h, camera.RespInvalidStorageID, camera.OpGetStorageInfo, 5)
	refused(t, h, camera.RespInvalidParentObject, camera.OpGetObjectHandles, ids[0], 0, 4711)
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpGetObject, root[0])
	refused(t, h, camera.RespOperationNotSupported, camera.OpFormatStore, ids[0])
	refused(t, h, camera.RespOperationNotSupported, camera.Operation(0x9999))
}

func TestRecordingsComeByteForByteAtEveryAwkwardSize(t *testing.T) {
	rig := newRig(t)
	// With the header of 12 bytes: empty, tiny, one packet less one, exactly, plus one, exactly
	// one and two transfers of 1 MiB, and off by one.
	list := rig.add(t, 0, 1, 499, 500, 501, 1524, 1<<20-13, 1<<20-12, 1<<20-11, 2<<20-12)
	h := rig.session(t)
	for _, r := range list {
		handle := find(t, h, r.Name.String())
		a := do(t, h, camera.OpGetObject, handle)
		if got, want := sha256.Sum256(a.Data), digest(t, r); got != want || int64(len(a.Data)) != r.Size {
			t.Errorf("%d bytes: got %d, hash differs: %t", r.Size, len(a.Data), got != want)
		}
	}
}

func TestPartsOfARecordingComeFromTheirPlace(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 100_000)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	for _, c := range []struct{ offset, length, want uint32 }{
		{0, 10, 10}, {1, 500, 500}, {99_990, 100, 10}, {100_000, 5, 0}, {0, 0xFFFFFFFF, 100_000}, {50_000, 0, 0}, {3, 1012, 1012},
	} {
		for _, a := range []hosttest.Answer{do(t, h, camera.OpGetPartialObject, handle, c.offset, c.length),
			do(t, h, camera.OpGetPartialObject64, handle, c.offset, 0, c.length)} {
			if !slices.Equal(a.Parameters, []uint32{c.want}) || !bytes.Equal(a.Data, part(t, r, int64(c.offset), int(c.want))) {
				t.Errorf("%+v: %d bytes, parameters %v", c, len(a.Data), a.Parameters)
			}
		}
	}
	refused(t, h, camera.RespInvalidParameter, camera.OpGetPartialObject, handle, 100_001, 1)
	refused(t, h, camera.RespInvalidParameter, camera.OpGetPartialObject64, handle, 0, 1, 1)
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpGetPartialObject, 4711, 0, 1)
}

func TestARecordingOfMoreThan4GiBIsDeclaredAndReadAsTheStandardsWant(t *testing.T) {
	rig := newRig(t)
	const size = 5<<30 + 3
	r := rig.add(t, size)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	info, err := h.Info(handle)
	if err != nil || info.CompressedSize != camera.SizeIsUnknown {
		t.Errorf("ObjectInfo size %#x, %v", info.CompressedSize, err)
	}
	v, err := camera.ParseValue(camera.TypeUint64, do(t, h, camera.OpGetObjectPropValue, handle, uint32(camera.ObjPropObjectSize)).Data)
	if err != nil || v.Low != size {
		t.Errorf("size property %d, %v", v.Low, err)
	}
	for _, offset := range []uint64{1<<32 - 100, 1 << 32, size - 200} {
		a := do(t, h, camera.OpGetPartialObject64, handle, uint32(offset), uint32(offset>>32), 200)
		if !bytes.Equal(a.Data, part(t, r, int64(offset), 200)) {
			t.Errorf("200 bytes at %d differ", offset)
		}
	}
	if err := h.Command(camera.OpGetObject, handle); err != nil {
		t.Fatal(err)
	}
	first, err := h.In(hosttest.BulkIn, 512).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if head, err := camera.ParseHeader(first.Data); err != nil || head.Length != camera.LengthUnknown {
		t.Errorf("whole object's header %+v, %v", head, err)
	}
	if err := h.Cancel(); err != nil {
		t.Fatal(err)
	}
	do(t, h, camera.OpGetStorageIDs)
}

func TestObjectPropertiesAgreeWithObjectInfo(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 1234)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	info, err := h.Info(handle)
	if err != nil {
		t.Fatal(err)
	}
	codes, err := camera.ParseProperties(do(t, h, camera.OpGetObjectPropsSupported, uint32(camera.FormatMP4)).Data)
	if err != nil {
		t.Fatal(err)
	}
	values := map[camera.ObjectProperty]camera.Value{}
	for _, code := range codes {
		d, err := camera.ParseObjectPropDesc(do(t, h, camera.OpGetObjectPropDesc, uint32(code), uint32(camera.FormatMP4)).Data)
		if err != nil || d.Property != code || d.Writable {
			t.Fatalf("%04x: %+v, %v", code, d, err)
		}
		if values[code], err = camera.ParseValue(d.Type, do(t, h, camera.OpGetObjectPropValue, handle, uint32(code)).Data); err != nil {
			t.Fatalf("%04x: %v", code, err)
		}
	}
	if values[camera.ObjPropObjectSize].Low != uint64(info.CompressedSize) || values[camera.ObjPropParentObject].Low != uint64(info.Parent) ||
		values[camera.ObjPropObjectFileName].Text.String() != info.Filename.String() ||
		values[camera.ObjPropDateModified].Text.String() != info.ModificationDate.String() || values[camera.ObjPropPersistentID].Low == 0 {
		t.Errorf("properties %+v, info %+v", values, info)
	}
	const all = 0xFFFFFFFF
	for _, c := range []struct {
		parameters []uint32
		want       int
	}{{[]uint32{handle, 0, all, 0, 0}, len(codes)}, {[]uint32{all, 0, all, 0, 0}, 3 * len(codes)},
		{[]uint32{0, 0, uint32(camera.ObjPropObjectSize), 0, all}, 3}, {[]uint32{0, 0, uint32(camera.ObjPropName), 0, 1}, 1}} {
		list, err := camera.ParseObjectPropList(do(t, h, camera.OpGetObjectPropList, c.parameters...).Data)
		if err != nil || len(list) != c.want {
			t.Errorf("property list %v: %d elements, %v; want %d", c.parameters, len(list), err, c.want)
		}
	}
	refused(t, h, camera.RespInvalidObjectPropCode, camera.OpGetObjectPropDesc, 0x1234)
	refused(t, h, camera.RespObjectPropNotSupported, camera.OpGetObjectPropValue, handle, 0x1234)
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpGetObjectPropValue, 4711, uint32(camera.ObjPropName))
	refused(t, h, camera.RespSpecByGroupUnsupported, camera.OpGetObjectPropList, handle, 0, 0, 1, 0)
	refused(t, h, camera.RespObjectPropNotSupported, camera.OpGetObjectPropList, handle, 0, 0x1DC04, 0, 0)
	refused(t, h, camera.RespSpecByDepthUnsupported, camera.OpGetObjectPropList, handle, 0, all, 0, 5)
}

func TestDevicePropertiesAreReadAndTheClockIsSet(t *testing.T) {
	h := newRig(t).session(t)
	battery, err := camera.ParseDevicePropDesc(do(t, h, camera.OpGetDevicePropDesc, uint32(camera.DevPropBatteryLevel)).Data)
	if err != nil || battery.Current.Low != 77 || battery.Form.Maximum.Low != 100 || battery.Writable {
		t.Errorf("%+v, %v", battery, err)
	}
	clock := func() string {
		v, err := camera.ParseValue(camera.TypeText, do(t, h, camera.OpGetDevicePropValue, uint32(camera.DevPropDateTime)).Data)
		if err != nil {
			t.Fatal(err)
		}
		return v.Text.String()
	}
	if got := clock(); got != "20260302T120130Z" {
		t.Errorf("clock says %s, want 90 s more than noon", got)
	}
	set := func(p camera.DeviceProperty, text string) camera.Response {
		data, err := camera.NewText(text).Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := h.DoOut(data, camera.OpSetDevicePropValue, uint32(p))
		if err != nil {
			t.Fatal(err)
		}
		return a.Code
	}
	if code := set(camera.DevPropDateTime, "20260302T130000+0100"); code != camera.RespOK || clock() != "20260302T120000Z" {
		t.Errorf("%v, clock says %s", code, clock())
	}
	for _, c := range []struct {
		property camera.DeviceProperty
		text     string
		want     camera.Response
	}{{camera.DevPropDateTime, "yesterday", camera.RespInvalidPropValue}, {camera.DevPropBatteryLevel, "x", camera.RespAccessDenied},
		{0x5999, "x", camera.RespDevicePropNotSupported}} {
		if code := set(c.property, c.text); code != c.want {
			t.Errorf("setting %04x to %q: %v, want %v", c.property, c.text, code, c.want)
		}
	}
	if a, err := h.DoOut([]byte{9}, camera.OpSetDevicePropValue, uint32(camera.DevPropDateTime)); err != nil || a.Code != camera.RespInvalidPropFormat {
		t.Errorf("half a string: %v, %v", a.Code, err)
	}
	refused(t, h, camera.RespDevicePropNotSupported, camera.OpGetDevicePropValue, 0x5999)
}

func TestADeletedRecordingIsGoneAndWrittenDown(t *testing.T) {
	rig := newRig(t)
	list := rig.add(t, 10, 20)
	h := rig.session(t)
	first, folder := find(t, h, list[0].Name.String()), find(t, h, "DCIM")
	refused(t, h, camera.RespObjectWriteProtected, camera.OpDeleteObject, folder)
	refused(t, h, camera.RespSpecificationUnsupported, camera.OpDeleteObject, camera.DeleteAll)
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpDeleteObject, 4711)
	rig.keeper.refuse = true
	refused(t, h, camera.RespAccessDenied, camera.OpDeleteObject, first)
	do(t, h, camera.OpGetObject, first)
	rig.keeper.refuse = false
	do(t, h, camera.OpDeleteObject, first)
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpGetObject, first)
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpDeleteObject, first)
	if !slices.Equal(rig.keeper.deleted, []string{list[0].Path}) {
		t.Errorf("written down: %v", rig.keeper.deleted)
	}
	if left := rig.camera.Recordings(); len(left) != 1 || left[0] != list[1] {
		t.Errorf("left: %v", left)
	}
}

func TestEventsTellOfNewAndLostRecordings(t *testing.T) {
	rig := newRig(t)
	rig.add(t, 1)
	h := rig.session(t)
	r := rig.add(t, 1, 2)[1]
	if err := rig.camera.Remove(r.Path); err != nil {
		t.Fatal(err)
	}
	var codes []camera.Event
	for range 3 {
		reply, err := h.In(hosttest.InterruptIn, 64).Wait()
		if err != nil {
			t.Fatal(err)
		}
		b, err := camera.ParseBlock(reply.Data)
		if err != nil || b.Type != camera.ContainerEvent || len(b.Parameters) != 1 {
			t.Fatalf("%+v, %v", b, err)
		}
		codes = append(codes, camera.Event(b.Code))
	}
	if want := []camera.Event{camera.EventObjectAdded, camera.EventObjectAdded, camera.EventObjectRemoved}; !slices.Equal(codes, want) {
		t.Errorf("events %04x", codes)
	}
	if err := rig.camera.Remove("nothing"); err == nil {
		t.Error("a recording that is not there was lost")
	}
}
