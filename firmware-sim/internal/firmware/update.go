package firmware

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// SlotSize is the room for one firmware image, in bytes.
const SlotSize = 64 << 20

// staged is an image that comes in. It survives a pull, but not the simulator's end.
type staged struct {
	envelope []byte // nil: none
	firmware evidence.Firmware
	image    []byte // what is there; grows with what arrives
}

// imageMark begins an image that says something of itself: one line of JSON follows it.
const imageMark = "sealdock simulated firmware\n"

// imageHeader is that line.
type imageHeader struct {
	Release string `json:"release"`
	Broken  bool   `json:"broken_start,omitempty"` // the camera does not start with it
}

// broken says whether an image says that no camera starts with it.
func broken(image []byte) bool {
	rest, marked := bytes.CutPrefix(image, []byte(imageMark))
	if !marked {
		return false
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	var h imageHeader
	return json.Unmarshal(line, &h) != nil || h.Broken
}

// firmwareBegin takes the description of an image (SPEC.md 7.2).
func (c *Camera) firmwareBegin(data []byte) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.extension
	var f evidence.Firmware
	if len(c.settings.Maker) == 0 {
		return refuse(camera.RespNotAuthorized)
	}
	if _, code := open(data, evidence.TypeFirmware, c.settings.Maker, &f); code != camera.RespOK {
		return refuse(code)
	}
	switch slots := &e.memory.Firmware; {
	case f.Model != c.settings.Model:
		return refuse(camera.RespOtherModel)
	case f.Counter < slots.running().Counter:
		return refuse(camera.RespOlder)
	case f.Length > SlotSize:
		return refuse(camera.RespStoreFull)
	case slots.State == camera.FirmwareTrial:
		return refuse(camera.RespDeviceBusy)
	}
	if !bytes.Equal(data, e.staged.envelope) {
		e.staged = staged{envelope: data, firmware: f}
	}
	return accept()
}

// firmwareWrite takes the next bytes of the image.
func (c *Camera) firmwareWrite(offset uint64, data []byte) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.extension.staged
	received := uint64(len(s.image))
	switch {
	case s.envelope == nil:
		return refuse(camera.RespNoValidObjectInfo)
	case offset != received || uint64(len(data)) > s.firmware.Length-received:
		return refuse(camera.RespInvalidParameter)
	}
	s.image = append(s.image, data...)
	return accept()
}

// firmwareApply puts the staged image into the other slot; the camera restarts once the
// host has the answer.
func (c *Camera) firmwareApply() answer {
	battery := int(c.battery())
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.extension
	s := &e.staged
	switch {
	case s.envelope == nil || uint64(len(s.image)) < s.firmware.Length:
		return refuse(camera.RespBroken)
	case evidence.SHA256(s.image) != s.firmware.SHA256:
		release := s.firmware.Release
		e.staged = staged{}
		_ = c.changeLocked(func(m *Memory) { // refused either way
			m.Firmware.State, m.Firmware.Release = camera.FirmwareFailed, release
			m.Firmware.Message = "The image was damaged on its way. It was not installed; send it again."
		})
		return refuse(camera.RespBroken)
	case battery < s.firmware.MinBattery:
		return refuse(camera.RespLowBattery)
	case e.recording:
		return refuse(camera.RespDeviceBusy)
	}
	next := Slot{Release: s.firmware.Release, Counter: s.firmware.Counter, Broken: broken(s.image)}
	err := c.changeLocked(func(m *Memory) {
		m.Firmware.Active = 1 - m.Firmware.Active
		m.Firmware.Slot[m.Firmware.Active] = next
		m.Firmware.State, m.Firmware.Applied, m.Firmware.Release, m.Firmware.Message = camera.FirmwareTrial, true, next.Release, ""
	})
	a := changed(err)
	if a.restart = err == nil; a.restart {
		e.staged = staged{}
	}
	return a
}

// firmwareConfirm keeps what runs on trial.
func (c *Camera) firmwareConfirm() answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.extension.refuseConfirm:
		return refuse(camera.RespGeneralError)
	case c.extension.memory.Firmware.State != camera.FirmwareTrial:
		return accept()
	}
	return changed(c.changeLocked(func(m *Memory) { m.Firmware.State = camera.FirmwareIdle }))
}

func (c *Camera) firmwareStatus() answer {
	f := c.Update()
	return document(&f)
}

// Update says how far an update of the firmware has come.
func (c *Camera) Update() camera.FirmwareStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.extension.staged
	if s.envelope == nil {
		f := &c.extension.memory.Firmware
		return camera.FirmwareStatus{State: f.State, Release: f.Release, Message: f.Message}
	}
	status := camera.FirmwareStatus{State: camera.FirmwareStaging, Received: uint64(len(s.image)), Length: s.firmware.Length, Release: s.firmware.Release}
	if status.Received == status.Length {
		status.State = camera.FirmwareStaged
	}
	return status
}

// boot starts the camera. Firmware on trial that was not confirmed, or that does not
// start, gives way to what ran before.
func (c *Camera) boot() error {
	failing := c.faults.Has(fault.FirmwareFails)
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.extension
	e.unlocked, e.unlockedBy, e.challenge, e.indicator = false, nil, nil, camera.IndicatorOff
	return c.changeLocked(func(m *Memory) {
		m.Boot++
		f := &m.Firmware
		fresh := f.Applied
		f.Applied = false
		switch {
		case f.State != camera.FirmwareTrial:
		case fresh && !f.running().Broken && !failing:
		default:
			f.Message = fmt.Sprintf("Release %s was not confirmed before the next start. The camera went back to the one before.", f.running().Release)
			if fresh {
				m.Boot++ // the start that failed
				f.Message = fmt.Sprintf("Release %s did not start. The camera went back to the one before.", f.running().Release)
			}
			f.State, f.Active = camera.FirmwareFailed, 1-f.Active
		}
	})
}

// OnRestart has f called when the camera restarts: f takes it off the bus, and sees to
// it that it comes back. One at most; it must not block.
func (c *Camera) OnRestart(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restarted = f
}

// Restart switches the camera off and on again.
func (c *Camera) Restart() error {
	if err := c.boot(); err != nil {
		return err
	}
	release := c.Status().Firmware
	c.journal.Note(c.settings.Serial, NoteFirmware, "started with "+release)
	c.mu.Lock()
	restarted := c.restarted
	c.mu.Unlock()
	if restarted != nil {
		restarted()
	}
	return nil
}

// RefuseConfirm has the camera refuse to keep new firmware, or not any longer.
func (c *Camera) RefuseConfirm(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extension.refuseConfirm = on
}
