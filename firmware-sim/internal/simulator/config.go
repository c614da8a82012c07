package simulator

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
)

// Config says what to simulate. Exactly one source of recordings is used: Folder
// where given, else synthetic files where Files is not 0, else made footage.
type Config struct {
	Cameras    int
	Recordings int    // clips per camera
	ClipSize   int64  // bytes to aim for in each clip
	Folder     string // ready files, taken byte for byte
	FolderAll  bool   // every camera gets all of them; else they are dealt out
	Files      int    // synthetic files per camera
	FileSize   int64  // bytes of each
	Seed       uint64
	Oracle     string // file; empty: none
	Cache      string // folder for made footage; empty: the user's cache
	ShiftStart time.Time
	ClockError time.Duration     // of camera clocks
	ClockDrift float64           // seconds per second
	Unplugged  bool              // begin with every camera out of its bay
	Plain      bool              // cameras without the Sealdock extension
	PlainFirst int               // the first so many cameras are without it
	Maker      ed25519.PublicKey // who signs firmware; empty: the test key of the seed
}

// Limits of a simulation.
const (
	MaxCameras = 200
	maxClips   = 9999
	maxFiles   = 1_000_000
)

// Check says what is wrong with a configuration.
func (c *Config) Check() error {
	switch {
	case c.Cameras < 1 || c.Cameras > MaxCameras:
		return fmt.Errorf("%d cameras: want 1 to %d", c.Cameras, MaxCameras)
	case c.Recordings < 0 || c.Recordings > maxClips:
		return fmt.Errorf("%d recordings per camera: want 0 to %d", c.Recordings, maxClips)
	case c.Files < 0 || c.Files > maxFiles:
		return fmt.Errorf("%d files per camera: want 0 to %d", c.Files, maxFiles)
	case c.PlainFirst < 0:
		return fmt.Errorf("%d cameras without the extension: want 0 or more", c.PlainFirst)
	case c.FileSize < 0 || c.ClipSize < 0:
		return errors.New("a size is negative")
	case c.Files == 0 && c.Folder == "" && c.ClipSize < 1<<18:
		return fmt.Errorf("clips of %d bytes: want 256 KiB or more", c.ClipSize)
	case c.Files > 0 && c.Folder != "":
		return errors.New("choose either a folder of ready files or synthetic ones")
	case len(c.Maker) != 0 && len(c.Maker) != ed25519.PublicKeySize:
		return fmt.Errorf("maker's key of %d bytes: want %d", len(c.Maker), ed25519.PublicKeySize)
	case c.ClockDrift < -0.5 || c.ClockDrift > 0.5:
		return fmt.Errorf("clock drift of %g s per s: want -0.5 to 0.5", c.ClockDrift)
	}
	return nil
}

// FirstCounter is the counter of the firmware that cameras come with.
const FirstCounter = 10

// Model is the model of every simulated camera.
const Model = "Sealdock Simulated Camera"

// settings are those of camera number n, from 1.
func (c *Config) settings(n int) firmware.Settings {
	h := sha256.New()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], c.Seed)
	binary.BigEndian.PutUint64(b[8:], uint64(n))
	h.Write([]byte("sealdock simulated camera\x00"))
	h.Write(b[:])
	sum := h.Sum(nil)
	serial, maker := hex.EncodeToString(sum[:16]), c.Maker
	if len(maker) == 0 {
		maker = MakerKey(c.Seed).Public().(ed25519.PublicKey)
	}
	return firmware.Settings{
		Extension: !c.Plain && n > c.PlainFirst, KeySeed: derive(c.Seed, "camera", serial), Maker: maker, Counter: FirstCounter,
		Serial: serial, Manufacturer: "Sealdock", Model: Model, Firmware: "1.4.2-sim",
		FriendlyName: fmt.Sprintf("Camera %d", n), Battery: 35 + sum[16]%60, ClockError: c.ClockError, ClockDrift: c.ClockDrift,
	}
}

// BusID is the bay of camera number n, from 1.
func BusID(n int) string { return fmt.Sprintf("1-%d", n) }
