package camera

import (
	"context"
	"errors"
	"log/slog"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// ErrNoEvents is a Pipe's answer to Interrupt where the camera has no interrupt endpoint.
var ErrNoEvents = errors.New("the camera has no interrupt endpoint")

// Telling is a Link whose camera may say by itself that what it holds changed.
type Telling interface {
	// News holds one value at most, which comes when the listing may have changed. A
	// camera need not tell, and may tell lies: it is a reason to list again soon.
	News() <-chan struct{}
}

const (
	eventPause   = 20 * time.Millisecond // after each event, so that a camera can cause fifty a second at most
	eventRetry   = time.Second           // after a fault; doubled while faults go on
	eventLongest = time.Minute
	maxEvent     = 64 // bytes of an interrupt packet at high speed; an event has 24
)

// events reads the camera's interrupt endpoint beside the work on the others.
type events struct {
	news   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

func listen(pipe Pipe, log *slog.Logger) *events {
	ctx, cancel := context.WithCancel(context.Background())
	e := &events{news: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		e.read(ctx, pipe, log)
	}()
	return e
}

// end stops the reading and waits until it has.
func (e *events) end() {
	e.cancel()
	<-e.done
}

// read ends when the camera is gone, has no events, or ctx ends.
func (e *events) read(ctx context.Context, pipe Pipe, log *slog.Logger) {
	packet, retry := make([]byte, maxEvent), eventRetry
	for {
		n, err := pipe.Interrupt(ctx, packet)
		pause := eventPause
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrGone) || errors.Is(err, ErrNoEvents):
			return
		case err != nil:
			log.Debug("reading the camera's events failed", "error", err)
			pause, retry = retry, min(2*retry, eventLongest)
		default:
			retry = eventRetry
			e.take(packet[:min(max(n, 0), len(packet))], log)
		}
		if sleep(ctx, pause) != nil {
			return
		}
	}
}

func (e *events) take(packet []byte, log *slog.Logger) {
	block, err := ptp.ParseBlock(packet)
	if err != nil || block.Type != ptp.ContainerEvent {
		log.Debug("the camera sent an event that is none", "bytes", len(packet), "error", err)
		return
	}
	switch ptp.Event(block.Code) {
	case ptp.EventObjectAdded, ptp.EventObjectRemoved, ptp.EventObjectInfoChanged, ptp.EventStoreAdded, ptp.EventStoreRemoved:
		select {
		case e.news <- struct{}{}:
		default: // nobody took the last one yet
		}
	}
}

// News implements Telling.
func (l *link) News() <-chan struct{} { return l.events.news }
