package firmware

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/proto/camera"
)

const (
	storageID = 0x00010001
	capacity  = 128 << 30 // bytes
)

// Journal keeps what a camera did. When Deleted or Keep returns nil, the fact survives
// the simulator's end; on an error nothing has changed on the camera.
type Journal interface {
	// Deleted enters that the host deleted a recording; statement is the envelope of the
	// camera's CameraErase, nil where no receipt was asked for.
	Deleted(serial string, r *Recording, at time.Time, statement []byte) error
	// Keep enters what the camera keeps from now on.
	Keep(serial string, m Memory) error
	// Note enters what is good to know afterwards; nothing depends on it.
	Note(serial, act, detail string)
}

// Acts that a camera notes.
const (
	NoteClock    = "clock"
	NoteFirmware = "firmware"
)

// Settings are what makes one camera different from another.
type Settings struct {
	Serial       string // 32 hexadecimal digits
	Model        string
	Manufacturer string
	Firmware     string
	FriendlyName string
	Battery      uint8             // percent when first plugged in; charging adds one a minute
	ClockError   time.Duration     // of the camera's clock against now, at the start
	ClockDrift   float64           // seconds per second that the camera's clock is too fast
	Counter      uint64            // of Firmware
	Extension    bool              // the camera has the Sealdock extension
	KeySeed      [32]byte          // of the camera key
	Maker        ed25519.PublicKey // who signs firmware; empty: nobody
}

// Camera is one simulated camera. Its methods may be called concurrently.
type Camera struct {
	settings Settings
	log      *slog.Logger
	now      func() time.Time
	journal  Journal
	faults   fault.Set
	started  time.Time

	mu       sync.Mutex
	objects  map[uint32]*object // guarded by mu
	order    []uint32           // guarded by mu: handles in the order of creation
	folders  map[string]uint32  // guarded by mu: by parent and name
	next     uint32             // guarded by mu: the next handle
	used     int64              // guarded by mu: bytes on the storage
	offset   time.Duration      // guarded by mu: of the clock, at set
	clockSet time.Time          // guarded by mu
	drift    float64            // guarded by mu: seconds per second that the clock is too fast
	claimed  string             // guarded by mu: the serial number that is given instead of its own
	session  uint32             // guarded by mu: 0 is none
	host     *bus.Host          // guarded by mu: nil while nobody is there
	working  bool               // guarded by mu: in a transaction
	flushed  bool               // guarded by mu: that transaction was cancelled

	extension extension // guarded by mu
	restarted func()    // guarded by mu: told that the camera restarts
}

// New returns a camera with empty storage.
func New(s Settings, journal Journal, now func() time.Time, log *slog.Logger) *Camera {
	c := &Camera{settings: s, log: log.With("serial", s.Serial), now: now, journal: journal, started: now(), clockSet: now(),
		offset: s.ClockError, drift: s.ClockDrift, objects: map[uint32]*object{}, folders: map[string]uint32{}, next: 1}
	c.extension.number = 1
	c.extension.memory = Memory{Key: s.KeySeed[:], Firmware: Slots{State: camera.FirmwareIdle}}
	c.extension.memory.Firmware.Slot[0] = Slot{Release: s.Firmware, Counter: s.Counter}
	return c
}

// Faults are the camera's scripted faults.
func (c *Camera) Faults() *fault.Set { return &c.faults }

// Serial is the camera's serial number.
func (c *Camera) Serial() string { return c.settings.Serial }

// Identity is what the camera's USB descriptors say.
func (c *Camera) Identity() bus.Identity {
	return bus.Identity{Vendor: 0x1209, Product: 0x0001, Release: 0x0100,
		Manufacturer: c.settings.Manufacturer, Model: c.settings.Model, Serial: c.claim(), Interface: "MTP",
		Class: camera.InterfaceClass, SubClass: camera.InterfaceSubClass, ProtocolOfClass: camera.InterfaceProtocol}
}

// Add puts a recording on the camera and tells the host, if there is one.
func (c *Camera) Add(r *Recording) error {
	if len(r.Name) == 0 || len(r.Name) > camera.MaxText || r.Size < 0 {
		return fmt.Errorf("adding recording %q: name of %d units (want 1 to %d), %d bytes", r.Path, len(r.Name), camera.MaxText, r.Size)
	}
	c.mu.Lock()
	parent := uint32(0)
	for _, name := range r.Folders {
		parent = c.enter(parent, name, r.Captured)
	}
	o := c.create(&object{parent: parent, name: r.Name, path: r.Path, recording: r, captured: r.Captured})
	o.urgent = r.Urgent
	c.numberLocked(r)
	c.used += r.Size
	host := c.host
	c.mu.Unlock()
	notify(host, camera.EventObjectAdded, o.handle)
	return nil
}

