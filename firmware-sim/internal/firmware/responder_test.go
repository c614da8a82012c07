package firmware_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/camera/usbip"
)

func TestCancelEndsATransactionAndTheNextOneIsClean(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 8<<20)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	for i := range 50 {
		if err := h.Command(camera.OpGetObject, handle); err != nil {
			t.Fatal(err)
		}
		for range i % 4 {
			if _, err := h.In(hosttest.BulkIn, 64<<10).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Cancel(); err != nil {
			t.Fatal(err)
		}
		ready(t, h)
		if a := do(t, h, camera.OpGetPartialObject, handle, 7, 100); !bytes.Equal(a.Data, part(t, r, 7, 100)) {
			t.Fatal("the bytes differ after a cancel")
		}
	}
}

// ready waits until the device status is OK.
func ready(t *testing.T, h *hosttest.Host) {
	t.Helper()
	for deadline := time.Now().Add(hosttest.Patience); ; {
		s, err := h.Status()
		if err != nil {
			t.Fatal(err)
		}
		if s.Code == camera.RespOK {
			return
		}
		if s.Code != camera.RespDeviceBusy || time.Now().After(deadline) {
			t.Fatalf("device status %v %x", s.Code, s.Endpoints)
		}
	}
}

func TestResetEndsTheSessionToo(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 1<<20)[0]
	h := rig.session(t)
	if err := h.Command(camera.OpGetObject, find(t, h, r.Name.String())); err != nil {
		t.Fatal(err)
	}
	if err := h.ResetClass(); err != nil {
		t.Fatal(err)
	}
	ready(t, h)
	refused(t, h, camera.RespSessionNotOpen, camera.OpGetStorageIDs)
	if err := h.OpenSession(); err != nil {
		t.Fatal(err)
	}
}

func TestAHostOutOfStepIsHaltedAndRecovers(t *testing.T) {
	data := camera.DataHeader(camera.OpGetObject, 9, 100).Append(nil)
	event, _ := camera.Notify(camera.EventObjectAdded, 1).Append(nil)
	for name, raw := range map[string][]byte{"data without command": data, "an event": event, "noise": []byte("noise and nothing"),
		"five bytes": {12, 0, 0, 0, 1}, "far too much": make([]byte, 4096)} {
		h := newRig(t).session(t)
		if err := h.Write(raw); err != nil {
			t.Fatal(name, err)
		}
		if _, err := h.Read(512); !errors.Is(err, hosttest.ErrStall) {
			t.Fatalf("%s: %v, want a stall", name, err)
		}
		s, err := h.Status()
		if err != nil || s.Code != camera.RespTransactionCancelled || !slices.Equal(s.Endpoints, []uint32{0x81, 0x02}) {
			t.Errorf("%s: status %v %x, %v", name, s.Code, s.Endpoints, err)
		}
		if err := errors.Join(h.ClearHalt(0x81), h.ClearHalt(0x02)); err != nil {
			t.Fatal(err)
		}
		do(t, h, camera.OpGetStorageIDs)
	}
}

func TestDataFromTheHostMayEndOnAPacketBorder(t *testing.T) {
	h := newRig(t).session(t)
	for _, n := range []int{0, 499, 500, 501, 1012, 40_000} { // with its header, 500 is one whole packet
		a, err := h.DoOut(make([]byte, n), camera.OpSendObjectInfo, 1, 0)
		if err != nil || a.Code != camera.RespOperationNotSupported {
			t.Fatalf("%d bytes: %v, %v", n, a.Code, err)
		}
		do(t, h, camera.OpGetStorageIDs)
	}
}

func TestDataFromTheHostIsBounded(t *testing.T) {
	h := newRig(t).session(t)
	if err := h.Command(camera.OpSendObject); err != nil {
		t.Fatal(err)
	}
	if err := h.Write(append(camera.DataHeader(camera.OpSendObject, 2, 1<<20).Append(nil), make([]byte, 1<<20)...)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Read(512); !errors.Is(err, hosttest.ErrStall) {
		t.Errorf("1 MiB of data: %v, want a stall", err)
	}
}

func TestUnknownClassRequestsStall(t *testing.T) {
	h := newRig(t).host(t)
	for _, s := range []usbip.Setup{{RequestType: 0xA1, Request: camera.RequestExtendedEvent, Length: 20}, {RequestType: 0x21, Request: 0x99},
		{RequestType: 0x21, Request: camera.RequestCancel}, {RequestType: 0xC0, Request: 1}} {
		if r, err := h.Control(s, nil); err != nil || r.Status != usbip.StatusStall {
			t.Errorf("%+v: %+v, %v", s, r, err)
		}
	}
}

func TestAScriptedPullComesAtItsByte(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 1<<20)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	rig.fault(t, fault.Fault{Kind: fault.Unplug, At: 600_000})
	if err := h.Command(camera.OpGetObject, handle); err != nil {
		t.Fatal(err)
	}
	p, err := h.Read(4096)
	if !errors.Is(err, hosttest.ErrGone) || len(p) != 598_016 { // the last whole transfer below the byte
		t.Errorf("%d bytes, %v", len(p), err)
	}
	<-h.Gone()
	if err := rig.server.Plug("1-1"); err != nil {
		t.Fatal(err)
	}
	again := rig.session(t)
	if a := do(t, again, camera.OpGetObject, handle); len(a.Data) != 1<<20 {
		t.Errorf("after plugging it in again: %d bytes", len(a.Data))
	}
}

