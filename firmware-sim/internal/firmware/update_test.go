package firmware_test

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// bundle is an image and its signed description.
type bundle struct{ statement, image []byte }

func release(t testing.TB, name string, counter uint64, size int, key ed25519.PrivateKey, change ...func(*evidence.Firmware)) bundle {
	t.Helper()
	image := bytes.Repeat([]byte{byte(counter), 1, 2, 3}, size/4)
	f := evidence.Firmware{Version: 1, Model: "Test Camera", Release: name, Counter: counter, Length: uint64(len(image)), SHA256: evidence.SHA256(image), MinBattery: 20, ReleasedAt: noon}
	for _, do := range change {
		do(&f)
	}
	return bundle{envelope(t, evidence.TypeFirmware, &f, key), image}
}

// write sends an image from a place on, in pieces.
func write(t testing.TB, h *hosttest.Host, image []byte, from, piece int) {
	t.Helper()
	for at := from; at < len(image); at += piece {
		sent(t, h, image[at:min(at+piece, len(image))], camera.OpFirmwareWrite, uint32(at), 0)
	}
}

func (b bundle) stage(t testing.TB, h *hosttest.Host) {
	t.Helper()
	sent(t, h, b.statement, camera.OpFirmwareBegin)
	write(t, h, b.image, 0, 1<<20)
}

func update(t testing.TB, h *hosttest.Host) camera.FirmwareStatus {
	t.Helper()
	return get[camera.FirmwareStatus](t, h, camera.OpGetFirmwareStatus)
}

// applies has the camera restart into what is staged, and returns the next session.
func (r *rig) applies(t testing.TB, h *hosttest.Host) *hosttest.Host {
	t.Helper()
	do(t, h, camera.OpFirmwareApply)
	return r.restarted(t, h)
}

func version(t testing.TB, h *hosttest.Host) string {
	t.Helper()
	info, err := camera.ParseDeviceInfo(do(t, h, camera.OpGetDeviceInfo).Data)
	if err != nil {
		t.Fatal(err)
	}
	return info.DeviceVersion.String()
}

func TestNewFirmwareRunsAfterARestartAndStaysWhenItIsConfirmed(t *testing.T) {
	rig := newRig(t)
	made := rig.add(t, 1000)
	h := rig.session(t)
	if s := update(t, h); s != (camera.FirmwareStatus{State: camera.FirmwareIdle}) {
		t.Errorf("%+v", s)
	}
	release(t, "2.0", 11, 3<<20+40, maker()).stage(t, h)
	if s := update(t, h); s != (camera.FirmwareStatus{State: camera.FirmwareStaged, Received: 3<<20 + 40, Length: 3<<20 + 40, Release: "2.0"}) {
		t.Errorf("%+v", s)
	}
	h = rig.applies(t, h)
	s := status(t, h)
	if s.Firmware != "2.0" || s.FirmwareCounter != 11 || s.Slot != "b" || s.Boot != 2 || version(t, h) != "2.0" || update(t, h).State != camera.FirmwareTrial {
		t.Errorf("%+v, %+v, %s", s, update(t, h), version(t, h))
	}
	next := release(t, "3.0", 12, 100, maker())
	if code := send(t, h, next.statement, camera.OpFirmwareBegin); code != camera.RespDeviceBusy {
		t.Errorf("another image during the trial: %v", code)
	}
	do(t, h, camera.OpFirmwareConfirm)
	do(t, h, camera.OpFirmwareConfirm)
	if err := rig.camera.Restart(); err != nil {
		t.Fatal(err)
	}
	h = rig.restarted(t, h)
	if s := status(t, h); s.Firmware != "2.0" || s.Boot != 3 || update(t, h).State != camera.FirmwareIdle {
		t.Errorf("%+v, %+v", s, update(t, h))
	}
	next.stage(t, h)
	h = rig.applies(t, h)
	if s := status(t, h); s.Firmware != "3.0" || s.Slot != "a" {
		t.Errorf("%+v", s)
	}
	if left := rig.camera.Recordings(); len(left) != 1 || left[0] != made[0] {
		t.Errorf("%d recordings after the updates", len(left))
	}
}

