package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/internal/wire/wiretest"
)

// both runs a test on virtual time, once with each kind of session.
func both(t *testing.T, test func(t *testing.T, kind wire.Kind)) {
	for _, kind := range []wire.Kind{wire.QUIC, wire.TCP} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, kind) })
		})
	}
}

// send writes n random bytes in pieces, ends the write side, and gives their
// digest.
func send(t *testing.T, s *wire.Stream, seed uint64, n int) [32]byte {
	t.Helper()
	random := rand.NewChaCha8([32]byte{byte(seed)})
	digest := sha256.New()
	piece := make([]byte, 64<<10)
	for n > 0 {
		piece = piece[:min(n, len(piece))]
		_, _ = random.Read(piece) // never fails
		digest.Write(piece)
		if _, err := s.Write(piece); err != nil {
			t.Errorf("sending: %v", err)
			break
		}
		n -= len(piece)
	}
	if err := s.CloseWrite(); err != nil {
		t.Errorf("ending: %v", err)
	}
	return [32]byte(digest.Sum(nil))
}

// streams opens a stream at the dock and accepts it at the server.
func streams(t *testing.T, dock, server *wire.Session) (ours, theirs *wire.Stream) {
	t.Helper()
	ours, err := dock.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	theirs, err = server.AcceptStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(theirs, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

func TestBytesArriveWholeWhateverTheNetworkLoses(t *testing.T) {
	for name, c := range map[string]wiretest.Conditions{
		"clean":        {RTT: 20 * time.Millisecond},
		"1 percent":    {RTT: 80 * time.Millisecond, Loss: 0.01, Seed: 1},
		"10 percent":   {RTT: 40 * time.Millisecond, Loss: 0.10, Seed: 2},
		"long and bad": {RTT: 600 * time.Millisecond, Loss: 0.05, Seed: 3},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, kind wire.Kind) {
				n := wiretest.New(t, c)
				dock, server := wiretest.PairOf(t, kind, n, wire.Options{})
				ours, theirs := streams(t, dock, server)
				sent := make(chan [32]byte, 1)
				go func() { sent <- send(t, ours, c.Seed, 2<<20) }()
				digest := sha256.New()
				if _, err := io.Copy(digest, theirs); err != nil {
					t.Fatal(err)
				}
				if want := <-sent; !bytes.Equal(digest.Sum(nil), want[:]) {
					t.Error("what arrived is not what was sent")
				}
				if kind == wire.QUIC && c.Loss > 0 && n.Lost() == 0 {
					t.Error("nothing was lost: the test shows nothing")
				}
			})
		})
	}
}

func TestAnIdleSessionIsKeptAlive(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		dock, server := wiretest.PairOf(t, kind, wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond}), wire.Options{})
		ended, cancel := context.WithTimeout(dock.Context(), time.Hour)
		defer cancel()
		<-ended.Done()
		if err := errors.Join(dock.Err(), server.Err()); err != nil {
			t.Errorf("after an idle hour: %v", err)
		}
	})
}

func TestAVanishedPeerIsNoticedWithinTheIdleTime(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		n := wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
		dock, server := wiretest.PairOf(t, kind, n, wire.Options{})
		_, theirs := streams(t, dock, server)
		n.Blackout(true)
		began := time.Now()
		_, err := theirs.Read(make([]byte, 1))
		if !errors.Is(err, wire.ErrIdle) {
			t.Errorf("the server read %v, want ErrIdle", err)
		}
		if took := time.Since(began); took < 20*time.Second || took > 51*time.Second {
			t.Errorf("the server noticed after %v", took)
		}
		<-dock.Context().Done()
		if !errors.Is(dock.Err(), wire.ErrIdle) {
			t.Errorf("the dock's session ended with %v, want ErrIdle", dock.Err())
		}
		if took := time.Since(began); took > 76*time.Second { // the idle time from its last keep-alive on
			t.Errorf("the dock noticed after %v", took)
		}
	})
}

func TestAShortBlackoutCostsNothing(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		n := wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
		dock, server := wiretest.PairOf(t, kind, n, wire.Options{})
		ours, theirs := streams(t, dock, server)
		sent := make(chan [32]byte, 1)
		go func() { sent <- send(t, ours, 4, 4<<20) }()
		digest := sha256.New()
		if _, err := io.CopyN(digest, theirs, 1<<20); err != nil {
			t.Fatal(err)
		}
		n.Blackout(true)
		<-time.After(10 * time.Second)
		n.Blackout(false)
		if _, err := io.Copy(digest, theirs); err != nil {
			t.Fatal(err)
		}
		if want := <-sent; !bytes.Equal(digest.Sum(nil), want[:]) {
			t.Error("what arrived is not what was sent")
		}
	})
}