func TestAScriptedHaltIsCleared(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 100_000)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	rig.fault(t, fault.Fault{Kind: fault.Halt, At: 50_000})
	if a, err := h.Do(camera.OpGetObject, handle); !errors.Is(err, hosttest.ErrStall) {
		t.Fatalf("%v, %v", a.Code, err)
	}
	if err := h.ClearHalt(0x81); err != nil {
		t.Fatal(err)
	}
	if a := do(t, h, camera.OpGetObject, handle); len(a.Data) != 100_000 {
		t.Errorf("%d bytes", len(a.Data))
	}
}

func TestAnEndlessStallEndsWithACancel(t *testing.T) {
	rig := newRig(t)
	r := rig.add(t, 100_000)[0]
	h := rig.session(t)
	handle := find(t, h, r.Name.String())
	rig.fault(t, fault.Fault{Kind: fault.Stall, At: 1000})
	if err := h.Command(camera.OpGetObject, handle); err != nil {
		t.Fatal(err)
	}
	stuck := h.In(hosttest.BulkIn, 4096)
	stuck.Stays(t)
	if s := h.Unlink(stuck); s != usbip.StatusReset {
		t.Errorf("cancelling the transfer: status %d", s)
	}
	if err := h.Cancel(); err != nil {
		t.Fatal(err)
	}
	ready(t, h)
	if a := do(t, h, camera.OpGetObject, handle); len(a.Data) != 100_000 {
		t.Errorf("%d bytes", len(a.Data))
	}
}

func TestScriptedLiesReachTheHost(t *testing.T) {
	rig := newRig(t)
	list := rig.add(t, 1000, 2000)
	h := rig.session(t)
	handle, folder := find(t, h, list[0].Name.String()), find(t, h, "DCIM")
	info := func(handle uint32) camera.ObjectInfo {
		i, err := h.Info(handle)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	rig.fault(t, fault.Fault{Kind: fault.Size, Path: list[0].Path, Delta: 24})
	rig.fault(t, fault.Fault{Kind: fault.Dates, Variant: fault.VariantImpossible})
	rig.fault(t, fault.Fault{Kind: fault.Flip, Path: list[0].Path, At: 999, Bit: 7, Read: 2})
	if i := info(handle); i.CompressedSize != 1024 || i.CaptureDate.String() != "20260230T256199" {
		t.Errorf("%+v", i)
	}
	for reading := 1; reading <= 3; reading++ {
		data := do(t, h, camera.OpGetObject, handle).Data
		if flipped := !bytes.Equal(data, part(t, list[0], 0, 1000)); flipped != (reading == 2) {
			t.Errorf("reading %d: flipped %t", reading, flipped)
		}
	}
	rig.fault(t, fault.Fault{Kind: fault.Handles, Variant: fault.VariantLoop})
	if i := info(folder); i.Parent == 0 {
		t.Error("no loop of parents")
	}
	rig.fault(t, fault.Fault{Kind: fault.Handles, Variant: fault.VariantMany, Count: 1_000_000})
	if handles, err := h.Handles(); err != nil || len(handles) != 1_000_004 {
		t.Errorf("%d handles, %v", len(handles), err)
	}
	rig.fault(t, fault.Fault{Kind: fault.Busy, Count: 1})
	refused(t, h, camera.RespDeviceBusy, camera.OpGetStorageIDs)
	do(t, h, camera.OpGetStorageIDs)
}

// FuzzHost sends a camera what it likes, as bulk transfers of its own cutting.
func FuzzHost(f *testing.F) {
	open, _ := camera.Command(camera.OpOpenSession, 1, 1).Append(nil)
	get, _ := camera.Command(camera.OpGetObject, 2, 3).Append(nil)
	list, _ := camera.Command(camera.OpGetObjectPropList, 3, 0xFFFFFFFF, 0, 0xFFFFFFFF).Append(nil)
	set, _ := camera.Command(camera.OpSetDevicePropValue, 4, 0x5011).Append(nil)
	f.Add(append(append(append(append([]byte{}, open...), get...), list...), set...), uint8(16))
	f.Add([]byte("noise"), uint8(3))
	f.Fuzz(func(t *testing.T, raw []byte, cut uint8) {
		if len(raw) > 4096 {
			return
		}
		rig := newRig(t)
		rig.add(t, 100)
		h := rig.host(t)
		in := h.In(hosttest.BulkIn, 1<<16)
		for len(raw) > 0 {
			n := min(len(raw), 1+int(cut))
			if length := int(raw[0]); n > camera.HeaderSize && length >= camera.HeaderSize && length <= len(raw) {
				n = length
			}
			h.Out(hosttest.BulkOut, raw[:n])
			raw = raw[n:]
			if in.Done() {
				in = h.In(hosttest.BulkIn, 1<<16)
			}
		}
		if err := h.ResetClass(); err != nil {
			t.Fatal(err)
		}
		_ = errors.Join(h.ClearHalt(0x81), h.ClearHalt(0x02))
		ready(t, h)
	})
}
