package export_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/verifier"
)

var mib = flag.Int("mib", 64, "length of the recording that benchmarks pack, in MiB")

// BenchmarkPackage makes a package on disk and judges it, each beside the SHA-256 of
// the same file on one core: how many times as long they take.
func BenchmarkPackage(b *testing.B) {
	w := newWorld(b)
	id := w.keep(recording{path: "A.MP4", content: noise(*mib<<20, 1)})
	name := filepath.Join(b.TempDir(), "package.zip")
	var making, judging, hashing time.Duration
	b.SetBytes(int64(*mib) << 20)
	for b.Loop() {
		making += timed(func() {
			f, err := os.Create(name)
			w.must(err)
			p, err := w.service.Make(b.Context(), export.CommandLine(), export.Whole(id))
			w.must(err)
			w.must(errors.Join(p.WriteTo(b.Context(), f), f.Close()))
			p.Close()
		})
		f, err := os.Open(name)
		w.must(err)
		hashing += timed(func() {
			_, err := io.CopyBuffer(struct{ io.Writer }{sha256.New()}, struct{ io.Reader }{f}, make([]byte, 1<<20))
			w.must(err)
		})
		info, err := f.Stat()
		w.must(err)
		judging += timed(func() {
			r, err := verifier.Archive(b.Context(), f, info.Size(), verifier.Options{Pins: w.pins()})
			w.must(err)
			if r.Verdict != verifier.Holds {
				b.Fatal(fails(r))
			}
		})
		w.must(f.Close())
	}
	b.ReportMetric(float64(making)/float64(hashing), "make/sha256")
	b.ReportMetric(float64(judging)/float64(hashing), "verify/sha256")
	b.ReportMetric(float64(*mib)*float64(b.N)/making.Seconds(), "make-MiB/s")
}

func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}
