package offload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/sealdock/sealdock/agent/internal/policy"
	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// tendEvery is how often a camera that needs nothing is looked after.
const tendEvery = 5 * time.Second

// care is what a docking remembers of looking after its camera.
type care struct {
	at       time.Time // not before
	settings uint64    // number that the camera refused or already has
	wearer   string    // who it was last told
	image    *staging  // firmware on its way to the camera
	refused  evidence.Digest
	told     string // about firmware, last
}

// staging is a firmware image that is being written to a camera.
type staging struct {
	offer *policy.Firmware
	file  interface {
		io.ReaderAt
		io.Closer
	}
	at uint64
}

// tend looks after a camera that has nothing to offload: its wearer, settings and
// firmware. It does one small thing per call and says whether it did any, so
// that new footage never waits for it.
func (d *Docking) tend(ctx context.Context) (busy bool, err error) {
	if d.extended == nil || !d.ours() || d.cameraStatus.Locked || d.desk.opt.Server == nil {
		return false, nil
	}
	if d.care.image != nil {
		return true, d.stage(ctx)
	}
	now := d.desk.opt.Now()
	if now.Before(d.care.at) {
		return false, nil
	}
	d.care.at = now.Add(tendEvery)
	if err := d.look(ctx); err != nil {
		return false, err
	}
	p := d.desk.opt.Server.Policy()
	if err := errors.Join(d.tendWearer(ctx), d.tendSettings(ctx, p)); err != nil {
		return false, err
	}
	return d.tendFirmware(ctx, p)
}

// tendWearer tells the camera whose it is, for what is recorded from now on.
func (d *Docking) tendWearer(ctx context.Context) error {
	if d.answer == nil || d.answer.GetOfficerId() == d.cameraStatus.WearerID || d.answer.GetOfficerId() == d.care.wearer {
		return nil
	}
	d.care.wearer = d.answer.GetOfficerId()
	return d.tolerate("telling the camera whose it is", d.extended.AssignWearer(ctx, ptp.Wearer{Officer: d.answer.GetOfficer(), OfficerID: d.answer.GetOfficerId()}))
}

// tendSettings gives the camera the newest profile for its model and reads it
// back.
func (d *Docking) tendSettings(ctx context.Context, p *policy.Policy) error {
	s := p.SettingsFor(d.cameraStatus.Model)
	if s == nil || s.Number <= d.cameraStatus.Settings || s.Number == d.care.settings {
		return nil
	}
	d.care.settings = s.Number
	err := d.extended.SetSettings(ctx, s.Envelope)
	if err != nil {
		d.alert(aboutSettings, fmt.Sprintf("The camera did not take the settings profile %d: %v", s.Number, err))
		return d.tolerate("setting the camera up", err)
	}
	back, err := d.extended.Settings(ctx)
	if err != nil || !bytes.Equal(back, s.Envelope) {
		d.alert(aboutSettings, fmt.Sprintf("The camera took the settings profile %d and shows another one.", s.Number))
		return d.tolerate("reading the settings back", err)
	}
	d.withdraw(aboutSettings)
	d.log.Info("settings profile in force on the camera", "number", s.Number, "model", s.Model)
	return nil
}

// tendFirmware brings a newer image to the camera and has it applied within its
// window. After the restart, a docking that comes as far as this confirms it.
func (d *Docking) tendFirmware(ctx context.Context, p *policy.Policy) (busy bool, err error) {
	status, err := d.extended.FirmwareStatus(ctx)
	if err != nil {
		return false, d.tolerate("asking how its firmware stands", err)
	}
	if status.State == ptp.FirmwareTrial {
		// It came up, proved its key and listed its recordings: that is its health check.
		if err := d.extended.FirmwareConfirm(ctx); err != nil {
			return false, d.tolerate("confirming the camera's new firmware", err)
		}
		d.log.Info("the camera runs its new firmware", "release", d.cameraStatus.Firmware)
		return true, nil
	}
	offer := p.FirmwareFor(d.cameraStatus.Model)
	if offer == nil || offer.Counter <= d.cameraStatus.FirmwareCounter || offer.SHA256 == d.care.refused {
		return false, nil
	}
	if status.State == ptp.FirmwareFailed && status.Release == offer.Release {
		d.giveUp(offer, "it did not start with it and went back to the release before. "+status.Message)
		return false, nil
	}
	if !offer.May(d.desk.opt.Now()) {
		d.firmwareNote(fmt.Sprintf("Firmware %s waits for its hour.", offer.Release))
		return false, nil
	}
	if d.cameraStatus.Recording {
		d.firmwareNote(fmt.Sprintf("Firmware %s waits until the camera no longer records.", offer.Release))
		return false, nil
	}
	if d.cameraStatus.Battery >= 0 && d.cameraStatus.Battery < offer.MinBattery {
		d.firmwareNote(fmt.Sprintf("Firmware %s waits for %d %% charge.", offer.Release, offer.MinBattery))
		return false, nil
	}
	if status.State == ptp.FirmwareStaged && status.Release == offer.Release {
		return d.apply(ctx, offer)
	}
	return d.beginStaging(ctx, offer, status)
}

