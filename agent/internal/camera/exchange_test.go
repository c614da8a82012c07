package camera

import (
	"bytes"
	"context"
	"os"
	"testing"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// exchanging: the pipes of this run take command and reads at once.
var exchanging bool

// TestMain runs every test over both kinds of pipes.
func TestMain(m *testing.M) {
	code := m.Run()
	exchanging = true
	if code == 0 {
		code = m.Run()
	}
	os.Exit(code)
}

// pipe is the camera behind a pipe of the kind that this run is about.
func (f *fake) pipe() Pipe {
	if exchanging {
		return &exchanger{fake: f}
	}
	return f
}

// exchanger is a fake that takes command and reads at once, as package usbip does.
type exchanger struct {
	*fake
	ahead int    // bytes of the transfer that was asked for ahead, 0 for none
	early []byte // that it brought and no read has taken
	short bool   // it ended with these
	waits int    // how often the host had to wait for the camera
}

func (e *exchanger) Exchange(ctx context.Context, out, in []byte, more int) (int, error) {
	pending, early := e.ahead > 0, len(e.early) > 0
	if out != nil {
		if err := e.BulkOut(ctx, out); err != nil {
			return 0, err
		}
		if pending {
			e.waits++
		}
	}
	n, err := e.BulkIn(ctx, in)
	if err == nil && !early && (!pending || out != nil && len(in) == more) {
		e.ahead = more
	}
	return n, err
}

func (e *exchanger) BulkIn(ctx context.Context, p []byte) (n int, err error) {
	if e.ahead > 0 {
		e.early = make([]byte, e.ahead)
		size := e.ahead
		e.ahead = 0
		got, err := e.fake.BulkIn(ctx, e.early)
		e.early, e.short = e.early[:got], got < size
		if err != nil || got == 0 {
			e.early = nil
			return 0, err
		}
	} else {
		e.waits++
	}
	if len(e.early) > 0 {
		n = copy(p, e.early)
		e.early = e.early[n:]
		if len(e.early) > 0 || e.short || n == len(p) {
			return n, nil
		}
	}
	got, err := e.fake.BulkIn(ctx, p[n:])
	return n + got, err
}

// What a recording costs in waiting for the camera, where the pipe takes command
// and reads at once: listing it two and
// again one, each MiB of it two, a short one and its end one
// each, deleting it three.
func TestEachStepWaitsForTheCameraAsSeldomAsItCan(t *testing.T) {
	const long = 3 << 20
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 64 << 10, seed: 1})
	f.add(2, fakeObject{name: ptp.NewText("b.mp4"), size: long, seed: 2})
	e := &exchanger{fake: f}
	l, err := Dial(t.Context(), e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.(*link).events.end()
	waits := func(doing string, want int, work func()) {
		t.Helper()
		before := e.waits
		if work(); e.waits-before != want {
			t.Errorf("%s waits %d times, want %d", doing, e.waits-before, want)
		}
	}
	var objects []Object
	waits("listing", 3+2*2, func() { objects = list(t, l) })
	waits("listing again", 3+2, func() { list(t, l) })
	read := func(o Object) {
		if got, err := readAll(t.Context(), l, o, 1<<20); err != nil || !bytes.Equal(got, content(f.objects[o.Handle])) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	waits("reading a short recording", 2, func() { read(objects[0]) })
	waits("reading a long recording", 2*long>>20+1, func() { read(objects[1]) })
	waits("deleting", 3, func() {
		if err := l.Delete(t.Context(), objects[0]); err != nil {
			t.Fatal(err)
		}
	})
}

// A camera that answers a short read with less than it was asked for, in full
// packets and without the empty one that has to end them, is still read right.
func TestALostEndOfAShortAnswerIsFound(t *testing.T) {
	f := newFake(512)
	f.lostZLP = true
	f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 5000, seed: 3})
	less := 0
	f.sabotage = func(f *fake, c ptp.Block) bool {
		if ptp.Operation(c.Code) != ptp.OpGetPartialObject64 || c.Parameter(1) >= 5000 {
			return false
		}
		less++
		payload := content(f.objects[1])[c.Parameter(1):]
		f.answer(c, payload[:min(len(payload), 4*512-ptp.HeaderSize, int(c.Parameter(3)))])
		return true
	}
	l := dial(t, f, Options{})
	got, err := readAll(t.Context(), l, list(t, l)[0], 1<<20)
	if err != nil || !bytes.Equal(got, content(f.objects[1])) || less < 3 {
		t.Fatalf("%d bytes in %d reads, %v", len(got), less, err)
	}
}

// An object whose description is as it was is asked for its 64-bit size again only
// where ObjectInfo does not hold it, and where anything of it changed.
func TestListingAgainAsksForSizesThatMayHaveChanged(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 1000})
	f.add(2, fakeObject{name: ptp.NewText("b.mp4"), size: 5 << 30})
	f.add(3, fakeObject{name: ptp.NewText("c.mp4"), size: 2000})
	f.add(4, fakeObject{name: ptp.NewText("d.mp4"), size: 5<<30 + 7, lowSize: 1<<30 + 7})
	l := dial(t, f, Options{})
	list(t, l)
	sizes := func() (n int) {
		for _, op := range f.commands {
			if op == ptp.OpGetObjectPropValue {
				n++
			}
		}
		return n
	}
	before := sizes()
	f.objects[3].size, f.objects[2].size = 2500, 6<<30
	objects := list(t, l)
	if n := sizes() - before; n != 3 {
		t.Errorf("%d sizes were asked for, want those of the three that may have changed", n)
	}
	for i, want := range []uint64{1000, 6 << 30, 2500, 5<<30 + 7} {
		if objects[i].Size != want || !objects[i].SizeKnown {
			t.Errorf("%s has %d bytes, want %d", objects[i].Path, objects[i].Size, want)
		}
	}
}
