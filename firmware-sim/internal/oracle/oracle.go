package oracle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/evidence"
)

// State is the content of the book.
type State struct {
	Cameras []*Camera `json:"cameras"`
}

// Camera is one camera's page.
type Camera struct {
	Serial     string       `json:"serial"`
	BusID      string       `json:"busid"` // the bay
	Plugged    bool         `json:"plugged"`
	Claims     []string     `json:"claims,omitempty"` // serial numbers of others that it gave
	Recordings []*Recording `json:"recordings"`
	Log        []Entry      `json:"log"`

	Memory json.RawMessage `json:"memory,omitempty"` // what the camera itself keeps (firmware.Memory)
}

// Recording is what the camera made, whether it is still there or not.
type Recording struct {
	Path        string             `json:"path"` // printable form
	Size        int64              `json:"size"` // bytes
	SHA256      evidence.Digest    `json:"sha256"`
	Kind        evidence.Kind      `json:"kind"`
	CapturedAt  time.Time          `json:"captured_at"`
	Deleted     bool               `json:"deleted"`
	DeletedAt   time.Time          `json:"deleted_at,omitzero"`
	DeletedBy   string             `json:"deleted_by,omitempty"`   // "host", or "camera" for a simulated loss
	ContentFile string             `json:"content_file,omitempty"` // the bytes, where a file has them
	Synthetic   *footage.Synthetic `json:"synthetic,omitempty"`    // else how to compute them
	RawPath     [][]byte           `json:"raw_path,omitempty"`     // folders and name as UTF-16LE, where Path had to change them
	Sequence    uint64             `json:"sequence,omitempty"`     // the number that the camera gave it
	StartedAt   time.Time          `json:"started_at,omitzero"`    // by the camera's clock
	EndedAt     time.Time          `json:"ended_at,omitzero"`
	Officer     string             `json:"officer,omitempty"`
	OfficerID   string             `json:"officer_id,omitempty"`
	Urgent      bool               `json:"urgent,omitempty"`
	Erase       []byte             `json:"erase,omitempty"` // the camera's statement that it erased this (evidence.CameraErase)
}

// Acts in a camera's log.
const (
	ActRecorded  = "recorded"
	ActDeleted   = "deleted" // by the host
	ActRemoved   = "removed" // lost by the camera itself
	ActPlugged   = "plugged"
	ActUnplugged = "unplugged"
	ActFault     = "fault"
	ActUrgent    = "urgent" // marked by its wearer
	ActAgency    = "agency" // the camera became another agency's
)

// Entry is one thing that happened.
type Entry struct {
	At     time.Time        `json:"at"`
	Act    string           `json:"act"`
	Path   string           `json:"path,omitempty"`
	SHA256 *evidence.Digest `json:"sha256,omitempty"`
	Detail string           `json:"detail,omitempty"`
}

const (
	small     = 100 // a book of no more recordings is written at each change
	patience  = 10  // else wait this many times as long as writing took
	maxLine   = 1 << 20
	filePerms = 0o600
)

// Book is an open book. Its methods may be called concurrently.
type Book struct {
	path string // empty: in memory only
	now  func() time.Time

	mu        sync.Mutex
	state     State         // guarded by mu
	deletions *os.File      // guarded by mu
	cost      time.Duration // guarded by mu: of the last writing
	later     *time.Timer   // guarded by mu: writing is planned
	failed    error         // guarded by mu: of a planned writing
}

// ErrInUse means that another simulator writes the book.
var ErrInUse = errors.New("another simulator is using it: stop that one, or choose another file with --oracle")

// Open reads the book at path, or begins one. An empty path keeps it in memory.
// Until Close or the end of the process nobody else can open it: ErrInUse.
func Open(path string, now func() time.Time) (*Book, error) {
	b := &Book{path: path, now: now}
	if path == "" {
		return b, nil
	}
	if err := b.lock(); err != nil {
		return nil, err
	}
	if err := b.load(); err != nil {
		return nil, errors.Join(err, b.deletions.Close())
	}
	return b, nil
}

// load brings the book to where its last holder left it.
func (b *Book) load() error {
	if err := b.read(); err != nil {
		return err // nothing is written over what could not be read
	}
	return b.replay()
}

func (b *Book) read() error {
	text, err := os.ReadFile(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("reading the oracle: %w", err)
	default:
		if err := json.Unmarshal(text, &b.state); err != nil {
			return fmt.Errorf("reading the oracle %s (delete it to begin anew): %w", b.path, err)
		}
		b.state.Cameras = slices.DeleteFunc(b.state.Cameras, func(c *Camera) bool { return c == nil })
		for _, c := range b.state.Cameras {
			c.Recordings = slices.DeleteFunc(c.Recordings, func(r *Recording) bool { return r == nil })
		}
	}
	return nil
}

func (c *Camera) note(e Entry) { c.Log = append(c.Log, e) }

// page finds or begins a camera's page. mu is held, or the book is not shared yet.
func (b *Book) page(serial string) *Camera {
	for _, c := range b.state.Cameras {
		if c.Serial == serial {
			return c
		}
	}
	c := &Camera{Serial: serial, Recordings: []*Recording{}, Log: []Entry{}}
	b.state.Cameras = append(b.state.Cameras, c)
	return c
}

func (b *Book) find(serial, path string, sum evidence.Digest) *Recording {
	for _, r := range b.page(serial).Recordings {
		if r.Path == path && r.SHA256 == sum {
			return r
		}
	}
	return nil
}

