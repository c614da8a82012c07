package custody_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/custody"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/tlog"
)

// countedLog counts checkpoints.
type countedLog struct {
	*audit.Log
	checkpoints atomic.Int64
}

func (l *countedLog) Sequence(ctx context.Context) (tlog.Checkpoint, []byte, error) {
	l.checkpoints.Add(1)
	return l.Log.Sequence(ctx)
}

// newBenchRig is a store as in production, custody log included.
func newBenchRig(b *testing.B) (*rig, *countedLog) {
	g := newRig(b)
	g.stop()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	log, err := audit.Open(b.Context(), audit.Config{
		Catalog: g.db, Tiles: fs.Tiles(filepath.Join(g.dir, "log")), Key: g.point.Private(), Origin: origin, Node: "bench", Now: time.Now, Logger: quiet,
	})
	g.check(err)
	counted := &countedLog{Log: log}
	g.custody = custody.New(custody.Config{
		Catalog: g.db, Vault: g.vault, Log: counted, LogOrigin: origin, LogPublicKey: g.point.Public(), Keys: g.ring, ReceiptKey: g.sign,
		Version: "bench", Now: time.Now, Logger: quiet,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- g.custody.Run(ctx) }()
	g.stop = func() {
		cancel()
		g.custody.Close()
		g.check(<-ran)
	}
	return g, counted
}

// take takes a recording from its offer to its receipt with as few syncs as
// receive asks for.
func (g *rig) take(r *receivetest.Recording) error {
	ctx := g.t.Context()
	admission, err := g.offer(g.peer, r)
	if err != nil {
		return err
	}
	in := admission.Intake
	defer in.Close()
	for i := range uint64(len(r.Sealed)) {
		if _, err := in.Segment(ctx, i, r.Sealed[i]); err != nil {
			return err
		}
		if i%8 == 7 {
			if _, err := in.Sync(ctx); err != nil {
				return err
			}
		}
	}
	_, err = in.Finish(ctx, func(receive.Stage) {})
	return err
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkSmallItems takes items of 64 KiB from offer to receipt, without the
// network.
func BenchmarkSmallItems(b *testing.B) {
	for _, streams := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			g, log := newBenchRig(b)
			items := make([]*receivetest.Recording, b.N)
			for i := range items {
				items[i] = g.dock.Record(b, fmt.Sprintf("DCIM/%06d.JSON", i), bytesOf(fmt.Sprint(i), 64<<10))
			}
			work := make(chan *receivetest.Recording)
			var running sync.WaitGroup
			b.ResetTimer()
			before := cpuTime(b)
			for range streams {
				running.Go(func() {
					for r := range work {
						if err := g.take(r); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for _, r := range items {
				work <- r
			}
			close(work)
			running.Wait()
			b.ReportMetric(float64(log.checkpoints.Load())/float64(b.N), "checkpoints/item")
			b.ReportMetric(float64(cpuTime(b)-before)/1e6/float64(b.N), "cpu-ms/item")
		})
	}
}

// BenchmarkLargeItem takes items of 64 MiB from offer to receipt, without the
// network.
func BenchmarkLargeItem(b *testing.B) {
	const size = 64 << 20
	g, _ := newBenchRig(b)
	plain := bytesOf("large", size)
	b.SetBytes(size)
	var used time.Duration
	for i := range b.N {
		b.StopTimer()
		r := g.dock.Record(b, fmt.Sprintf("DCIM/%d.MP4", i), plain)
		b.StartTimer()
		before := cpuTime(b)
		if err := g.take(r); err != nil {
			b.Fatal(err)
		}
		used += cpuTime(b) - before
	}
	b.ReportMetric(used.Seconds()/float64(b.N)/(size/1e9), "cpu-s/GB")
}
