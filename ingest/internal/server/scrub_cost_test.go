package server

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/scrub"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
)

// TestWhatScrubCostsAnUpload measures how fast a dock sends to a server that reads its
// store again at the same time, as fast as the default allows, and to one that does not:
// turn by turn, in one run. It also says how fast the store is read when nothing bounds
// that. The disk and the processors are those of both.
func TestWhatScrubCostsAnUpload(t *testing.T) {
	if os.Getenv("SEALDOCK_SCRUB_COST") == "" {
		t.Skip("it measures: make bench-scrub")
	}
	const rounds, stored, size = 7, 8, 64 << 20
	r := newServer(t)
	r.ctx = t.Context()
	r.config.ScrubCycle = 0 // not by itself
	r.start()
	d := r.enrol("front-desk")
	for i := range stored {
		r.store(d, d.Record(t, "DCIM/OLD"+string(rune('A'+i))+".MP4", footage(size+i)))
	}
	reading := func(most int64) *scrub.Service {
		c := r.config
		c.ScrubCycle, c.ScrubMiB = Duration(time.Second), most
		secrets, err := loadSecrets(&c)
		r.must(err)
		held, err := blobs.New(c.vaultDir())
		r.must(err)
		db := r.catalog()
		ahead := time.Duration(0)
		return c.openScrub(secrets, db, held, r.logger(), func() time.Time {
			ahead += time.Second // all is due again
			return time.Now().Add(ahead)
		})
	}
	began := time.Now()
	_, err := reading(1 << 20).Pass(r.ctx)
	r.must(err)
	unbounded := float64(stored*size) / time.Since(began).Seconds()

	bounded := reading(Defaults().ScrubMiB)
	n := 0
	send := func() float64 {
		n++
		rec := d.Record(t, "DCIM/NEW"+time.Now().Format("150405.000000")+".MP4", footage(2*size+n))
		began := time.Now()
		r.store(d, rec)
		return float64(2*size) / time.Since(began).Seconds()
	}
	send() // the first one warms up
	var alone, beside []float64
	for range rounds {
		alone = append(alone, send())
		ctx, stop := context.WithCancel(r.ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				bounded.Pass(ctx)
			}
		}()
		beside = append(beside, send())
		stop()
		<-done
	}
	slices.Sort(alone)
	slices.Sort(beside)
	a, b := alone[rounds/2], beside[rounds/2]
	t.Logf("upload alone %.0f MB/s (%.0f to %.0f), beside scrub at %d MiB/s %.0f MB/s (%.0f to %.0f): ratio %.2f; scrub unbounded %.0f MB/s",
		a/1e6, alone[0]/1e6, alone[rounds-1]/1e6, Defaults().ScrubMiB, b/1e6, beside[0]/1e6, beside[rounds-1]/1e6, b/a, unbounded/1e6)
	if b < a/2 {
		t.Errorf("reading the store again costs an upload more than half of its rate")
	}
}
