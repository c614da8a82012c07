package camera

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

func event(t *testing.T, code ptp.Event) []byte {
	t.Helper()
	p, err := ptp.Notify(code, 0, 7).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func told(l Link) bool {
	select {
	case <-l.(Telling).News():
		return true
	default:
		return false
	}
}

func TestEventsThatChangeTheListingAreNews(t *testing.T) {
	response, err := ptp.Respond(ptp.RespOK, 1).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	added := event(t, ptp.EventObjectAdded)
	for name, c := range map[string]struct {
		packet []byte
		news   bool
	}{
		"object added":     {added, true},
		"object removed":   {event(t, ptp.EventObjectRemoved), true},
		"store added":      {event(t, ptp.EventStoreAdded), true},
		"store removed":    {event(t, ptp.EventStoreRemoved), true},
		"object changed":   {event(t, ptp.EventObjectInfoChanged), true},
		"property changed": {event(t, ptp.EventDevicePropChanged), false},
		"unknown":          {event(t, 0xC777), false},
		"empty":            {nil, false},
		"cut":              {added[:11], false},
		"a response":       {response, false},
		"noise":            {bytes.Repeat([]byte{0xA5}, 64), false},
		"lying length":     {append([]byte{0xff, 0xff, 0xff, 0xff}, added[4:]...), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(512)
				f.events = make(chan []byte, 1)
				l := dial(t, f, Options{})
				f.events <- c.packet
				synctest.Wait()
				if got := told(l); got != c.news {
					t.Fatalf("news: %v", got)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// Reading goes on right while events pour in, and their number is bounded.
func TestAnEventStormIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(512)
		f.events = make(chan []byte)
		f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 200000, seed: 6})
		l := dial(t, f, Options{})
		var sent atomic.Int32
		added := event(t, ptp.EventObjectAdded)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case f.events <- added:
					sent.Add(1)
				case <-ctx.Done():
					return
				}
			}
		}()
		got, err := readAll(t.Context(), l, list(t, l)[0], 3000)
		if err != nil || !bytes.Equal(got, content(f.objects[1])) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		before := sent.Load()
		if err := sleep(t.Context(), 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if n := sent.Load() - before; n < 10 || n > 510 {
			t.Errorf("%d events were taken in ten seconds", n)
		}
		if !told(l) || told(l) {
			t.Error("a storm is one piece of news")
		}
		cancel()
		<-ended
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// faulty is a pipe whose interrupt endpoint gives errors.
type faulty struct {
	Pipe
	asked atomic.Int32
	err   error
}

func (f *faulty) Interrupt(context.Context, []byte) (int, error) {
	f.asked.Add(1)
	return 0, f.err
}

func TestFaultsOfTheEventEndpointAreBounded(t *testing.T) {
	for _, c := range []struct {
		err  error
		most int32
	}{{ErrStall, 70}, {ErrTimeout, 70}, {ErrProtocol, 70}, {errors.New("busy"), 70}, {ErrGone, 1}, {ErrNoEvents, 1}} {
		synctest.Test(t, func(t *testing.T) {
			f := &faulty{err: c.err}
			e := listen(f, slog.New(slog.DiscardHandler))
			if err := sleep(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			if n := f.asked.Load(); n < 1 || n > c.most {
				t.Errorf("%v: asked %d times in an hour", c.err, n)
			}
			e.end()
		})
	}
}

// composite is a camera that is more.
type composite struct {
	*fake
	others []Other
}

func (c composite) Others() []Other { return c.others }

func TestWhatElseTheDeviceIsStandsInTheListingAndTheLog(t *testing.T) {
	f := newFake(512)
	f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 3})
	var log bytes.Buffer
	c := composite{f, append([]Other{{Number: 1, Class: 3, SubClass: 1, Protocol: 1}, {Number: 2, Class: 0xe0, SubClass: 1, Protocol: 3}}, make([]Other, 300)...)}
	l, err := Dial(t.Context(), c, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	objects, warnings, err := l.List(t.Context())
	if err != nil || len(objects) != 1 || len(warnings) != maxOthers || warnings[0].Missing {
		t.Fatalf("%v, %v, %v", objects, warnings, err)
	}
	for _, want := range []string{"interface 1, keyboard, mouse or other input (class 03/01/01)", "interface 2, wireless or network"} {
		if !bytes.Contains(log.Bytes(), []byte(want)) || !slicesContain(warnings, want) {
			t.Errorf("%q is not told: %v", want, warnings[:2])
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func slicesContain(warnings []Warning, text string) bool {
	for _, w := range warnings {
		if bytes.Contains([]byte(w.Message), []byte(text)) {
			return true
		}
	}
	return false
}
