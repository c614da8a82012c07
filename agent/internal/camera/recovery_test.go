package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

// Each fault hits the third command of its kind once; the read must come out right all the same.
func TestReadsSurviveOneFault(t *testing.T) {
	faults := map[string]func(f *fake, c ptp.Block){
		"no answer":    func(*fake, ptp.Block) {},
		"stall":        func(f *fake, _ ptp.Block) { f.stalled = true },
		"wrong id":     func(f *fake, c ptp.Block) { c.Transaction += 5; f.run(c) },
		"stale answer": func(f *fake, c ptp.Block) { old := c; old.Transaction--; f.run(old); f.run(c) },
		"cut data": func(f *fake, c ptp.Block) {
			f.data(c, make([]byte, 2000))
			f.queue = append(f.queue[:2], []byte{1})
			f.respond(c, ptp.RespOK)
		},
		"cut data, then silence": func(f *fake, c ptp.Block) { f.data(c, make([]byte, 2000)); f.queue = f.queue[:2] },
		"too much data":          func(f *fake, c ptp.Block) { f.answer(c, make([]byte, 60000)) },
		"short data":             func(f *fake, c ptp.Block) { f.data(c, make([]byte, 100)); f.respond(c, ptp.RespOK, 50) },
		"garbage":                func(f *fake, _ ptp.Block) { f.transfer(bytes.Repeat([]byte{0xA5}, 700)) },
		"empty packets":          func(f *fake, c ptp.Block) { f.queue = append(f.queue, nil, nil, nil); f.run(c) },
		"empty packets only":     func(f *fake, c ptp.Block) { f.queue = make([][]byte, 40) },
		"an event in between": func(f *fake, c ptp.Block) {
			p, _ := ptp.Notify(ptp.EventObjectAdded, 0, 1).Append(nil)
			f.transfer(p)
			f.run(c)
		},
		"command echoed": func(f *fake, c ptp.Block) { p, _ := c.Append(nil); f.transfer(p) },
		"other data":     func(f *fake, c ptp.Block) { c.Code = uint16(ptp.OpGetObjectInfo); f.run(c) },
		"busy twice":     func(f *fake, c ptp.Block) { f.respond(c, ptp.RespDeviceBusy) },
	}
	for name, fault := range faults {
		for _, noClass := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, class requests %v", name, !noClass), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(512)
					f.noStatus = noClass
					f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000, seed: 3})
					l := dial(t, f, Options{})
					o := list(t, l)[0]
					seen := 0
					f.sabotage = func(f *fake, c ptp.Block) bool {
						if ptp.Operation(c.Code) != ptp.OpGetPartialObject64 {
							return false
						}
						if seen++; seen != 3 && !(name == "busy twice" && seen == 4) {
							return false
						}
						fault(f, c)
						return true
					}
					got, err := readAll(t.Context(), l, o, 3000)
					if err != nil || !bytes.Equal(got, content(f.objects[1])) {
						t.Fatalf("%d bytes, %v", len(got), err)
					}
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
				})
			})
		}
	}
}

func TestListingSurvivesOneFault(t *testing.T) {
	for _, op := range []ptp.Operation{ptp.OpGetStorageIDs, ptp.OpGetObjectHandles, ptp.OpGetObjectInfo, ptp.OpGetObjectPropValue} {
		t.Run(op.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(512)
				f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000})
				l := dial(t, f, Options{})
				hung := false
				f.sabotage = func(_ *fake, c ptp.Block) bool {
					hit := !hung && ptp.Operation(c.Code) == op
					hung = hung || hit
					return hit
				}
				if o := list(t, l); len(o) != 1 || o[0].Size != 20000 || !hung {
					t.Fatalf("%+v", o)
				}
			})
		})
	}
}

func TestDialTakesACameraInAnyState(t *testing.T) {
	states := map[string]func(*fake){
		"session left open":            func(f *fake) { f.session = true },
		"session that stays open":      func(f *fake) { f.session, f.keepsSession = true, true },
		"in mid-transfer":              func(f *fake) { f.session = true; f.transfer(make([]byte, 300<<10)) },
		"in mid-transfer, no cancel":   func(f *fake) { f.noStatus, f.session = true, true; f.transfer(bytes.Repeat([]byte{7}, 3<<20)) },
		"stalled":                      func(f *fake) { f.stalled = true },
		"stalled, no class requests":   func(f *fake) { f.stalled, f.noStatus = true, true },
		"DeviceInfo needs the session": func(f *fake) { f.needsSession = ptp.RespSessionNotOpen },
		"DeviceInfo refused otherwise": func(f *fake) { f.needsSession = ptp.RespGeneralError },
		"an old response waits":        func(f *fake) { f.respond(ptp.Command(ptp.OpGetObject, 77), ptp.RespOK) },
		"first command lost": func(f *fake) {
			first := true
			f.sabotage = func(*fake, ptp.Block) bool { was := first; first = false; return was }
		},
	}
	for name, set := range states {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(512)
				f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000, seed: 5})
				set(f)
				start := time.Now()
				l := dial(t, f, Options{})
				got, err := readAll(t.Context(), l, list(t, l)[0], 3000)
				if err != nil || !bytes.Equal(got, content(f.objects[1])) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
				if waited := time.Since(start); waited > 10*time.Second {
					t.Errorf("took %v", waited)
				}
			})
		})
	}
}

func TestDeadCameraIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(512)
		f.sabotage = func(*fake, ptp.Block) bool { return true } // never answers
		start := time.Now()
		_, err := Dial(t.Context(), f, Options{})
		if !errors.Is(err, ErrTimeout) || !f.closed {
			t.Fatalf("%v, pipe closed: %v", err, f.closed)
		}
		if waited := time.Since(start); waited > time.Minute {
			t.Errorf("took %v", waited)
		}
	})
}

func TestBabblingCameraIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(512)
		f.noStatus = true
		f.sabotage = func(f *fake, c ptp.Block) bool { f.queue = make([][]byte, 1000); return true }
		if _, err := Dial(t.Context(), f, Options{}); !errors.Is(err, ErrProtocol) {
			t.Fatal(err)
		}
	})
}

func TestUnplugEndsEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(512)
		f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000})
		l := dial(t, f, Options{})
		o := list(t, l)[0]
		f.sabotage = func(f *fake, c ptp.Block) bool { return true }
		go func() {
			synctest.Wait() // the read waits for its answer
			f.unplug()
		}()
		start := time.Now()
		_, err := l.ReadAt(t.Context(), o, 0, make([]byte, 1000))
		if !errors.Is(err, ErrGone) {
			t.Fatal(err)
		}
		if _, _, err := l.List(t.Context()); !errors.Is(err, ErrGone) {
			t.Fatal(err)
		}
		if err := l.Delete(t.Context(), o); !errors.Is(err, ErrGone) {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for a camera that is gone", waited)
		}
	})
}

func TestCancelledReadLeavesTheCameraUsable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(512)
		f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000, seed: 8})
		l := dial(t, f, Options{})
		o := list(t, l)[0]
		f.sabotage = func(f *fake, c ptp.Block) bool { f.data(c, make([]byte, 3000)); f.queue = f.queue[:3]; return true }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.ReadAt(ctx, o, 0, make([]byte, 3000)); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) {
			t.Fatal(err)
		}
		f.sabotage = nil
		got, err := readAll(t.Context(), l, o, 3000)
		if err != nil || !bytes.Equal(got, content(f.objects[1])) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	})
}

// A camera that only a reset of its USB port brings back gets first the class's
// cancel and reset, which cost it less.
func TestTheStrongestResetComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(512)
		f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000, seed: 4})
		l := dial(t, f, Options{})
		o := list(t, l)[0]
		f.sabotage = func(f *fake, _ ptp.Block) bool {
			if f.portResets == 0 && f.cancels > 0 != (f.resets > 0) {
				t.Error("one of the two class requests is missing")
			}
			return f.portResets == 0 // dead until then
		}
		start := time.Now()
		got, err := readAll(t.Context(), l, o, 3000)
		if err != nil || !bytes.Equal(got, content(f.objects[1])) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if f.portResets != 1 || f.resets < 1 || f.cancels < 1 {
			t.Errorf("%d port resets, %d class resets, %d cancels", f.portResets, f.resets, f.cancels)
		}
		if waited := time.Since(start); waited > time.Minute {
			t.Errorf("took %v", waited)
		}
	})
}

// A camera that no reset brings back is given up in bounded time, and the advice is in the error.
func TestAWedgedCameraIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(512)
		f.add(1, fakeObject{name: ptp.NewText("a.mp4"), size: 20000})
		l := dial(t, f, Options{})
		o := list(t, l)[0]
		f.sabotage = func(*fake, ptp.Block) bool { return true }
		start := time.Now()
		_, err := l.ReadAt(t.Context(), o, 0, make([]byte, 3000))
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "unplug it and plug it in again") || f.portResets == 0 {
			t.Fatalf("%v, %d port resets", err, f.portResets)
		}
		if waited := time.Since(start); waited > 3*time.Minute {
			t.Errorf("took %v", waited)
		}
	})
}
