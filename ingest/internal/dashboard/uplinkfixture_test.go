package dashboard_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

const mbit = 125_000

func waitingClip(n byte) evidence.EvidenceID { return evidence.EvidenceID{0: 0xc1, 15: n} }

// uplinkDay lets the docks of the filled store report how they send, some
// minutes long, under a table of station north.
func (s *site) uplinkDay(t *testing.T) {
	t.Helper()
	table, err := schedule.ParseTable("America/New_York", []string{"mon-fri 07:00-18:00 20 Mbit/s", "daily 22:00-05:00 200 Mbit/s", "sat,sun 08:00-20:00 40 Mbit/s", "fri 18:00-20:00 stop"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Uplink.CommandLine().SetStationBandwidth(t.Context(), "north", table); err != nil {
		t.Fatal(err)
	}
	for n := range 90 {
		s.Clock.Advance(5 * time.Second)
		s.reportDay(n)
		if n == 0 {
			s.Uplink.Direction("north", "front-desk")
			s.Uplink.Direction("north", "garage")
		}
		if _, err := s.Uplink.CommandLine().Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// reportDay is one report of all docks.
func (s *site) reportDay(n int) {
	now := s.Clock.Now()
	in := func(d time.Duration) int64 { return now.Add(d).UnixMicro() }
	queue := &upload.Queue{Recordings: 131, Bytes: 61 << 30}
	for i, name := range []string{"CLIP0052.MP4", "CLIP0039.MP4", "CLIP0053.MP4", "CLIP0054.MP4", "CLIP0055.MP4", "CLIP0040.MP4"} {
		queue.Waiting = append(queue.Waiting, &upload.Waiting{
			EvidenceId: waitingClip(byte(i)).String(), Path: "DCIM/100SEALD/" + name, CameraSerial: fmt.Sprintf("SD-044%02d", 9+i%3), Bay: fmt.Sprintf("1-%d", 1+i%3), Officer: []string{"Ines Okafor", "Jonah Reyes", ""}[i%3],
			Category: []string{"traffic", "", "use of force"}[i%3], Length: uint64(400+170*i) << 20, SpooledAtUs: in(-time.Duration(90-i*7) * time.Minute),
		})
	}
	queue.Waiting[0].Urgent, queue.Waiting[0].UrgentWhy, queue.Waiting[0].DurableBytes = true, "button pressed at bay 1-1", 96<<20
	rate := uint64(16.4*mbit + 2.2*mbit*math.Sin(float64(n)/5))
	if n > 60 {
		rate = uint64(15.2*mbit + 0.4*mbit*math.Sin(float64(n)))
	}
	s.Docks.Set(
		uplink.Dock{Agency: readingtest.Agency, Station: "north", Dock: "front-desk", Connected: true, LastSeen: now, Queue: queue, Status: &upload.Status{
			WaitingBytes: 61 << 30, RecordingsWaiting: 131, BytesPerSecond: rate, ClearAtUs: in(7*time.Hour + 11*time.Minute), SpoolBytes: 47 << 30, SpoolQuota: 64 << 30, SpoolFullAtUs: in(5 * time.Hour),
			Transport: &upload.Transport{Over: "quic", Connections: 2, RttUs: 21_400, LostPpm: 310, Why: "a second connection carries more, because packets are lost on the way"},
			Bays: []*upload.Bay{
				{Port: "1-1", CameraSerial: "SD-04412", WaitingBytes: 9 << 30, ClearAtUs: in(72 * time.Minute)}, {Port: "1-2", CameraSerial: "SD-04409", WaitingBytes: 3 << 30, ClearAtUs: in(35 * time.Minute)},
				{Port: "1-3", CameraSerial: "SD-04420"}, {Port: "1-4"},
			},
		}},
		uplink.Dock{Agency: readingtest.Agency, Station: "north", Dock: "garage", Connected: true, LastSeen: now, Busy: 3, Queue: &upload.Queue{}, Status: &upload.Status{
			WaitingBytes: 2 << 30, RecordingsWaiting: 5, BytesPerSecond: uint64(3.4 * mbit), ClearAtUs: in(84 * time.Minute), SpoolBytes: 2 << 30, SpoolQuota: 64 << 30,
			Transport: &upload.Transport{Over: "tcp", Connections: 1, RttUs: 38_000, Why: "UDP to this server is blocked on the way; QUIC is tried again every 10 minutes"},
		}},
		uplink.Dock{Agency: readingtest.Agency, Station: "harbour", Dock: "pier-4", LastSeen: now.Add(-26 * time.Minute), Status: &upload.Status{WaitingBytes: 4 << 30, RecordingsWaiting: 3, SpoolBytes: 62 << 30, SpoolQuota: 64 << 30}},
		uplink.Dock{Agency: "another-agency", Station: "secret", Dock: "their-dock", Connected: true, LastSeen: now},
	)
}