func (d *Docking) beginStaging(ctx context.Context, offer *policy.Firmware, status ptp.FirmwareStatus) (busy bool, err error) {
	file, err := d.desk.opt.Images.Open(offer.SHA256)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // it is still being fetched
	}
	if err != nil {
		return false, fmt.Errorf("opening the image of firmware %s: %w", offer.Release, err)
	}
	s := &staging{offer: offer, file: file}
	if status.State == ptp.FirmwareStaging && status.Release == offer.Release && status.Length == offer.Length && status.Received < offer.Length {
		s.at = status.Received
	} else if err := d.extended.FirmwareBegin(ctx, offer.Envelope); err != nil {
		d.giveUp(offer, err.Error())
		return false, errors.Join(d.tolerate("offering firmware to the camera", err), file.Close())
	}
	d.care.image = s
	d.log.Info("firmware is being brought to the camera", "release", offer.Release, "from", d.cameraStatus.Firmware)
	return true, nil
}

// stage writes one block of the image.
func (d *Docking) stage(ctx context.Context) error {
	s := d.care.image
	block := make([]byte, min(ptp.MaxFirmwareWrite, s.offer.Length-s.at))
	_, err := s.file.ReadAt(block, int64(s.at))
	if err == nil || errors.Is(err, io.EOF) {
		err = d.extended.FirmwareWrite(ctx, s.at, block)
	}
	if err != nil {
		d.care.image = nil
		d.care.at = d.desk.opt.Now().Add(tendEvery)
		d.updating(-1)
		return errors.Join(d.tolerate("writing firmware to the camera", err), s.file.Close())
	}
	s.at += uint64(len(block))
	d.updating(int(s.at * 100 / s.offer.Length))
	if s.at < s.offer.Length {
		return nil
	}
	d.care.image, d.care.at = nil, time.Time{}
	return s.file.Close()
}

// apply has the camera restart into the image.
func (d *Docking) apply(ctx context.Context, offer *policy.Firmware) (busy bool, err error) {
	d.updating(-1)
	d.say(upload.BayReading, fmt.Sprintf("The camera restarts with firmware %s. Leave it in the dock.", offer.Release))
	d.log.Info("the camera is told to restart with its new firmware", "release", offer.Release)
	if err := d.extended.FirmwareApply(ctx); err != nil {
		d.giveUp(offer, err.Error())
		return false, d.tolerate("applying firmware", err)
	}
	d.restart = true
	return true, nil
}

// giveUp leaves this image alone for the rest of the docking, and says so.
func (d *Docking) giveUp(offer *policy.Firmware, why string) {
	d.care.refused = offer.SHA256
	d.updating(-1)
	d.find(evidence.FoundFirmware, "firmware %s was not taken: %s", offer.Release, why)
	d.alert(aboutFirmware, fmt.Sprintf("Firmware %s did not get onto the camera: %s", offer.Release, clean(why, 256)))
	d.log.Error("firmware did not get onto the camera", "release", offer.Release, "reason", why)
}

func (d *Docking) firmwareNote(note string) {
	if note != d.care.told {
		d.care.told = note
		d.log.Info(note)
	}
}

// endCare lets go of what a docking had open.
func (d *Docking) endCare() {
	if d.care.image != nil {
		_ = d.care.image.file.Close() // read only
		d.care.image = nil
	}
}

// indicate has the camera's light follow the bay's state.
func (d *Docking) indicate(ctx context.Context) error {
	if d.extended == nil {
		return nil
	}
	light := ptp.IndicatorBusy
	switch s := d.Status(); {
	case s.State == upload.BayAttention:
		light = ptp.IndicatorAttention
	case s.Safe:
		light = ptp.IndicatorSafe
	}
	if light == d.light {
		return nil
	}
	d.light = light
	return d.tolerate("setting the camera's light", d.extended.SetIndicator(ctx, light))
}