func TestFirmwareThatIsNotConfirmedGoesBackAtTheNextStart(t *testing.T) {
	rig := newRig(t)
	rig.add(t, 1000)
	h := rig.session(t)
	release(t, "2.0", 11, 100, maker()).stage(t, h)
	h = rig.applies(t, h)
	h.Close()
	h = rig.session(t)
	if s := status(t, h); s.Firmware != "2.0" {
		t.Errorf("a pull is no start: %+v", s)
	}
	rig.camera.RefuseConfirm(true)
	refused(t, h, camera.RespGeneralError, camera.OpFirmwareConfirm)
	again := rigOf(t, standard(), reload(t, rig.keeper.kept()))
	h = again.session(t)
	s, u := status(t, h), update(t, h)
	if s.Firmware != "1.0" || s.FirmwareCounter != 10 || s.Slot != "a" || s.Boot != 3 || u.State != camera.FirmwareFailed || u.Release != "2.0" || !strings.Contains(u.Message, "not confirmed") {
		t.Errorf("%+v, %+v", s, u)
	}
	b := release(t, "2.0", 11, 100, maker())
	b.stage(t, h)
	h = again.applies(t, h)
	do(t, h, camera.OpFirmwareConfirm)
	if s := status(t, h); s.Firmware != "2.0" {
		t.Errorf("the second attempt: %+v", s)
	}
}

func TestFirmwareThatDoesNotStartGoesBackAtOnce(t *testing.T) {
	marked, err := firmware.Image("2.0", 1000, true)
	if err != nil {
		t.Fatal(err)
	}
	sound, err := firmware.Image("2.0", 1000, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		image []byte
		fault []fault.Fault
		runs  bool
	}{"sound": {sound, nil, true}, "marked": {marked, nil, false}, "by a fault": {sound, []fault.Fault{{Kind: fault.FirmwareFails}}, false}} {
		rig := newRig(t)
		rig.add(t, 1000)
		for _, f := range c.fault {
			rig.fault(t, f)
		}
		h := rig.session(t)
		b := release(t, "2.0", 11, 100, maker(), func(f *evidence.Firmware) { f.Length, f.SHA256 = uint64(len(c.image)), evidence.SHA256(c.image) })
		b.image = c.image
		b.stage(t, h)
		h = rig.applies(t, h)
		s, u := status(t, h), update(t, h)
		if runs := s.Firmware == "2.0" && s.Boot == 2 && u.State == camera.FirmwareTrial; runs != c.runs {
			t.Errorf("%s: %+v, %+v", name, s, u)
		}
		if back := s.Firmware == "1.0" && s.Boot == 3 && u.State == camera.FirmwareFailed && strings.Contains(u.Message, "did not start"); back == c.runs {
			t.Errorf("%s: %+v, %+v", name, s, u)
		}
		if len(rig.camera.Recordings()) != 1 {
			t.Errorf("%s: the recording is gone", name)
		}
	}
}

func TestFirmwareIsTakenFromItsMakerForThisModelOnly(t *testing.T) {
	rig, here := newRig(t), agencyOf("here")
	h := rig.session(t)
	for name, c := range map[string]struct {
		bundle bundle
		want   camera.Response
	}{
		"unsigned":        {bundle{statement: []byte(`{}`)}, camera.RespBroken},
		"another maker":   {release(t, "2.0", 11, 100, keyOf("another maker")), camera.RespNotAuthorized},
		"the authority":   {release(t, "2.0", 11, 100, here.authority), camera.RespNotAuthorized},
		"another kind":    {bundle{statement: evidence.Sign(evidence.TypeReceipt, payloadOf(t, release(t, "2.0", 11, 100, maker()).statement), "", maker()).Marshal()}, camera.RespNotAuthorized},
		"older":           {release(t, "0.9", 9, 100, maker()), camera.RespOlder},
		"another model":   {release(t, "2.0", 11, 100, maker(), func(f *evidence.Firmware) { f.Model = "other" }), camera.RespOtherModel},
		"too large":       {release(t, "2.0", 11, 100, maker(), func(f *evidence.Firmware) { f.Length = firmware.SlotSize + 1 }), camera.RespStoreFull},
		"the present one": {release(t, "1.0", 10, 100, maker()), camera.RespOK},
	} {
		if code := send(t, h, c.bundle.statement, camera.OpFirmwareBegin); code != c.want {
			t.Errorf("%s: %v, want %v", name, code, c.want)
		}
	}
	if s := status(t, h); s.Firmware != "1.0" || s.Boot != 1 {
		t.Errorf("%+v", s)
	}
	nobody := standard()
	nobody.Maker = nil
	if code := send(t, rigOf(t, nobody, nil).session(t), release(t, "2.0", 11, 100, maker()).statement, camera.OpFirmwareBegin); code != camera.RespNotAuthorized {
		t.Errorf("a camera that knows no maker: %v", code)
	}
}

