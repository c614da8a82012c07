package firmware_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/proto/camera"
)

func TestTheClockIsSetToTheMicrosecondAndTheOffsetIsKept(t *testing.T) {
	settings := standard()
	settings.ClockError, settings.ClockDrift = 77*time.Minute, 0.001
	rig := rigOf(t, settings, nil)
	h := rig.session(t)
	rig.pass(1000 * time.Second)
	want := noon.Add(1000*time.Second + 77*time.Minute + time.Second)
	got := get[camera.Time](t, h, camera.OpGetTime)
	if !equalJSON(t, got, camera.Time{Clock: want.UnixMicro()}) {
		t.Errorf("%+v, want %d", got, want.UnixMicro())
	}
	right := rig.now().Add(123 * time.Microsecond)
	sent(t, h, encode(t, camera.Time{Clock: right.UnixMicro(), Uncertainty: 250}), camera.OpSetTime)
	rig.pass(10 * time.Second)
	got = get[camera.Time](t, h, camera.OpGetTime)
	if !equalJSON(t, got, camera.Time{Clock: right.Add(10*time.Second + 10*time.Millisecond).UnixMicro(), Uncertainty: 250, Set: right.UnixMicro(),
		SetAhead: want.Sub(right).Microseconds()}) {
		t.Errorf("%+v", got)
	}
	rig.keeper.mu.Lock()
	notes := slices.Clone(rig.keeper.notes)
	rig.keeper.mu.Unlock()
	if len(notes) != 1 || !strings.Contains(notes[0], "1h17m0.999877s ahead") {
		t.Errorf("noted %q", notes)
	}
	for _, bad := range []int64{-1, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()} {
		if code := send(t, h, encode(t, camera.Time{Clock: bad}), camera.OpSetTime); code != camera.RespInvalidParameter {
			t.Errorf("clock set to %d: %v", bad, code)
		}
	}
	if code := send(t, h, []byte(`{"clock_us":"noon"}`), camera.OpSetTime); code != camera.RespBroken {
		t.Errorf("a clock that is none: %v", code)
	}
	date, err := camera.NewText("20260302T130000Z").Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	sent(t, h, date, camera.OpSetDevicePropValue, uint32(camera.DevPropDateTime))
	if got := get[camera.Time](t, h, camera.OpGetTime); got.Clock != later(time.Hour).UnixMicro() || got.Set != got.Clock || got.Uncertainty != 1_000_000 {
		t.Errorf("set by its date: %+v", got)
	}
}

func TestAClockThatWasSetGoesOnWhileTheCameraIsOff(t *testing.T) {
	settings := standard()
	settings.ClockDrift = 0.01
	rig := rigOf(t, settings, nil)
	h := rig.session(t)
	rig.keeper.refusing(true)
	if code := send(t, h, encode(t, camera.Time{Clock: noon.UnixMicro()}), camera.OpSetTime); code != camera.RespGeneralError {
		t.Errorf("a time that was not written down: %v", code)
	}
	rig.keeper.refusing(false)
	if got := get[camera.Time](t, h, camera.OpGetTime); got.Clock != later(90*time.Second).UnixMicro() || got.Set != 0 {
		t.Errorf("%+v", got)
	}
	sent(t, h, encode(t, camera.Time{Clock: later(time.Hour).UnixMicro()}), camera.OpSetTime)
	again := firmware.New(settings, &keeper{}, func() time.Time { return later(1000 * time.Second) }, discard())
	if err := again.Start(reload(t, rig.keeper.kept())); err != nil {
		t.Fatal(err)
	}
	if got, want := again.Clock(), later(time.Hour+1010*time.Second); !got.Equal(want) {
		t.Errorf("clock %v, want %v", got, want)
	}
}
