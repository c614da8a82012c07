package simulator

import (
	"crypto/ed25519"
	"fmt"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/oracle"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Standing is what a camera with the Sealdock extension says of itself.
type Standing struct {
	Light    string                `json:"light"`            // off, busy, safe or attention
	Agency   string                `json:"agency,omitempty"` // whose it is
	Locked   bool                  `json:"locked"`
	Key      []byte                `json:"key"` // the camera's public key
	Firmware string                `json:"firmware"`
	Update   camera.FirmwareStatus `json:"update"`
	Boot     uint64                `json:"boot"`
	Trust    uint64                `json:"trust"`
	Settings uint64                `json:"settings"`
	Battery  int                   `json:"battery"`
	Wearer   *camera.Wearer        `json:"wearer,omitempty"`
}

func standing(c *firmware.Camera) *Standing {
	if !c.Extended() {
		return nil
	}
	s := c.Status()
	return &Standing{Light: light(c.Indicator()), Agency: s.Agency, Locked: s.Locked, Key: c.Key(), Firmware: s.Firmware, Update: c.Update(),
		Boot: s.Boot, Trust: s.Trust, Settings: s.Settings, Battery: s.Battery, Wearer: c.Wearer()}
}

func light(i camera.Indicator) string {
	switch i {
	case camera.IndicatorBusy:
		return "busy"
	case camera.IndicatorSafe:
		return "safe"
	case camera.IndicatorAttention:
		return "attention"
	}
	return "off"
}

// Urgent marks a recording as its wearer would, or takes the mark away.
func (s *Simulator) Urgent(busID, path string, urgent bool) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	if !b.camera.Mark(path, urgent) {
		return fmt.Errorf("camera %s, %q: %w", busID, path, ErrNoRecording)
	}
	return s.book.Urgent(b.camera.Serial(), path, urgent)
}

// Agency makes a camera that of another agency, whose keys come from the seed and its
// name and are nobody else's: no dock can unlock it. An empty name makes it nobody's, as
// it came from its maker.
func (s *Simulator) Agency(busID, name string) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	if !b.camera.Extended() {
		return fmt.Errorf("camera %s: %w", busID, ErrNoExtension)
	}
	if name == "" {
		err = b.camera.Forget()
	} else {
		key := derive(s.config.Seed, "authority", name)
		err = b.camera.Belong(evidence.AgencyID(name), ed25519.NewKeyFromSeed(key[:]))
	}
	if err != nil {
		return err
	}
	return s.book.Note(b.camera.Serial(), oracle.ActAgency, name)
}

// Restart switches a camera off and on again. A docked one leaves its bay for a moment.
func (s *Simulator) Restart(busID string) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	return b.camera.Restart()
}

// Behaviour is what a camera does until told otherwise.
type Behaviour struct {
	Recording     bool `json:"recording"`      // it records at the moment
	RefuseConfirm bool `json:"refuse_confirm"` // it does not keep new firmware
}

// Behave has a camera behave so from now on.
func (s *Simulator) Behave(busID string, how Behaviour) error {
	b, err := s.bay(busID)
	if err != nil {
		return err
	}
	b.camera.SetRecording(how.Recording)
	b.camera.RefuseConfirm(how.RefuseConfirm)
	return s.book.Note(b.camera.Serial(), oracle.ActFault, fmt.Sprintf("%+v", how))
}
