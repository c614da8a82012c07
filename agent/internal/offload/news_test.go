package offload

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
)

// tellingLink is a session with a camera that tells of changes.
type tellingLink struct {
	fakeLink
	news chan struct{}
}

func (l tellingLink) News() <-chan struct{} { return l.news }

func TestACameraThatTellsOfARecordingIsListedSoon(t *testing.T) {
	d := newDock(t, slowRelist)
	c := newCamera("CAM-1")
	c.record("1.MP4", evidence.KindVideo, noise(1, 1000))
	l := tellingLink{fakeLink{c}, make(chan struct{}, 1)}
	d.serve(l, "1-1")
	d.until("the first is spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	c.record("2.MP4", evidence.KindVideo, noise(2, 1000))
	l.news <- struct{}{}
	d.until("the second is spooled", func() bool { return d.in(spool.StateSpooled) == 2 })
}

// A camera that tells all the time is not listed all the time.
func TestNewsWithoutEndCostsFewListings(t *testing.T) {
	d := newDock(t, slowRelist)
	c := newCamera("CAM-1")
	l := tellingLink{fakeLink{c}, make(chan struct{})}
	began := time.Now()
	v := d.serve(l, "1-1")
	for range 8 { // each is taken after a short pause
		l.news <- struct{}{}
	}
	_ = v.unplug()
	if n, most := c.listings(), 2+int(time.Since(began)/newsPause); n > most {
		t.Errorf("listed %d times, at most %d", n, most)
	}
}