func TestStagingGoesOnWhereItStopped(t *testing.T) {
	rig := newRig(t)
	h := rig.session(t)
	b := release(t, "2.0", 11, 10_000, maker())
	if code := send(t, h, b.image[:100], camera.OpFirmwareWrite, 0, 0); code != camera.RespNoValidObjectInfo {
		t.Errorf("bytes before the description: %v", code)
	}
	sent(t, h, b.statement, camera.OpFirmwareBegin)
	write(t, h, b.image[:4000], 0, 1000)
	for name, c := range map[string]struct {
		data []byte
		at   uint64
	}{"a gap": {b.image[4001:], 4001}, "backwards": {b.image[3999:], 3999}, "far away": {b.image[:1], 1 << 40}, "too long": {make([]byte, 6001), 4000}} {
		if code := send(t, h, c.data, camera.OpFirmwareWrite, uint32(c.at), uint32(c.at>>32)); code != camera.RespInvalidParameter {
			t.Errorf("%s: %v", name, code)
		}
	}
	refused(t, h, camera.RespBroken, camera.OpFirmwareApply)
	h.Close()
	h = rig.session(t)
	if u := update(t, h); u.State != camera.FirmwareStaging || u.Received != 4000 || u.Length != 10_000 {
		t.Errorf("after a pull: %+v", u)
	}
	sent(t, h, b.statement, camera.OpFirmwareBegin)
	if u := update(t, h); u.Received != 4000 {
		t.Errorf("after the same description: %+v", u)
	}
	write(t, h, b.image, 4000, 1000)
	if h = rig.applies(t, h); status(t, h).Firmware != "2.0" {
		t.Errorf("%+v", status(t, h))
	}
	do(t, h, camera.OpFirmwareConfirm)
	sent(t, h, release(t, "3.0", 12, 100, maker()).statement, camera.OpFirmwareBegin)
	sent(t, h, release(t, "4.0", 13, 100, maker()).statement, camera.OpFirmwareBegin)
	if u := update(t, h); u.Received != 0 || u.Release != "4.0" {
		t.Errorf("another description begins anew: %+v", u)
	}
}

func TestFirmwareIsAppliedOnlyWhenNothingIsWrong(t *testing.T) {
	rig := newRig(t)
	h := rig.session(t)
	refused(t, h, camera.RespBroken, camera.OpFirmwareApply)
	b := release(t, "2.0", 11, 1000, maker(), func(f *evidence.Firmware) { f.MinBattery = 78 })
	b.stage(t, h)
	refused(t, h, camera.RespLowBattery, camera.OpFirmwareApply)
	rig.camera.SetRecording(true)
	rig.pass(5 * 60e9)
	if !status(t, h).Recording {
		t.Error("the camera does not say that it records")
	}
	refused(t, h, camera.RespDeviceBusy, camera.OpFirmwareApply)
	rig.camera.SetRecording(false)

	rig.keeper.refusing(true)
	refused(t, h, camera.RespGeneralError, camera.OpFirmwareApply)
	rig.keeper.refusing(false)
	if s := status(t, h); s.Firmware != "1.0" || s.Boot != 1 {
		t.Errorf("%+v", s)
	}

	damaged := release(t, "2.1", 12, 1000, maker())
	damaged.image[500] ^= 1
	damaged.stage(t, h)
	refused(t, h, camera.RespBroken, camera.OpFirmwareApply)
	if u := update(t, h); u.State != camera.FirmwareFailed || !strings.Contains(u.Message, "damaged") || status(t, h).Firmware != "1.0" {
		t.Errorf("after a damaged image: %+v", u)
	}
	b.stage(t, h)
	if h = rig.applies(t, h); status(t, h).Firmware != "2.0" {
		t.Errorf("%+v", status(t, h))
	}
}
