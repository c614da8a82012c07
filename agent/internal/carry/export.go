package carry

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/drive"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// workers is how many recordings are written at once: short ones share flushes.
const workers = 4

// Options say what to export, and where to.
type Options struct {
	Spool   *spool.Reader
	Dir     string // where the drive is mounted
	After   int64  // leave out recordings up to this number of the journal: they are on another drive
	Agency  evidence.AgencyID
	Station evidence.StationID
	Dock    evidence.DockID
	Signer  *identity.StatementKey // the dock's
	Version string                 // of the agent
	Now     func() time.Time
	Tell    func(Progress) // called as it goes on, by one goroutine at a time; nil: nobody

	// Fail, in tests, is asked before each step that changes the drive; its error
	// is the step's.
	Fail func(step string) error
}

// Progress is how far an export is.
type Progress struct {
	Recordings, OfRecordings uint64
	Bytes, OfBytes           uint64 // sealed
}

// Result is what is on the drive now.
type Result struct {
	Progress
	Written    uint64   // recordings of which this run wrote something
	Statements uint64   // inventories and releases
	Left       uint64   // recordings that wait and are not on this drive
	Damaged    []string // of these, copies that are damaged in the spool
	Last       int64    // number of the last recording on it: the After of a further drive
	Removed    uint64   // recordings taken off the drive, since the dock has their receipts
	Index      evidence.Digest
}

// ErrFull is wrapped when not all of what waits fits on the drive. What is
// indexed is there whole.
var ErrFull = errors.New("the drive is full")

// export is one run.
type export struct {
	Options
	folder  *drive.Folder
	folders durable.Folders // shares flushes

	mu      sync.Mutex // guards all below
	result  Result
	done    []carried
	skipped map[int64]bool             // numbers of recordings that need not be here: handed over meanwhile, or damaged
	sums    map[string]evidence.Digest // by name in the folder
	full    error
}

// carried is a recording that is whole on the drive.
type carried struct {
	sequence int64
	entry    evidence.CarriedRecording
	wrote    bool // by this run
}

// Export writes all that waits to the drive. With ErrFull the drive has an index
// of what is on it; with any other error it has its former index, or none.
func Export(ctx context.Context, opt Options) (Result, error) {
	e := &export{Options: opt, sums: map[string]evidence.Digest{}, skipped: map[int64]bool{}}
	if e.Tell == nil {
		e.Tell = func(Progress) {}
	}
	if e.Fail == nil {
		e.Fail = func(string) error { return nil }
	}
	err := e.run(ctx)
	return e.result, err
}

func (e *export) run(ctx context.Context) (err error) {
	waiting, err := e.Spool.Waiting(ctx)
	if err != nil {
		return err
	}
	waiting = slices.DeleteFunc(waiting, func(r spool.Recording) bool { return r.Sequence <= e.After })
	if e.folder, err = drive.Make(e.Dir, e.Agency, e.Dock); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.folder.Close()) }()
	release, err := e.folder.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	e.result.OfRecordings = uint64(len(waiting))
	for _, r := range waiting {
		e.result.OfBytes += seal.SealedSize(r.SealedLength())
	}
	statements, err := e.statements(ctx)
	if err != nil {
		return err
	}
	if err := e.recordings(ctx, waiting); err != nil {
		return err
	}
	if err := e.index(statements); err != nil {
		return err
	}
	return errors.Join(e.full, e.tidy(ctx))
}

// statements writes what the dock has signed besides manifests and what waits.
func (e *export) statements(ctx context.Context) (all []evidence.CarriedStatement, err error) {
	const atATime = 256
	for after := int64(0); ; {
		some, err := e.Spool.Statements(ctx, after, atATime)
		if err != nil || len(some) == 0 {
			return all, err
		}
		for _, s := range some {
			after = s.Sequence
			sum := evidence.SHA256(s.Envelope)
			if err := e.put(drive.Statement(sum), s.Envelope); err != nil {
				return nil, err
			}
			all = append(all, evidence.CarriedStatement{Kind: string(s.Kind), SHA256: sum})
		}
	}
}

// put makes a short file durable, and notes its sum.
func (e *export) put(name string, data []byte) error {
	if err := e.Fail("put " + name); err != nil {
		return err
	}
	if _, err := e.folder.Put(name, data); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	e.note(name, evidence.SHA256(data))
	return nil
}

func (e *export) note(name string, sum evidence.Digest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sums[name] = sum
}

