package daemon

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/upload"
)

// fakeEar hears as the test says.
type fakeEar struct {
	hints chan struct{}
	deaf  atomic.Bool
}

func (e *fakeEar) Hints() <-chan struct{} { return e.hints }
func (e *fakeEar) Hears() bool            { return !e.deaf.Load() }

func looks(bus *fakeDoor) (n int) {
	bus.set(func() { n = bus.looks })
	return n
}

// Where plugging is heard, nothing is polled: a hint is what makes the bays look.
func TestAHintMakesTheBaysLook(t *testing.T) {
	e := &fakeEar{hints: make(chan struct{}, 1)}
	b, bus := newHearingWorld(t, func(string, int) bool { return false }, e)
	until(t, "the first look and the one after it", func() bool { return looks(bus) == 2 })
	for range 20 { // twenty polls' time
		<-time.After(b.poll)
	}
	if n := looks(bus); n != 2 {
		t.Fatalf("%d looks without a hint", n)
	}
	bus.set(func() { bus.ports = []string{"1-1"} })
	e.hints <- struct{}{}
	until(t, "the camera is read", func() bool { return stateOf(b, "1-1").State == upload.BayDone })
	until(t, "one more look follows", func() bool { return looks(bus) == 4 })
	bus.set(func() { bus.ports = nil })
	e.hints <- struct{}{}
	until(t, "the bay is empty", func() bool { return stateOf(b, "1-1").State == upload.BayEmpty })
}

// A listener that went deaf gives a hint, and from then on the bays poll.
func TestDeafBaysPoll(t *testing.T) {
	e := &fakeEar{hints: make(chan struct{}, 1)}
	b, bus := newHearingWorld(t, func(string, int) bool { return false }, e)
	until(t, "the first look and the one after it", func() bool { return looks(bus) == 2 })
	e.deaf.Store(true)
	e.hints <- struct{}{}
	until(t, "polls", func() bool { return looks(bus) > 10 })
	bus.set(func() { bus.ports = []string{"1-1"} })
	until(t, "the camera is read without a hint", func() bool { return stateOf(b, "1-1").State == upload.BayDone })
}
