package firmware_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/camera/usbip"
)

func TestABadBlockIsRefusedAndTheRestIsNot(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 3*fault.BlockSize)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	rig.fault(t, fault.Fault{Kind: fault.BadBlock, Path: r.Path, At: fault.BlockSize})
	refused(t, h, camera.RespGeneralError, camera.OpGetObject, handle)
	refused(t, h, camera.RespGeneralError, camera.OpGetPartialObject, handle, 2*fault.BlockSize-1, 10)
	if a := do(t, h, camera.OpGetPartialObject, handle, 0, fault.BlockSize); !bytes.Equal(a.Data, part(t, r, 0, fault.BlockSize)) {
		t.Error("the block before it reads wrong")
	}
}

func TestEndlessContentGoesOnAfterItsEnd(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 1000)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	rig.fault(t, fault.Fault{Kind: fault.Endless})
	if a := do(t, h, camera.OpGetPartialObject, handle, 900, 300); !bytes.Equal(a.Data, append(part(t, r, 900, 100), make([]byte, 200)...)) {
		t.Error("over the end: other bytes")
	}
	if a := do(t, h, camera.OpGetPartialObject64, handle, 5000, 7, 64); len(a.Data) != 64 {
		t.Errorf("far behind the end: %d bytes", len(a.Data))
	}
	if a := do(t, h, camera.OpGetObject, handle); len(a.Data) != 1000 {
		t.Errorf("as a whole: %d bytes", len(a.Data))
	}
}

func TestAGrowingFileHasTheBytesThatItLists(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 1000)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	rig.fault(t, fault.Fault{Kind: fault.Grow, Path: r.Path, At: 400, Delta: 500})
	for _, want := range []int{400, 900, 1000} {
		info, err := h.Info(handle)
		if err != nil {
			t.Fatal(err)
		}
		if a := do(t, h, camera.OpGetObject, handle); int(info.CompressedSize) != want || !bytes.Equal(a.Data, part(t, r, 0, want)) {
			t.Errorf("%d bytes listed, %d read, want %d", info.CompressedSize, len(a.Data), want)
		}
	}
}

func TestCardsThatAreFullOrReadOnlySaySo(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 1000)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	rig.fault(t, fault.Fault{Kind: fault.Full})
	rig.fault(t, fault.Fault{Kind: fault.ReadOnly})
	info, err := camera.ParseStorageInfo(do(t, h, camera.OpGetStorageInfo, 0x00010001).Data)
	if err != nil || info.FreeSpace != 0 || info.Access != camera.AccessReadOnly {
		t.Errorf("%+v, %v", info, err)
	}
	refused(t, h, camera.RespStoreReadOnly, camera.OpDeleteObject, handle)
	rig.camera.Faults().Clear()
	do(t, h, camera.OpDeleteObject, handle)
	if len(rig.keeper.deleted) != 1 {
		t.Errorf("deleted: %v", rig.keeper.deleted)
	}
}

func TestTheCableIsPulledWithinADeletion(t *testing.T) {
	for variant, left := range map[string]int{fault.VariantBefore: 1, fault.VariantAfter: 0} {
		rig := newRig(t)
		r := rig.add(t, 1000)[0]
		h := rig.session(t)
		handle := find(t, h, r.Name.String())
		rig.fault(t, fault.Fault{Kind: fault.UnplugErase, Variant: variant, Count: 1})
		if a, err := h.Do(camera.OpDeleteObject, handle); err == nil {
			t.Fatalf("%s: %v", variant, a.Code)
		}
		<-h.Gone()
		if plugged, _ := rig.server.Plugged("1-1"); plugged || len(rig.camera.Recordings()) != left {
			t.Errorf("%s: plugged %t, %d recordings", variant, plugged, len(rig.camera.Recordings()))
		}
	}
}

func TestContainersAndDatasetsLie(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 1000)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	once := func(variant string) { rig.fault(t, fault.Fault{Kind: fault.Containers, Variant: variant, Count: 1}) }
	once(fault.VariantCount)
	if _, err := camera.ParseHandles(do(t, h, camera.OpGetStorageIDs).Data); !errors.Is(err, camera.ErrMalformed) {
		t.Errorf("an array of 2^32-1 elements: %v", err)
	}
	once(fault.VariantText)
	if _, err := camera.ParseObjectInfo(do(t, h, camera.OpGetObjectInfo, handle).Data); !errors.Is(err, camera.ErrMalformed) {
		t.Errorf("a string without end: %v", err)
	}
	for _, variant := range []string{fault.VariantShort, fault.VariantTransaction} {
		once(variant)
		if a, err := h.Do(camera.OpGetNumObjects, 0xFFFF_FFFF, 0, 0); err == nil {
			t.Errorf("%s: %v", variant, a.Code)
		}
	}
	do(t, h, camera.OpGetObjectInfo, handle)
}

func TestALostEmptyPacketLetsDataRunIntoTheResponse(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 10_000)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	rig.fault(t, fault.Fault{Kind: fault.Containers, Variant: fault.VariantZeroPacket})
	const whole = 2*512 - camera.HeaderSize
	if err := h.Command(camera.OpGetPartialObject, handle, 100, whole); err != nil {
		t.Fatal(err)
	}
	got, err := h.Read(4096)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) <= 1024 || !bytes.Equal(got[camera.HeaderSize:1024], part(t, r, 100, whole)) {
		t.Fatalf("%d bytes in one transfer", len(got))
	}
	if b, err := camera.ParseBlock(got[1024:]); err != nil || b.Type != camera.ContainerResponse || camera.Response(b.Code) != camera.RespOK {
		t.Errorf("behind the data: %+v, %v", b, err)
	}
}

func TestACameraGivesASerialNumberThatIsNotItsOwn(t *testing.T) {
	rig := newRig(t)
	rig.camera.Claim("another")
	info, err := camera.ParseDeviceInfo(do(t, rig.host(t), camera.OpGetDeviceInfo).Data)
	if err != nil || info.SerialNumber.String() != "another" || rig.camera.Identity().Serial != "another" || rig.camera.Serial() == "another" {
		t.Errorf("%q, %v", info.SerialNumber.String(), err)
	}
	rig.camera.Claim("")
	if rig.camera.Identity().Serial != rig.camera.Serial() {
		t.Error("its own number does not come back")
	}
}

func TestEventsComeInAStorm(t *testing.T) {
	rig := newRig(t)
	h := rig.session(t)
	rig.camera.Bother(5)
	for range 5 {
		r, err := h.In(hosttest.InterruptIn, 64).Wait()
		if err != nil || r.Status != usbip.StatusOK {
			t.Fatal(r.Status, err)
		}
		if b, err := camera.ParseBlock(r.Data); err != nil || camera.Event(b.Code) != camera.EventDevicePropChanged {
			t.Errorf("%+v, %v", b, err)
		}
	}
}
