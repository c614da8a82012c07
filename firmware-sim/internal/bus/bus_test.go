package bus_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/sealdock/sealdock/firmware-sim/internal/bus"
	"github.com/sealdock/sealdock/firmware-sim/internal/hosttest"
	"github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/camera/usbip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a Function: each bulk OUT transfer names how many bytes to send back.
type echo struct {
	source atomic.Value // func(n int64) bus.Source
	ended  chan error   // result of each Send
	resets chan struct{}
}

func newEcho() *echo {
	e := &echo{ended: make(chan error, 10_000), resets: make(chan struct{}, 10)}
	e.source.Store(random)
	return e
}

type generated struct{ footage.Synthetic }

func random(n int64) bus.Source { return generated{footage.Synthetic{Seed: 7, Size: n}} }

func (g generated) Fill(_ context.Context, p []byte, offset int64) error {
	if n, err := g.ReadAt(p, offset); n < len(p) {
		return err
	}
	return nil
}

func (generated) Sent(int64, int) {}

func (e *echo) Run(ctx context.Context, h *bus.Host) {
	for {
		chunk, err := h.Receive(bus.AnyEpoch)
		if err != nil {
			return
		}
		n := int64(0)
		for i := len(chunk.Data) - 1; i >= 0; i-- {
			n = n<<8 | int64(chunk.Data[i])
		}
		e.ended <- h.Send(ctx, chunk.Epoch, e.source.Load().(func(int64) bus.Source)(n), n)
	}
}

func (e *echo) Control(h *bus.Host, s usbip.Setup, data []byte) ([]byte, error) {
	switch s.Request {
	case 0x64:
		h.Flush()
		return nil, nil
	case 0x67:
		return []byte("status of more than was asked"), nil
	case 0x70:
		h.Notify(data)
		return nil, nil
	}
	return nil, bus.ErrStall
}

func (e *echo) Reset(*bus.Host) { e.resets <- struct{}{} }

func ask(n int) []byte {
	return []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
}

func want(n int) []byte {
	p := make([]byte, n)
	_, _ = footage.Synthetic{Seed: 7, Size: int64(n)}.ReadAt(p, 0)
	return p
}

