package upload

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// arrived fails unless the server has the recording as it was.
func (s *station) arrived(rec spool.Recording, data []byte) {
	s.t.Helper()
	s.until("received", s.is(rec, spool.StateReceived))
	s.server.set(func() {
		if !bytes.Equal(s.server.plain[rec.Evidence], data) {
			s.t.Errorf("%s arrived wrong", rec.Source.Path)
		}
	})
}

func TestSegmentsOfOneRecordingTravelOnAllLanes(t *testing.T) {
	s := newStation(t)
	data := noise(1, 40*mib+5)
	rec := s.put("A.MP4", data)
	carried := map[string]int{}
	gate := sync.OnceFunc(func() { s.until("three lanes", func() bool { return s.lanes() == 3 }) })
	s.server.onSegment = func(*evidence.Manifest, uint64) error { gate(); return nil }
	s.server.onFrame = func(over string) { carried[over]++ }
	s.run()
	s.more(wire.QUIC)
	s.more(wire.TCP)
	s.arrived(rec, data)
	s.server.set(func() {
		if s.server.twice != 0 || s.server.sent != 41 {
			t.Errorf("%d segments came, %d of them twice; want 41", s.server.sent, s.server.twice)
		}
		if s.server.joins < 2 || len(carried) != 3 {
			t.Errorf("%d stripes were opened, and %d connections carried segments: %v", s.server.joins, len(carried), carried)
		}
	})
}

// A lane that ends costs at most the segment that each of its two pumps was
// writing, whether it carried the offer or a stripe.
func TestALaneThatEndsCostsOnlyWhatWasOnItsWay(t *testing.T) {
	s := newStation(t)
	data := noise(2, 60*mib)
	rec := s.put("A.MP4", data)
	gate := sync.OnceFunc(func() { s.until("two lanes", func() bool { return s.lanes() == 2 }) })
	broken := 0
	s.server.onSegment = func(*evidence.Manifest, uint64) error {
		gate()
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		if s.server.sent >= 8*(broken+1) && broken < 5 {
			broken++
			for _, session := range s.server.live {
				if session.Err() == nil { // the oldest: once the one that leads, then the other
					go session.Close(protocol.EndGoingAway, "broken off")
					break
				}
			}
		}
		return nil
	}
	s.run()
	s.more(wire.QUIC)
	s.arrived(rec, data)
	s.server.set(func() {
		if broken != 5 || s.server.twice > 2*broken {
			t.Errorf("%d segments came twice over %d breaks", s.server.twice, broken)
		}
	})
}

func (s *station) lanes() int {
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	return len(s.up.open)
}

func TestWhatIsUrgentOvertakesWhatIsUnderWay(t *testing.T) {
	s := newStation(t)
	slow, urgent := noise(3, 8*mib), noise(4, 3*mib)
	rec := s.put("SLOW.MP4", slow)
	held, release := make(chan struct{}), make(chan struct{})
	reached := sync.OnceFunc(func() { close(held) })
	s.server.onSegment = func(m *evidence.Manifest, index uint64) error {
		if m.Recording.Path == "SLOW.MP4" && index == 2 {
			reached()
			<-release
		}
		return nil
	}
	s.run(func(o *Options) { o.InFlight = 1 })
	<-held
	other := s.put("URGENT.MP4", urgent)
	if err := s.spool.SetUrgent(t.Context(), []evidence.EvidenceID{other.Evidence}, spool.UrgentBay); err != nil {
		t.Fatal(err)
	}
	s.arrived(other, urgent)
	close(release)
	s.arrived(rec, slow)
}

