package hotplug

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// answer is what a socket gives next.
type answer struct {
	message message
	err     error
}

// fakeSource is a socket in memory.
type fakeSource struct {
	answers chan answer
	closed  chan struct{}
	once    sync.Once
}

func newFakeSource() *fakeSource {
	return &fakeSource{answers: make(chan answer, 10000), closed: make(chan struct{})}
}

func (f *fakeSource) receive() (message, error) {
	select {
	case a := <-f.answers:
		return a.message, a.err
	case <-f.closed:
		return message{}, fs.ErrClosed
	}
}

func (f *fakeSource) Close() error { f.once.Do(func() { close(f.closed) }); return nil }

func kernel(payload string) answer {
	return answer{message: message{payload: []byte(payload), group: groupKernel}}
}

func always(from source) func() (source, error) {
	return func() (source, error) { return from, nil }
}

// pause lets virtual time pass.
func pause(t *testing.T, d time.Duration) {
	if err := wait(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// run starts a listener over the sockets that open gives.
func run(t *testing.T, open func() (source, error)) (l *Listener, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	l = New(slog.New(slog.NewTextHandler(log, nil)))
	l.open = open
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
	return l, log
}

// taken says whether a hint waits, and takes it.
func taken(hints <-chan struct{}) bool {
	select {
	case <-hints:
		return true
	default:
		return false
	}
}

func TestAPluggedCameraIsAHintAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := newFakeSource()
		l, _ := run(t, always(from))
		first, second := l.Hints(), l.Hints()
		synctest.Wait()
		taken(first) // the socket's opening is a hint too, when Hints came before it
		taken(second)
		if !l.Hears() {
			t.Fatal("it does not hear")
		}
		from.answers <- kernel(kernelAdd)
		began := time.Now()
		synctest.Wait()
		if !taken(first) || !taken(second) || time.Since(began) != 0 {
			t.Fatal("no hint")
		}
	})
}

func TestHintsComeOfWhatCannotBeRead(t *testing.T) {
	for name, a := range map[string]answer{
		"malformed": kernel("\xff\xfe"),
		"lost":      {err: errLost},
		"udevd":     {message: message{payload: udevMessage("SUBSYSTEM=usb\x00ACTION=add\x00", nil), sender: 4711, group: groupUdev, signed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := newFakeSource()
				l, _ := run(t, always(from))
				hints := l.Hints()
				synctest.Wait()
				taken(hints)
				from.answers <- a
				synctest.Wait()
				if !taken(hints) || !l.Hears() {
					t.Fatal("no hint, or no ear any more")
				}
			})
		})
	}
}

func TestStrangersAndOtherDevicesGiveNoHint(t *testing.T) {
	for name, m := range map[string]message{
		"a program in the kernel's group":   {sender: 99, group: groupKernel, signed: true},
		"a user in udevd's group":           {sender: 99, group: groupUdev, user: 1000, signed: true},
		"udevd's group without credentials": {sender: 99, group: groupUdev},
		"sent to this socket alone":         {sender: 99, signed: true},
		"another group":                     {group: 3, signed: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := newFakeSource()
				l, _ := run(t, always(from))
				hints := l.Hints()
				synctest.Wait()
				taken(hints)
				m.payload = []byte(kernelAdd)
				from.answers <- answer{message: m}
				from.answers <- kernel("add@/x\x00ACTION=add\x00SUBSYSTEM=net\x00")
				synctest.Wait()
				if taken(hints) {
					t.Fatal("a hint")
				}
			})
		})
	}
}

// A storm becomes at most one hint per pause, and a hint comes after its end.
func TestAStormIsBoundedAndItsEndIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := newFakeSource()
		l, _ := run(t, always(from))
		hints := l.Hints()
		synctest.Wait()
		taken(hints)
		began, count, last := time.Now(), 0, time.Duration(0)
		for range 2000 { // two seconds
			from.answers <- kernel(kernelAdd)
			synctest.Wait()
			if taken(hints) {
				count, last = count+1, time.Since(began)
			}
			pause(t, time.Millisecond)
		}
		for range 20 {
			pause(t, 10*time.Millisecond)
			if taken(hints) {
				count, last = count+1, time.Since(began)
			}
		}
		if count < 15 || count > 22 || last < 2*time.Second-time.Millisecond {
			t.Fatalf("%d hints, the last after %v", count, last)
		}
	})
}

func TestASystemWithoutUeventsIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := run(t, func() (source, error) { return nil, fmt.Errorf("opening: %w", errors.ErrUnsupported) })
		hints := l.Hints()
		pause(t, time.Hour)
		if l.Hears() || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "looked for at intervals") {
			t.Fatalf("hears %v: %s", l.Hears(), log)
		}
		_ = taken(hints)
	})
}

// A socket that breaks is opened again; meanwhile the caller polls, and is told of both turns.
func TestABrokenSocketIsOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, opened := newFakeSource(), 0
		l, log := run(t, func() (source, error) {
			if opened++; opened > 1 && opened < 7 {
				return nil, errors.New("no memory")
			}
			from = newFakeSource()
			return from, nil
		})
		hints := l.Hints()
		synctest.Wait()
		taken(hints)
		from.answers <- answer{err: errors.New("broken")}
		synctest.Wait()
		if l.Hears() || !taken(hints) {
			t.Fatal("it is not told that nothing is heard")
		}
		pause(t, longestPause)
		if !l.Hears() || !taken(hints) || opened != 7 || strings.Count(log.String(), "no memory") != 1 {
			t.Fatalf("hears %v, opened %d times: %s", l.Hears(), opened, log)
		}
		from.answers <- kernel(kernelAdd)
		synctest.Wait()
		if !taken(hints) {
			t.Fatal("no hint after the socket was opened again")
		}
	})
}
