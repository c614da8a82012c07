package wire_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// What an idle session may cost its server, in bytes: memory that Go has from the
// system for heap and stacks. Both ends are in this process here, so a pair may
// cost the double.
const (
	idleQUIC = 70 << 10
	idleTCP  = 40 << 10
)

func TestAnIdleSessionIsCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: short")
	}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	shared := wire.NewDialer(udp, wire.Options{}) // a socket for each dock would weigh here, where no server is
	defer shared.Close()
	overShared := func(ctx context.Context, addr string, conf *tls.Config, _ wire.Options) (*wire.Session, error) {
		at, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			return nil, err
		}
		return shared.Dial(ctx, at, conf)
	}
	for _, c := range []struct {
		kind  wire.Kind
		dial  dialFunc
		limit int64
	}{{wire.TCP, wire.DialTCP, idleTCP}, {wire.QUIC, overShared, idleQUIC}} {
		t.Run(string(c.kind), func(t *testing.T) {
			const pairs = 300
			_, dial := loopbackOf(t, c.dial, "127.0.0.1:0", wire.Options{StrangersPerSecond: 10000})
			open := func() {
				dock, server := dial()
				streams(t, dock, server)
			}
			for range 20 {
				open()
			}
			before := inUse()
			for range pairs {
				open()
			}
			each := (inUse() - before) / pairs
			t.Logf("%s: %d bytes for a pair of idle sessions with a stream; resident %s", c.kind, each, resident())
			if each > 2*c.limit {
				t.Errorf("%d bytes for both ends, want at most %d", each, 2*c.limit)
			}
		})
	}
}

// inUse is the memory in heap and stacks after collections, in bytes, when it
// does not fall any more: handshakes leave things behind.
func inUse() int64 {
	last := int64(math.MaxInt64)
	for {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		now := int64(m.HeapInuse + m.StackInuse)
		if now >= last-last/200 {
			return now
		}
		last = now
		<-time.After(100 * time.Millisecond)
	}
}

// resident is the process's resident memory, in words.
func resident() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Sprint(err)
	}
	for line := range strings.Lines(string(status)) {
		if size, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(size)
		}
	}
	return "unknown"
}