// Past returns copies of what the book knows of a camera's recordings.
func (b *Book) Past(serial string) []Recording {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Recording
	for _, r := range b.page(serial).Recordings {
		list = append(list, *r)
	}
	return list
}

// Begin enters cameras with their bays and recordings, known ones once more too,
// and writes the book.
func (b *Book) Begin(serial, busID string, recordings []Recording) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.page(serial)
	page.BusID, page.Plugged = busID, false
	known := map[string]*Recording{}
	for _, r := range page.Recordings {
		known[r.Path+"\x00"+r.SHA256.String()] = r
	}
	for _, r := range recordings {
		if k := known[r.Path+"\x00"+r.SHA256.String()]; k != nil {
			k.Sequence = r.Sequence // a book from before there were numbers has none
			continue
		}
		page.Recordings = append(page.Recordings, &r)
	}
	if b.path == "" {
		return nil
	}
	return b.write()
}

// Recorded enters a new recording.
func (b *Book) Recorded(serial string, r Recording) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.page(serial)
	page.Recordings = append(page.Recordings, &r)
	page.note(Entry{At: b.now().UTC(), Act: ActRecorded, Path: r.Path, SHA256: &r.SHA256})
	return b.changed()
}

// Deleted enters that the host deleted a recording, and the camera's own statement of
// it, if there is one. When it returns nil, the deletion outlives the process.
func (b *Book) Deleted(serial, path string, sum evidence.Digest, at time.Time, statement []byte) error {
	return b.enter(line{Serial: serial, Path: path, SHA256: sum, At: at, Erase: statement})
}

// Keep enters what a camera keeps from now on. When it returns nil, that outlives the
// process.
func (b *Book) Keep(serial string, memory json.RawMessage) error {
	return b.enter(line{Serial: serial, At: b.now().UTC(), Memory: memory})
}

// Memory returns what a camera kept in an earlier run, or nil.
func (b *Book) Memory(serial string) json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.page(serial).Memory
}

// Urgent enters that a recording is marked as urgent, or no longer.
func (b *Book) Urgent(serial, path string, urgent bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.page(serial)
	for _, r := range page.Recordings {
		if r.Path == path && !r.Deleted {
			r.Urgent = urgent
		}
	}
	page.note(Entry{At: b.now().UTC(), Act: ActUrgent, Path: path, Detail: strconv.FormatBool(urgent)})
	return b.changed()
}

// Removed enters that the camera lost a recording by itself.
func (b *Book) Removed(serial, path string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.page(serial)
	i := slices.IndexFunc(page.Recordings, func(r *Recording) bool { return r.Path == path && !r.Deleted })
	if i < 0 {
		return fmt.Errorf("the oracle has no recording %q of camera %s", path, serial)
	}
	r := page.Recordings[i]
	r.Deleted, r.DeletedAt, r.DeletedBy = true, b.now().UTC(), "camera"
	page.note(Entry{At: r.DeletedAt, Act: ActRemoved, Path: path, SHA256: &r.SHA256})
	return b.changed()
}

// Plugged enters whether the camera is in its bay.
func (b *Book) Plugged(serial string, plugged bool, detail string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.page(serial)
	if page.Plugged == plugged {
		return nil
	}
	page.Plugged = plugged
	act := ActUnplugged
	if plugged {
		act = ActPlugged
	}
	page.note(Entry{At: b.now().UTC(), Act: act, Detail: detail})
	return b.changed()
}

// Claimed enters that a camera gives the serial number of another.
func (b *Book) Claimed(serial, other string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.page(serial)
	if !slices.Contains(page.Claims, other) {
		page.Claims = append(page.Claims, other)
	}
	return b.changed()
}

// Moved enters that a camera is in another bay from now on.
func (b *Book) Moved(serial, busID string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.page(serial).BusID = busID
	return b.changed()
}

// Note enters something else that happened.
func (b *Book) Note(serial, act, detail string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.page(serial).note(Entry{At: b.now().UTC(), Act: act, Detail: detail})
	return b.changed()
}

// changed writes the book, now or soon. mu is held.
func (b *Book) changed() error {
	if b.path == "" || b.later != nil {
		return b.failed
	}
	if b.recordings() <= small {
		return b.write()
	}
	b.later = time.AfterFunc(patience*b.cost, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.later != nil {
			b.later = nil
			b.failed = b.write()
		}
	})
	return b.failed
}

func (b *Book) recordings() (n int) {
	for _, c := range b.state.Cameras {
		n += len(c.Recordings)
	}
	return n
}

func (b *Book) write() error {
	begun := time.Now()
	text, err := json.MarshalIndent(&b.state, "", " ")
	if err != nil {
		return fmt.Errorf("writing the oracle: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(b.path), filepath.Base(b.path)+".new-*")
	if err != nil {
		return fmt.Errorf("writing the oracle: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), b.path)
	}
	if err != nil {
		return fmt.Errorf("writing the oracle: %w", errors.Join(err, os.Remove(file.Name())))
	}
	b.cost = time.Since(begun)
	return nil
}

// Close writes what is still to be written.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.path == "" {
		return nil
	}
	if b.later != nil {
		b.later.Stop()
		b.later = nil
	}
	err := b.write()
	if b.deletions != nil {
		err = errors.Join(err, b.deletions.Close())
		b.deletions = nil
	}
	return err
}

// Read reads a book that a simulator has written.
func Read(path string) (State, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return State{}, fmt.Errorf("reading the oracle: %w", err)
	}
	var s State
	if err := json.Unmarshal(text, &s); err != nil {
		return State{}, fmt.Errorf("reading the oracle %s: %w", path, err)
	}
	return s, nil
}
