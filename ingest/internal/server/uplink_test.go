package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// TestADockIsDirectedByTables goes from the command line to the dock: through the
// catalog, the running server and a real connection.
func TestADockIsDirectedByTables(t *testing.T) {
	r := newServer(t)
	r.start()
	front, garage := r.enrol("front-desk"), r.enrol("garage")
	decide := func(do func(context.Context, *uplink.Desk) error) {
		t.Helper()
		if err := WithUplink(r.ctx, r.config, r.logger(), time.Now, func(d *uplink.Desk) error { return do(r.ctx, d) }); err != nil {
			t.Fatal(err)
		}
	}
	one := r.mustConnect(front)
	if one.Direction.GetLimited() {
		t.Fatalf("without a table: %v", one.Direction)
	}
	table, err := schedule.ParseTable("UTC", []string{"daily 00:00-24:00 8 Mbit/s"})
	if err != nil {
		t.Fatal(err)
	}
	decide(func(ctx context.Context, d *uplink.Desk) error { return d.SetStationBandwidth(ctx, "main", table) })
	if err := one.AwaitDirection(); err != nil {
		t.Fatal(err)
	}
	if got := one.Direction; got.GetBytesPerSecond() != 1_000_000 || got.GetSharePpm() != 1_000_000 || !strings.Contains(got.GetLimitWhy(), "Station main may send 8 Mbit/s") || got.GetStationBandwidth().GetZone() != "UTC" {
		t.Errorf("with a table: %v", got)
	}
	two := r.mustConnect(garage) // the first hears that it shares now
	for one.Direction.GetBytesPerSecond() != 500_000 {
		if err := one.AwaitDirection(); err != nil {
			t.Fatal(err)
		}
	}
	if got := two.Direction.GetBytesPerSecond(); got != 500_000 {
		t.Errorf("the second dock may send %d", got)
	}

	// What waits is told, marked by people, and the mark comes back.
	waiting := evidence.EvidenceID{15: 7}
	if err := upload.WriteMessage(one.Control, &upload.Queue{Recordings: 1, Bytes: 9, Waiting: []*upload.Waiting{{EvidenceId: waiting.String(), Path: "A.MP4", Length: 9}}}); err != nil {
		t.Fatal(err)
	}
	decide(func(ctx context.Context, d *uplink.Desk) error {
		return d.Order(ctx, "front-desk", []evidence.EvidenceID{waiting})
	})
	for len(one.Direction.GetOrder()) == 0 {
		if err := one.AwaitDirection(); err != nil {
			t.Fatal(err)
		}
	}
	if got := one.Direction.GetOrder(); got[0] != waiting.String() {
		t.Errorf("the order is %v", got)
	}
}
