//go:build unix

package wire_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/internal/wire"
)

// link carries bulk one way, in a benchmark.
type link struct {
	open   func(context.Context) (outlet, error)
	accept func(context.Context) (outlet, error)
}

// outlet is a stream of any kind.
type outlet interface {
	io.ReadWriter
	CloseWrite() error
}

// ways are what bulk is compared over. Stock is quic-go with all its defaults,
// raw TLS is the standard library alone.
var ways = []struct {
	name  string
	links func(b *testing.B) []link
}{
	{"stock QUIC", func(b *testing.B) []link { return []link{stockQUIC(b)} }},
	{"QUIC plain receive", func(b *testing.B) []link { return sessions(b, wire.Dial, 1, wire.Options{PlainReceive: true}) }},
	{"QUIC", func(b *testing.B) []link { return sessions(b, wire.Dial, 1, wire.Options{}) }},
	{"QUIC two sessions", func(b *testing.B) []link { return sessions(b, wire.Dial, 2, wire.Options{}) }},
	{"raw TLS", func(b *testing.B) []link { return []link{rawTLS(b)} }},
	{"TCP", func(b *testing.B) []link { return sessions(b, wire.DialTCP, 1, wire.Options{}) }},
	{"TCP two sessions", func(b *testing.B) []link { return sessions(b, wire.DialTCP, 2, wire.Options{}) }},
}

// bulkSize is what one round moves, in bytes.
const bulkSize = 64 << 20

// BenchmarkBulk moves 64 MiB in 1 MiB writes over 127.0.0.1 per round, both ends
// in this process, over one way at a time.
func BenchmarkBulk(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			links := way.links(b)
			b.SetBytes(bulkSize)
			before := processorTime(b)
			for b.Loop() {
				bulk(b, links)
			}
			b.ReportMetric((processorTime(b)-before)/(float64(b.N)*bulkSize/1e9), "cpu-s/GB")
		})
	}
}

// BenchmarkBulkInTurns takes the ways in turn, and logs the medians of processor
// time in s/GB of both ends, and their ratios to stock QUIC and to raw TLS:
//
//	go test -run '^$' -bench BulkInTurns -benchtime 9x -v ./internal/wire
func BenchmarkBulkInTurns(b *testing.B) {
	all := make([][]link, len(ways))
	for i, way := range ways {
		all[i] = way.links(b)
		bulk(b, all[i]) // windows grow
	}
	spent := make([][]float64, len(ways))
	for b.Loop() {
		for i := range ways {
			before := processorTime(b)
			bulk(b, all[i])
			spent[i] = append(spent[i], (processorTime(b)-before)/(bulkSize/1e9))
		}
	}
	medians := make(map[string]float64)
	for i, way := range ways {
		slices.Sort(spent[i])
		medians[way.name] = spent[i][len(spent[i])/2]
	}
	for _, way := range ways {
		m := medians[way.name]
		b.Logf("%-20s %5.2f s/GB  %4.2f of stock QUIC  %4.2f of raw TLS", way.name, m, m/medians["stock QUIC"], m/medians["raw TLS"])
	}
	b.ReportMetric(medians["QUIC"]/medians["stock QUIC"], "QUIC/stock")
	b.ReportMetric(medians["QUIC two sessions"]/medians["stock QUIC"], "QUIC-two/stock")
	b.ReportMetric(medians["TCP"]/medians["raw TLS"], "TCP/raw-TLS")
}

func bulk(b *testing.B, links []link) {
	var g errgroup.Group
	for _, l := range links {
		g.Go(func() error { return push(b, l, bulkSize/len(links)) })
		g.Go(func() error { return drain(b, l) })
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

// sessions are our own.
func sessions(b *testing.B, kind dialFunc, n int, opt wire.Options) []link {
	_, dial := loopbackOf(b, kind, "127.0.0.1:0", opt)
	links := make([]link, n)
	for i := range links {
		dock, server := dial()
		links[i] = link{
			func(ctx context.Context) (outlet, error) { return dock.OpenStream(ctx) },
			func(ctx context.Context) (outlet, error) { return server.AcceptStream(ctx) },
		}
	}
	return links
}

type stockStream struct{ *quic.Stream }

func (s stockStream) CloseWrite() error { return s.Close() }

func stockQUIC(b *testing.B) link {
	a := pki.NewAuthority(b)
	l, err := quic.ListenAddr("127.0.0.1:0", a.ServerTLS(a.Server(b, "127.0.0.1")), nil)
	if err != nil {
		b.Fatal(err)
	}
	dock, err := quic.DialAddr(b.Context(), l.Addr().String(), a.DockTLS(a.Dock(b, "north", "dock-1"), "127.0.0.1"), nil)
	if err != nil {
		b.Fatal(err)
	}
	server, err := l.Accept(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = dock.CloseWithError(0, "")
		_ = l.Close()
	})
	return link{
		func(ctx context.Context) (outlet, error) {
			s, err := dock.OpenStreamSync(ctx)
			return stockStream{s}, err
		},
		func(ctx context.Context) (outlet, error) {
			s, err := server.AcceptStream(ctx)
			return stockStream{s}, err
		},
	}
}

// rawStream is one connection for one round after the other: the end of a round
// is a byte of its own.
type rawStream struct {
	*tls.Conn
	left int
}

func (s *rawStream) CloseWrite() error {
	_, err := s.Write([]byte{1})
	return err
}

// Read implements io.Reader, for one round.
func (s *rawStream) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.Conn.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

func rawTLS(b *testing.B) link {
	a := pki.NewAuthority(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	accepted := make(chan *tls.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s := tls.Server(conn, a.ServerTLS(a.Server(b, "127.0.0.1")))
		if s.Handshake() == nil {
			accepted <- s
		}
	}()
	dock, err := tls.Dial("tcp", l.Addr().String(), a.DockTLS(a.Dock(b, "north", "dock-1"), "127.0.0.1"))
	if err != nil {
		b.Fatal(err)
	}
	server := <-accepted
	b.Cleanup(func() {
		_ = dock.Close()
		_ = server.Close()
		_ = l.Close()
	})
	return link{
		func(context.Context) (outlet, error) { return &rawStream{dock, 1}, nil },
		func(context.Context) (outlet, error) { return &rawStream{server, bulkSize + 1}, nil },
	}
}

func push(b *testing.B, l link, size int) error {
	stream, err := l.open(b.Context())
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

func drain(b *testing.B, l link) error {
	stream, err := l.accept(b.Context())
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
