package offload

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// shorted gives a camera that lists more than it delivers of A.MP4, docked until
// that is stored, and kept.
func shorted(t *testing.T, d *dock, data []byte) (*fakeCamera, *fakeObject, *docking) {
	t.Helper()
	c := newCamera("CAM-1")
	o := c.record("A.MP4", evidence.KindVideo, data)
	o.Size += 1000
	v := d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.receive()
	d.until("kept", func() bool { return d.in(spool.StateKept) == 1 })
	return c, o, v
}

func TestWhatComesShortIsStoredAndStaysOnTheCamera(t *testing.T) {
	d := newDock(t, nil)
	data := noise(7, 3*mib)
	c, _, v := shorted(t, d, data)
	d.until("a person is called", func() bool {
		s := v.Status()
		return s.State == upload.BayAttention && strings.Contains(s.Message, "A person must look") && s.RecordingsDone == 1
	})
	if !d.holds(data) || len(c.deletes) != 0 || len(c.paths()) != 1 {
		t.Fatalf("stored: %v, erased: %v", d.holds(data), c.deletes)
	}
	if reason := d.rows()[0].Reason; !strings.Contains(reason, "lists 3146728 bytes and delivers 3145728") {
		t.Errorf("the journal says %q", reason)
	}
	if r := d.releases(); len(r) != 1 || r[0].Result != evidence.ReleaseFailed || r[0].Reason != d.rows()[0].Reason {
		t.Fatalf("releases: %+v", r)
	}
	v.unplug()
	v = d.plug(c, "1-2")
	d.until("it is said again", func() bool { return strings.Contains(v.Status().Message, "A person must look") })
	if len(d.rows()) != 1 || d.in(spool.StateKept) != 1 || len(d.releases()) != 1 || len(c.paths()) != 1 || c.readsOf("A.MP4") != 3 {
		t.Errorf("after the next docking: rows %+v, %d releases, %d readings", d.rows(), len(d.releases()), c.readsOf("A.MP4"))
	}
}

func TestWhatCameShortIsErasedOnceItIsWhole(t *testing.T) {
	data := noise(7, 3*mib)
	whole := append(bytes.Clone(data), noise(8, 1000)...)
	cases := map[string]struct {
		docked bool
		change func(*fakeObject)
		want   []byte
	}{
		"the listing was wrong":                  {false, func(o *fakeObject) { o.Size = uint64(len(data)) }, data},
		"the listing was wrong, all in one stay": {true, func(o *fakeObject) { o.Size = uint64(len(data)) }, data},
		"the rest is read after all":             {false, func(o *fakeObject) { o.data = whole }, whole},
	}
	for name, how := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDock(t, nil)
			c, o, v := shorted(t, d, data)
			if !how.docked {
				v.unplug()
			}
			c.set(func() { how.change(o) })
			if !how.docked {
				v = d.plug(c, "1-1")
			}
			d.until("it is copied as another recording", func() bool { return d.in(spool.StateSpooled) == 1 })
			d.receive()
			d.until("erased", func() bool { return d.in(spool.StateErased) == 1 && len(c.paths()) == 0 })
			d.until("done", func() bool { return v.Status().State == upload.BayDone })
			if !d.holds(how.want) {
				t.Error("it is lost")
			}
		})
	}
}

func TestMoreThanListedIsErasedOnceItIsStored(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("CAM-1")
	data := noise(7, 3*mib)
	c.record("A.MP4", evidence.KindVideo, data).Size = 5
	d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.receive()
	d.until("erased", func() bool { return d.in(spool.StateErased) == 1 })
	if !d.holds(data) {
		t.Error("it is lost")
	}
}
