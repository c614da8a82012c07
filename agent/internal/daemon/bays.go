package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/proto/upload"
)

// Pauses of a bay whose camera cannot be worked with, or that comes and goes.
const (
	bayFirstPause   = 500 * time.Millisecond
	bayLongestPause = 20 * time.Second
	baySteady       = 3 * time.Second // a docking that lasted this long clears earlier trouble
)

// bays finds cameras and runs a worker for each.
type bays struct {
	desk *offload.Desk
	poll time.Duration
	dial func(context.Context, camera.Pipe) (camera.Link, error)
	now  func() time.Time
	log  *slog.Logger

	mu  sync.Mutex // guards all below
	all map[camera.Location]*bay
}

// bay is one place for a camera. It stays known after its camera left.
type bay struct {
	at      camera.Location
	pauses  *backoff.Backoff // used by the worker alone
	cancel  context.CancelFunc
	done    chan struct{} // closed when the worker has ended; nil while there was none
	docking *offload.Docking
	state   string // shown while there is no docking
	message string
}

// newBays makes the bays. A camera has read for one window of a recording, with
// room for the link to recover and ask once more.
func newBays(desk *offload.Desk, poll, read time.Duration, now func() time.Time, log *slog.Logger) *bays {
	dial := func(ctx context.Context, pipe camera.Pipe) (camera.Link, error) {
		return camera.Dial(ctx, pipe, camera.Options{Timeout: max(read/3, time.Second), Log: log})
	}
	return &bays{desk: desk, poll: poll, dial: dial, now: now, log: log, all: map[camera.Location]*bay{}}
}

// watch rescans one bus until ctx ends, and then waits for its workers.
func (b *bays) watch(ctx context.Context, bus camera.Bus) error {
	ticker := time.NewTicker(b.poll)
	defer ticker.Stop()
	mine := map[camera.Location]*bay{}
	defer func() {
		for _, y := range mine {
			b.stop(y)
		}
	}()
	told := ""
	for {
		found, err := bus.Devices(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && err.Error() != told:
			told = err.Error()
			b.log.Error("looking for cameras failed, it is tried again", "error", err)
		case err == nil:
			told = ""
			b.meet(ctx, bus, mine, found)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// meet starts workers for cameras that came and stops those of cameras that left.
func (b *bays) meet(ctx context.Context, bus camera.Bus, mine map[camera.Location]*bay, found []camera.Location) {
	for at, y := range mine {
		if !slices.Contains(found, at) {
			b.stop(y)
			delete(mine, at)
			b.log.Info("camera taken out", "bay", at.Port)
		}
	}
	for _, at := range found {
		if mine[at] != nil {
			continue
		}
		b.log.Info("camera plugged in", "bay", at.Port)
		working, cancel := context.WithCancel(ctx)
		b.mu.Lock()
		y := b.all[at]
		if y == nil {
			y = &bay{at: at, pauses: backoff.New(bayFirstPause, bayLongestPause)}
			b.all[at] = y
		}
		y.cancel, y.done = cancel, make(chan struct{})
		y.state, y.message = upload.BayReading, "A camera was plugged in."
		b.mu.Unlock()
		mine[at] = y
		go func() {
			defer close(y.done)
			b.work(working, bus, y)
		}()
	}
}

// stop ends a worker and waits for it.
func (b *bays) stop(y *bay) {
	y.cancel()
	<-y.done
	b.mu.Lock()
	defer b.mu.Unlock()
	y.docking, y.state, y.message = nil, upload.BayEmpty, "No camera."
}

// work docks the camera of a bay, again and again while it is there.
func (b *bays) work(ctx context.Context, bus camera.Bus, y *bay) {
	for ctx.Err() == nil {
		if n := y.pauses.Failures(); n > 0 {
			// A camera that comes and goes waits here, in its own bay alone.
			if y.pauses.Wait(ctx, 0) != nil {
				return
			}
		}
		began := b.now()
		err := b.dock(ctx, bus, y)
		if b.now().Sub(began) >= baySteady {
			y.pauses.Reset()
		}
		if y.pauses.Failures() == 0 {
			y.pauses.Pause() // the next docking in this bay waits a moment
		}
		if ctx.Err() != nil {
			return
		}
		b.log.Warn("docking ended, it is begun again while the camera is there", "bay", y.at.Port, "error", err)
		b.show(y, trouble(err))
	}
}

// dock opens the camera and serves it until something ends that.
func (b *bays) dock(ctx context.Context, bus camera.Bus, y *bay) error {
	pipe, err := bus.Open(ctx, y.at)
	if err != nil {
		return fmt.Errorf("opening the camera in bay %s: %w", y.at.Port, err)
	}
	link, err := b.dial(ctx, pipe)
	if err != nil {
		return err
	}
	docking := b.desk.Docking(y.at.Port, link)
	b.mu.Lock()
	y.docking = docking
	b.mu.Unlock()
	err = docking.Serve(ctx)
	return errors.Join(err, link.Close())
}

// show puts a sentence in place of the docking that ended.
func (b *bays) show(y *bay, message string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	y.docking, y.state, y.message = nil, upload.BayAttention, message
}

// trouble says for people why a docking ended.
func trouble(err error) string {
	switch {
	case errors.Is(err, camera.ErrGone):
		return "The camera went away while it was read. Its recordings are still on it; put it back firmly."
	case errors.Is(err, camera.ErrTimeout):
		return "The camera does not answer. It is tried again; if this stays, take it out, switch it off and on, and put it back. (" + err.Error() + ")"
	}
	return "The camera cannot be read at the moment. It is tried again; its recordings stay on it. (" + err.Error() + ")"
}

// status lists the bays, by port.
func (b *bays) status() []offload.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []offload.Status{}
	for _, y := range b.all {
		if y.docking != nil {
			list = append(list, y.docking.Status())
			continue
		}
		list = append(list, offload.Status{Port: y.at.Port, State: y.state, Message: y.message, BatteryPercent: -1})
	}
	slices.SortFunc(list, func(a, c offload.Status) int { return strings.Compare(a.Port, c.Port) })
	return list
}
