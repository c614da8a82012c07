package offload

import (
	"fmt"
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
// never said to be.
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
}