func TestThePeoplesOrderAndMarksAreFollowed(t *testing.T) {
	s := newStation(t)
	var all []spool.Recording
	for i := range 5 {
		all = append(all, s.put(fmt.Sprintf("%d.MP4", i), noise(byte(i), mib)))
	}
	name := func(i int) string { return all[i].Evidence.String() }
	s.server.direction = &protocol.Direction{Order: []string{name(3), name(1)}, Urgent: []string{name(4)}}
	var order []string
	s.server.onOffer = func(m *evidence.Manifest, _ int) error {
		s.server.set(func() { order = append(order, m.Evidence.String()) })
		return nil
	}
	s.run(func(o *Options) { o.InFlight = 1 })
	for _, rec := range all {
		s.until("received", s.is(rec, spool.StateReceived))
	}
	s.server.set(func() {
		if want := []string{name(4), name(3), name(1), name(0), name(2)}; !slices.Equal(order, want) {
			t.Errorf("offered in the order %v, want %v", order, want)
		}
	})
}

func TestTheServersMarksAreTakenBack(t *testing.T) {
	s := newStation(t)
	rec := s.put("A.MP4", noise(1, mib))
	s.server.direction = &protocol.Direction{Limited: true, Urgent: []string{rec.Evidence.String()}}
	s.run()
	s.until("urgent", func() bool { return s.spool.Urgent(rec.Evidence) == spool.UrgentServer })
	s.server.direct(&protocol.Direction{Limited: true})
	s.until("not urgent", func() bool { return s.spool.Urgent(rec.Evidence) == 0 })
}

func TestALimitOfNothingHoldsEverythingUntilItIsLifted(t *testing.T) {
	s := newStation(t)
	data := noise(1, 3*mib)
	rec := s.put("A.MP4", data)
	s.server.direction = &protocol.Direction{Limited: true, LimitWhy: "Office hours."}
	s.run()
	s.until("offered", s.is(rec, spool.StateUploading))
	s.until("said", func() bool {
		state := s.up.State()
		return state.Transport.Limited && state.Transport.LimitWhy == "Office hours."
	})
	s.server.set(func() {
		if s.server.sent > 0 {
			t.Errorf("%d segments came against the limit", s.server.sent)
		}
	})
	s.server.direct(&protocol.Direction{})
	s.arrived(rec, data)
}

func TestADrainingServerIsLeftAndComeBackTo(t *testing.T) {
	s := newStation(t)
	data := noise(5, 30*mib)
	rec := s.put("A.MP4", data)
	drain := sync.OnceFunc(func() {
		go s.server.direct(&protocol.Direction{Draining: true, BackWithinMs: 200})
		s.until("the lane retires", func() bool { return s.lanes() == 0 || s.closing() })
		s.server.set(func() { s.server.direction = &protocol.Direction{} })
	})
	s.server.onSegment = func(_ *evidence.Manifest, index uint64) error {
		if index == 4 {
			drain()
		}
		return nil
	}
	s.run()
	s.arrived(rec, data)
	s.server.set(func() {
		if s.server.twice > 0 || s.server.sessions < 2 {
			t.Errorf("%d segments came twice, over %d sessions", s.server.twice, s.server.sessions)
		}
	})
}

func (s *station) closing() bool {
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	return slices.ContainsFunc(s.up.open, func(l *lane) bool { return l.closing })
}

func TestThePeopleAreShownWhatWaits(t *testing.T) {
	s := newStation(t)
	a, b := s.put("A.MP4", noise(1, mib)), s.put("B\u202e.MP4", noise(2, 2*mib))
	s.server.direction = &protocol.Direction{Limited: true, Order: []string{b.Evidence.String()}}
	s.run()
	var q *protocol.Queue
	s.until("shown", func() bool {
		s.server.set(func() {
			if n := len(s.server.queues); n > 0 {
				q = s.server.queues[n-1]
			}
		})
		return q != nil
	})
	if q.GetRecordings() != 2 || len(q.GetWaiting()) != 2 || q.GetWaiting()[0].GetEvidenceId() != b.Evidence.String() || q.GetWaiting()[1].GetEvidenceId() != a.Evidence.String() {
		t.Fatalf("shown: %v", q)
	}
	if w := q.GetWaiting()[0]; w.GetPath() != "B?.MP4" || w.GetLength() != 2*mib || w.GetCameraSerial() != "CAM-1" || w.GetBay() != "1-1" || time.UnixMicro(w.GetSpooledAtUs()).Year() < 2020 {
		t.Errorf("shown: %v", w)
	}
}
