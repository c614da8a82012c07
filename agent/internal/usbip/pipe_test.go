package usbip

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i) ^ byte(i>>8)*7 ^ byte(i>>16)*13 ^ seed
	}
	return p
}

func TestOpenReadsTheDescriptors(t *testing.T) {
	f := newServer("1-1")
	p := open(t, f)
	want := layout{configuration: 1, number: 1, bulkIn: 0x81, bulkOut: 0x02, interrupt: 0x83, inPacket: 512, outPacket: 512,
		others: []camera.Other{{Number: 0, Class: 8, SubClass: 6, Protocol: 0x50}}}
	if !reflect.DeepEqual(p.layout, want) || p.Serial() != "S1" || p.Port() != "1-1" || p.MaxPacket() != 512 || p.Interface() != 1 {
		t.Fatalf("%+v, serial %q", p.layout, p.Serial())
	}
	if last := f.controls[len(f.controls)-1]; last.Request != requestSetConfiguration || last.Value != 1 {
		t.Errorf("an unconfigured device was left so: %+v", last)
	}
}

func TestBulkInEndsAsUSBDoes(t *testing.T) {
	const big = 2*pieceSize + 700
	for name, c := range map[string]struct {
		transfer int
		asked    int
		want     []int // what the reads give
	}{
		"short packet":             {700, 1024, []int{700}},
		"exactly full":             {700, 700, []int{700}},
		"full packets":             {1024, 2048, []int{1024}},
		"full, then empty":         {1024, 1024, []int{1024, 0}},
		"empty":                    {0, 512, []int{0}},
		"in two reads":             {1500, 1024, []int{1024, 476}},
		"many pieces":              {big, big, []int{big}},
		"many pieces, end early":   {big, 8 * pieceSize, []int{big}},
		"pieces to the last byte":  {4 * pieceSize, 4 * pieceSize, []int{4 * pieceSize, 0}},
		"more pieces than depth":   {9*pieceSize + 1, 9*pieceSize + 512, []int{9*pieceSize + 1}},
		"short at a piece's start": {pieceSize + 1, 3 * pieceSize, []int{pieceSize + 1}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newServer("1-1")
			p := open(t, f)
			data := pattern(c.transfer, 1)
			f.feed(data)
			var got []byte
			buffer := make([]byte, c.asked)
			for i, want := range c.want {
				n, err := p.BulkIn(t.Context(), buffer)
				if err != nil || n != want {
					t.Fatalf("read %d: %d, %v, want %d", i, n, err, want)
				}
				got = append(got, buffer[:n]...)
			}
			if !bytes.Equal(got, data) {
				t.Fatal("the bytes differ")
			}
			f.feed(pattern(20, 2)) // the next transfer is whole, whatever was in flight
			if n, err := p.BulkIn(t.Context(), buffer[:min(512, len(buffer))]); err != nil || !bytes.Equal(buffer[:n], pattern(20, 2)) {
				t.Fatalf("next transfer: %d, %v", n, err)
			}
		})
	}
}

// The transfers after a short one are in flight when it ends, and the next
// transfer may land in them before they are cancelled.
func TestNothingIsLostBehindAShortTransfer(t *testing.T) {
	f := newServer("1-1")
	p := open(t, f)
	buffer := make([]byte, 4*pieceSize)
	for round := range 50 {
		first, second, third := pattern(700, byte(round)), pattern(1024, byte(round+1)), pattern(3, byte(round+2))
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.feed(first)
			f.feed(second)
			f.feed(third)
		}()
		for _, want := range [][]byte{first, second, third} {
			n, err := p.BulkIn(t.Context(), buffer)
			if err != nil || !bytes.Equal(buffer[:n], want) {
				t.Fatalf("round %d: %d bytes, %v, want %d", round, n, err, len(want))
			}
		}
		<-done
	}
}

