package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/oracle"
	"github.com/sealdock/sealdock/internal/testkit/footage"
)

// makeAtOnce is how many cameras are filled in parallel.
const makeAtOnce = 2

// bay is one camera and what the simulator does with it.
type bay struct {
	number int
	busID  string // guarded by Simulator.moving: the bay that the camera is in, or was
	camera *firmware.Camera

	mu     sync.Mutex           // one recording at a time
	taken  int                  // guarded by mu: presses of the record button so far
	names  int                  // guarded by mu: odd recordings added so far
	jumped time.Duration        // guarded by mu: how far faults have set the clock
	acting []context.CancelFunc // guarded by mu: end faults that go on for a while
}

// Simulator is a bus full of cameras. Its methods may be called concurrently.
type Simulator struct {
	config Config
	log    *slog.Logger
	now    func() time.Time
	book   *oracle.Book
	bus    *bus.Server
	source source
	bays   []*bay

	moving  sync.RWMutex // guards busID of every bay
	running context.Context
	stop    context.CancelFunc // ends running
	acts    sync.WaitGroup     // faults that go on for a while
}

// journal hands what cameras did to the book.
type journal struct {
	book *oracle.Book
	log  *slog.Logger
}

func (j journal) Deleted(serial string, r *firmware.Recording, at time.Time, statement []byte) error {
	return j.book.Deleted(serial, r.Path, r.SHA256, at, statement)
}

func (j journal) Keep(serial string, m firmware.Memory) error {
	text, err := json.Marshal(&m)
	if err != nil {
		return fmt.Errorf("writing down what a camera keeps: %w", err)
	}
	return j.book.Keep(serial, text)
}

func (j journal) Note(serial, act, detail string) {
	if err := j.book.Note(serial, act, detail); err != nil {
		j.log.Error("the oracle missed a note", "act", act, "detail", detail, "error", err)
	}
}

// New builds the cameras and their recordings, and plugs them in. Making footage
// for the first time takes a while; the log tells how it goes.
func New(ctx context.Context, config Config, now func() time.Time, log *slog.Logger) (*Simulator, error) {
	if err := config.Check(); err != nil {
		return nil, fmt.Errorf("this cannot be simulated: %w", err)
	}
	s := &Simulator{config: config, log: log, now: now}
	s.running, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.source.config = &s.config
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	var err error
	if s.book, err = oracle.Open(config.Oracle, now); err != nil {
		return nil, err
	}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.book.Close())
	}
	return s, nil
}

// build makes cameras and recordings and plugs the cameras in.
func (s *Simulator) build(ctx context.Context) error {
	config, book, now, log := &s.config, s.book, s.now, s.log
	s.bus = bus.NewServer(log)
	for n := 1; n <= config.Cameras; n++ {
		c := firmware.New(config.settings(n), journal{book, log}, now, log)
		b := &bay{number: n, busID: BusID(n), camera: c}
		c.Faults().Observe(func(f fault.Fault) { s.struck(b, f) })
		c.OnRestart(func() { s.restarts(b) })
		s.bays = append(s.bays, b)
		if err := errors.Join(s.bus.Add(BusID(n), c.Identity(), c), book.Begin(c.Serial(), BusID(n), nil), s.switchOn(b)); err != nil {
			return err
		}
	}
	if err := s.fill(ctx); err != nil {
		return err
	}
	s.bus.Watch(s.moved)
	for _, b := range s.bays {
		if config.Unplugged {
			break
		}
		if err := s.Plug(b.busID); err != nil {
			return err
		}
	}
	return nil
}

// prepare finds where recordings come from.
func (s *Simulator) prepare(ctx context.Context) (err error) {
	switch {
	case s.config.Folder != "":
		if s.config.Folder, err = filepath.Abs(s.config.Folder); err != nil {
			return fmt.Errorf("finding the folder of ready files: %w", err)
		}
		s.source.files, err = walk(s.config.Folder)
	case s.config.Files == 0:
		s.source.maker, err = footage.NewMaker(ctx, footage.Options{Dir: s.config.Cache}, s.log)
	}
	return err
}

// fill makes every camera's recordings.
func (s *Simulator) fill(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(makeAtOnce)
	for _, b := range s.bays {
		work.Go(func() error {
			made, err := s.initial(ctx, b)
			if err != nil {
				return fmt.Errorf("filling camera %s: %w", b.busID, err)
			}
			return s.store(b, made)
		})
	}
	return work.Wait()
}

// initial makes what a camera has at the start, whatever became of it since.
func (s *Simulator) initial(ctx context.Context, b *bay) (list []recording, err error) {
	if s.source.files != nil {
		return s.source.ready(b.number)
	}
	b.taken = s.config.Recordings
	if s.config.Files > 0 {
		b.taken = s.config.Files
	}
	for n := 1; n <= b.taken; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		made, err := s.source.next(ctx, b.number, b.camera.Serial(), n, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, made...)
	}
	return list, nil
}

type recordingKey struct {
	path, sum string
}

func keyOf(r *oracle.Recording) recordingKey { return recordingKey{r.Path, r.SHA256.String()} }

// store puts recordings on a camera, together with those of an earlier run; what
// was deleted in an earlier run stays deleted.
func (s *Simulator) store(b *bay, made []recording) error {
	serial := b.camera.Serial()
	settled := map[recordingKey]bool{} // deleted, or on the camera by now
	known := map[recordingKey]oracle.Recording{}
	var rows []oracle.Recording
	past := s.book.Past(serial)
	for _, row := range past {
		settled[keyOf(&row)] = row.Deleted
		known[keyOf(&row)] = row
		b.camera.ContinueAt(row.Sequence + 1)
		if row.Erase != nil {
			b.camera.KeepErase(row.Sequence, row.Erase)
		}
	}
	put := func(r recording) error {
		if settled[keyOf(&r.row)] {
			return nil
		}
		settled[keyOf(&r.row)] = true
		if row, ok := known[keyOf(&r.row)]; ok {
			r.row = row
			describe(r.Recording, &row)
		}
		if err := b.camera.Add(r.Recording); err != nil {
			return err
		}
		r.row.Sequence = r.Sequence
		rows = append(rows, r.row)
		return nil
	}
	for _, r := range made {
		if err := put(r); err != nil {
			return err
		}
	}
	for _, row := range past {
		if settled[keyOf(&row)] {
			continue
		}
		r, err := revive(row)
		if err != nil {
			return err
		}
		if err := put(r); err != nil {
			return err
		}
	}
	b.taken += max(0, len(past)-len(made)) // more than enough, so that nothing is made twice
	b.names = len(past)
	return s.book.Begin(serial, b.busID, rows)
}

// Bus is the bus with the cameras, to be served.
func (s *Simulator) Bus() *bus.Server { return s.bus }

// Close ends what faults go on with and writes the oracle to its end.
func (s *Simulator) Close() error {
	s.stop()
	s.acts.Wait()
	return s.book.Close()
}
