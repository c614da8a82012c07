package simulator

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
)

// restartTime is how long a camera that restarts is off the bus.
const restartTime = time.Second

// derive makes key material that is the same for the same seed and words. It is for
// tests: whoever knows the seed has the keys.
func derive(seed uint64, words ...string) [32]byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64([]byte("sealdock simulated key\x00"), seed))
	for _, w := range words {
		h.Write([]byte("\x00" + w))
	}
	return [32]byte(h.Sum(nil))
}

// MakerKey is the test key that signs firmware for the cameras of a seed.
func MakerKey(seed uint64) ed25519.PrivateKey {
	k := derive(seed, "maker")
	return ed25519.NewKeyFromSeed(k[:])
}

// switchOn starts a camera with what it kept in an earlier run.
func (s *Simulator) switchOn(b *bay) error {
	text := s.book.Memory(b.camera.Serial())
	if text == nil {
		return b.camera.Start(nil)
	}
	var m firmware.Memory
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("reading what camera %s kept: %w", b.camera.Serial(), err)
	}
	return b.camera.Start(&m)
}

// restarts takes a camera that restarts off the bus, and sees to it that it comes back.
func (s *Simulator) restarts(b *bay) {
	busID := s.place(b)
	if plugged, _ := s.bus.Plugged(busID); !plugged {
		return
	}
	s.note(s.Unplug(busID))
	s.begin(b, func(ctx context.Context) { s.reboot(ctx, b, fault.Fault{For: restartTime}) })
}