// Reads that are cancelled at random moments neither lose nor repeat a transfer.
func TestCancelledReadsLoseNothing(t *testing.T) {
	f := newServer("1-1")
	p := open(t, f)
	const transfers = 1000
	random := rand.New(rand.NewPCG(1, 2))
	pauses := make([]time.Duration, transfers)
	for i := range pauses {
		pauses[i] = time.Duration(random.IntN(300)) * time.Microsecond
	}
	go func() {
		for i, pause := range pauses {
			timer := time.NewTimer(pause)
			<-timer.C
			f.feed([]byte{byte(i), byte(i >> 8), 1})
		}
	}()
	buffer := make([]byte, 512)
	cancelled := 0
	for next := 0; next < transfers; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(300))*time.Microsecond)
		n, err := p.BulkIn(ctx, buffer)
		cancel()
		switch {
		case err == nil && n == 3 && int(buffer[0])|int(buffer[1])<<8 == next:
			next++
		case errors.Is(err, context.DeadlineExceeded) && n == 0:
			cancelled++
		default:
			t.Fatalf("transfer %d: %d, %v, % x", next, n, err, buffer[:n])
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if cancelled == 0 || f.unlinks == 0 {
		t.Errorf("%d reads were cancelled with %d unlinks", cancelled, f.unlinks)
	}
}

func TestBulkOutEndsWithAnEmptyPacketWhereItMust(t *testing.T) {
	f := newServer("1-1")
	p := open(t, f)
	for size, want := range map[int][]int{12: {12}, 511: {511}, 512: {512, 0}, 1024: {1024, 0}, 0: {0}} {
		f.sent = nil
		if err := p.BulkOut(t.Context(), make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		f.mu.Lock()
		if len(f.sent) != len(want) || len(f.sent[0]) != want[0] {
			t.Errorf("%d bytes went out as %d transfers", size, len(f.sent))
		}
		f.mu.Unlock()
	}
}

func TestStallIsClearedOnRequest(t *testing.T) {
	f := newServer("1-1")
	f.halted = true
	p := open(t, f)
	if _, err := p.BulkIn(t.Context(), make([]byte, 4*pieceSize)); !errors.Is(err, camera.ErrStall) {
		t.Fatal(err)
	}
	if _, err := p.Control(t.Context(), 0xA1, 0x67, 0, 1, make([]byte, 24)); !errors.Is(err, camera.ErrStall) {
		t.Fatal(err)
	}
	if err := p.ClearHalt(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.feed([]byte("ok"))
	if n, err := p.BulkIn(t.Context(), make([]byte, 512)); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := p.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestUnplugFailsEveryCallAtOnce(t *testing.T) {
	f := newServer("1-1")
	p := open(t, f)
	f.feed(make([]byte, 3*pieceSize)[:2*pieceSize+512])
	failed := make(chan error)
	go func() {
		_, err := p.Interrupt(context.Background(), make([]byte, 64))
		failed <- err
	}()
	go func() {
		buffer := make([]byte, 4*pieceSize)
		_, err := p.BulkIn(context.Background(), buffer[:2*pieceSize+512])
		if err == nil { // the empty packet that is due, then silence
			_, err = p.BulkIn(context.Background(), buffer[:512])
		}
		if err == nil {
			_, err = p.BulkIn(context.Background(), buffer)
		}
		failed <- err
	}()
	f.unplug()
	for range 2 {
		if err := <-failed; !errors.Is(err, camera.ErrGone) {
			t.Error(err)
		}
	}
	if err := p.BulkOut(t.Context(), []byte{1}); !errors.Is(err, camera.ErrGone) {
		t.Error(err)
	}
	if !p.line.ended() {
		t.Error("the line does not know that it ended")
	}
}

// Also a pipe that nobody reads from sees that its camera is gone.
func TestAnIdlePipeSeesItsCameraLeave(t *testing.T) {
	f := newServer("1-1")
	p := open(t, f)
	f.unplug()
	select {
	case <-p.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("an idle pipe does not notice")
	}
}

func TestClosedPipeFailsEveryCall(t *testing.T) {
	p := open(t, newServer("1-1"))
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.BulkIn(t.Context(), make([]byte, 512)); !errors.Is(err, camera.ErrGone) {
		t.Error(err)
	}
	if _, err := p.Control(t.Context(), 0x80, 6, 0, 0, nil); !errors.Is(err, camera.ErrGone) {
		t.Error(err)
	}
}

func BenchmarkBulkIn(b *testing.B) {
	f := newServer("1-1")
	p := open(b, f)
	const size = 8 << 20
	data, buffer := make([]byte, size+1), make([]byte, size+512)
	b.SetBytes(size)
	for b.Loop() {
		f.feed(data)
		if n, err := p.BulkIn(context.Background(), buffer); n != size+1 || err != nil {
			b.Fatal(n, err)
		}
	}
}