// rig is a server with devices 1-1 and 1-2.
type rig struct {
	server *bus.Server
	echo   *echo
	dial   func() net.Conn
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{server: bus.NewServer(slog.New(slog.DiscardHandler)), echo: newEcho()}
	for _, id := range []string{"1-1", "1-2"} {
		identity := bus.Identity{Vendor: 0x1209, Product: 1, Release: 0x100, Manufacturer: "Sealdock", Model: "Echo",
			Serial: "0123456789abcdef0123456789abcdef", Interface: "MTP", Class: 6, SubClass: 1, ProtocolOfClass: 1}
		if err := r.server.Add(id, identity, r.echo); err != nil {
			t.Fatal(err)
		}
		if err := r.server.Plug(id); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	r.dial = func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	return r
}

func (r *rig) host(t testing.TB) *hosttest.Host { return hosttest.Import(t, r.dial, "1-1") }

func result(t testing.TB, c *hosttest.Call) hosttest.Result {
	t.Helper()
	r, err := c.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestATransferEndsWithAShortOrEmptyPacket(t *testing.T) {
	type reply struct{ length, status int }
	for _, c := range []struct {
		name    string
		message int
		urbs    []int
		replies []reply
	}{
		{"short packet within the room", 100, []int{512}, []reply{{100, 0}}},
		{"one whole packet, room for more: the empty packet ends the same transfer", 512, []int{1024}, []reply{{512, 0}}},
		{"one whole packet, no more room: the empty packet ends the next transfer", 512, []int{512, 512}, []reply{{512, 0}, {0, 0}}},
		{"whole packets over several transfers", 2048, []int{1024, 1024, 1024}, []reply{{1024, 0}, {1024, 0}, {0, 0}}},
		{"short packet that fills the room", 700, []int{700, 512}, []reply{{700, 0}, {-1, 0}}},
		{"short end over several transfers", 1300, []int{512, 512, 512}, []reply{{512, 0}, {512, 0}, {276, 0}}},
		{"empty message", 0, []int{512}, []reply{{0, 0}}},
		{"empty transfer moves nothing", 100, []int{0, 512}, []reply{{0, 0}, {100, 0}}},
		{"room that is no multiple of the packet overflows", 1300, []int{600, 1024}, []reply{{512, int(usbip.StatusOverflow)}, {788, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rig := newRig(t)
			h := rig.host(t)
			if err := h.Write(ask(c.message)); err != nil {
				t.Fatal(err)
			}
			var got []byte
			for i, length := range c.urbs {
				call := h.In(hosttest.BulkIn, length)
				if c.replies[i].length < 0 {
					call.Stays(t)
					continue
				}
				r := result(t, call)
				if r.Length != c.replies[i].length || int(r.Status) != c.replies[i].status {
					t.Fatalf("transfer %d: %d bytes, status %d; want %+v", i, r.Length, r.Status, c.replies[i])
				}
				got = append(got, r.Data...)
			}
			if !bytes.Equal(got, want(c.message)) {
				t.Error("the bytes differ")
			}
		})
	}
}

func TestManyTransfersInFlightKeepTheirOrder(t *testing.T) {
	rig := newRig(t)
	h := rig.host(t)
	const message, length = 10<<20 + 77, 64 << 10
	var calls []*hosttest.Call
	for range message/length + 1 {
		calls = append(calls, h.In(hosttest.BulkIn, length))
	}
	if err := h.Write(ask(message)); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, c := range calls {
		got = append(got, result(t, c).Data...)
	}
	if !bytes.Equal(got, want(message)) {
		t.Error("the bytes differ")
	}
}

func TestAHaltedEndpointStallsUntilItIsCleared(t *testing.T) {
	rig := newRig(t)
	rig.echo.source.Store(func(int64) bus.Source { return failing{bus.ErrHalted} })
	h := rig.host(t)
	pending := []*hosttest.Call{h.In(hosttest.BulkIn, 512), h.In(hosttest.BulkIn, 512)}
	if err := h.Write(ask(5)); err != nil {
		t.Fatal(err)
	}
	for _, c := range append(pending, h.In(hosttest.BulkIn, 512)) {
		if r := result(t, c); r.Status != usbip.StatusStall {
			t.Fatalf("status %d, want a stall", r.Status)
		}
	}
	status := func() byte {
		r, err := h.Control(usbip.Setup{RequestType: 0x82, Index: uint16(bus.BulkIn), Length: 2}, nil)
		if err != nil || len(r.Data) != 2 {
			t.Fatal(r, err)
		}
		return r.Data[0]
	}
	if status() != 1 {
		t.Error("GET_STATUS does not tell of the halt")
	}
	<-rig.echo.ended
	rig.echo.source.Store(random)
	if err := h.ClearHalt(bus.BulkIn); err != nil {
		t.Fatal(err)
	}
	if status() != 0 {
		t.Error("the halt was not cleared")
	}
	if err := h.Write(ask(5)); err != nil {
		t.Fatal(err)
	}
	if p, err := h.Read(512); err != nil || len(p) != 5 {
		t.Errorf("after clearing: %d bytes, %v", len(p), err)
	}
}

type failing struct{ err error }

func (f failing) Fill(context.Context, []byte, int64) error { return f.err }
func (failing) Sent(int64, int)                             {}

func TestAPulledDeviceIsGoneAndComesBack(t *testing.T) {
	rig := newRig(t)
	type move struct {
		bay     string
		plugged bool
	}
	moves := make(chan move, 10)
	rig.server.Watch(func(bay string, plugged bool, _ string) { moves <- move{bay, plugged} })
	h := rig.host(t)
	idle := h.In(hosttest.BulkIn, 512)
	if err := rig.server.Unplug("1-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := idle.Wait(); !errors.Is(err, hosttest.ErrGone) {
		t.Errorf("transfer in flight: %v", err)
	}
	if list := hosttest.List(t, rig.dial()); len(list) != 1 || list[0].BusID != "1-2" {
		t.Errorf("list after the pull: %v", list)
	}
	if _, status := hosttest.TryImport(t, rig.dial(), "1-1"); status != usbip.OpNoDevice {
		t.Errorf("import after the pull: %v", status)
	}
	if err := rig.server.Plug("1-1"); err != nil {
		t.Fatal(err)
	}
	again := rig.host(t)
	if err := again.Write(ask(3)); err != nil {
		t.Fatal(err)
	}
	if p, err := again.Read(512); err != nil || len(p) != 3 {
		t.Fatalf("%d bytes, %v", len(p), err)
	}
	rig.echo.source.Store(func(int64) bus.Source { return failing{bus.ErrUnplug} })
	if err := again.Write(ask(3)); err != nil {
		t.Fatal(err)
	}
	again.In(hosttest.BulkIn, 512)
	<-again.Gone()
	for _, m := range []move{{"1-1", false}, {"1-1", true}, {"1-1", false}} {
		if got := <-moves; got != m {
			t.Errorf("told of %v, want %v", got, m)
		}
	}
}

func TestOneHostAtATime(t *testing.T) {
	rig := newRig(t)
	h := rig.host(t)
	if _, status := hosttest.TryImport(t, rig.dial(), "1-1"); status != usbip.OpBusy {
		t.Errorf("second import: %v", status)
	}
	if other, status := hosttest.TryImport(t, rig.dial(), "1-2"); other == nil {
		t.Errorf("import of the other device: %v", status)
	}
	if _, status := hosttest.TryImport(t, rig.dial(), "9-9"); status != usbip.OpNoDevice {
		t.Errorf("import of no device: %v", status)
	}
	if len(hosttest.List(t, rig.dial())) != 2 {
		t.Error("imported devices are not listed")
	}
	h.Close()
	rig.host(t) // waits until the first is let go
}

func TestEventsComeInOrderAndTheOldestAreLostFirst(t *testing.T) {
	rig := newRig(t)
	h := rig.host(t)
	const sent, kept = 100, 64
	for i := range sent {
		if _, err := h.Control(usbip.Setup{RequestType: 0x21, Request: 0x70, Length: 1}, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := sent - kept; i < sent; i++ {
		if r := result(t, h.In(hosttest.InterruptIn, 64)); len(r.Data) != 1 || r.Data[0] != byte(i) {
			t.Fatalf("event %v, want %d", r.Data, i)
		}
	}
	h.In(hosttest.InterruptIn, 64).Stays(t)
}
