package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// SealedSegment is the size in bytes of every sealed segment but the last.
const SealedSegment = evidence.LeafSize + 32

// MaxAside is how many blobs of one key may be in quarantine: the one that did not fit,
// and those that were damaged since.
const MaxAside = 16

// MaxHeader is the longest header that a store takes, in bytes.
const MaxHeader = 1 << 10

var (
	// ErrConflict: the blob is committed already, is in quarantine, is open for
	// writing elsewhere, or was begun with another header.
	ErrConflict = errors.New("the blob is there already and cannot be written")
	// ErrFull: the medium or the quota is used up. Nothing that was durable is
	// harmed; the same write may be tried again when there is room.
	ErrFull = errors.New("the evidence store is full: add storage or free some space")
)

// Key names one blob: one reading of one recording.
type Key struct {
	Agency  evidence.AgencyID
	ID      evidence.EvidenceID
	Attempt uint32
}

func (k Key) String() string { return fmt.Sprintf("%s/%s-%d", k.Agency, k.ID, k.Attempt) }

// Check reports whether the key may name a blob.
func (k Key) Check() error {
	if err := evidence.CheckName("agency", string(k.Agency)); err != nil {
		return err
	}
	if k.ID.IsZero() || k.Attempt == 0 {
		return fmt.Errorf("blob %s: evidence id or attempt is missing", k)
	}
	return nil
}

// Place is where a blob stands.
type Place string

// The places of a blob.
const (
	Partial     Place = "partial"
	Committed   Place = "committed"
	Quarantined Place = "quarantined"
	Foreign     Place = "foreign" // a file that no key names: nothing of ours
)

// Info is one entry of a List.
type Info struct {
	Key      Key // zero for Foreign
	Place    Place
	Name     string // where it is, for people
	Size     int64  // bytes, header included
	Modified time.Time
}

// Store keeps blobs. Safe for concurrent use.
type Store interface {
	// Create begins a blob or goes on with its partial one. header is written,
	// or compared with the one that is there; the headers of one key are of one
	// length. One Upload per key may be open at a time. Errors: ErrConflict,
	// ErrFull.
	Create(ctx context.Context, key Key, header []byte) (Upload, error)
	// Heal is Create for a blob that was committed once and is damaged or gone: that
	// there is one in quarantine is no conflict. It is for bytes from another store.
	Heal(ctx context.Context, key Key, header []byte) (Upload, error)
	// Open reads a committed blob. fs.ErrNotExist when there is none.
	Open(ctx context.Context, key Key) (Blob, error)
	// OpenQuarantined reads the blob in quarantine, of several the newest.
	OpenQuarantined(ctx context.Context, key Key) (Blob, error)
	// Remove drops a partial blob for good. A missing one is no error; a
	// committed or quarantined one is ErrConflict and stays.
	Remove(ctx context.Context, key Key) error
	// Quarantine moves a partial or committed blob aside, durably. Doing it
	// again is no error. One that was there before stays, up to MaxAside of them;
	// more is ErrConflict. fs.ErrNotExist when there is no such blob.
	Quarantine(ctx context.Context, key Key) error
	// List calls each for every blob, in no order worth relying on, and stops
	// at its first error.
	List(ctx context.Context, each func(Info) error) error
}

// Upload writes one partial blob, its segments in any order. All methods but
// Commit and Close are safe for concurrent use with each other.
type Upload interface {
	// Segments counts the places of segments that the blob reaches over,
	// unverified: places that nobody wrote to and a torn end are among them.
	// Truncate away what is behind the last segment that a reader can verify.
	Segments() (uint64, error)
	// ReadSegment reads what is in the place of a segment into p and returns
	// its sealed length, at most SealedSegment. io.EOF when the blob does not
	// reach so far.
	ReadSegment(index uint64, p []byte) (int, error)
	// WriteSegment writes a sealed segment in its place; only the last one may
	// be shorter than SealedSegment, and then none may come behind it. Durable
	// after the next Sync.
	WriteSegment(index uint64, sealed []byte) error
	// Truncate forgets all segments from segments on.
	Truncate(segments uint64) error
	// Sync makes durable what was written before it began. After a failure the
	// Upload is dead: close it, Create again, and write from what a reader can
	// verify.
	Sync() error
	// Commit makes the blob durable and final, with its name; that every place
	// was written to is the caller's to know. When the process
	// dies in it, the blob is afterwards partial or committed, whole in both
	// cases. No other method but Close may follow.
	Commit(ctx context.Context) error
	// Close ends the Upload; what is not committed stays partial.
	Close() error
}

// Blob is a committed or quarantined blob. ReadAt is safe for concurrent use.
type Blob interface {
	io.ReaderAt
	Size() int64
	// FromMedium makes later reads come from the medium, as far as the system
	// can do that.
	FromMedium() error
	Close() error
}
