package firmware_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (a *agency) profile(t testing.TB, number uint64, values map[string]string, change ...func(*evidence.CameraSettings)) []byte {
	t.Helper()
	s := evidence.CameraSettings{Version: 1, Agency: a.name, Number: number, Values: values, IssuedAt: noon}
	for _, do := range change {
		do(&s)
	}
	return envelope(t, evidence.TypeCameraSettings, &s, a.authority)
}

func TestSettingsAreTakenWholeOrNotAtAll(t *testing.T) {
	rig, here, there := newRig(t), agencyOf("here"), agencyOf("there")
	h := rig.session(t)
	good := map[string]string{"video_height": "1080", "pre_record_seconds": "30", "microphone": "off"}
	if code := send(t, h, here.profile(t, 1, good), camera.OpSetSettings); code != camera.RespNotAuthorized {
		t.Errorf("settings before the adoption: %v", code)
	}
	refused(t, h, camera.RespDevicePropNotSupported, camera.OpGetSettings)
	rig.adopted(t, h, &here)
	present := here.profile(t, 5, good)
	sent(t, h, present, camera.OpSetSettings)
	forged := there
	forged.authority = here.authority
	with := func(name, value string) []byte {
		return here.profile(t, 6, map[string]string{"light": "on", name: value})
	}
	for name, c := range map[string]struct {
		data []byte
		want camera.Response
	}{
		"the same again": {present, camera.RespOK}, "an older one": {here.profile(t, 4, good), camera.RespOlder},
		"of another authority": {there.profile(t, 6, good), camera.RespNotAuthorized}, "of another agency": {forged.profile(t, 6, good), camera.RespOtherAuthority},
		"for another model": {here.profile(t, 6, good, func(s *evidence.CameraSettings) { s.Model = "other" }), camera.RespOtherModel},
		"an unknown name":   {with("self_destruct", "on"), camera.RespBroken}, "a word that is none": {with("microphone", "loud"), camera.RespBroken},
		"too much": {with("pre_record_seconds", "121"), camera.RespBroken}, "too little": {with("clip_minutes", "0"), camera.RespBroken},
		"no number": {with("volume", "high"), camera.RespBroken}, "an odd number": {with("volume", "+5"), camera.RespBroken},
		"a number that is too long": {with("volume", strings.Repeat("9", 100)), camera.RespBroken}, "broken": {[]byte("{}"), camera.RespBroken},
	} {
		if code := send(t, h, c.data, camera.OpSetSettings); code != c.want {
			t.Errorf("%s: %v, want %v", name, code, c.want)
		}
		if got := do(t, h, camera.OpGetSettings).Data; !bytes.Equal(got, present) || status(t, h).Settings != 5 {
			t.Fatalf("%s: settings %s", name, got)
		}
	}
	next := here.profile(t, 6, map[string]string{"volume": "0"}, func(s *evidence.CameraSettings) { s.Model = "Test Camera" })
	sent(t, h, next, camera.OpSetSettings)
	if got := do(t, h, camera.OpGetSettings).Data; !bytes.Equal(got, next) || status(t, h).Settings != 6 {
		t.Errorf("settings %s", got)
	}
}

func TestTheWearerIsKept(t *testing.T) {
	rig := newRig(t)
	h := rig.session(t)
	if rig.camera.Wearer() != nil {
		t.Error("somebody wears a new camera")
	}
	maya := camera.Wearer{Officer: "Maya Lindqvist", OfficerID: "o-1041"}
	sent(t, h, encode(t, maya), camera.OpAssignWearer)
	if w := rig.camera.Wearer(); w == nil || *w != maya || status(t, h).WearerID != "o-1041" {
		t.Errorf("%+v", w)
	}
	for _, bad := range []camera.Wearer{{Officer: strings.Repeat("x", 257)}, {OfficerID: strings.Repeat("x", 257)}, {Officer: "a\nb"}, {OfficerID: "\x00"}} {
		if code := send(t, h, encode(t, bad), camera.OpAssignWearer); code != camera.RespBroken {
			t.Errorf("%+v: %v", bad, code)
		}
	}
	if w := rig.camera.Wearer(); *w != maya {
		t.Errorf("%+v", w)
	}
	sent(t, h, []byte("{}"), camera.OpAssignWearer)
	if w := rig.camera.Wearer(); w == nil || *w != (camera.Wearer{}) {
		t.Errorf("%+v, want nobody", w)
	}
}

func TestTheLightShowsWhatTheDockSays(t *testing.T) {
	rig := newRig(t)
	h := rig.session(t)
	for light := range uint32(4) {
		do(t, h, camera.OpSetIndicator, light)
		if got := rig.camera.Indicator(); got != camera.Indicator(light) {
			t.Errorf("light %d, want %d", got, light)
		}
	}
	refused(t, h, camera.RespInvalidParameter, camera.OpSetIndicator, 4)
	if got := rig.camera.Indicator(); got != camera.IndicatorAttention {
		t.Errorf("light %d", got)
	}
}
