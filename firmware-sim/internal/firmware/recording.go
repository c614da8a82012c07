package firmware

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Recording is one object of a camera, as it is put there. It never changes.
type Recording struct {
	Folders   []camera.Text // from the root, such as DCIM and 100SEALD
	Name      camera.Text
	Path      string // folders and name in printable form; what oracle and faults call it
	Kind      evidence.Kind
	Size      int64 // bytes
	SHA256    evidence.Digest
	Captured  time.Time
	Sequence  uint64    // given by the camera when it is put there, where it is 0
	Started   time.Time // by the camera's clock; zero: unknown
	Ended     time.Time
	Officer   string // who wore the camera
	OfficerID string
	Urgent    bool // marked from the start
	Content   Content
}

// Content opens the bytes of a recording for reading.
type Content interface {
	Open() (Reader, error)
}

// Reader reads a recording's bytes at any place.
type Reader interface {
	io.ReaderAt
	io.Closer
}

// File is the content of a file with that path.
type File string

// Open implements Content.
func (f File) Open() (Reader, error) {
	file, err := os.Open(string(f))
	if err != nil {
		return nil, fmt.Errorf("opening a recording's bytes: %w", err)
	}
	return file, nil
}

// Synthetic is content that is computed.
type Synthetic footage.Synthetic

// Open implements Content.
func (s Synthetic) Open() (Reader, error) { return synthetic{footage.Synthetic(s)}, nil }

type synthetic struct{ footage.Synthetic }

func (synthetic) Close() error { return nil }

// format is the PTP format code of a recording.
func (r *Recording) format() camera.Format {
	if r.Kind == evidence.KindVideo {
		return camera.FormatMP4
	}
	return camera.FormatUndefined
}

// object is one entry of the camera's storage: a folder or a recording.
type object struct {
	handle    uint32
	parent    uint32 // handle; 0 in the root
	name      camera.Text
	path      string
	sequence  uint32
	recording *Recording // nil: a folder
	captured  time.Time
	urgent    bool // guarded by Camera.mu
}

func (o *object) folder() bool { return o.recording == nil }

func (o *object) format() camera.Format {
	if o.folder() {
		return camera.FormatAssociation
	}
	return o.recording.format()
}

func (o *object) size() int64 {
	if o.folder() {
		return 0
	}
	return o.recording.Size
}
