package volume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

const (
	closePatience = 2 * time.Second        // for a device that hangs, before it is left to itself
	watchEvery    = 250 * time.Millisecond // between two looks whether the device is there
)

// medium is the block device under a storage, with its mount.
type medium interface {
	// writable makes both writable; the error says for people why not.
	writable() error
	// readOnly writes everything out and makes both read-only.
	readOnly() error
	// present says whether the device is still plugged in; inserted, whether its medium is
	// still in it, which may take as long as the device does.
	present() bool
	inserted() bool
	close() error
}

// storage is one mounted file system of the camera.
type storage struct {
	id       uint32
	prefix   string // of its paths, where the camera has several
	root     *os.File
	number   uint64 // of the file system's device
	capacity uint64 // bytes
	medium   medium
	writing  bool // the medium is writable now
}

// link is one open camera. It implements camera.Link and camera.Hashed.
type link struct {
	port     string
	identity camera.Identity
	storages []*storage // all of them, before the link is used
	most     int        // files that stay open between reading and erasing
	log      *slog.Logger

	// turn holds one token. Who takes it owns all below: the caller's call, or one that a
	// caller gave up waiting for.
	turn    chan struct{}
	notes   []camera.Warning  // about what could not be mounted
	handles map[place]uint32  // given so far
	files   map[uint32]*file  // of the last listing
	held    map[uint32]*held  // files that are open
	inodes  map[uint32]uint64 // of what was read under each handle
	order   []uint32          // of held, oldest first
	buffer  []byte            // what is read, until the caller has it
	lists   map[place]*lists  // hash lists by the folder that holds them
	closed  bool
}

// place is a path on a storage, as it is there.
type place struct {
	storage uint32
	path    string
}

var (
	_ camera.Link   = (*link)(nil)
	_ camera.Hashed = (*link)(nil)
)

func newLink(port string, identity camera.Identity, log *slog.Logger) *link {
	l := &link{
		port: port, identity: identity, most: mostHeld(), log: log.With("bay", port), turn: make(chan struct{}, 1),
		handles: map[place]uint32{}, files: map[uint32]*file{}, held: map[uint32]*held{}, inodes: map[uint32]uint64{}, lists: map[place]*lists{},
	}
	l.turn <- struct{}{}
	return l
}

// add gives the link a storage.
func (l *link) add(s *storage) { l.storages = append(l.storages, s) }

// miss notes what is not taken in.
func (l *link) miss(format string, args ...any) {
	l.notes = append(l.notes, camera.Warning{Message: fmt.Sprintf(format, args...), Missing: true})
}

// describe notes what is to be known about a mounted block.
func (l *link) describe(what string, m *mounted) {
	if l.identity.Volumes != "" {
		l.identity.Volumes += ", "
	}
	l.identity.Volumes += m.system.volumeID()
	l.log.Info("card mounted, read-only", "what", what, "device", m.name, "kind", m.system.kind, "volume", m.system.volumeID(), "bytes", m.size)
	if m.system.bytes > m.size {
		l.miss("%s has %d bytes and its file system says %d: what lies behind its end cannot be read", what, m.size, m.system.bytes)
	}
	note := func(format string, args ...any) {
		l.notes = append(l.notes, camera.Warning{Message: fmt.Sprintf(format, args...)})
	}
	if m.system.dirty {
		note("the file system of %s was not cleanly closed; nothing is erased from it", what)
	}
	if m.system.faulty {
		note("the file system of %s is marked as having had read or write errors; nothing is erased from it", what)
	}
	if m.shared != "" {
		note("another program has %s mounted too and may have changed it (%s); nothing is erased from it", what, m.shared)
	}
}

// run does work that may block for as long as the device does. When ctx ends first,
// the work goes on by itself and keeps the turn until it ends: so it touches nothing of
// its caller's, and its result is lost.
func run[T any](ctx context.Context, l *link, work func() (T, error)) (none T, err error) {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return none, fmt.Errorf("the card still has not answered an earlier question: %w", ctx.Err())
	}
	if l.closed {
		l.turn <- struct{}{}
		return none, fmt.Errorf("%w: it was closed", l.goneError())
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := work()
		l.turn <- struct{}{} // before the answer: who has it may ask the next thing at once
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, fmt.Errorf("waiting for the card: %w", ctx.Err())
	}
}

// Identity implements camera.Link.
func (l *link) Identity(ctx context.Context) (camera.Identity, error) {
	if err := ctx.Err(); err != nil {
		return camera.Identity{}, err
	}
	if !l.present() {
		return camera.Identity{}, l.goneError()
	}
	return l.identity, nil
}

func (l *link) goneError() error { return fmt.Errorf("bay %s: %w", l.port, camera.ErrGone) }

func (l *link) present() bool {
	return !slices.ContainsFunc(l.storages, func(s *storage) bool { return !s.medium.present() })
}

// settle ends a time of writing, if there was one. The caller has the turn.
func (l *link) settle() error {
	var failed []error
	for _, s := range l.storages {
		if !s.writing {
			continue
		}
		s.writing = false
		if err := s.medium.readOnly(); err != nil {
			failed = append(failed, fmt.Errorf("ending the erasure on the card in bay %s: %w", l.port, l.judge(err)))
		}
	}
	return errors.Join(failed...)
}

// Watch implements camera.Link. It looks at sysfs, and asks a device that takes
// media out whether there still is one.
func (l *link) Watch(ctx context.Context) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	answer := make(chan bool, 1)
	asked := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case there := <-answer:
			if asked = false; !there {
				return fmt.Errorf("the card was taken out: %w", l.goneError())
			}
		case <-ticker.C:
			if !l.present() {
				return l.goneError()
			}
			if !asked {
				asked = true
				go func() {
					answer <- !slices.ContainsFunc(l.storages, func(s *storage) bool { return !s.medium.inserted() })
				}()
			}
		}
	}
}

// Close implements camera.Link. A device that hangs is left to itself: its mount
// ends with the question that it does not answer.
func (l *link) Close() error {
	limited, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
		return l.close()
	case <-limited.Done():
	}
	go func() {
		<-l.turn
		defer func() { l.turn <- struct{}{} }()
		if err := l.close(); err != nil {
			l.log.Warn("closing a card that did not answer", "error", err)
		}
	}()
	return fmt.Errorf("closing the card in bay %s: %w; it is let go of when it answers", l.port, camera.ErrTimeout)
}

// close ends everything. The caller has the turn.
func (l *link) close() error {
	if l.closed {
		return nil
	}
	failed := []error{l.settle()}
	for _, h := range l.held {
		failed = append(failed, h.file.Close())
	}
	for _, s := range l.storages {
		failed = append(failed, s.medium.close())
	}
	l.closed, l.held = true, nil
	return errors.Join(failed...)
}

// storage finds a storage by its id.
func (l *link) storage(id uint32) (*storage, error) {
	for _, s := range l.storages {
		if s.id == id {
			return s, nil
		}
	}
	ids := make([]string, len(l.storages))
	for i, s := range l.storages {
		ids[i] = fmt.Sprintf("0x%08x", s.id)
	}
	return nil, fmt.Errorf("%w: there is no storage 0x%08x, only %s", camera.ErrChanged, id, strings.Join(ids, ", "))
}
