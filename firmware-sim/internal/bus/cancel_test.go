package bus_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/proto/camera/usbip"
)

// Thousands of cancels at random moments: each transfer is either answered or
// cancelled, never both (hosttest fails on a reply that nobody waits for), and the
// bytes of cancelled transfers come with later ones.
func TestCancelledTransfersLoseNoByteAndAreNeverAnswered(t *testing.T) {
	rig := newRig(t)
	h := rig.host(t)
	const message, length, rounds = 24 << 20, 4096, 4000
	r := rand.New(rand.NewPCG(1, 2))
	expected := want(message)
	var got []byte
	cancelled, refused := 0, 0
	take := func(c *hosttest.Call) {
		got = append(got, result(t, c).Data...)
	}
	if err := h.Write(ask(message)); err != nil {
		t.Fatal(err)
	}
	for range rounds {
		batch := make([]*hosttest.Call, 1+r.IntN(4))
		for i := range batch {
			batch[i] = h.In(hosttest.BulkIn, length)
		}
		victim := r.IntN(len(batch))
		var status int32
		var wait sync.WaitGroup
		if r.IntN(2) == 0 {
			_, _ = batch[0].Wait() // move the moment of the cancel
		}
		wait.Go(func() { status = h.Unlink(batch[victim]) })
		wait.Wait()
		for i, c := range batch {
			if i == victim && status == usbip.StatusReset {
				cancelled++
				continue
			}
			if i == victim {
				refused++
			}
			take(c)
		}
		if len(got) > message-16*length {
			break
		}
	}
	rest, err := h.Read(length)
	if err != nil {
		t.Fatal(err)
	}
	if got = append(got, rest...); !bytes.Equal(got, expected) {
		t.Errorf("%d bytes, want %d: they differ", len(got), len(expected))
	}
	if cancelled < 100 || refused < 100 {
		t.Errorf("%d cancelled, %d came too late: the race was not met", cancelled, refused)
	}
	t.Logf("%d cancelled, %d came too late", cancelled, refused)
}

func TestCancellingWhatNeverWasIsNoError(t *testing.T) {
	rig := newRig(t)
	h := rig.host(t)
	if s := h.Unlink(&hosttest.Call{Sequence: 4711}); s != usbip.StatusOK {
		t.Errorf("status %d", s)
	}
	idle := h.In(hosttest.BulkIn, 512)
	if s := h.Unlink(idle); s != usbip.StatusReset {
		t.Errorf("cancel of an idle read: status %d", s)
	}
	if s := h.Unlink(idle); s != usbip.StatusOK {
		t.Errorf("second cancel: status %d", s)
	}
	if err := h.Write(ask(5)); err != nil {
		t.Fatal(err)
	}
	if p, err := h.Read(512); err != nil || len(p) != 5 {
		t.Errorf("after cancelling: %d bytes, %v", len(p), err)
	}
}

func TestAnOutTransferCanBeCancelledBeforeTheDeviceTakesIt(t *testing.T) {
	rig := newRig(t)
	h := rig.host(t)
	if err := h.Write(ask(5)); err != nil { // the device now waits for the host to read
		t.Fatal(err)
	}
	waiting := h.Out(hosttest.BulkOut, ask(6))
	waiting.Stays(t)
	if s := h.Unlink(waiting); s != usbip.StatusReset {
		t.Fatalf("status %d", s)
	}
	if p, err := h.Read(512); err != nil || len(p) != 5 {
		t.Fatalf("%d bytes, %v", len(p), err)
	}
	if err := h.Write(ask(7)); err != nil {
		t.Fatal(err)
	}
	if p, err := h.Read(512); err != nil || len(p) != 7 {
		t.Errorf("%d bytes, %v: the cancelled transfer was taken", len(p), err)
	}
}

func TestFlushLeavesNothingBehind(t *testing.T) {
	rig := newRig(t)
	h := rig.host(t)
	for range 200 {
		if err := h.Write(ask(1 << 20)); err != nil {
			t.Fatal(err)
		}
		first := h.In(hosttest.BulkIn, 4096)
		if r, err := h.Control(usbip.Setup{RequestType: 0x21, Request: 0x64}, nil); err != nil || r.Status != 0 {
			t.Fatal(r, err)
		}
		if !first.Done() && h.Unlink(first) == usbip.StatusOK {
			result(t, first)
		}
		if err := <-rig.echo.ended; !errors.Is(err, bus.ErrFlushed) {
			t.Fatalf("Send ended with %v", err)
		}
		if err := h.Write(ask(9)); err != nil {
			t.Fatal(err)
		}
		if p, err := h.Read(512); err != nil || !bytes.Equal(p, want(9)) {
			t.Fatalf("after flushing: %d bytes, %v", len(p), err)
		}
		<-rig.echo.ended
	}
}
