package offload

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestARecordingThatStillGrowsIsTakenInWhenItIsWhole(t *testing.T) {
	d := newDock(t, slowRelist)
	c := newCamera("CAM-1")
	whole := noise(1, 900_000)
	o := c.record("A.MP4", evidence.KindVideo, whole[:100_000])
	c.record("B.MP4", evidence.KindVideo, noise(2, 1000))
	v := d.plug(c, "1-1")
	for n := 200_000; n <= len(whole); n += 350_000 { // at each look it has grown
		listed := c.listings()
		d.until("it was looked at", func() bool { return c.listings() > listed })
		c.set(func() { o.data, o.Size = whole[:n], uint64(n) })
	}
	d.until("all is spooled", func() bool { return d.in(spool.StateSpooled) == 2 })
	for _, r := range d.rows() {
		if plain, _ := d.open(r); r.Source.Path == "A.MP4" && !bytes.Equal(plain, whole) {
			t.Errorf("a part of %d bytes was taken for the whole", len(plain))
		}
	}
	if len(d.rows()) != 2 {
		t.Errorf("%d rows for 2 recordings", len(d.rows()))
	}
	v.unplug()
}

// A camera that tells another size at each look costs few listings, and people
// are told.
func TestASizeThatNeverStaysIsToldAndLookedAtEverMoreSeldom(t *testing.T) {
	d := newDock(t, func(o *Options, so *spool.Options) { slowRelist(o, so); o.Relist = 2 * time.Second })
	c := newCamera("CAM-1")
	o := c.record("A.MP4", evidence.KindVideo, noise(1, 100_000))
	v := d.serve(restlessLink{fakeLink{c}, o}, "1-1")
	began := time.Now()
	d.until("people are told", func() bool {
		s := v.Status()
		return len(s.Alerts) == 1 && strings.Contains(s.Alerts[0], "A.MP4 changes") && s.State == "attention"
	})
	if n, most := c.listings(), 3+int(time.Since(began)/d.opt.Steady); n > most {
		t.Errorf("%d listings in %v", n, time.Since(began))
	}
	if d.in(spool.StateSpooled) != 0 {
		t.Error("it was taken in")
	}
}

// A size that goes up and down is a lie: what comes is taken in, and nothing is
// erased before the camera tells one size.
func TestASizeThatGoesUpAndDownIsTakenInAndNotErased(t *testing.T) {
	d := newDock(t, func(o *Options, so *spool.Options) { slowRelist(o, so); o.Relist = 500 * time.Millisecond })
	c := newCamera("CAM-1")
	data := noise(1, 100_000)
	o := c.record("A.MP4", evidence.KindVideo, data)
	l := liar{fakeLink{c}, o, new(bool)}
	d.serve(l, "1-1")
	d.until("taken in", func() bool { d.receive(); return d.holds(data) })
	listed := c.listings()
	d.until("looked at again and again", func() bool { d.receive(); return c.listings() > listed+4 })
	if len(c.paths()) != 1 || c.readsOf("A.MP4") > 4 {
		t.Fatalf("%v left, read %d times", c.paths(), c.readsOf("A.MP4"))
	}
	c.set(func() { *l.honest = true })
	d.until("erased", func() bool { d.receive(); return len(c.paths()) == 0 })
}

// liar lists a byte more at every second asking.
type liar struct {
	fakeLink
	object *fakeObject
	honest *bool
}

func (l liar) List(ctx context.Context) ([]camera.Object, []camera.Warning, error) {
	l.set(func() { l.object.Size = uint64(len(l.object.data)) })
	lies := false
	l.set(func() { lies = !*l.honest })
	if lies && l.listings()%2 == 1 {
		l.set(func() { l.object.Size++ })
	}
	return l.fakeLink.List(ctx)
}

// restlessLink lists another size each time.
type restlessLink struct {
	fakeLink
	object *fakeObject
}

func (l restlessLink) List(ctx context.Context) ([]camera.Object, []camera.Warning, error) {
	l.set(func() { l.object.Size++ })
	return l.fakeLink.List(ctx)
}