// enter finds or makes a folder. mu is held.
func (c *Camera) enter(parent uint32, name camera.Text, at time.Time) uint32 {
	key := fmt.Sprintf("%d %x", parent, name.Bytes())
	handle, known := c.folders[key]
	if !known {
		handle = c.create(&object{parent: parent, name: name, path: name.String(), captured: at}).handle
		c.folders[key] = handle
	}
	return handle
}

func (c *Camera) create(o *object) *object {
	o.handle, o.sequence = c.next, c.next
	c.next++
	c.objects[o.handle] = o
	c.order = append(c.order, o.handle)
	return o
}

// Recordings lists what the camera holds, oldest first.
func (c *Camera) Recordings() []*Recording {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*Recording
	for _, h := range c.order {
		if o := c.objects[h]; !o.folder() {
			list = append(list, o.recording)
		}
	}
	return list
}

// Remove takes a recording off the camera as if the camera had lost it: the host
// is told by an event, the journal is not asked.
func (c *Camera) Remove(path string) error {
	c.mu.Lock()
	i := slices.IndexFunc(c.order, func(h uint32) bool { return !c.objects[h].folder() && c.objects[h].path == path })
	if i < 0 {
		c.mu.Unlock()
		return fmt.Errorf("camera %s has no recording %q", c.settings.Serial, path)
	}
	handle := c.order[i]
	c.drop(handle)
	host := c.host
	c.mu.Unlock()
	notify(host, camera.EventObjectRemoved, handle)
	return nil
}

// drop forgets an object. mu is held.
func (c *Camera) drop(handle uint32) {
	c.used -= c.objects[handle].size()
	delete(c.objects, handle)
	c.order = slices.DeleteFunc(c.order, func(h uint32) bool { return h == handle })
}

func notify(host *bus.Host, event camera.Event, parameters ...uint32) {
	if host == nil {
		return
	}
	if b, err := camera.Notify(event, 0, parameters...).Append(nil); err == nil {
		host.Notify(b)
	}
}

// find returns the object of a handle, or nil.
func (c *Camera) find(handle uint32) *object {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[handle]
}

// list returns the objects in a storage's folder: parent 0 means all, RootParent
// those outside any folder. known is false when the parent is no folder.
func (c *Camera) list(parent uint32, format camera.Format) (handles []uint32, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if parent != camera.AllObjects && parent != camera.RootParent {
		if o := c.objects[parent]; o == nil || !o.folder() {
			return nil, false
		}
	}
	for _, h := range c.order {
		o := c.objects[h]
		inside := parent == camera.AllObjects || o.parent == parent || parent == camera.RootParent && o.parent == 0
		if inside && (format == 0 || o.format() == format) {
			handles = append(handles, h)
		}
	}
	return handles, true
}

// errRefused says that the journal could not keep a deletion.
var errRefused = errors.New("deletion is refused")

// erase deletes a recording for the host. The statement is nil where no receipt was
// asked for.
func (c *Camera) erase(o *object, statement []byte) error {
	at := c.now().UTC()
	if err := c.journal.Deleted(c.settings.Serial, o.recording, at, statement); err != nil {
		c.log.Error("recording is kept: its deletion could not be written down", "path", o.path, "error", err)
		return errRefused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if statement != nil {
		c.keepEraseLocked(o.recording.Sequence, statement)
	}
	if c.objects[o.handle] == o {
		c.drop(o.handle)
	}
	return nil
}

// Clock is the camera's own idea of the time.
func (c *Camera) Clock() time.Time {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	drift := time.Duration(float64(now.Sub(c.clockSet)) * c.drift)
	return now.Add(c.offset + drift).UTC()
}

func (c *Camera) setClock(t time.Time) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.clockSet = t.Sub(now), now
}

func (c *Camera) battery() uint8 {
	charged := int(c.settings.Battery) + int(c.now().Sub(c.started)/time.Minute)
	return uint8(min(max(charged, 0), 100))
}
