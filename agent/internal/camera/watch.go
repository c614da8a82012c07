package camera

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pauses of watch between two questions, and how long an answer may take.
const (
	watchEvery  = 500 * time.Millisecond
	watchAnswer = time.Second
)

// Ending is a Pipe that notices by itself that its camera is gone.
type Ending interface {
	// Ended is closed when every further call would fail with ErrGone.
	Ended() <-chan struct{}
}

// Watch implements Link.
func (l *link) Watch(ctx context.Context) error { return watch(ctx, l.s.pipe) }

// watch waits until the camera behind the pipe is gone, which gives ErrGone, or
// until ctx ends. A pipe that does not notice that by itself is asked twice a
// second with GetStatus (USB 2.0 section 9.4.5), which disturbs no transfer;
// every answer but ErrGone, a refusal too, means that the camera is there.
func watch(ctx context.Context, pipe Pipe) error {
	gone := fmt.Errorf("watching bay %s: %w", escapeText(pipe.Port()), ErrGone)
	if e, ok := pipe.(Ending); ok {
		select {
		case <-e.Ended():
			return gone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		if err := sleep(ctx, watchEvery); err != nil {
			return err
		}
		if err := askStatus(ctx, pipe); errors.Is(err, ErrGone) && ctx.Err() == nil {
			return gone
		}
	}
}

func askStatus(ctx context.Context, pipe Pipe) error {
	const fromDevice, getStatus = 0x80, 0
	limited, cancel := context.WithTimeout(ctx, watchAnswer)
	defer cancel()
	_, err := pipe.Control(limited, fromDevice, getStatus, 0, 0, make([]byte, 2))
	return err
}
