package offload

import (
	"errors"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func TestAServerThatWasAwayIsAskedAgainSoon(t *testing.T) {
	for _, c := range []struct{ took, pause time.Duration }{
		{0, askSoon}, {50 * time.Millisecond, askSoon}, {time.Second, 10 * time.Second}, {askTimeout, askEvery},
	} {
		if got := askAgain(c.took); got != c.pause {
			t.Errorf("asked again %v after a question that took %v, want %v", got, c.took, c.pause)
		}
	}
}

// A camera that is in its bay when the agent starts is met before the dock's
// connection is up.
func TestACameraMetBeforeTheServerIsErasedSoonAfterIt(t *testing.T) {
	d, server := agencyDock(t, upload.StandingUnknown)
	server.set(func() { server.err = errors.New("the server is not reached") })
	c := newCamera("CAM-1")
	c.record("A.MP4", evidence.KindVideo, noise(1, mib))
	v := d.plug(c, "1-1")
	d.until("spooled", func() bool { return d.in(spool.StateSpooled) == 1 })
	d.receive()
	d.until("kept, for the server has not said how the camera stands", func() bool { return v.Status().State == upload.BayDone })
	if d.in(spool.StateErased) != 0 {
		t.Fatal("erased without the server's word")
	}
	began := time.Now()
	server.set(func() { server.err = nil })
	d.until("erased", func() bool { return d.in(spool.StateErased) == 1 })
	if took := time.Since(began); took >= askEvery/2 {
		t.Errorf("erased %v after the server was there", took)
	}
}
