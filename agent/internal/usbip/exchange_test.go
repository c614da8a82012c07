package usbip

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
)

// asked is what the camera got, and how many reads of it wait.
func (f *fakeServer) asked() (sent [][]byte, waiting int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent, len(f.waiting)
}

func TestAnExchangeAsksForAllAtOnce(t *testing.T) {
	command := pattern(16, 9)
	for name, c := range map[string]struct {
		feed  []int // lengths of the camera's transfers
		in    int   // bytes of the exchange's read
		more  int
		reads []int // what the exchange and then reads of 512 bytes give
	}{
		"data and response":              {[]int{200, 12}, 512, 512, []int{200, 12}},
		"response alone":                 {[]int{12, 300}, 512, 512, []int{12, 300}},
		"nothing ahead":                  {[]int{12, 300}, 512, 0, []int{12, 300}},
		"data longer than asked for":     {[]int{1300, 12}, 512, 512, []int{512, 512, 276, 12}},
		"full packets":                   {[]int{512, 12}, 512, 512, []int{512, 0, 12}},
		"a whole container":              {[]int{66000, 12}, 66048, 512, []int{66000, 12}},
		"more than one transfer's worth": {[]int{pieceSize + 100, 12}, 2 * pieceSize, 512, []int{pieceSize + 100, 12}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newServer("1-1")
			p := open(t, f)
			var want [][]byte
			for i, n := range c.feed {
				want = append(want, pattern(n, byte(i)))
				f.feed(want[i])
			}
			buffer := make([]byte, c.in)
			n, err := p.Exchange(t.Context(), command, buffer, c.more)
			got := bytes.Clone(buffer[:n])
			for i, expected := range c.reads {
				if err != nil || n != expected {
					t.Fatalf("read %d: %d, %v, want %d", i, n, err, expected)
				}
				if i+1 < len(c.reads) {
					n, err = p.BulkIn(t.Context(), buffer[:512])
					got = append(got, buffer[:n]...)
				}
			}
			if !bytes.Equal(got, bytes.Join(want, nil)) {
				t.Error("the bytes differ")
			}
			if sent, _ := f.asked(); len(sent) != 1 || !bytes.Equal(sent[0], command) {
				t.Errorf("the camera got %d commands", len(sent))
			}
		})
	}
}

// What is asked ahead takes the next transfer whoever reads it, and goes when its
// read is cancelled, refused or forgotten.
func TestWhatIsAskedAheadIsGivenUp(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, f *fakeServer, p *pipe){
		"cancelled": func(t *testing.T, _ *fakeServer, p *pipe) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if _, err := p.BulkIn(ctx, make([]byte, 512)); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		},
		"cleared": func(t *testing.T, _ *fakeServer, p *pipe) {
			if err := p.ClearHalt(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"reset": func(t *testing.T, _ *fakeServer, p *pipe) {
			if err := p.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newServer("1-1")
			p := open(t, f)
			f.feed([]byte("refused"))
			if n, err := p.Exchange(t.Context(), []byte("command"), make([]byte, 512), 512); n != 7 || err != nil {
				t.Fatal(n, err)
			}
			end(t, f, p)
			if _, waiting := f.asked(); waiting != 0 {
				t.Errorf("%d transfers are still asked for", waiting)
			}
			f.feed([]byte("next"))
			if n, err := p.Exchange(t.Context(), []byte("command"), make([]byte, 512), 0); n != 4 || err != nil {
				t.Fatal(n, err)
			}
		})
	}
}

// A read that was asked for ahead and not needed gets the answer to the next command.
func TestWhatIsAskedAheadServesTheNextCommand(t *testing.T) {
	for _, size := range []int{12, 511, 512, 513, 5000} {
		f := newServer("1-1")
		p := open(t, f)
		buffer := make([]byte, 8192)
		for round := range 3 {
			f.feed([]byte("refused"))
			if n, err := p.Exchange(t.Context(), []byte("command"), buffer[:512], 512); n != 7 || err != nil {
				t.Fatal(n, err)
			}
			data := pattern(size, byte(round))
			f.feed(data)
			n, err := p.Exchange(t.Context(), []byte("command"), buffer, 512)
			if err != nil || !bytes.Equal(buffer[:n], data) {
				t.Fatalf("round %d, %d bytes: %d, %v", round, size, n, err)
			}
		}
		if f.unlinks != 0 {
			t.Errorf("%d reads were cancelled", f.unlinks)
		}
	}
}

func TestAStalledExchangeGivesUpAll(t *testing.T) {
	f := newServer("1-1")
	f.halted = true
	p := open(t, f)
	if _, err := p.Exchange(t.Context(), []byte("command"), make([]byte, 512), 512); !errors.Is(err, camera.ErrStall) {
		t.Fatal(err)
	}
	if err := p.ClearHalt(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.feed([]byte("ok"))
	if n, err := p.Exchange(t.Context(), []byte("command"), make([]byte, 512), 512); n != 2 || err != nil {
		t.Fatal(n, err)
	}
}

// Exchanges that are cancelled at random moments neither lose nor repeat a transfer.
func TestCancelledExchangesLoseNothing(t *testing.T) {
	f := newServer("1-1")
	p := open(t, f)
	const transfers = 1000
	random := rand.New(rand.NewPCG(3, 4))
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
		n, err := p.Exchange(ctx, []byte("command"), buffer, 512*random.IntN(2))
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
	if cancelled == 0 {
		t.Error("no exchange was cancelled")
	}
}

func TestUnplugEndsAnExchange(t *testing.T) {
	f := newServer("1-1")
	p := open(t, f)
	failed := make(chan error)
	go func() {
		_, err := p.Exchange(context.Background(), []byte("command"), make([]byte, 512), 512)
		failed <- err
	}()
	for waiting := 0; waiting < 2; _, waiting = f.asked() {
	}
	f.unplug()
	if err := <-failed; !errors.Is(err, camera.ErrGone) {
		t.Fatal(err)
	}
}
