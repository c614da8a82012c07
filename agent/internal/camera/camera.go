package camera

import (
	"context"
	"errors"
	"fmt"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// What can be wrong with a camera. Every error of a Pipe or Link that has one of
// these causes wraps it.
var (
	ErrGone       = errors.New("the camera is no longer connected")
	ErrStall      = errors.New("the camera refused a USB transfer (stall)")
	ErrTimeout    = errors.New("the camera did not answer in time")
	ErrProtocol   = errors.New("the camera broke the PTP or USB protocol")
	ErrSequential = errors.New("this camera can read this recording only from its start and in order")
	ErrBeyond     = errors.New("the recording goes on where this camera cannot read it")
	ErrChanged    = errors.New("the camera shows another object under this handle; list it again")
)

// RefusedError is a camera's orderly refusal of an operation.
type RefusedError struct {
	Operation ptp.Operation
	Code      ptp.Response
}

// Error says what was refused and why, in the standard's words.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the camera refused %s: %s (0x%04x)", e.Operation, e.Code, uint16(e.Code))
}

// Location is where a camera is plugged in. It does not change when another
// camera is plugged into the same place.
type Location struct {
	Source string // "usb", "usbip" or "storage"
	Port   string // the bay: a port path such as "1-2.3"
}

// String joins source and port, such as "usb:1-2.3".
func (l Location) String() string { return l.Source + ":" + l.Port }

// Bus finds cameras that speak PTP. Devices gives those that are there now; the
// caller rescans. Safe for concurrent use.
type Bus interface {
	Devices(ctx context.Context) ([]Location, error)
	Open(ctx context.Context, at Location) (Pipe, error)
}

// Pipe carries USB transfers to one open device. One goroutine uses the bulk
// endpoints; Control and Interrupt may run beside it. Errors wrap ErrGone,
// ErrStall, ErrTimeout, ErrProtocol or the context's error; after an error other than a context's the
// state of the transfer is unknown.
type Pipe interface {
	// BulkIn reads (a part of) one transfer into p. It returns when p is full or a short packet
	// came; 0 and nil is a zero-length packet. p is a multiple of MaxPacket long, or
	// exactly as long as what remains of the transfer. Bytes that arrived before an
	// error are counted.
	BulkIn(ctx context.Context, p []byte) (int, error)
	// BulkOut writes one transfer and, when it is a multiple of MaxPacket long, the
	// zero-length packet that ends it.
	BulkOut(ctx context.Context, p []byte) error
	// Control runs a control transfer; data is read or written as requestType's
	// highest bit says.
	Control(ctx context.Context, requestType, request uint8, value, index uint16, data []byte) (int, error)
	// Interrupt reads one packet of the interrupt endpoint.
	Interrupt(ctx context.Context, p []byte) (int, error)
	// ClearHalt makes both bulk endpoints usable after a stall.
	ClearHalt(ctx context.Context) error
	// Reset brings the device back to its configured state by stronger means.
	Reset(ctx context.Context) error
	Serial() string // iSerialNumber as it came; empty when there is none
	Port() string
	Interface() uint16 // number of the PTP interface
	MaxPacket() int    // of the bulk-in endpoint, in bytes
	Close() error
}

// Exchanger is a Pipe that takes a command and the reads of its answer at once, so
// that the camera answers without another word from the host in between.
type Exchanger interface {
	Pipe
	// Exchange is BulkOut of out, if it is not nil, and BulkIn into in. With more > 0, a
	// multiple of MaxPacket, it also asks ahead for a transfer of at most as many bytes; the
	// reads that follow get it, and whatever ends one of them in an error ends it too.
	Exchange(ctx context.Context, out, in []byte, more int) (int, error)
}

// Link reads one camera. Not safe for concurrent use, but for Watch.
type Link interface {
	// Identity asks the camera who it is. A clock or charge that cannot be read is
	// unknown, not an error.
	Identity(ctx context.Context) (Identity, error)
	// List gives every object that is no folder, in the camera's order. Whatever was
	// odd or had to be left out is a Warning.
	List(ctx context.Context) ([]Object, []Warning, error)
	// ReadAt reads len(p) bytes at off, straight into p. Fewer bytes come only with an
	// error; io.EOF at the object's end, which is where the camera has no more bytes,
	// not where it lists its end. Bytes that the camera has and cannot be asked for
	// are ErrBeyond. Where the camera has no partial reads, off
	// has to be where the last ReadAt of this object ended, or 0 (ErrSequential).
	ReadAt(ctx context.Context, object Object, off int64, p []byte) (int, error)
	// Delete removes the object from the camera, after it checked that the handle
	// still means this object (ErrChanged).
	Delete(ctx context.Context, object Object) error
	// Watch waits until the camera is gone, which gives ErrGone, or until ctx ends.
	// It may run beside all other calls but Close.
	Watch(ctx context.Context) error
	// Close ends the session and lets go of the camera.
	Close() error
}

// Identity is what a camera says of itself. Texts are printable, of bounded
// length, and escaped where they were hostile.
type Identity struct {
	Serial   string // empty when the camera has none
	Vendor   string
	Model    string
	Firmware string
	Battery  int // percent, -1 unknown
	// Volumes are the serial numbers of the volumes of a mass-storage camera ("1A2B-3C4D"),
	// joined by ", ".
	Volumes string

	ClockRaw   string    // as the camera wrote it, escaped
	Clock      time.Time // zero unless ClockKnown
	ClockKnown bool
	ClockZoned bool // the camera named its zone; otherwise Clock has the camera's local numbers as if UTC
}

// Object is one object on a camera.
type Object struct {
	Handle  uint32
	Storage uint32
	// Path is folders and name joined by '/', each made safe (see SafeName), and
	// unique in its listing. It stays the same in all listings of a Link.
	Path        string
	RawName     []byte // UTF-16LE, as it came
	Format      uint16
	Size        uint64 // bytes, as the camera lists it; what it delivers may be more or less
	SizeKnown   bool
	CapturedRaw string // as the camera wrote it, escaped
	ModifiedRaw string
	Kind        evidence.Kind
}

// Warning is something about a listing that a person should know.
type Warning struct {
	Handle  uint32 // 0 when it concerns no single object
	Message string
	Missing bool // something that the camera may hold is not in the listing
}

// SourceHash is a hash that came with a recording on the camera's medium.
type SourceHash struct {
	Algorithm string // as ASC MHL names it: c4, md5, sha1, xxh64, xxh3, xxh128
	Value     string // as ASC MHL writes it
	Origin    string // where it stands, for people
}

// Hashed is a Link whose medium may say what a recording's hash has to be. The
// hashes are claims like all that comes from a camera: they are compared, told and
// kept, and never decide whether a recording is taken in.
type Hashed interface {
	// Expected gives the hashes that came with an object of the last listing.
	Expected(object Object) []SourceHash
}
