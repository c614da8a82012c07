package upload

import (
	"fmt"
	"testing"
	"time"

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

func TestShortRecordingsShareTheMemoryOfLongOnes(t *testing.T) {
	u := New(Options{InFlight: 4})
	for _, c := range []struct {
		length uint64
		want   int
	}{{0, shortInFlight}, {64 << 10, shortInFlight}, {256 << 10, 16}, {1 << 20, 4}, {1 << 40, 4}} {
		rec, under := spool.Recording{Length: c.length}, load{}
		for u.fits(under, rec) {
			under.recordings++
			under.bytes += weight(rec)
		}
		if under.recordings != c.want {
			t.Errorf("%d recordings of %d bytes are under way at once, want %d", under.recordings, c.length, c.want)
		}
	}
}
