package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrFull is wrapped when the quota or the disk leaves no room for a copy. The
// camera keeps its recording; the same call succeeds once uploads made room.
var ErrFull = errors.New("spool full")

// LargeError says that a copy would not fit even if it were the only one. It is
// an ErrFull that uploads do not end.
type LargeError struct {
	Need  uint64 // bytes of the sealed copy
	Room  uint64 // bytes for copies when none waits
	Quota bool   // the quota is the limit, not the disk
}

// Error says what is missing and what to do.
func (e *LargeError) Error() string {
	if e.Quota {
		return fmt.Sprintf("a copy takes %d bytes and spool.quota_bytes allows %d in all; raise it", e.Need, e.Room)
	}
	return fmt.Sprintf("a copy takes %d bytes and the disk has room for %d even when no other copy waits; make room, or use a larger disk", e.Need, e.Room)
}

// Is makes it an ErrFull.
func (e *LargeError) Is(target error) bool { return target == ErrFull }

// ErrState is wrapped when a recording is not in a state that allows the step.
var ErrState = errors.New("not possible in this state")

// DefaultReserve is kept free on the disk for the journal, in bytes.
const DefaultReserve = 64 << 20

// Options are the settings of a spool.
type Options struct {
	Dir     string           // folder, made when missing
	Quota   uint64           // most bytes of sealed recordings, 0 for no limit but the disk
	Reserve uint64           // bytes to leave free on the disk, so that the journal can always commit
	Now     func() time.Time // the dock's clock
	Log     *slog.Logger
}

// Spool is the dock's store of copies in transit.
type Spool struct {
	opt     Options
	db      *sql.DB
	pen     *pen            // used by who has the turn
	turn    chan struct{}   // holds one token while changes are committed
	records string          // folder of the sealed files
	folders durable.Folders // shares flushes of that folder among writers

	mu      sync.Mutex                        // guards the fields below
	stored  uint64                            // bytes of finished copies
	writing uint64                            // bytes reserved by writers
	pending uint64                            // of these, not written yet
	changed chan struct{}                     // closed and replaced at every change
	queue   []*change                         // wait for a commit
	drawn   map[evidence.EvidenceID]Recording // rows added by this process, their first attempt not begun
	level   Level                             // as Watch last saw it
	line    line                              // what waits to be handed over, as the journal has it

	restored []int64    // see Restored
	newest   checkpoint // the newest kept; changed by who has the turn

	// Used by who has the turn.
	notes   *durable.File // checkpoints file
	notesAt int64         // its length
}

// Open opens or makes the spool and brings it into order after a crash: unknown
// and half-written files are removed, copies whose file is gone are marked for
// reading again. The caller holds the lock of the folder.
func Open(ctx context.Context, opt Options) (*Spool, error) {
	s := &Spool{opt: opt, records: filepath.Join(opt.Dir, "recordings"), turn: make(chan struct{}, 1), changed: make(chan struct{}), drawn: map[evidence.EvidenceID]Recording{}}
	if err := durable.MkdirAll(s.records, 0o700); err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	db, err := openJournal(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	s.db = db
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the spool: %w", err), db.Close())
	}
	s.pen = &pen{conn: conn, prepared: map[string]*sql.Stmt{}}
	if err := errors.Join(s.tidy(ctx), s.queueUp(ctx), s.openCheckpoints(), s.readRestores(ctx)); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the spool: %w", err), s.pen.close(), db.Close())
	}
	return s, nil
}

// Close releases journal and files. Writers and copies must be done.
func (s *Spool) Close() error {
	return errors.Join(s.notes.Close(), s.pen.close(), s.db.Close())
}

// Dir is the folder of the spool.
func (s *Spool) Dir() string { return s.opt.Dir }

// Changed returns a channel that is closed at the next change of any recording
// or statement. Take it before looking, so that no change is missed.
func (s *Spool) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// announce wakes all who wait on Changed.
func (s *Spool) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Usage returns the bytes of sealed recordings held or being written, and the
// quota (0 for none).
func (s *Spool) Usage() (used, quota uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored + s.writing, s.opt.Quota
}

// large says whether a copy of n bytes would not fit even if it were the only
// one. A disk that has no room at all is full, whatever the copy.
func (s *Spool) large(n uint64) error {
	free, known := diskFree(s.records)
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.opt.Quota; q > 0 && n > q {
		return &LargeError{Need: n, Room: q, Quota: true}
	}
	room := free + s.stored + s.writing - s.pending // what writers have reserved and not written is still free
	if known && room > s.opt.Reserve && n > room-s.opt.Reserve {
		return &LargeError{Need: n, Room: room - s.opt.Reserve}
	}
	return nil
}

// reserve claims n more bytes for a writer, or says why there is no room.
func (s *Spool) reserve(n uint64) error {
	free, known := diskFree(s.records)
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.stored + s.writing
	if q := s.opt.Quota; q > 0 && (n > q || used > q-n) {
		return fmt.Errorf("%w: %d of %d bytes are used and %d more are needed; it goes on by itself as uploads make room", ErrFull, used, q, n)
	}
	// What other writers have reserved and not written yet still counts as free on the disk.
	if need := n + s.opt.Reserve + s.pending; known && free < need {
		return fmt.Errorf("%w: the disk of %s has %d bytes free and %d are needed; it goes on by itself as uploads make room", ErrFull, s.opt.Dir, free, need)
	}
	s.writing += n
	s.pending += n
	return nil
}

// wrote notes that a writer wrote n bytes of what it has reserved.
func (s *Spool) wrote(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending -= n
}

// settle turns a writer's reservation, of which it wrote some, into stored bytes
// (0 when dropped).
func (s *Spool) settle(reserved, wrote, stored uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing -= reserved
	s.pending -= reserved - wrote
	s.stored += stored
}

func (s *Spool) freed(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored -= min(n, s.stored)
}
