//go:build unix

package wire_test

import (
	"io"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/internal/wire"
)

// BenchmarkBulk moves 64 MiB in 1 MiB writes over 127.0.0.1 per round. Compare
// the variants within one run only.
func BenchmarkBulk(b *testing.B) {
	for _, c := range []struct {
		name     string
		plain    bool
		sessions int
	}{{"plain", true, 1}, {"coalesced", false, 1}, {"coalesced two sessions", false, 2}} {
		b.Run(c.name, func(b *testing.B) {
			l, dial := loopback(b, "127.0.0.1:0", wire.Options{PlainReceive: c.plain})
			pairs := make([][2]*wire.Session, c.sessions)
			for i := range pairs {
				pairs[i][0], pairs[i][1] = dial()
			}
			const size = 64 << 20
			b.SetBytes(size)
			before := processorTime(b)
			for b.Loop() {
				var g errgroup.Group
				for _, pair := range pairs {
					g.Go(func() error { return push(b, pair[0], size/len(pairs)) })
					g.Go(func() error { return drain(b, pair[1]) })
				}
				if err := g.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			spent := processorTime(b) - before
			b.ReportMetric(spent/(float64(b.N)*size/1e9), "cpu-s/GB")
			if stats := l.Socket(); stats.Calls > 0 {
				b.ReportMetric(float64(stats.Packets)/float64(stats.Calls), "packets/call")
			}
		})
	}
}

func push(b *testing.B, s *wire.Session, size int) error {
	stream, err := s.OpenStream(b.Context())
	if err != nil {
		return err
	}
	segment := make([]byte, 1<<20)
	for ; size > 0; size -= len(segment) {
		if _, err := stream.Write(segment); err != nil {
			return err
		}
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stream)
	return err
}

func drain(b *testing.B, s *wire.Session) error {
	stream, err := s.AcceptStream(b.Context())
	if err != nil {
		return err
	}
	buffer := make([]byte, 1<<20)
	for {
		if _, err := stream.Read(buffer); err == io.EOF {
			return stream.CloseWrite()
		} else if err != nil {
			return err
		}
	}
}

// processorTime is what this process has spent so far, in seconds.
func processorTime(b *testing.B) float64 {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}
