package lanes

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/internal/wire/wiretest"
)

// station is a server that welcomes whoever asks and swallows the rest, and a
// dock that pumps, on a network in memory.
type station struct {
	network *wiretest.Network
	taken   atomic.Int64 // bytes that the server read
	lanes   *Lanes
}

func newStation(t *testing.T, c wiretest.Conditions) *station {
	s := &station{network: wiretest.New(t, c)}
	authority := pki.NewAuthority(t)
	listener := s.network.Listen(t, authority.ServerTLS(authority.Server(t, wiretest.ServerName)), wire.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	go s.accept(ctx, listener)
	conf := authority.DockTLS(authority.Dock(t, "north", "dock-1"), wiretest.ServerName)
	dials := map[wire.Kind]wiretest.Dial{}
	for _, kind := range []wire.Kind{wire.QUIC, wire.TCP} {
		dials[kind] = s.network.Dials(t, kind, wire.Options{})
	}
	s.lanes = New(Options{Serve: pump, Busy: func() bool { return true }, Cores: 1, Dial: func(ctx context.Context, kind wire.Kind) (Session, error) {
		session, err := dials[kind](ctx, conf)
		if err != nil {
			return nil, err
		}
		return Wired(session), nil
	}})
	done := make(chan error, 1)
	go func() { done <- s.lanes.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

func (s *station) accept(ctx context.Context, l *wire.Listener) {
	for {
		session, err := l.Accept(ctx)
		if err != nil {
			return
		}
		go func() {
			for {
				stream, err := session.AcceptStream(ctx)
				if err != nil {
					return
				}
				go s.take(stream)
			}
		}()
	}
}

func (s *station) take(stream *wire.Stream) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(stream, first); err != nil {
		return
	}
	if first[0] == 'h' {
		_, _ = stream.Write(first)
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := stream.Read(buffer)
		s.taken.Add(int64(n))
		if err != nil {
			_ = stream.CloseWrite()
			return
		}
	}
}

// pump is a Serve that greets and sends for as long as it may.
func pump(ctx context.Context, lane *Lane) error {
	control, err := lane.Session().OpenStream(ctx)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { control.Reset(3) })()
	if _, err := control.Write([]byte("h")); err != nil {
		return err
	}
	if _, err := io.ReadFull(control, make([]byte, 1)); err != nil {
		return err
	}
	lane.Welcomed()
	bulk, err := lane.Session().OpenStream(ctx)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { bulk.Reset(3) })()
	segment := make([]byte, 256<<10)
	segment[0] = 'b'
	for {
		if _, err := lane.Write(ctx, bulk, segment, false); err != nil {
			return err
		}
		select {
		case <-lane.Retiring():
			if err := bulk.CloseWrite(); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, bulk)
			return err
		default:
		}
	}
}

func TestBytesMoveOnOverTCPWhenUDPIsCutAndBackOverQUIC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, wiretest.Conditions{RTT: 20 * time.Millisecond})
		s.lanes.SetLimit(true, 1e6) // so that the test is not all sending
		connectedWithin(t, s.lanes, time.Second, over(wire.QUIC))
		<-time.After(5 * time.Second)
		s.network.SetLoss(1) // of packets; TCP is not touched
		<-time.After(100 * time.Millisecond)
		before, cut := s.taken.Load(), time.Now()
		for s.taken.Load() < before+100_000 {
			<-time.After(50 * time.Millisecond)
		}
		if took := time.Since(cut); took > 5*time.Second {
			t.Errorf("bytes moved again after %v", took)
		}
		<-time.After(time.Second)
		if state := s.lanes.State(); state.Over != wire.TCP || !strings.Contains(state.Why, "UDP does not get through") {
			t.Errorf("%+v", state)
		}
		s.network.SetLoss(0)
		connectedWithin(t, s.lanes, time.Minute, over(wire.QUIC))
		<-time.After(time.Second)
		before = s.taken.Load()
		<-time.After(10 * time.Second)
		if went := s.taken.Load() - before; went < 9e6 {
			t.Errorf("%d bytes in 10 s after the way back", went)
		}
		if state := s.lanes.State(); state.Lanes != 1 || state.Failure != nil {
			t.Errorf("%+v", state)
		}
	})
}

func TestWhereUDPIsBlockedFromTheBeginningTCPServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, wiretest.Conditions{RTT: 20 * time.Millisecond, Loss: 1})
		s.lanes.SetLimit(true, 1e6)
		if took := connectedWithin(t, s.lanes, 5*time.Second, over(wire.TCP)); took > 2*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

func TestTheLimitHoldsOnTheWire(t *testing.T) {
	for name, c := range map[string]struct {
		conditions wiretest.Conditions
		noQUIC     bool
		rate       float64
	}{
		"QUIC, 1 % lost": {wiretest.Conditions{RTT: 40 * time.Millisecond, Loss: 0.01, Seed: 1}, false, 2 * mbit},
		"QUIC, clean":    {wiretest.Conditions{RTT: 20 * time.Millisecond}, false, 8 * mbit},
		"TCP":            {wiretest.Conditions{RTT: 20 * time.Millisecond}, true, 2 * mbit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, c.conditions)
				if c.noQUIC {
					s.network.SetLoss(1)
				}
				s.lanes.SetLimit(true, uint64(c.rate))
				connectedWithin(t, s.lanes, 5*time.Second, anything)
				<-time.After(time.Second)
				sent := func() float64 {
					s.lanes.limit.mu.Lock()
					defer s.lanes.limit.mu.Unlock()
					return s.lanes.limit.sent()
				}
				before, taken := sent(), s.taken.Load()
				<-time.After(time.Minute)
				if share := (sent() - before) / (c.rate * 60); share < 0.97 || share > 1.03 {
					t.Errorf("%.3f of the limit went in a minute", share)
				}
				if share := float64(s.taken.Load()-taken) / (c.rate * 60); share < 0.9 {
					t.Errorf("the server took %.3f of the limit", share)
				}
			})
		})
	}
}
