package wire_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/internal/wire/wiretest"
)

func TestStrangersProveTheirAddressUnderLoad(t *testing.T) {
	for name, c := range map[string]struct {
		perSecond int
		proofs    bool
	}{
		"calm":      {100, false},
		"a rush":    {1, true},
		"every one": {-1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEnds(t)
				n := wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
				l := n.Listen(t, e.server, wire.Options{StrangersPerSecond: c.perSecond})
				d := n.Dialer(t, wire.Options{})
				for i := range 6 {
					s, err := d.Dial(t.Context(), n.ServerAddr(), e.dock)
					if err != nil {
						t.Fatalf("session %d: %v", i, err)
					}
					if _, err := l.Accept(t.Context()); err != nil {
						t.Fatalf("session %d: %v", i, err)
					}
					if err := s.Close(0, ""); err != nil {
						t.Fatal(err)
					}
				}
				if got := l.AddressProofs(); (got > 0) != c.proofs {
					t.Errorf("%d demands to prove the address", got)
				}
			})
		})
	}
}

func TestMoreSessionsThanPlacesAreRefused(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		e := newEnds(t)
		n := wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
		l := n.Listen(t, e.server, wire.Options{MaxSessions: 1})
		dial := n.Dials(t, kind, wire.Options{})
		first, err := dial(t.Context(), e.dock)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := dial(t.Context(), e.dock); !errors.Is(err, wire.ErrRefused) {
			t.Errorf("second session: %v, want ErrRefused", err)
		}
		if err := first.Close(0, ""); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if _, err := dial(t.Context(), e.dock); err != nil {
			t.Errorf("after the first ended: %v", err)
		}
	})
}

func TestShutdownEndsEverySession(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		e := newEnds(t)
		n := wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
		l := n.Listen(t, e.server, wire.Options{})
		dock, err := n.Dials(t, kind, wire.Options{})(t.Context(), e.dock)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		if l.Sessions() != 1 {
			t.Errorf("%d sessions, want 1", l.Sessions())
		}
		accepting := make(chan error, 1)
		go func() {
			_, err := l.Accept(context.Background())
			accepting <- err
		}()
		synctest.Wait()
		if err := l.Shutdown(3, "going away"); err != nil {
			t.Error(err)
		}
		if err := <-accepting; !errors.Is(err, wire.ErrClosed) {
			t.Errorf("Accept ended with %v, want ErrClosed", err)
		}
		<-dock.Context().Done()
		var peer *wire.PeerError
		if !errors.As(dock.Err(), &peer) || peer.Code != 3 {
			t.Errorf("the dock's session ended with %v", dock.Err())
		}
		synctest.Wait()
		if l.Sessions() != 0 {
			t.Errorf("%d sessions are left", l.Sessions())
		}
		if err := l.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
	})
}

func TestARestartedServerIsNoticedAtTheNextPacket(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		e := newEnds(t)
		opt := wire.Options{ResetKey: &[32]byte{1, 2, 3}}
		n := wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
		before := n.Listen(t, e.server, opt)
		dock, err := n.Dials(t, kind, wire.Options{})(t.Context(), e.dock)
		if err != nil {
			t.Fatal(err)
		}
		server, err := before.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ours, _ := streams(t, dock, server)
		n.RestartServer(t)
		n.Listen(t, e.server, opt)
		began := time.Now()
		if _, err := ours.Write(make([]byte, 4<<10)); err != nil && !errors.Is(err, wire.ErrLost) {
			t.Fatal(err)
		}
		if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, wire.ErrLost) {
			t.Errorf("the dock read %v, want ErrLost", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("noticed after %v", took)
		}
	})
}

func TestABudgetBoundsWindowsAndComesBack(t *testing.T) {
	for name, limit := range map[string]uint64{"roomy": 64 << 20, "tight": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, kind wire.Kind) {
				budget := wire.NewBudget(limit)
				n := wiretest.New(t, wiretest.Conditions{RTT: 200 * time.Millisecond})
				dock, server := wiretest.PairOf(t, kind, n, wire.Options{Budget: budget})
				ours, theirs := streams(t, dock, server)
				go send(t, ours, 7, 24<<20)
				buffer, highest := make([]byte, 64<<10), uint64(0)
				for {
					_, err := theirs.Read(buffer)
					highest = max(highest, budget.Granted())
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if highest > limit {
					t.Errorf("%d bytes granted of %d", highest, limit)
				}
				if name == "roomy" && highest == 0 {
					t.Error("no window ever grew: the test shows nothing")
				}
				if err := errors.Join(dock.Close(0, ""), server.Close(0, "")); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if left := budget.Granted(); left != 0 {
					t.Errorf("%d bytes are still held after the sessions ended", left)
				}
			})
		})
	}
}
