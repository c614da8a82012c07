package firmware

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Memory is what a camera keeps when it is without power, beside its recordings. Its
// JSON is for the book. Slices in it are replaced, never changed.
type Memory struct {
	Key         []byte         `json:"key"` // seed of the camera key (RFC 8032, 5.1.5)
	Authority   []byte         `json:"authority,omitempty"`
	Certificate []byte         `json:"certificate,omitempty"` // envelope
	Trust       []byte         `json:"trust,omitempty"`       // envelope
	Settings    []byte         `json:"settings,omitempty"`    // envelope
	Boot        uint64         `json:"boot"`
	Wearer      *camera.Wearer `json:"wearer,omitempty"` // nil: nobody was ever assigned
	Clock       camera.Time    `json:"clock"`            // how it was last set; Clock itself is not used
	Ahead       time.Duration  `json:"ahead"`            // of the clock against true time, when it was set
	SetAt       time.Time      `json:"set_at,omitzero"`  // true time when it was set; zero: never
	Firmware    Slots          `json:"firmware"`
}

// Slot is one of the two places for firmware.
type Slot struct {
	Release string `json:"release"`
	Counter uint64 `json:"counter"`
	Broken  bool   `json:"broken,omitempty"` // does not start
}

// Slots are both places, and how the last update went.
type Slots struct {
	Slot    [2]Slot              `json:"slot"`
	Active  int                  `json:"active"` // 0 is "a", 1 is "b"
	Applied bool                 `json:"applied,omitempty"`
	State   camera.FirmwareState `json:"state"` // idle, trial or failed
	Release string               `json:"release,omitempty"`
	Message string               `json:"message,omitempty"`
}

func (s *Slots) running() Slot { return s.Slot[s.Active] }

// standing is what Memory says, decoded.
type standing struct {
	certificate *evidence.CameraCertificate
	trust       *evidence.CameraTrust
	settings    *evidence.CameraSettings
}

// decode reads the statements that a camera keeps. They were verified when they came.
func decode(m *Memory) (s standing, err error) {
	if len(m.Key) != ed25519.SeedSize || len(m.Authority) != 0 && len(m.Authority) != ed25519.PublicKeySize || m.Firmware.Active < 0 || m.Firmware.Active > 1 {
		return s, fmt.Errorf("a memory with a key of %d bytes, an authority of %d and slot %d", len(m.Key), len(m.Authority), m.Firmware.Active)
	}
	if len(m.Certificate) > 0 {
		s.certificate = &evidence.CameraCertificate{}
		err = recall(m.Certificate, s.certificate)
	}
	if len(m.Trust) > 0 && err == nil {
		s.trust = &evidence.CameraTrust{}
		err = recall(m.Trust, s.trust)
	}
	if len(m.Settings) > 0 && err == nil {
		s.settings = &evidence.CameraSettings{}
		err = recall(m.Settings, s.settings)
	}
	return s, err
}

func recall(envelope []byte, s evidence.Statement) error {
	e, err := evidence.ParseEnvelope(envelope)
	if err != nil {
		return err
	}
	return evidence.Decode(e.Payload, s)
}

// agency is whose camera it is; empty: nobody's.
func (s *standing) agency() evidence.AgencyID {
	switch {
	case s.certificate != nil:
		return s.certificate.Agency
	case s.trust != nil:
		return s.trust.Agency
	}
	return ""
}

// Start switches the camera on: with the memory of an earlier run, or (nil) as it
// leaves its maker. It is called before the camera is docked for the first time.
func (c *Camera) Start(m *Memory) error {
	c.mu.Lock()
	if m != nil {
		s, err := decode(m)
		if err != nil {
			c.mu.Unlock()
			return fmt.Errorf("starting camera %s: %w", c.settings.Serial, err)
		}
		c.extension.memory, c.extension.standing = *m, s
		if !m.SetAt.IsZero() {
			c.offset, c.clockSet = m.Ahead, m.SetAt
		}
	}
	c.mu.Unlock()
	return c.boot()
}

// change changes what the camera keeps. It is written down before it counts: on an
// error nothing has changed.
func (c *Camera) change(do func(m *Memory)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changeLocked(do)
}

// changeLocked is change with mu held.
func (c *Camera) changeLocked(do func(m *Memory)) error {
	next := c.extension.memory
	do(&next)
	s, err := decode(&next)
	if err == nil {
		err = c.journal.Keep(c.settings.Serial, next)
	}
	if err != nil {
		c.log.Error("nothing is changed: the camera could not write it down", "error", err)
		return fmt.Errorf("writing down what camera %s keeps: %w", c.settings.Serial, err)
	}
	c.extension.memory, c.extension.standing = next, s
	return nil
}

// changed answers after a change.
func changed(err error) answer {
	if err != nil {
		return refuse(camera.RespGeneralError)
	}
	return accept()
}
