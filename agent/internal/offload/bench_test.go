package offload

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// BenchmarkCopy copies one recording: read, hash, seal, write, flush, read and
// compare again, sign and commit. The camera costs next to nothing.
func BenchmarkCopy(b *testing.B) {
	private, err := seal.GeneratePrivateKey()
	if err != nil {
		b.Fatal(err)
	}
	key, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := spool.Open(b.Context(), spool.Options{Dir: b.TempDir(), Now: time.Now, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	desk := New(Options{Spool: s, Agency: "riverton", Station: "north", Dock: "front-desk", AgencyKey: private.Public(), Signer: key, Version: "bench", Now: time.Now, Log: log, KeepOnCard: true})
	c := newCamera("CAM-1")
	data := noise(1, 128*mib)
	c.record("A.MP4", evidence.KindVideo, data)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		d := desk.Docking("1-1", fakeLink{c})
		ended := make(chan struct{})
		go func() { defer close(ended); _ = d.Serve(ctx) }()
		for {
			changed := s.Changed()
			waiting, err := s.Waiting(b.Context(), 1)
			if err != nil {
				b.Fatal(err)
			}
			if len(waiting) == 1 {
				if err := s.Received(b.Context(), waiting[0].Evidence, waiting[0].Attempt, spool.Receipt{Envelope: []byte("r")}); err != nil {
					b.Fatal(err)
				}
				break
			}
			<-changed
		}
		cancel()
		<-ended
		c.objects[0].CapturedRaw += "x" // the next round finds another recording
	}
}
