package firmware_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestTheExtensionIsAnnouncedWhereItIs(t *testing.T) {
	plain := standard()
	plain.Extension = false
	for settings, want := range map[*firmware.Settings]bool{ptr(standard()): true, &plain: false} {
		h := rigOf(t, *settings, nil).session(t)
		info, err := camera.ParseDeviceInfo(do(t, h, camera.OpGetDeviceInfo).Data)
		if err != nil || info.HasExtension() != want {
			t.Errorf("extension %t, want %t, %v", info.HasExtension(), want, err)
		}
		if want {
			continue
		}
		refused(t, h, camera.RespOperationNotSupported, camera.OpGetCameraStatus)
		if code := send(t, h, make([]byte, 100), camera.OpAdopt); code != camera.RespOperationNotSupported {
			t.Errorf("Adopt without the extension: %v", code)
		}
		do(t, h, camera.OpGetStorageIDs)
	}
}

func ptr[T any](v T) *T { return &v }

func TestStatusSaysHowTheCameraStands(t *testing.T) {
	rig := newRig(t)
	rig.add(t, 100, 200)
	refused(t, rig.host(t), camera.RespSessionNotOpen, camera.OpGetCameraStatus)
	rig = newRig(t)
	rig.add(t, 100, 200)
	s := status(t, rig.session(t))
	if len(s.Challenge) != camera.ChallengeSize {
		t.Errorf("challenge of %d bytes", len(s.Challenge))
	}
	s.Challenge = nil
	want := camera.Status{Version: 1, Serial: rig.camera.Serial(), Model: "Test Camera", Firmware: "1.0", FirmwareCounter: 10, Slot: "a", Battery: 77, Charging: true,
		Boot: 1, Next: 3, Capacity: 128 << 30, Free: 128<<30 - 300, StorageHealth: "good"}
	if !equalJSON(t, s, want) {
		t.Errorf("%+v\nwant %+v", s, want)
	}
}

func equalJSON(t testing.TB, a, b any) bool { return bytes.Equal(encode(t, a), encode(t, b)) }

func TestAProofIsOverTheHostsChallenge(t *testing.T) {
	rig := newRig(t)
	h := rig.session(t)
	challenge := [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}
	p := prove(t, h, challenge, rig.camera.Key())
	if !bytes.Equal(p.Nonce, challenge[:]) || p.Serial != rig.camera.Serial() || !bytes.Equal(p.Key, rig.camera.Key()) || p.Agency != "" ||
		p.Boot != 1 || p.Model != "Test Camera" || p.Firmware != "1.0" || !p.At.Equal(noon.Add(90*time.Second)) || p.Certificate != nil {
		t.Errorf("%+v", p)
	}
	again := rigOf(t, standard(), nil)
	if !bytes.Equal(again.camera.Key(), rig.camera.Key()) {
		t.Error("the same settings gave another key")
	}
	other := standard()
	other.KeySeed[0]++
	if bytes.Equal(rigOf(t, other, nil).camera.Key(), rig.camera.Key()) {
		t.Error("another seed gave the same key")
	}
}

func TestACameraIsAdoptedOnce(t *testing.T) {
	rig, here, there := newRig(t), agencyOf("here"), agencyOf("there")
	h := rig.session(t)
	for name, bad := range map[string][]byte{"no JSON": []byte("{"), "short key": encode(t, camera.Adoption{Authority: make([]byte, 31)}),
		"certificate that is none": encode(t, camera.Adoption{Authority: publicOf(here.authority), Certificate: []byte("x")}),
		"another serial":           rig.certified(t, &here, func(c *evidence.CameraCertificate) { c.Serial = "other" }),
		"another key":              rig.certified(t, &here, func(c *evidence.CameraCertificate) { c.Key = publicOf(here.dock) })} {
		if code := send(t, h, bad, camera.OpAdopt); code != camera.RespBroken {
			t.Errorf("%s: %v", name, code)
		}
	}
	forged := there
	forged.authority = here.authority
	stolen := encode(t, camera.Adoption{Authority: publicOf(there.authority), Certificate: certificateOf(t, here.adoption(t, rig.camera))})
	if code := send(t, h, stolen, camera.OpAdopt); code != camera.RespNotAuthorized {
		t.Errorf("a certificate of another authority: %v", code)
	}
	rig.keeper.refusing(true)
	if code := send(t, h, here.adoption(t, rig.camera), camera.OpAdopt); code != camera.RespGeneralError || status(t, h).Authority != "" {
		t.Errorf("adoption that was not written down: %v", code)
	}
	rig.keeper.refusing(false)

	sent(t, h, here.adoption(t, rig.camera), camera.OpAdopt)
	s := status(t, h)
	if s.Agency != "here" || s.Authority != evidence.KeyID(publicOf(here.authority)).String() || !s.Locked {
		t.Errorf("%+v", s)
	}
	p := prove(t, h, [16]byte{9}, rig.camera.Key())
	var certificate evidence.CameraCertificate
	verified(t, p.Certificate, evidence.TypeCameraCertificate, publicOf(here.authority), &certificate)
	if p.Agency != "here" || !bytes.Equal(certificate.Key, p.Key) {
		t.Errorf("%+v, %+v", p, certificate)
	}
	sent(t, h, here.adoption(t, rig.camera), camera.OpAdopt)
	sent(t, h, encode(t, camera.Adoption{Authority: publicOf(here.authority)}), camera.OpAdopt)
	for name, other := range map[string][]byte{"another authority": there.adoption(t, rig.camera), "another agency": forged.adoption(t, rig.camera)} {
		if code := send(t, h, other, camera.OpAdopt); code != camera.RespOtherAuthority {
			t.Errorf("%s: %v", name, code)
		}
	}
	if s := status(t, h); s.Agency != "here" || s.Authority != evidence.KeyID(publicOf(here.authority)).String() {
		t.Errorf("%+v", s)
	}
}

