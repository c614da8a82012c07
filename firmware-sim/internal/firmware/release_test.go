package firmware_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestARecordingIsErasedAgainstItsReceipt(t *testing.T) {
	rig, here := newRig(t), agencyOf("here")
	list := rig.add(t, 1000, 2000, 3000)
	h := rig.session(t)
	rig.adopted(t, h, &here)
	serial, handle := rig.camera.Serial(), find(t, h, list[1].Name.String())
	receipt := here.receiptOf(t, serial, list[1])
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpGetEraseStatement, 2)

	rig.keeper.refusing(true)
	if code := send(t, h, receipt, camera.OpEraseRecording, handle); code != camera.RespAccessDenied || len(rig.camera.Recordings()) != 3 {
		t.Errorf("an erasing that was not written down: %v", code)
	}
	rig.keeper.refusing(false)

	sent(t, h, receipt, camera.OpEraseRecording, handle)
	if left := rig.camera.Recordings(); len(left) != 2 || left[0] != list[0] || left[1] != list[2] {
		t.Errorf("%d recordings are left", len(left))
	}
	statement := do(t, h, camera.OpGetEraseStatement, 2).Data
	var erase evidence.CameraErase
	verified(t, statement, evidence.TypeCameraErase, rig.camera.Key(), &erase)
	e, err := evidence.ParseEnvelope(receipt)
	if err != nil {
		t.Fatal(err)
	}
	if want := (evidence.CameraErase{Version: 1, Serial: serial, Sequence: 2, Length: 2000, SHA256: list[1].SHA256, ReceiptDigest: evidence.SHA256(e.Payload),
		Method: "crypto-erase (simulated)", At: rig.camera.Clock()}); erase != want {
		t.Errorf("%+v\nwant %+v", erase, want)
	}
	if !slices.Equal(rig.keeper.deleted, []string{list[1].Path}) || !bytes.Equal(rig.keeper.statements[0], statement) {
		t.Errorf("written down: %v with %s", rig.keeper.deleted, rig.keeper.statements)
	}
	if code := send(t, h, receipt, camera.OpEraseRecording, handle); code != camera.RespInvalidObjectHandle {
		t.Errorf("the same receipt again: %v", code)
	}
	if l := rig.listing(t, h, 0); len(l) != 2 || l[0].Sequence != 1 || l[1].Sequence != 3 {
		t.Errorf("listed afterwards: %+v", l)
	}
}

func TestWithoutAReceiptThatHoldsNothingIsErased(t *testing.T) {
	rig, here, there := newRig(t), agencyOf("here"), agencyOf("there")
	list := rig.add(t, 1000, 2000)
	h := rig.session(t)
	serial, handle := rig.camera.Serial(), find(t, h, list[0].Name.String())
	good := here.receiptOf(t, serial, list[0])
	if code := send(t, h, good, camera.OpEraseRecording, handle); code != camera.RespNotConfirmed {
		t.Errorf("a camera without trust: %v", code)
	}
	rig.adopted(t, h, &here)
	forged := there
	forged.name = here.name
	for name, receipt := range map[string][]byte{
		"nothing": nil, "no envelope": []byte("erase it"), "signed by another key": forged.receiptOf(t, serial, list[0]),
		"another agency":    here.receiptOf(t, serial, list[0], func(r *evidence.Receipt) { r.Agency = "there" }),
		"another camera":    here.receiptOf(t, "other", list[0]),
		"another length":    here.receiptOf(t, serial, list[0], func(r *evidence.Receipt) { r.Length++ }),
		"another hash":      here.receiptOf(t, serial, list[0], func(r *evidence.Receipt) { r.SHA256[31] ^= 1 }),
		"another recording": here.receiptOf(t, serial, list[1]),
		"another kind":      retyped(t, good, evidence.TypeRelease, &here),
		"broken inside":     evidence.Sign(evidence.TypeReceipt, []byte(`{"version":1}`), "", here.receipt).Marshal(),
		"a dock's key":      evidence.Sign(evidence.TypeReceipt, payloadOf(t, good), "", here.dock).Marshal(),
	} {
		if code := send(t, h, receipt, camera.OpEraseRecording, handle); code != camera.RespNotConfirmed || len(rig.camera.Recordings()) != 2 {
			t.Errorf("%s: %v, %d recordings", name, code, len(rig.camera.Recordings()))
		}
	}
	for _, none := range []uint32{0, 4711, 1, 0xFFFFFFFF} { // 1 is a folder
		if code := send(t, h, good, camera.OpEraseRecording, none); code != camera.RespInvalidObjectHandle {
			t.Errorf("handle %d: %v", none, code)
		}
	}
	for _, p := range [][]uint32{{handle}, {0xFFFFFFFF}} {
		refused(t, h, camera.RespAccessDenied, camera.OpDeleteObject, p...)
	}
	refused(t, h, camera.RespAccessDenied, camera.OpFormatStore, 0x00010001)
	next := here.trust(t, 2, func(s *evidence.CameraTrust) { s.ReceiptKeys = [][]byte{publicOf(there.receipt)} })
	sent(t, h, next, camera.OpSetTrust)
	if code := send(t, h, good, camera.OpEraseRecording, handle); code != camera.RespNotConfirmed {
		t.Errorf("a key that is trusted no longer: %v", code)
	}
	if len(rig.camera.Recordings()) != 2 || len(rig.keeper.deleted) != 0 {
		t.Errorf("%d recordings, deleted %v", len(rig.camera.Recordings()), rig.keeper.deleted)
	}
}

func payloadOf(t testing.TB, data []byte) []byte {
	t.Helper()
	e, err := evidence.ParseEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	return e.Payload
}

func retyped(t testing.TB, data []byte, payloadType string, a *agency) []byte {
	t.Helper()
	return evidence.Sign(payloadType, payloadOf(t, data), "", a.receipt).Marshal()
}

func TestACameraNobodyAdoptedDeletesAsEver(t *testing.T) {
	rig := newRig(t)
	list := rig.add(t, 1000)
	h := rig.session(t)
	do(t, h, camera.OpDeleteObject, find(t, h, list[0].Name.String()))
	if len(rig.camera.Recordings()) != 0 || rig.keeper.statements[0] != nil {
		t.Errorf("%d recordings, statement %s", len(rig.camera.Recordings()), rig.keeper.statements[0])
	}
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpGetEraseStatement, 1)
}

func TestEraseStatementsAreKeptForTheLastTenThousand(t *testing.T) {
	rig := newRig(t)
	for n := range 10_001 {
		rig.camera.KeepErase(uint64(n)+1, []byte{byte(n)})
	}
	h := rig.session(t)
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpGetEraseStatement, 1)
	for _, n := range []uint32{2, 10_001} {
		if got := do(t, h, camera.OpGetEraseStatement, n).Data; !bytes.Equal(got, []byte{byte(n - 1)}) {
			t.Errorf("statement %d: %x", n, got)
		}
	}
	refused(t, h, camera.RespInvalidObjectHandle, camera.OpGetEraseStatement, 2, 1)
}

var _ firmware.Journal = (*keeper)(nil)
