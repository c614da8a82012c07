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
	"github.com/sealdock/sealdock/agent/internal/hotplug"
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
	now  func() time.Time
	log  *slog.Logger

	turns turns // of the loops of watch

	mu  sync.Mutex // guards all below
	all map[camera.Location]*bay
}

// bay is one place for a camera. It stays known after its camera left.
type bay struct {
	at      camera.Location
	cancel  context.CancelFunc
	done    chan struct{} // closed when the worker has ended; nil while there was none
	docking *offload.Docking
	state   string // shown while there is no docking
	message string
}

// newBays makes the bays. A camera has read for one window of a recording, with
// room for the link to recover and ask once more.
func newBays(desk *offload.Desk, poll time.Duration, now func() time.Time, log *slog.Logger) *bays {
	return &bays{desk: desk, poll: poll, now: now, log: log, turns: turns{now: now}, all: map[camera.Location]*bay{}}
}

// ear tells when a camera may have come or gone. hotplug.Listener is one.
type ear interface {
	Hints() <-chan struct{} // one hint at most
	Hears() bool            // a hint comes when it changes
}

// watch rescans one door until ctx ends, and then waits for its workers. It looks
// when the ear gives a hint, once more after the poll's interval, and else every
// 30 s; where there is no ear, or it hears nothing, at the poll's interval.
func (b *bays) watch(ctx context.Context, door camera.Door, heard ear) error {
	var hints <-chan struct{}
	if heard != nil {
		hints = heard.Hints()
	}
	mine := map[camera.Location]*bay{}
	defer func() {
		for _, y := range mine {
			b.stop(y)
		}
	}()
	told := ""
	gone := make(chan struct{}, 1) // a worker lost its camera: look at once
	turn := b.turns.loop()
	for quiet := false; ; {
		turn()
		found, err := door.Devices(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && err.Error() != told:
			told = err.Error()
			b.log.Error("looking for cameras failed, it is tried again", "error", err)
		case err == nil:
			told = ""
			b.meet(ctx, door, mine, found, gone)
		}
		pause := b.poll
		if quiet && err == nil && heard != nil && heard.Hears() {
			pause = hotplug.Rescan
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
			quiet = true
		case <-hints:
			quiet = false
		case <-gone:
			quiet = false
		}
		timer.Stop()
	}
}

// meet starts workers for cameras that came and stops those of cameras that left.
func (b *bays) meet(ctx context.Context, door camera.Door, mine map[camera.Location]*bay, found []camera.Location, gone chan<- struct{}) {
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
			y = &bay{at: at}
			b.all[at] = y
		}
		y.cancel, y.done = cancel, make(chan struct{})
		y.state, y.message = upload.BayReading, "A camera was plugged in."
		b.mu.Unlock()
		mine[at] = y
		go func() {
			defer close(y.done)
			b.work(working, door, y, gone)
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

// work docks the camera of a bay, again and again while it is there. It tells gone
// when the camera went away.
func (b *bays) work(ctx context.Context, door camera.Door, y *bay, gone chan<- struct{}) {
	pauses := backoff.New(bayFirstPause, bayLongestPause)
	for {
		began := b.now()
		err := b.dock(ctx, door, y)
		if ctx.Err() != nil {
			return
		}
		left := errors.Is(err, camera.ErrGone)
		if b.now().Sub(began) >= baySteady || left && b.met(y) {
			pauses.Reset() // a camera that was put back did not fail
		}
		b.log.Warn("docking ended, it is begun again while the camera is there", "bay", y.at.Port, "error", err)
		b.show(y, trouble(err))
		if left {
			select {
			case gone <- struct{}{}:
			default: // a look is due already
			}
		}
		// A camera that comes and goes waits here, in its own bay alone.
		if pauses.Wait(ctx, 0) != nil {
			return
		}
	}
}

// met says whether the docking that ended got to know its camera.
func (b *bays) met(y *bay) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return y.docking != nil && y.docking.Status().CameraSerial != ""
}

// dock opens the camera and serves it until something ends that.
func (b *bays) dock(ctx context.Context, door camera.Door, y *bay) error {
	link, err := door.Open(ctx, y.at)
	if err != nil {
		return fmt.Errorf("opening the camera in bay %s: %w", y.at.Port, err)
	}
	b.log.Info("docking started", "bay", y.at.Port)
	docking := b.desk.Docking(y.at.Port, link)
	b.mu.Lock()
	y.docking = docking
	b.mu.Unlock()
	return errors.Join(serve(ctx, docking, link), link.Close())
}

// serve serves a camera, and ends at once when it is gone: an idle docking would
// not see that, nor would the door when another camera is there at its next scan.
func serve(ctx context.Context, docking *offload.Docking, link camera.Link) error {
	serving, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if err := link.Watch(serving); errors.Is(err, camera.ErrGone) {
			cancel(err)
		}
	}()
	err := docking.Serve(serving)
	if cause := context.Cause(serving); ctx.Err() == nil && cause != nil {
		err = cause
	}
	cancel(nil)
	<-watched
	return err
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
	case errors.Is(err, offload.ErrRestarting):
		return "The camera restarts with its new firmware. Leave it in the dock."
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
		list = append(list, offload.Status{Port: y.at.Port, State: y.state, Message: y.message, BatteryPercent: -1, UpdatePercent: -1, SecondsLeft: -1})
	}
	slices.SortFunc(list, func(a, c offload.Status) int { return strings.Compare(a.Port, c.Port) })
	return list
}

// urgent has what the camera in a bay holds go first, or no longer.
func (b *bays) urgent(port string, on bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, y := range b.all {
		if y.at.Port == port && y.docking != nil {
			y.docking.SetUrgent(on)
			return nil
		}
	}
	return fmt.Errorf("bay %s: there is no camera whose recordings could go first", port)
}
