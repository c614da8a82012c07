package offload

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// journal keeps log lines. Safe for concurrent use.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(words string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), words)
}

// room gives a dock whose spool has room for one recording of 2 MiB, and whose
// time passes as the test says.
func room(t *testing.T) (d *dock, logged *journal, pass func(time.Duration)) {
	t.Helper()
	logged = &journal{}
	var mu sync.Mutex
	var ahead time.Duration
	pass = func(by time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		ahead += by
	}
	d = newDock(t, func(o *Options, s *spool.Options) {
		s.Quota = seal.SealedSize(2*mib) + 100
		o.Log = slog.New(slog.NewTextHandler(logged, nil))
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(ahead)
		}
	})
	return d, logged, pass
}

func TestAPauseIsLoggedOnceAndItsEndOnce(t *testing.T) {
	d, logged, pass := room(t)
	c := newCamera("CAM-1")
	for i := range 4 {
		c.record(string(rune('A'+i))+".MP4", evidence.KindVideo, noise(uint64(i), 2*mib))
	}
	v := d.plug(c, "1-1")
	d.until("paused", func() bool { return strings.Contains(v.Status().Message, "Spool full") })
	for range 3 { // what is held back is tried again at each
		before := c.listings()
		pass(time.Minute)
		d.until("looked again", func() bool { return c.listings() > before && strings.Contains(v.Status().Message, "Spool full") })
	}
	if n := logged.count("copying is paused"); n != 1 {
		t.Fatalf("the pause was logged %d times", n)
	}
	d.receive()
	d.until("it goes on and pauses again", func() bool { return logged.count("copying is paused") == 2 })
	if n := logged.count("copying goes on"); n != 1 {
		t.Errorf("its end was logged %d times", n)
	}
}

func TestARecordingThatFitsNoSpoolIsNamedAndTheOthersGoOn(t *testing.T) {
	d, logged, pass := room(t)
	c := newCamera("CAM-1")
	c.record("A.MP4", evidence.KindVideo, noise(1, mib))
	c.record("LARGE.MP4", evidence.KindVideo, noise(2, 3*mib))
	c.record("Z.MP4", evidence.KindVideo, noise(3, mib))
	v := d.plug(c, "1-1")
	d.until("the others are spooled or paused", func() bool { return d.in(spool.StateSpooled) >= 1 })
	d.receive()
	d.until("both others are copied", func() bool { d.receive(); return d.in(spool.StateErased) == 2 })
	d.until("the large one is named", func() bool {
		s := v.Status()
		return s.State == upload.BayAttention && strings.Contains(s.Message, "LARGE.MP4 stays on the camera: this recording alone (listed size 3145728 bytes) needs more room") && !strings.Contains(s.Message, "Spool full")
	})
	before := c.listings()
	pass(time.Hour)
	d.until("tried again", func() bool { return c.listings() > before+1 })
	if n := logged.count("LARGE.MP4"); n != 1 {
		t.Errorf("it was logged %d times", n)
	}
	if left := c.paths(); len(left) != 1 || left[0] != "LARGE.MP4" {
		t.Errorf("left on the camera: %v", left)
	}
}

func TestSentencesFitHowManyThereAre(t *testing.T) {
	for many, want := range map[int][2]string{
		1: {"The recording is not at the server yet.", "The recording is safe at the server."},
		2: {"2 of 2 recordings are not at the server yet.", "All 2 recordings are safe at the server."},
	} {
		d := newDock(t, func(o *Options, _ *spool.Options) { o.KeepOnCard = true })
		c := newCamera("CAM-1")
		for i := range many {
			c.record(string(rune('A'+i))+".MP4", evidence.KindVideo, noise(uint64(i), 1000))
		}
		v := d.plug(c, "1-1")
		d.until(want[0], func() bool { return strings.Contains(v.Status().Message, want[0]) })
		d.receive()
		d.until(want[1], func() bool { return strings.Contains(v.Status().Message, want[1]) })
	}
	if got := part(1, 3); got != "1 of 3 recordings is" {
		t.Errorf("one of three: %q", got)
	}
}
