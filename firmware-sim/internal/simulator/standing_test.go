package simulator_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/firmware-sim/internal/oracle"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

func key(name string) ed25519.PrivateKey {
	seed := evidence.SHA256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) ed25519.PublicKey { return key(name).Public().(ed25519.PublicKey) }

func sign(t testing.TB, payloadType string, s evidence.Statement, k ed25519.PrivateKey) []byte {
	t.Helper()
	payload, err := evidence.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Sign(payloadType, payload, "", k).Marshal()
}

// sends runs a transaction with data that has to succeed.
func sends(t testing.TB, h *hosttest.Host, op camera.Operation, data []byte, parameters ...uint32) {
	t.Helper()
	if a, err := h.DoOut(data, op, parameters...); err != nil || a.Code != camera.RespOK {
		t.Fatalf("%v: %v, %v", op, a.Code, err)
	}
}

func document(t testing.TB, d any) []byte {
	t.Helper()
	b, err := camera.EncodeDocument(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asks[D any](t testing.TB, h *hosttest.Host, op camera.Operation, parameters ...uint32) (d D) {
	t.Helper()
	a, err := h.Do(op, parameters...)
	if err != nil || a.Code != camera.RespOK {
		t.Fatalf("%v: %v, %v", op, a.Code, err)
	}
	if err := camera.DecodeDocument(a.Data, camera.MaxListingDocument, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// adopts makes a camera that of the agency "here", unlocked.
func adopts(t testing.TB, h *hosttest.Host) {
	t.Helper()
	sends(t, h, camera.OpAdopt, document(t, camera.Adoption{Authority: public("authority")}))
	sends(t, h, camera.OpSetTrust, sign(t, evidence.TypeCameraTrust, &evidence.CameraTrust{Version: 1, Agency: "here", Number: 3, ReceiptKeys: [][]byte{public("receipts")},
		Docks: []evidence.TrustedDock{{Dock: "dock-1", Key: public("dock")}}, IssuedAt: now()}, key("authority")))
	unlocks(t, h)
}

func unlocks(t testing.TB, h *hosttest.Host) {
	t.Helper()
	s := asks[camera.Status](t, h, camera.OpGetCameraStatus)
	sends(t, h, camera.OpUnlockStorage, sign(t, evidence.TypeDockUnlock, &evidence.DockUnlock{Version: 1, Agency: "here", Dock: "dock-1", Serial: s.Serial,
		Nonce: s.Challenge, At: now()}, key("dock")))
}

func lists(t testing.TB, h *hosttest.Host) (list []evidence.CameraRecording) {
	t.Helper()
	for _, p := range asks[camera.Listing](t, h, camera.OpGetListing).Parts {
		e, err := evidence.ParseEnvelope(p)
		if err != nil {
			t.Fatal(err)
		}
		var part evidence.CameraListing
		if err := evidence.Decode(e.Payload, &part); err != nil {
			t.Fatal(err)
		}
		list = append(list, part.Recordings...)
	}
	return list
}

func numbers(list []evidence.CameraRecording) (n []uint64) {
	for _, r := range list {
		n = append(n, r.Sequence)
	}
	return n
}

func TestACameraIsTheSameAfterARestartOfTheSimulator(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	before := r.bay("1-1")
	h := r.session("1-1")
	adopts(t, h)
	sends(t, h, camera.OpAssignWearer, document(t, camera.Wearer{Officer: "Ruth Abernathy", OfficerID: "o-1203"}))
	if _, err := r.Record(t.Context(), "1-1"); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove("1-1", before.Recordings[1].Path); err != nil {
		t.Fatal(err)
	}
	if err := r.Urgent("1-1", before.Recordings[2].Path, true); err != nil {
		t.Fatal(err)
	}
	first := lists(t, h)[0]
	if code, err := h.Do(camera.OpDeleteObject, first.Handle); err != nil || code.Code != camera.RespAccessDenied {
		t.Errorf("DeleteObject: %v, %v", code.Code, err)
	}
	receipt := sign(t, evidence.TypeReceipt, &evidence.Receipt{Version: 1, Agency: "here", Dock: "dock-1", Evidence: evidence.EvidenceID{1}, Attempt: 1,
		CameraSerial: before.Serial, Path: "x", Length: first.Length, SHA256: first.SHA256, MerkleRoot: evidence.Digest{1}, ManifestDigest: evidence.Digest{2},
		StoredAt: now(), Proof: evidence.LogProof{Salt: make([]byte, 32), Event: []byte("{}")}}, key("receipts"))
	sends(t, h, camera.OpEraseRecording, receipt, first.Handle)
	statement, err := h.Do(camera.OpGetEraseStatement, 1)
	if err != nil {
		t.Fatal(err)
	}
	r.stop()

	r = start(t, synthetic(path))
	after := r.bay("1-1")
	if after.Serial != before.Serial || !bytes.Equal(after.Camera.Key, before.Camera.Key) || after.Camera.Agency != "here" || !after.Camera.Locked ||
		after.Camera.Boot != before.Camera.Boot+1 || after.Camera.Trust != 3 || after.Camera.Wearer == nil {
		t.Errorf("%+v", after.Camera)
	}
	h = r.session("1-1")
	unlocks(t, h)
	list := lists(t, h)
	if n := numbers(list); !slices.Equal(n, []uint64{3, 4}) || !list[0].Urgent || list[1].Officer != "Ruth Abernathy" || list[1].OfficerID != "o-1203" || list[0].Officer != "" {
		t.Errorf("numbers %v, %+v", n, list)
	}
	if again, err := h.Do(camera.OpGetEraseStatement, 1); err != nil || !bytes.Equal(again.Data, statement.Data) || len(again.Data) == 0 {
		t.Errorf("the statement after a restart: %v, %v", again.Code, err)
	}
	if _, err := r.Record(t.Context(), "1-1"); err != nil {
		t.Fatal(err)
	}
	if n := numbers(lists(t, h)); !slices.Equal(n, []uint64{3, 4, 5}) {
		t.Errorf("numbers %v", n)
	}
	truth, err := oracle.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, rec := range truth.Cameras[0].Recordings {
		if rec.Sequence != uint64(i)+1 {
			t.Errorf("recording %d has number %d", i, rec.Sequence)
		}
	}
	if rec := truth.Cameras[0].Recordings[0]; !rec.Deleted || !bytes.Equal(rec.Erase, statement.Data) {
		t.Errorf("%+v", rec)
	}
}

func TestNewFirmwareBringsTheCameraBackInItsBay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oracle.json")
	r := start(t, synthetic(path))
	image, err := firmware.Image("2.0.0", 5000, false)
	if err != nil {
		t.Fatal(err)
	}
	h := r.session("1-1")
	sends(t, h, camera.OpFirmwareBegin, sign(t, evidence.TypeFirmware, &evidence.Firmware{Version: 1, Model: simulator.Model, Release: "2.0.0",
		Counter: simulator.FirstCounter + 1, Length: 5000, SHA256: evidence.SHA256(image), ReleasedAt: now()}, simulator.MakerKey(1)))
	sends(t, h, camera.OpFirmwareWrite, image)
	if a, err := h.Do(camera.OpFirmwareApply); err != nil || a.Code != camera.RespOK {
		t.Fatal(a.Code, err)
	}
	<-h.Gone()
	becomes(t, r, "1-1", func(b simulator.Bay) bool { return b.Plugged })
	h = r.session("1-1")
	info, err := h.Do(camera.OpGetDeviceInfo)
	if err != nil {
		t.Fatal(err)
	}
	d, err := camera.ParseDeviceInfo(info.Data)
	if err != nil || d.DeviceVersion.String() != "2.0.0" {
		t.Errorf("version %q, %v", d.DeviceVersion.String(), err)
	}
	if b := r.bay("1-1"); b.Camera.Update.State != camera.FirmwareTrial || b.Camera.Boot != 2 || len(b.Recordings) != 3 {
		t.Errorf("%+v", b.Camera)
	}
	if err := r.Behave("1-1", simulator.Behaviour{RefuseConfirm: true, Recording: true}); err != nil {
		t.Fatal(err)
	}
	if a, err := h.Do(camera.OpFirmwareConfirm); err != nil || a.Code != camera.RespGeneralError {
		t.Errorf("confirm: %v, %v", a.Code, err)
	}
	if err := r.Restart("1-1"); err != nil {
		t.Fatal(err)
	}
	<-h.Gone()
	b := becomes(t, r, "1-1", func(b simulator.Bay) bool { return b.Plugged })
	if b.Camera.Firmware == "2.0.0" || b.Camera.Update.State != camera.FirmwareFailed {
		t.Errorf("%+v", b.Camera)
	}
	if err := r.Unplug("1-1"); err != nil {
		t.Fatal(err)
	}
	if err := r.Restart("1-1"); err != nil || r.bay("1-1").Plugged {
		t.Errorf("a camera out of its bay went into it: %v", err)
	}
	truth, err := oracle.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	for _, e := range truth.Cameras[0].Log {
		if e.Act == firmware.NoteFirmware {
			notes = append(notes, e.Detail)
		}
	}
	if got := strings.Join(notes, ", "); got != "started with 2.0.0, started with 1.4.2-sim, started with 1.4.2-sim" {
		t.Errorf("noted: %s", got)
	}
}

func TestACameraCanBeAnotherAgencys(t *testing.T) {
	r := start(t, synthetic(""))
	h := r.session("1-1")
	if err := r.Agency("1-1", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if s := asks[camera.Status](t, h, camera.OpGetCameraStatus); s.Agency != "elsewhere" || !s.Locked || s.Trust != 0 {
		t.Errorf("%+v", s)
	}
	if a, err := h.DoOut(document(t, camera.Adoption{Authority: public("authority")}), camera.OpAdopt); err != nil || a.Code != camera.RespOtherAuthority {
		t.Errorf("adopted: %v, %v", a.Code, err)
	}
	if err := r.Agency("1-1", "No Such Name"); err == nil {
		t.Error("a name that is none was taken")
	}
	if err := r.Agency("1-1", ""); err != nil {
		t.Fatal(err)
	}
	if s := asks[camera.Status](t, h, camera.OpGetCameraStatus); s.Agency != "" || s.Locked || len(objects(t, h)) != 3 {
		t.Errorf("%+v", s)
	}
	adopts(t, h)
	sends(t, h, camera.OpAssignWearer, []byte("{}"))
	if _, err := h.Do(camera.OpSetIndicator, uint32(camera.IndicatorSafe)); err != nil {
		t.Fatal(err)
	}
	if b := r.bay("1-1"); b.Camera.Light != "safe" || b.Camera.Agency != "here" || b.Camera.Wearer == nil {
		t.Errorf("%+v", b.Camera)
	}
	plain := synthetic("")
	plain.Plain = true
	if b := start(t, plain).bay("1-1"); b.Camera != nil {
		t.Errorf("%+v", b.Camera)
	}
}

func TestTheWearerIsInWhatIsRecordedLater(t *testing.T) {
	r := start(t, simulator.Config{Cameras: 1, Recordings: 1, ClipSize: 1 << 18, Seed: 1, Cache: t.TempDir(), Oracle: filepath.Join(t.TempDir(), "oracle.json")})
	h := r.session("1-1")
	before := lists(t, h)
	sends(t, h, camera.OpAssignWearer, document(t, camera.Wearer{Officer: "Ada Nobody", OfficerID: "o-77"}))
	if _, err := r.Record(t.Context(), "1-1"); err != nil {
		t.Fatal(err)
	}
	list := lists(t, h)
	if len(list) != 4 || list[0].Officer == "" || list[0].Officer != before[0].Officer || list[0].EndedAt.Sub(list[0].StartedAt) < time.Second {
		t.Fatalf("%+v", list)
	}
	truth, err := oracle.Read(r.config.Oracle)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(truth.Cameras[0].Recordings[3].ContentFile)
	if err != nil {
		t.Fatal(err)
	}
	var claims evidence.Claims
	if err := json.Unmarshal(content, &claims); err != nil || claims.Officer != "Ada Nobody" || claims.OfficerID != "o-77" {
		t.Errorf("sidecar %+v, %v", claims, err)
	}
	for _, l := range list[2:] {
		if l.Officer != claims.Officer || l.OfficerID != claims.OfficerID || !l.StartedAt.Equal(claims.StartedAt) || !l.EndedAt.Equal(claims.EndedAt) {
			t.Errorf("%+v, the sidecar says %+v", l, claims)
		}
	}
}