func (r *rig) certified(t testing.TB, a *agency, change func(*evidence.CameraCertificate)) []byte {
	t.Helper()
	c := evidence.CameraCertificate{Version: 1, Agency: a.name, Serial: r.camera.Serial(), Key: r.camera.Key(), IssuedAt: noon}
	change(&c)
	return encode(t, camera.Adoption{Authority: publicOf(a.authority), Certificate: envelope(t, evidence.TypeCameraCertificate, &c, a.authority)})
}

func certificateOf(t testing.TB, adoption []byte) []byte {
	t.Helper()
	var a camera.Adoption
	if err := camera.DecodeDocument(adoption, camera.MaxDocument, &a); err != nil {
		t.Fatal(err)
	}
	return a.Certificate
}

func TestTrustComesFromTheAuthorityAndNeverGoesBack(t *testing.T) {
	rig, here, there := newRig(t), agencyOf("here"), agencyOf("there")
	h := rig.session(t)
	if code := send(t, h, here.trust(t, 1), camera.OpSetTrust); code != camera.RespNotAuthorized {
		t.Errorf("trust before the adoption: %v", code)
	}
	sent(t, h, here.adoption(t, rig.camera), camera.OpAdopt)
	sent(t, h, here.trust(t, 5), camera.OpSetTrust)
	forged := there
	forged.authority = here.authority
	wrongType := envelope(t, evidence.TypeCameraSettings, &evidence.CameraSettings{Version: 1, Agency: "here", Number: 9, IssuedAt: noon}, here.authority)
	for name, c := range map[string]struct {
		data []byte
		want camera.Response
	}{
		"the same again": {here.trust(t, 5), camera.RespOK}, "an older one": {here.trust(t, 4), camera.RespOlder},
		"of another authority": {there.trust(t, 6), camera.RespNotAuthorized}, "of another agency": {forged.trust(t, 6), camera.RespOtherAuthority},
		"no envelope": {[]byte("trust me"), camera.RespBroken}, "another kind": {wrongType, camera.RespNotAuthorized}, "nothing": {nil, camera.RespBroken},
		"broken inside": {evidence.Sign(evidence.TypeCameraTrust, []byte(`{"version":1}`), "", here.authority).Marshal(), camera.RespBroken},
	} {
		if code := send(t, h, c.data, camera.OpSetTrust); code != c.want {
			t.Errorf("%s: %v, want %v", name, code, c.want)
		}
		if s := status(t, h); s.Trust != 5 {
			t.Fatalf("%s: trust %d", name, s.Trust)
		}
	}
	sent(t, h, here.trust(t, 6), camera.OpSetTrust)
	if s := status(t, h); s.Trust != 6 {
		t.Errorf("trust %d, want 6", s.Trust)
	}
}

