package camera

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// watched is a pipe of which only the status is asked.
type watched struct {
	Pipe
	asked  atomic.Int32
	answer func(asked int32) error
}

func (w *watched) Port() string { return "1-1" }

func (w *watched) Control(context.Context, uint8, uint8, uint16, uint16, []byte) (int, error) {
	return 0, w.answer(w.asked.Add(1))
}

func TestAGoneCameraIsNoticedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{answer: func(asked int32) error {
			return []error{nil, ErrStall, ErrTimeout, ErrProtocol, ErrGone}[asked-1]
		}}
		began := time.Now()
		if err := watch(t.Context(), w); !errors.Is(err, ErrGone) {
			t.Fatal(err)
		}
		if took := time.Since(began); w.asked.Load() != 5 || took > 5*watchEvery {
			t.Errorf("asked %d times in %v", w.asked.Load(), took)
		}
	})
}

func TestWatchingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		w := &watched{answer: func(int32) error { return nil }}
		if err := watch(ctx, w); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
}

type endingPipe struct {
	watched
	ended chan struct{}
}

func (e *endingPipe) Ended() <-chan struct{} { return e.ended }

func TestAPipeThatEndsByItselfIsNotAsked(t *testing.T) {
	e := &endingPipe{ended: make(chan struct{})}
	close(e.ended)
	if err := watch(t.Context(), e); !errors.Is(err, ErrGone) || e.asked.Load() != 0 {
		t.Fatalf("%v, asked %d times", err, e.asked.Load())
	}
}
