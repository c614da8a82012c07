package offload

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

func slowRelist(o *Options, _ *spool.Options) { o.Relist = time.Hour }

func TestManyShortRecordingsAreErasedWithFewListings(t *testing.T) {
	const many = 150
	d := newDock(t, slowRelist)
	c := newCamera("CAM-1")
	for i := range many {
		c.record(fmt.Sprintf("%03d.MP4", i), evidence.KindVideo, noise(uint64(i), 1000+i))
	}
	d.plug(c, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == many })
	for _, row := range d.rows() {
		if row.Attempt != 1 || row.Length != row.Source.Size {
			t.Fatalf("%s is attempt %d with %d bytes", row.Source.Path, row.Attempt, row.Length)
		}
	}
	d.receive()
	d.until("all erased", func() bool { return d.in(spool.StateErased) == many })
	if left := c.paths(); len(left) != 0 {
		t.Errorf("on the camera is left %v", left)
	}
	if n := c.listings(); n > many/5 {
		t.Errorf("the camera was listed %d times for %d recordings", n, many)
	}
	statements, err := d.opt.Spool.Statements(t.Context(), 0, 10*many)
	releases := 0
	for _, s := range statements {
		if s.Kind == spool.KindRelease {
			releases++
		}
	}
	if err != nil || releases != many {
		t.Errorf("%d releases are queued (%v), want %d", releases, err, many)
	}
}

// What the camera was told to erase may be gone; what it was not told about is
// never said to be. The server hears of the erasures before it hears what is left: it
// would alert that recordings have vanished.
func TestCameraPulledAmidErasingTakesBackWhatItWasNotTold(t *testing.T) {
	const many, told = 10, 4
	d := newDock(t, slowRelist)
	c := newCamera("CAM-1")
	for i := range many {
		c.record(fmt.Sprintf("%03d.MP4", i), evidence.KindVideo, noise(uint64(i), 1000+i))
	}
	asked := 0
	c.onDelete = func(*fakeObject) error {
		if asked++; asked == told {
			c.gone = true
			return camera.ErrGone
		}
		return nil
	}
	v := d.plug(c, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == many })
	d.receive()
	v.ended()
	if erasing, received := d.in(spool.StateErasing), d.in(spool.StateReceived); erasing != told || received != many-told {
		t.Fatalf("%d are noted as being erased and %d as received, want %d and %d", erasing, received, told, many-told)
	}
	c.set(func() { c.gone, c.onDelete = false, nil })
	d.plug(c, "1-1")
	d.until("all erased", func() bool { return d.in(spool.StateErased) == many })
	statements, err := d.opt.Spool.Statements(t.Context(), 0, 10*many)
	inventories, before := 0, 0
	for _, s := range statements {
		if s.Kind == spool.KindInventory {
			inventories++
		} else if inventories < 2 {
			before++
		}
	}
	if err != nil || inventories != 2 || before != told-1 {
		t.Errorf("%d releases are queued before the second of %d inventories (%v), want %d before 2", before, inventories, err, told-1)
	}
}

// counted is a log that counts what it is told, by its message.
type counted struct {
	slog.Handler
	mu    sync.Mutex
	times map[string]int
}

func (c *counted) Enabled(context.Context, slog.Level) bool { return true }
func (c *counted) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *counted) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times[r.Message]++
	return nil
}

func (c *counted) of(message string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times[message]
}

// Flushes and commits grow with the groups, not with the recordings; and what was
// gathered is never left waiting for more.
func TestShortCopiesAreMadeDurableTogether(t *testing.T) {
	const many = 320
	log := &counted{times: map[string]int{}}
	d := newDock(t, func(o *Options, _ *spool.Options) { o.Log = slog.New(log) })
	c := newCamera("CAM-1")
	for i := range many {
		c.record(fmt.Sprintf("%03d.MP4", i), evidence.KindVideo, noise(uint64(i), 1000+i))
	}
	d.plug(c, "1-1")
	d.until("all spooled", func() bool { return d.in(spool.StateSpooled) == many })
	// 16 to a group, but for those that a step ended, of which there are four a second.
	if n := log.of("short copies are made durable together"); n < many/maxFinishing || n > many/4 {
		t.Errorf("%d copies were made durable in %d groups", many, n)
	}
	c.record("LAST.MP4", evidence.KindVideo, noise(999, 1000))
	d.until("the last alone", func() bool { return d.in(spool.StateSpooled) == many+1 })
}

// What was read whole and confirmed is kept, though its camera is pulled before its
// group is full.
func TestConfirmedCopiesOutliveTheirCamera(t *testing.T) {
	const read = 5
	d := newDock(t, slowRelist)
	c := newCamera("CAM-1")
	for i := range 10 {
		c.record(fmt.Sprintf("%03d.MP4", i), evidence.KindVideo, noise(uint64(i), 1000+i))
	}
	c.onRead = func(o *fakeObject, _ int, _ int64, _ []byte) error {
		if o.Path == fmt.Sprintf("%03d.MP4", read) {
			return camera.ErrGone
		}
		return nil
	}
	d.plug(c, "1-1").ended()
	if n := d.in(spool.StateSpooled); n != read {
		t.Errorf("%d copies are spooled, want the %d that were confirmed", n, read)
	}
}

// An idle camera that holds a lot is not listed all the time.
func TestSlowListingsAreSeldom(t *testing.T) {
	for listing, want := range map[time.Duration]time.Duration{
		time.Millisecond: 15 * time.Second, 100 * time.Millisecond: 40 * time.Second, time.Minute: longestRelist,
	} {
		at := time.Unix(1e9, 0)
		d := &Docking{desk: New(Options{}), listedAt: at, listing: listing}
		if got := d.relistAt().Sub(at); got != want {
			t.Errorf("a camera that takes %v to list is listed every %v, want %v", listing, got, want)
		}
		if d.stale = true; d.relistAt().Sub(at) >= want && listing < time.Second {
			t.Errorf("a camera that told of a change is listed after %v", d.relistAt().Sub(at))
		}
	}
}
