package lanes

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/internal/wire/wiretest"
)

// bottleneck is a path with a rate and a queue towards the server, on virtual
// time, for UDP alone: so QUIC's own congestion control decides what a lane
// carries.
type bottleneck struct {
	rate  float64 // bytes a second
	queue float64 // bytes; what is longer is lost
	rtt   time.Duration
	loss  float64

	mu      sync.Mutex // guards all below
	ports   map[string]*port
	random  *rand.Rand
	busy    time.Time // until when the line is taken
	passed  float64   // bytes that reached the server
	dialled int
}

type packet struct {
	data []byte
	from net.Addr
}

// port is a packet connection at one end of the bottleneck.
type port struct {
	path  *bottleneck
	addr  *net.UDPAddr
	in    chan packet
	ended chan struct{} // closed at the first deadline or Close
	once  sync.Once
}

func (b *bottleneck) port(addr *net.UDPAddr) *port {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &port{path: b, addr: addr, in: make(chan packet, 1<<14), ended: make(chan struct{})}
	b.ports[addr.String()] = p
	return p
}

func (p *port) ReadFrom(to []byte) (int, net.Addr, error) {
	select {
	case packet := <-p.in:
		return copy(to, packet.data), packet.from, nil
	case <-p.ended:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

var serverAddr = &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7443}

func (p *port) WriteTo(data []byte, to net.Addr) (int, error) {
	b := p.path
	b.mu.Lock()
	defer b.mu.Unlock()
	target := b.ports[to.String()]
	size := float64(len(data) + 28)
	now, delay := time.Now(), b.rtt/2
	if to.String() == serverAddr.String() {
		if b.busy.Before(now) {
			b.busy = now
		}
		if b.busy.Sub(now).Seconds()*b.rate+size > b.queue || b.random.Float64() < b.loss {
			return len(data), nil
		}
		b.busy = b.busy.Add(time.Duration(size / b.rate * 1e9))
		delay += b.busy.Sub(now)
		b.passed += size
	}
	if target != nil {
		kept := packet{append([]byte(nil), data...), p.addr}
		time.AfterFunc(delay, func() {
			select {
			case target.in <- kept:
			default:
			}
		})
	}
	return len(data), nil
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

func (p *port) LocalAddr() net.Addr              { return p.addr }
func (p *port) SetDeadline(time.Time) error      { return nil }
func (p *port) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline ends reading: that is all that QUIC wants of it.
func (p *port) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		return p.Close()
	}
	return nil
}

// docks runs docks that pump over one bottleneck.
func docks(t *testing.T, b *bottleneck, n int) []*Lanes {
	b.ports, b.random = map[string]*port{}, rand.New(rand.NewPCG(3, 4))
	authority := pki.NewAuthority(t)
	server := b.port(serverAddr)
	listener, err := wire.NewListener(server, authority.ServerTLS(authority.Server(t, wiretest.ServerName)), wire.Options{NoTCP: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &station{}
	go s.accept(ctx, listener)
	conf := authority.DockTLS(authority.Dock(t, "north", "dock-1"), wiretest.ServerName)
	dial := func(ctx context.Context, kind wire.Kind) (Session, error) {
		b.mu.Lock()
		b.dialled++
		addr := &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 40000 + b.dialled}
		b.mu.Unlock()
		d := wire.NewDialer(b.port(addr), wire.Options{})
		session, err := d.Dial(ctx, serverAddr, conf)
		if err != nil {
			_ = d.Close()
			return nil, err
		}
		context.AfterFunc(session.Context(), func() { _ = d.Close() })
		return Wired(session), nil
	}
	var all []*Lanes
	var running sync.WaitGroup
	for range n {
		l := New(Options{Serve: pump, Dial: dial, NoTCP: true, Cores: 2, Busy: func() bool { return true }})
		all = append(all, l)
		running.Go(func() { _ = l.Run(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = listener.Close()
		_ = server.Close()
	})
	return all
}

func (b *bottleneck) share(over time.Duration) float64 {
	passed := func() float64 {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.passed
	}
	before := passed()
	<-time.After(over)
	return (passed() - before) / over.Seconds() / b.rate
}

func TestOneLaneFillsACleanLinkAndStaysAlone(t *testing.T) {
	for name, b := range map[string]*bottleneck{
		"20 ms":        {rate: 20 * mbit, queue: 64 << 10, rtt: 20 * time.Millisecond},
		"80 ms":        {rate: 20 * mbit, queue: 200e3, rtt: 80 * time.Millisecond},
		"a long queue": {rate: 10 * mbit, queue: 500e3, rtt: 40 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := docks(t, b, 1)[0]
				<-time.After(3 * time.Second)
				if share := b.share(27 * time.Second); share < 0.93 {
					t.Errorf("%.3f of the link are used", share)
				}
				if b.dialled > 1 {
					t.Errorf("%d connections were dialled: %s", b.dialled, l.State().Why)
				}
			})
		})
	}
}

func TestDocksOnACleanLinkDoNotOutnumberEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bottleneck{rate: 20 * mbit, queue: 64 << 10, rtt: 20 * time.Millisecond}
		docks(t, b, 2)
		<-time.After(60 * time.Second)
		if b.dialled > 2 {
			t.Errorf("two docks dialled %d connections", b.dialled)
		}
	})
}

func TestQUICLanesGrowOnALossyLinkWhileThatPays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bottleneck{rate: 20 * mbit, queue: 200e3, rtt: 80 * time.Millisecond, loss: 0.01}
		l := docks(t, b, 1)[0]
		<-time.After(20 * time.Second)
		if share := b.share(20 * time.Second); share < 0.7 {
			t.Errorf("%.3f of the link are used: %s", share, l.State().Why)
		}
		t.Log(l.State().Why)
	})
}

func TestLanesThatReachTheLimitStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bottleneck{rate: 20 * mbit, queue: 200e3, rtt: 80 * time.Millisecond, loss: 0.01}
		l := docks(t, b, 1)[0]
		l.SetLimit(true, 5*mbit)
		<-time.After(30 * time.Second)
		dialled := b.dialled
		if share := b.share(time.Minute) * b.rate / (5 * mbit); share < 0.9 || share > 1.03 {
			t.Errorf("%.3f of the limit: %s", share, l.State().Why)
		}
		if n := b.dialled - dialled; n > 2 {
			t.Errorf("%d connections were dialled in a minute: %s", n, l.State().Why)
		}
	})
}
