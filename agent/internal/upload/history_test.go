package upload

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// says waits until the dock tells people a thing about its connection.
func (s *station) says(words string) {
	s.t.Helper()
	s.until("it is said: "+words, func() bool { st := s.up.State(); return strings.Contains(st.Message+st.Transport.Why, words) })
}

// received hands a recording over and waits for its receipt.
func (s *station) received(path string, seed byte) spool.Recording {
	s.t.Helper()
	rec := s.put(path, noise(seed, mib))
	s.until("received", s.is(rec, spool.StateReceived))
	return rec
}

func TestAServerThatWasSetBackGetsNothingAndAnswersNothing(t *testing.T) {
	for name, change := range map[string]func(s *ingest){
		"fewer entries": func(*ingest) {},
		"others, and more of them": func(s *ingest) {
			s.set(func() {
				entries := make([][]byte, 9)
				for i := range entries {
					entries[i] = make([]byte, 32)
				}
				s.tiles = new(tlogtest.Memory)
				var err error
				if s.size, _, err = tlog.Append(context.Background(), s.tiles, 0, entries); err != nil {
					s.t.Error(err)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t)
			s.run()
			s.received("A.MP4", 1)
			setBack := s.server.backUp()
			b := s.received("B.MP4", 2)
			s.received("C.MP4", 3)
			change(s.server)
			if name == "fewer entries" {
				setBack()
			} else {
				s.server.set(s.server.hangUp)
			}
			s.says("forked or set back")
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			waiting := s.put("D.MP4", noise(4, mib))
			if _, err := s.up.Ask(ctx, &protocol.Ask{Camera: &protocol.CameraQuestion{Serial: "CAM-1"}}); err == nil {
				t.Error("a camera was asked about")
			}
			if got := s.state(waiting).State; got != spool.StateSpooled {
				t.Errorf("the next recording is %s", got)
			}
			if got := s.state(b).State; got != spool.StateReceived {
				t.Errorf("one that was received is %s", got)
			}
		})
	}
}

func TestTheProofIsDemandedAfterARestartToo(t *testing.T) {
	s := newStation(t)
	stop := s.run()
	setBack := s.server.backUp()
	s.received("A.MP4", 1)
	stop()
	setBack()
	s.run()
	s.says("forked or set back")
}

// A server that was restored from a backup, and says so: what it has lost is asked for
// again, and what it still has gets its receipt without being sent twice.
func TestAfterARestoreEveryReceiptIsAskedForAgain(t *testing.T) {
	s := newStation(t)
	var lost []proof.Trust
	s.run(func(o *Options) {
		o.Lost = func(_ context.Context, trust proof.Trust) error {
			lost = append(lost, trust)
			return nil
		}
	})
	a := s.received("A.MP4", 1)
	setBack := s.server.backUp()
	b := s.received("B.MP4", 2)
	s.server.set(func() { s.server.restored = []int64{1} })
	setBack()
	for _, rec := range []spool.Recording{a, b} {
		s.until("taken back", s.is(rec, spool.StateFailed))
	}
	if len(lost) != 1 || lost[0].LogOrigin != origin+"/restored-1" || len(lost[0].Restored) != 1 || lost[0].Restored[0] != 1 {
		t.Errorf("it was told of what is lost: %+v", lost)
	}
	c := s.received("C.MP4", 3)
	if got, err := s.spool.Get(t.Context(), c.Evidence); err != nil || !strings.Contains(string(s.spool.Checkpoint()), "restored-1") || !got.State.HasReceipt() {
		t.Errorf("%s, %v", got.State, err)
	}
	// The same copies as the camera would give them again.
	frames := s.server.sent
	s.seal(a, noise(1, mib))
	s.until("a receipt of the earlier log", s.is(a, spool.StateReceived))
	if s.server.sent != frames {
		t.Error("what the server has was sent again")
	}
	s.seal(b, noise(2, mib))
	s.until("a new receipt", s.is(b, spool.StateReceived))
	if s.server.sent == frames {
		t.Error("what the server has lost was not sent")
	}
	if len(lost) != 1 {
		t.Errorf("it was told %d times", len(lost))
	}
}