func TestCloseTellsThePeerCodeAndReason(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		dock, server := wiretest.PairOf(t, kind, wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond}), wire.Options{})
		ours, _ := streams(t, dock, server)
		if err := server.Close(3, "going\naway"); err != nil {
			t.Fatal(err)
		}
		_, err := ours.Read(make([]byte, 1))
		var peer *wire.PeerError
		if !errors.As(err, &peer) || peer.Code != 3 || peer.Reason != "going?away" {
			t.Errorf("the dock read %v", err)
		}
		if !errors.Is(server.Err(), wire.ErrClosed) {
			t.Errorf("the server's own session ended with %v, want ErrClosed", server.Err())
		}
		if _, err := server.OpenStream(t.Context()); !errors.Is(err, wire.ErrClosed) {
			t.Errorf("opening on a closed session: %v", err)
		}
	})
}

func TestAResetReachesBothDirections(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		dock, server := wiretest.PairOf(t, kind, wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond}), wire.Options{})
		ours, theirs := streams(t, dock, server)
		ours.Reset(2)
		var reset *wire.ResetError
		if _, err := theirs.Read(make([]byte, 1)); !errors.As(err, &reset) || reset.Code != 2 || !reset.Peer {
			t.Errorf("reading: %v", err)
		}
		<-theirs.Context().Done()
		if _, err := theirs.Write([]byte{1}); !errors.As(err, &reset) || reset.Code != 2 || !reset.Peer {
			t.Errorf("writing: %v", err)
		}
		if _, err := ours.Read(make([]byte, 1)); !errors.As(err, &reset) || reset.Peer {
			t.Errorf("reading on the side that broke off: %v", err)
		}
		if dock.Err() != nil || server.Err() != nil {
			t.Error("a reset of a stream ended the session")
		}
	})
}

func TestARefusalCanBeReadAfterReadingWasStopped(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		dock, server := wiretest.PairOf(t, kind, wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond}), wire.Options{})
		ours, theirs := streams(t, dock, server)
		if _, err := theirs.Write([]byte("why")); err != nil {
			t.Fatal(err)
		}
		theirs.StopRead(2)
		if err := theirs.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		<-ours.Context().Done()
		var reset *wire.ResetError
		if _, err := ours.Write(make([]byte, 1<<20)); !errors.As(err, &reset) || reset.Code != 2 {
			t.Errorf("writing: %v", err)
		}
		got, err := io.ReadAll(ours)
		if err != nil || string(got) != "why" {
			t.Errorf("read %q, %v", got, err)
		}
	})
}

func TestADeadlineEndsAReadAndNotTheStream(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		dock, server := wiretest.PairOf(t, kind, wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond}), wire.Options{})
		ours, theirs := streams(t, dock, server)
		if err := theirs.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		if err := theirs.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := ours.Write([]byte("on")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 2)
		if _, err := io.ReadFull(theirs, got); err != nil || string(got) != "on" {
			t.Errorf("read %q, %v", got, err)
		}
	})
}

func TestAPeerCannotOpenMoreStreamsThanAllowed(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		dock, server := wiretest.PairOf(t, kind, wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond}), wire.Options{MaxStreams: 3})
		var last *wire.Stream
		for range 3 {
			ours, theirs := streams(t, dock, server)
			_, last = ours, theirs
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := dock.OpenStream(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a fourth stream: %v", err)
		}
		last.Reset(0)
		if _, err := dock.OpenStream(t.Context()); err != nil {
			t.Errorf("after one ended: %v", err)
		}
	})
}

func TestAnUrgentStreamGoesFirst(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		n := wiretest.New(t, wiretest.Conditions{RTT: 200 * time.Millisecond})
		dock, server := wiretest.PairOf(t, kind, n, wire.Options{})
		bulk, bulkIn := streams(t, dock, server)
		urgent, urgentIn := streams(t, dock, server)
		bulk.Prefer(7)
		urgent.Prefer(0)
		const size = 4 << 20
		const much = 4 * size // more than is on its way before the urgent one begins
		done := make(chan string, 2)
		for name, s := range map[string]*wire.Stream{"bulk": bulkIn, "urgent": urgentIn} {
			go func() {
				if _, err := io.CopyN(io.Discard, s, map[string]int64{"bulk": much, "urgent": size}[name]); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				done <- name
			}()
		}
		go send(t, bulk, 5, much)
		<-time.After(300 * time.Millisecond)
		go send(t, urgent, 6, size)
		if first := <-done; first != "urgent" {
			t.Errorf("%s was done first", first)
		}
		<-done
	})
}