func TestALockedCameraShowsNothing(t *testing.T) {
	rig, here := newRig(t), agencyOf("here")
	list := rig.add(t, 1000)
	h := rig.session(t)
	handle := find(t, h, list[0].Name.String())
	sent(t, h, here.adoption(t, rig.camera), camera.OpAdopt)
	if ids, err := camera.ParseHandles(do(t, h, camera.OpGetStorageIDs).Data); err != nil || len(ids) != 0 {
		t.Errorf("storages %v, %v", ids, err)
	}
	const storage, all = 0x00010001, 0xFFFFFFFF
	for op, p := range map[camera.Operation][]uint32{
		camera.OpGetStorageInfo: {storage}, camera.OpGetNumObjects: {all, 0, 0}, camera.OpGetObjectHandles: {all, 0, 0}, camera.OpGetObjectInfo: {handle},
		camera.OpGetObject: {handle}, camera.OpGetPartialObject: {handle, 0, 10}, camera.OpGetPartialObject64: {handle, 0, 0, 10},
		camera.OpGetObjectPropValue: {handle, uint32(camera.ObjPropName)}, camera.OpGetObjectPropList: {all, 0, all, 0, 0},
	} {
		refused(t, h, camera.RespStoreNotAvailable, op, p...)
	}
	for _, op := range []camera.Operation{camera.OpGetListing, camera.OpGetEraseStatement, camera.OpGetSettings, camera.OpFirmwareApply, camera.OpFirmwareConfirm} {
		refused(t, h, camera.RespLocked, op)
	}
	for _, op := range []camera.Operation{camera.OpEraseRecording, camera.OpSetTime, camera.OpSetSettings, camera.OpFirmwareBegin, camera.OpFirmwareWrite} {
		if code := send(t, h, nil, op, handle); code != camera.RespLocked {
			t.Errorf("%v: %v", op, code)
		}
	}
	refused(t, h, camera.RespAccessDenied, camera.OpDeleteObject, handle)
	refused(t, h, camera.RespAccessDenied, camera.OpFormatStore, storage)
	date, err := camera.NewText("20200101T000000Z").Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if code := send(t, h, date, camera.OpSetDevicePropValue, uint32(camera.DevPropDateTime)); code != camera.RespAccessDenied {
		t.Errorf("setting the clock of a locked camera: %v", code)
	}
	for _, op := range []camera.Operation{camera.OpGetCameraStatus, camera.OpProveIdentity, camera.OpGetTime, camera.OpGetFirmwareStatus, camera.OpSetIndicator,
		camera.OpLockStorage, camera.OpGetDeviceInfo} {
		do(t, h, op)
	}
	if len(rig.camera.Recordings()) != 1 {
		t.Error("the recording is gone")
	}
}

// events collects what the camera tells the host.
func event(t testing.TB, h *hosttest.Host) camera.Event {
	t.Helper()
	r, err := h.In(hosttest.InterruptIn, 64).Wait()
	if err != nil {
		t.Fatal(err)
	}
	b, err := camera.ParseBlock(r.Data)
	if err != nil {
		t.Fatal(err)
	}
	return camera.Event(b.Code)
}

func TestATrustedDockUnlocksUntilTheCableIsPulled(t *testing.T) {
	rig, here := newRig(t), agencyOf("here")
	rig.add(t, 1000)
	h := rig.session(t)
	sent(t, h, here.adoption(t, rig.camera), camera.OpAdopt)
	if e := event(t, h); e != camera.EventStoreRemoved {
		t.Errorf("after the adoption: event %04x", uint16(e))
	}
	sent(t, h, here.trust(t, 1), camera.OpSetTrust)
	sent(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage)
	if e := event(t, h); e != camera.EventStoreAdded {
		t.Errorf("after the unlock: event %04x", uint16(e))
	}
	if s := status(t, h); s.Locked || len(rig.listing(t, h, 0)) != 1 {
		t.Errorf("%+v", s)
	}
	if ids, err := camera.ParseHandles(do(t, h, camera.OpGetStorageIDs).Data); err != nil || len(ids) != 1 {
		t.Errorf("storages %v, %v", ids, err)
	}
	do(t, h, camera.OpLockStorage)
	if e := event(t, h); e != camera.EventStoreRemoved || !status(t, h).Locked {
		t.Errorf("after locking: event %04x", uint16(e))
	}
	sent(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage)
	h.Close()
	h = rig.session(t)
	if !status(t, h).Locked {
		t.Error("a pulled camera is still unlocked")
	}
	sent(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage)
	without := here.trust(t, 2, func(s *evidence.CameraTrust) { s.Docks = s.Docks[:1] })
	sent(t, h, without, camera.OpSetTrust)
	if !status(t, h).Locked {
		t.Error("a dock that is trusted no longer still has the storage")
	}
	if code := send(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage); code != camera.RespNotAuthorized {
		t.Errorf("unlock by a dock that is trusted no longer: %v", code)
	}
}

