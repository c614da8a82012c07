package upload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/internal/wire/wiretest"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// A month of a dock's life in virtual time: recordings every day, a table that
// forbids the day and limits the night, outages from seconds to hours, blocked
// UDP, servers that stop in order or are gone, and a dock's clock that is set
// back and forth by hours. All arrives, each once, and no segment comes twice but
// those that an outage or a lost server took.
func TestAMonthOfOutagesTablesAndWrongClocks(t *testing.T) {
	const days = 30
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(26, 11))
		m := newMonth(t)
		var all []spool.Recording
		var want [][]byte
		breaks := 0
		for day := range days {
			for n := range 1 + random.IntN(3) {
				want = append(want, noise(byte(day*3+n), 1+random.IntN(5*mib)))
				all = append(all, m.put(fmt.Sprintf("D%02d-%d.MP4", day, n), want[len(want)-1]))
			}
			morning := time.Now()
			m.server.direct(&protocol.Direction{Limited: true, LimitWhy: "By day."})
			m.pass(time.Duration(1+random.IntN(8)) * time.Hour)
			m.server.direct(&protocol.Direction{Limited: true, BytesPerSecond: uint64(50_000 + random.IntN(400_000))})
			for range 1 + random.IntN(3) {
				m.pass(time.Duration(random.IntN(40)) * time.Second)
				breaks++
				m.trouble(random)
			}
			m.clock.Store(int64(random.IntN(12)-6) * int64(time.Hour))
			m.pass(time.Until(morning.Add(24 * time.Hour)))
		}
		m.server.direct(&protocol.Direction{})
		m.pass(time.Hour)
		for i, rec := range all {
			m.arrived(rec, want[i])
		}
		m.server.set(func() {
			t.Logf("%d recordings over %d days with %d troubles: %d sessions, %d segments, %d of them twice", len(all), days, breaks, m.server.sessions, m.server.sent, m.server.twice)
			if m.server.twice > breaks {
				t.Errorf("%d segments came twice over %d troubles", m.server.twice, breaks)
			}
			if n := len(m.server.receipts); n != len(all) {
				t.Errorf("the server stored %d recordings of %d", n, len(all))
			}
		})
		m.stop()
	})
}

// month is a station whose server is at the other end of a network in memory.
type month struct {
	*station
	network *wiretest.Network
	clock   atomic.Int64 // how far the dock's clock is ahead, nanoseconds
	stop    func()
}

func newMonth(t *testing.T) *month {
	t.Helper()
	key, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		t.Fatal(err)
	}
	m := &month{network: wiretest.New(t, wiretest.Conditions{RTT: 30 * time.Millisecond})}
	m.station = &station{t: t, key: key, server: newIngest(t, key.Public())}
	m.serve()
	m.ready()
	dials := map[wire.Kind]wiretest.Dial{wire.QUIC: m.network.Dials(t, wire.QUIC, wire.Options{}), wire.TCP: m.network.Dials(t, wire.TCP, wire.Options{})}
	m.stop = m.run(func(o *Options) {
		o.First, o.Longest, o.StatusEvery, o.PolicyEvery = time.Second, 20*time.Second, time.Hour, time.Hour
		o.Now = func() time.Time { return time.Now().Add(time.Duration(m.clock.Load())) }
		o.Dial = func(ctx context.Context, kind wire.Kind) (lanes.Session, error) {
			session, err := dials[kind](ctx, m.tls)
			if err != nil {
				return nil, err
			}
			return lanes.Wired(session), nil
		}
	})
	return m
}

// serve puts a server at the network's end.
func (m *month) serve() {
	m.t.Helper()
	certificate, err := m.server.authority.IssueServer([]string{"localhost"}, time.Now())
	if err != nil {
		m.t.Fatal(err)
	}
	m.server.take(m.network.Listen(m.t, identity.ServerTLS(certificate, m.server.authority.Pool()), wire.Options{ResetKey: &[32]byte{1}}))
}

// pass lets virtual time pass.
func (m *month) pass(d time.Duration) { <-time.After(d) }

// trouble is one of the things that go wrong, from its beginning to its end.
func (m *month) trouble(random *rand.Rand) {
	long := []time.Duration{3 * time.Second, 40 * time.Second, 11 * time.Minute, 5 * time.Hour}[random.IntN(4)]
	switch random.IntN(5) {
	case 0:
		m.network.Blackout(true)
		m.pass(long)
		m.network.Blackout(false)
	case 1: // UDP alone
		m.network.SetLoss(1)
		m.pass(long)
		m.network.SetLoss(0)
	case 2: // the server vanishes, and another process is in its place later
		m.network.RestartServer(m.t)
		m.pass(long)
		m.serve()
	case 3: // it says so before
		d := m.server.direction
		m.server.direct(&protocol.Direction{Limited: d.GetLimited(), BytesPerSecond: d.GetBytesPerSecond(), Draining: true, BackWithinMs: 20_000})
		m.server.set(func() { m.server.direction = d })
	case 4: // the dock's clock jumps
		m.clock.Add(int64(random.IntN(7200)-3600) * int64(time.Second))
	}
}
