package offload

import (
	"strings"
	"testing"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestCamerasWithoutASerialNumberAreTakenInUnderAStandIn(t *testing.T) {
	d := newDock(t, nil)
	cameras := []*fakeCamera{newCamera(""), newCamera(" ")}
	for i, c := range cameras {
		c.record("A.MP4", evidence.KindVideo, noise(uint64(i+1), 2*mib))
	}
	v := d.plug(cameras[0], "1-1")
	d.plug(cameras[1], "1-2")
	d.until("both spooled", func() bool { return d.in(spool.StateSpooled) == 2 })
	serials := map[string]bool{}
	for _, r := range d.rows() {
		if _, m := d.open(r); m.Camera.Serial != r.Source.Serial || !strings.HasPrefix(m.Camera.Serial, "unknown-") {
			t.Errorf("%s has the serial number %q", r.Source.Path, m.Camera.Serial)
		}
		serials[r.Source.Serial] = true
	}
	if len(serials) != 2 {
		t.Errorf("serial numbers: %v, want one for each bay", serials)
	}
	for _, payload := range d.statements(spool.KindInventory, evidence.TypeInventory) {
		var inventory evidence.Inventory
		if err := evidence.Decode(payload, &inventory); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(inventory.Warnings, " "), inventory.Camera.Serial+" stands for it") {
			t.Errorf("the inventory warns of %q", inventory.Warnings)
		}
	}
	if alerts := strings.Join(v.Status().Alerts, " "); !strings.Contains(alerts, "does not tell its serial number") || strings.Contains(alerts, "same serial") {
		t.Errorf("people are told %q", alerts)
	}
	d.receive()
	d.until("both erased", func() bool { return d.in(spool.StateErased) == 2 })
	if !d.holds(noise(1, 2*mib)) || !d.holds(noise(2, 2*mib)) {
		t.Error("a recording is lost")
	}
}

// The camera that comes next into the bay may be another one of its model: that
// it lacks a recording says nothing about the one that was to erase it.
func TestAStandInProvesNoErasure(t *testing.T) {
	d := newDock(t, nil)
	c := newCamera("")
	data := noise(1, mib)
	c.record("A.MP4", evidence.KindVideo, data)
	c.onDelete = func(*fakeObject) error { c.gone = true; return camera.ErrGone }
	v := d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.receive()
	v.ended()
	other := newCamera("")
	other.record("B.MP4", evidence.KindVideo, noise(2, mib))
	v = d.plug(other, "1-1")
	d.until("the other camera's is spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	v.unplug()
	if d.in(spool.StateErased) != 0 || len(d.releases()) != 0 {
		t.Fatalf("counted as erased: %+v", d.releases())
	}
	c.set(func() { c.gone, c.onDelete = false, nil })
	d.plug(c, "1-1")
	d.until("erased", func() bool { return d.in(spool.StateErased) == 1 && len(c.paths()) == 0 })
}