// recordings writes them, oldest first, several at a time. When the drive gets
// full, what this run wrote out of turn makes room for what comes before it.
func (e *export) recordings(ctx context.Context, waiting []spool.Recording) error {
	if err := e.several(ctx, waiting, workers); err != nil {
		return err
	}
	if e.full != nil {
		rest, err := e.makeRoom(waiting)
		if err != nil {
			return err
		}
		e.full = nil
		if err := e.several(ctx, rest, 1); err != nil {
			return err
		}
	}
	slices.SortFunc(e.done, func(a, b carried) int { return cmp.Compare(a.sequence, b.sequence) })
	e.result.Left = e.result.OfRecordings - uint64(len(e.done))
	settled := e.settled()
	for _, r := range waiting {
		if !settled[r.Sequence] {
			break
		}
		e.result.Last = r.Sequence
	}
	return nil
}

// several writes recordings, n at a time, until the drive is full.
func (e *export) several(ctx context.Context, waiting []spool.Recording, n int) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(n)
	for _, r := range waiting {
		if e.isFull() || within.Err() != nil {
			break
		}
		group.Go(func() error {
			if e.isFull() {
				return nil
			}
			return e.one(within, r)
		})
	}
	return errors.Join(group.Wait(), ctx.Err())
}

func (e *export) isFull() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.full != nil
}

// settled are the numbers of recordings with which there is nothing left to do.
func (e *export) settled() map[int64]bool {
	settled := maps.Clone(e.skipped)
	for _, c := range e.done {
		settled[c.sequence] = true
	}
	return settled
}

// makeRoom removes what this run wrote behind the first recording that did not
// fit, and returns what is still to be written. What was on the drive before
// stays: its index may name it.
func (e *export) makeRoom(waiting []spool.Recording) (rest []spool.Recording, err error) {
	settled := e.settled()
	for _, r := range waiting {
		if len(rest) == 0 && settled[r.Sequence] || e.skipped[r.Sequence] {
			continue
		}
		at := slices.IndexFunc(e.done, func(c carried) bool { return c.sequence == r.Sequence })
		if at >= 0 && !e.done[at].wrote {
			continue
		}
		rest = append(rest, r)
		if at < 0 {
			continue
		}
		e.done = slices.Delete(e.done, at, at+1)
		e.result.Recordings--
		e.result.Written--
		e.result.Bytes -= min(e.result.Bytes, seal.SealedSize(r.SealedLength()))
		names := []string{drive.Offer(r.Evidence, r.Attempt)}
		for part := range drive.Parts(r.SealedLength()) {
			names = append(names, drive.Part(r.Evidence, r.Attempt, part))
		}
		for _, name := range names {
			delete(e.sums, name)
			if err := e.folder.Remove(name); err != nil {
				return nil, err
			}
		}
	}
	return rest, nil
}

// one writes one recording, or finds it written.
func (e *export) one(ctx context.Context, r spool.Recording) error {
	c, err := e.Spool.OpenCopy(ctx, r.Evidence)
	if err != nil {
		return e.missing(ctx, r, err)
	}
	defer c.Close()
	w := &writer{export: e, copy: c}
	entry, err := w.write(ctx)
	switch {
	case errors.Is(err, spool.ErrRot):
		return e.missing(ctx, r, err)
	case durable.IsFull(err):
		e.mu.Lock()
		defer e.mu.Unlock()
		e.full = fmt.Errorf("%w: %w", ErrFull, err)
		return nil
	case err != nil:
		return fmt.Errorf("writing %s of camera %s: %w", c.Source.Path, c.Source.Serial, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done = append(e.done, carried{r.Sequence, entry, w.wrote})
	e.result.Recordings++
	if w.wrote {
		e.result.Written++
	}
	e.Tell(e.result.Progress)
	return nil
}

// missing sorts out a copy that cannot be read: handed over meanwhile, or
// damaged. The agent finds damage by itself and reads the camera again.
func (e *export) missing(ctx context.Context, r spool.Recording, cause error) error {
	now, err := e.Spool.Get(ctx, r.Evidence)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	moved := err != nil || now.Attempt != r.Attempt || now.State != spool.StateSpooled && now.State != spool.StateUploading
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case moved:
		e.skipped[r.Sequence] = true
		e.result.OfRecordings--
		return nil
	case errors.Is(cause, spool.ErrRot):
		e.skipped[r.Sequence] = true
		e.result.Damaged = append(e.result.Damaged, fmt.Sprintf("%s (%s of camera %s): %v", r.Evidence, r.Source.Path, r.Source.Serial, cause))
		return nil
	}
	return cause
}

func (e *export) advance(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.result.Bytes += uint64(n)
	e.Tell(e.result.Progress)
}