func TestAnUnlockHoldsForOneChallenge(t *testing.T) {
	rig, here, there := newRig(t), agencyOf("here"), agencyOf("there")
	h := rig.session(t)
	if code := send(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage); code != camera.RespNotAuthorized {
		t.Errorf("unlocking a camera without trust: %v", code)
	}
	rig.adopted(t, h, &here)
	do(t, h, camera.OpLockStorage)
	good := here.unlocking(t, status(t, h))
	sent(t, h, good, camera.OpUnlockStorage)
	do(t, h, camera.OpLockStorage)
	if code := send(t, h, good, camera.OpUnlockStorage); code != camera.RespOlder {
		t.Errorf("the same unlock again: %v", code)
	}
	for name, c := range map[string]struct {
		data func() []byte
		want camera.Response
	}{
		"broken": {func() []byte { return []byte("open") }, camera.RespBroken},
		"another dock's key": {func() []byte {
			forged := here
			forged.dock = there.dock
			return forged.unlocking(t, status(t, h))
		}, camera.RespNotAuthorized},
		"another dock's name": {func() []byte {
			return here.unlocking(t, status(t, h), func(u *evidence.DockUnlock) { u.Dock = "other" })
		}, camera.RespNotAuthorized},
		"another camera": {func() []byte {
			return here.unlocking(t, status(t, h), func(u *evidence.DockUnlock) { u.Serial = "other" })
		}, camera.RespNotAuthorized},
		"another agency": {func() []byte {
			return here.unlocking(t, status(t, h), func(u *evidence.DockUnlock) { u.Agency = "there" })
		}, camera.RespNotAuthorized},
		"another challenge": {func() []byte {
			return here.unlocking(t, status(t, h), func(u *evidence.DockUnlock) { u.Nonce = make([]byte, 16) })
		}, camera.RespOlder},
	} {
		challenge := status(t, h).Challenge
		if code := send(t, h, c.data(), camera.OpUnlockStorage); code != c.want || !status(t, h).Locked {
			t.Errorf("%s: %v, want %v", name, code, c.want)
		}
		if bytes.Equal(challenge, status(t, h).Challenge) {
			t.Errorf("%s: the challenge was not spent", name)
		}
		sent(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage) // failures are not in a row
		do(t, h, camera.OpLockStorage)
	}
}

func TestBadUnlocksAreSlowedDown(t *testing.T) {
	rig, here := newRig(t), agencyOf("here")
	h := rig.session(t)
	rig.adopted(t, h, &here)
	do(t, h, camera.OpLockStorage)
	bad := func() camera.Response { return send(t, h, []byte("open"), camera.OpUnlockStorage) }
	for range 4 {
		if code := bad(); code != camera.RespBroken {
			t.Fatal(code)
		}
	}
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		if code := bad(); code != camera.RespBroken {
			t.Fatalf("before a wait of %d s: %v", wait, code)
		}
		challenge := status(t, h).Challenge
		rig.pass(wait*time.Second - 1)
		if code := send(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage); code != camera.RespDeviceBusy {
			t.Fatalf("within %d s: %v", wait, code)
		}
		if !bytes.Equal(challenge, status(t, h).Challenge) {
			t.Error("a busy camera spent its challenge")
		}
		rig.pass(1)
	}
	sent(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage)
	do(t, h, camera.OpLockStorage)
	if code := bad(); code != camera.RespBroken || bad() != camera.RespBroken {
		t.Errorf("after a good unlock: %v", code)
	}
}

func TestStatusTellsOfATroubledCard(t *testing.T) {
	rig := newRig(t)
	rig.fault(t, fault.Fault{Kind: fault.Full})
	rig.fault(t, fault.Fault{Kind: fault.ReadOnly})
	if s := status(t, rig.session(t)); s.Free != 0 || s.StorageHealth != "failing" {
		t.Errorf("%+v", s)
	}
}

func TestWhatACameraKeepsOutlivesARestart(t *testing.T) {
	rig, here := newRig(t), agencyOf("here")
	h := rig.session(t)
	rig.adopted(t, h, &here)
	sent(t, h, encode(t, camera.Wearer{Officer: "Ruth Abernathy", OfficerID: "o-1203"}), camera.OpAssignWearer)
	before := status(t, h)
	again := rigOf(t, standard(), reload(t, rig.keeper.kept()))
	h = again.session(t)
	after := status(t, h)
	if !after.Locked || after.Boot != before.Boot+1 || !bytes.Equal(again.camera.Key(), rig.camera.Key()) {
		t.Errorf("%+v", after)
	}
	before.Locked, before.Boot, before.Challenge, after.Challenge = true, after.Boot, nil, nil
	if !equalJSON(t, before, after) {
		t.Errorf("%+v\nwas %+v", after, before)
	}
	sent(t, h, here.unlocking(t, status(t, h)), camera.OpUnlockStorage)
	c := firmware.New(standard(), &keeper{}, again.now, discard())
	if err := c.Start(&firmware.Memory{Key: make([]byte, ed25519.SeedSize), Trust: []byte("x")}); err == nil {
		t.Error("a memory with a broken statement was taken")
	}
}
