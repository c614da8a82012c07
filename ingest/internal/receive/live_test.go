package receive_test

import (
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/upload"
)

func TestLiveShowsDocksAndTransfers(t *testing.T) {
	w := start(t, receive.Options{})
	client := w.connect()
	docks := w.live.Docks()
	if len(docks) != 1 || !docks[0].Connected || docks[0].Station != "main" || docks[0].AgentVersion != "test" {
		t.Fatalf("docks are %+v", docks)
	}
	status := &upload.Status{AtUs: 1, SpoolBytes: 77, Bays: []*upload.Bay{{Port: "1-1", State: upload.BayCopying, BatteryPercent: 50}}}
	changed := w.live.Changed()
	if err := upload.WriteMessage(client.Control, status); err != nil {
		t.Fatal(err)
	}
	await(t, w, changed)
	if got := w.live.Docks()[0].Status; got.GetSpoolBytes() != 77 || len(got.GetBays()) != 1 {
		t.Fatalf("status is %v", got)
	}
	r := w.dock.Record(t, "A.MP4", make([]byte, 2<<20))
	s, _, err := client.Offer(w.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(r, 0, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(2); err != nil {
		t.Fatal(err)
	}
	for { // the acknowledgement goes out before the state is shown
		changed = w.live.Changed()
		got := w.live.Transfers()
		if len(got) != 1 || got[0].Stage != receive.StageReceiving || got[0].Dock != "front-desk" {
			t.Fatalf("transfers are %+v", got)
		}
		if got[0].Durable == 2<<20 {
			break
		}
		await(t, w, changed)
	}
	changed = w.live.Changed()
	client.Close()
	for len(w.live.Transfers()) > 0 || w.live.Docks()[0].Connected {
		await(t, w, changed)
		changed = w.live.Changed()
	}
}

func await(t *testing.T, w *world, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-w.ctx.Done():
		t.Fatal("nothing changed")
	}
}
