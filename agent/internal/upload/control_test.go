package upload

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// Releases are sent ahead of their answers: each answer still counts for the
// one whose turn it is.
func TestReleasesSentAheadAreAnsweredEachForItself(t *testing.T) {
	const many = 3 * statementsAhead
	s := newStation(t)
	for i := range many {
		release := evidence.Release{
			Version: 1, Agency: "riverton", Dock: "front-desk", Bay: "1-1", Docking: evidence.NewDockingID(), Evidence: evidence.NewEvidenceID(), CameraSerial: "CAM-1",
			Path: fmt.Sprintf("%03d.MP4", i), ReceiptDigest: evidence.SHA256([]byte{byte(i)}), Method: "ptp-delete-object", Result: evidence.ReleaseErased, At: time.Now().UTC(),
		}
		payload, err := evidence.Encode(&release)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := s.key.Sign(evidence.TypeRelease, payload)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.spool.Queue(t.Context(), spool.KindRelease, envelope.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	s.server.onStated = func(n int) error {
		switch n {
		case 5, statementsAhead + 3:
			return &protocol.Error{Code: protocol.CodeRetryLater, Message: "busy"}
		case 10:
			return &protocol.Error{Code: protocol.CodeBadManifest, Message: "no"}
		}
		return nil
	}
	s.run()
	s.until("the refused one alone is queued", func() bool {
		queued, err := s.spool.Statements(t.Context(), 0, many)
		return err == nil && len(queued) == 1 && queued[0].Sequence == 10
	})
	s.server.set(func() {
		seen := map[string]bool{}
		for _, e := range s.server.statements {
			var r evidence.Release
			if err := evidence.Decode(e.Payload, &r); err != nil {
				t.Fatal(err)
			}
			seen[r.Path] = true
		}
		if len(seen) != many-1 || len(s.server.statements) != many-1 {
			t.Errorf("%d releases arrived, %d of them different; want %d", len(s.server.statements), len(seen), many-1)
		}
	})
}

func TestHowManyRecordingsAreUnderWay(t *testing.T) {
	u := New(Options{InFlight: 4})
	for _, c := range []struct {
		length uint64
		urgent bool
		want   int
	}{{0, false, shortInFlight}, {64 << 10, false, shortInFlight}, {256 << 10, false, 16}, {1 << 20, false, 4}, {1 << 40, false, 4}, {1 << 40, true, urgentInFlight}} {
		rec, under := &waiting{Recording: spool.Recording{Length: c.length}, urgent: c.urgent}, load{}
		for u.fits(under, rec) {
			under.add(rec, 1)
		}
		if under.recordings != c.want {
			t.Errorf("%d recordings of %d bytes are under way at once, want %d", under.recordings, c.length, c.want)
		}
		if other := (&waiting{Recording: spool.Recording{Length: 1 << 30}, urgent: true}); !c.urgent && !u.fits(under, other) {
			t.Errorf("with recordings of %d bytes under way an urgent one has to wait", c.length)
		}
	}
}

// A status that stays the same is told now and then, one that changes at once.
func TestAStatusIsToldWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := &protocol.Status{AtUs: 1, Transport: &protocol.Transport{Over: "quic"}}
		u := &Uploader{opt: Options{Status: func() *protocol.Status { return proto.CloneOf(now) }}}
		var told shownStatus
		stream := &sink{}
		for second := range 270 {
			now.AtUs, now.Transport.RttUs = int64(second), uint32(second)
			if second == 20 {
				now.RecordingsWaiting = 7
			}
			if err := u.sendStatus(stream, &told); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		if want := 3; stream.writes != want { // at 0, 20, 200
			t.Errorf("told %d times in four and a half minutes, want %d", stream.writes, want)
		}
	})
}

// sink counts what is written to it.
type sink struct {
	lanes.Stream
	writes int
}

func (s *sink) Write(p []byte) (int, error) { s.writes++; return len(p), nil }
