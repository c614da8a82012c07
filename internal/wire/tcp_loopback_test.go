package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/internal/wire/wiretest"
)

func TestBothKindsShareAPort(t *testing.T) {
	for kind, dialKind := range map[wire.Kind]dialFunc{wire.QUIC: wire.Dial, wire.TCP: wire.DialTCP} {
		for _, listen := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
			t.Run(string(kind)+" "+listen, func(t *testing.T) {
				_, dial := loopbackOf(t, dialKind, listen, wire.Options{})
				dock, server := dial()
				if dock.Kind() != kind || server.Kind() != kind {
					t.Fatalf("a session of kind %s and %s", dock.Kind(), server.Kind())
				}
				ours, theirs := streams(t, dock, server)
				sent := make(chan [32]byte, 1)
				go func() { sent <- send(t, ours, 9, 8<<20) }()
				digest := sha256.New()
				if _, err := io.Copy(digest, theirs); err != nil {
					t.Fatal(err)
				}
				if want := <-sent; !bytes.Equal(digest.Sum(nil), want[:]) {
					t.Error("what arrived is not what was sent")
				}
				carried(t, dock, server)
			})
		}
	}
}

// carried checks the figures of a session that has carried 8 MiB to the server.
func carried(t *testing.T, dock, server *wire.Session) {
	t.Helper()
	up, down := dock.Traffic(), server.Traffic()
	const payload = 8 << 20
	again := up.LostPackets * 1500 // a busy machine drops what its own loopback carries
	if up.SentBytes < payload || up.SentBytes > payload*5/4+again {
		t.Errorf("%d bytes sent for %d, %d packets lost", up.SentBytes, payload, up.LostPackets)
	}
	if up.SentPackets < payload/(64<<10) || up.SentBytes < payload+up.SentPackets*(20+8) {
		t.Errorf("%d packets in %d bytes", up.SentPackets, up.SentBytes)
	}
	if down.ReceivedPackets == 0 || up.ReceivedPackets == 0 || down.SentBytes > payload/4 {
		t.Errorf("the dock has %+v, the server %+v", up, down)
	}
	if up.RTT <= 0 || up.RTT > 5*time.Second {
		t.Errorf("%v there and back", up.RTT)
	}
	if runtime.GOOS == "linux" && (dock.Socket().SendBuffer == 0 || dock.Congestion() == "" || server.Congestion() == "") {
		t.Errorf("socket %+v, congestion %q and %q", dock.Socket(), dock.Congestion(), server.Congestion())
	}
	t.Logf("%s, %s: %+v", dock.Kind(), dock.Congestion(), up)
	if err := dock.Close(0, ""); err != nil {
		t.Fatal(err)
	}
	<-dock.Context().Done()
	if after := dock.Traffic(); after.SentBytes < up.SentBytes {
		t.Errorf("after the end: %+v", after)
	}
}

func TestACloseArrivesThoughMuchIsUnread(t *testing.T) {
	for name, dialKind := range map[string]dialFunc{"quic": wire.Dial, "tcp": wire.DialTCP} {
		t.Run(name, func(t *testing.T) {
			_, dial := loopbackOf(t, dialKind, "127.0.0.1:0", wire.Options{})
			dock, server := dial()
			ours, _ := streams(t, dock, server)
			stuck := make(chan error, 1)
			go func() {
				_, err := ours.Write(make([]byte, 32<<20)) // the server reads nothing of it
				stuck <- err
			}()
			for server.Traffic().ReceivedPackets < 10 {
				runtime.Gosched()
			}
			began := time.Now()
			if err := server.Close(7, "no more"); err != nil {
				t.Fatal(err)
			}
			var peer *wire.PeerError
			if err := <-stuck; !errors.As(err, &peer) || peer.Code != 7 || peer.Reason != "no more" {
				t.Errorf("the dock's write ended with %v", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestTCPCanBeTurnedOff(t *testing.T) {
	e := newEnds(t)
	l, err := wire.Listen("127.0.0.1:0", e.server, wire.Options{NoTCP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = wire.DialTCP(t.Context(), l.Addr().String(), e.dock, wire.Options{})
	refusedWith(t, err, "does it take TCP?")
}

func TestWhatDoesNotSpeakTLSIsTold(t *testing.T) {
	e := newEnds(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n"))
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	_, err = wire.DialTCP(t.Context(), l.Addr().String(), e.dock, wire.Options{})
	refusedWith(t, err, "does not speak TLS")
}

// A listener's places and handshakes, with clients that say nothing.
func TestSilentClientsKeepNobodyOut(t *testing.T) {
	both(t, func(t *testing.T, kind wire.Kind) {
		if kind == wire.QUIC {
			return // has no connection before its first packet
		}
		e, n := newEnds(t), wiretest.New(t, wiretest.Conditions{RTT: 40 * time.Millisecond})
		l := n.Listen(t, e.server, wire.Options{MaxHandshakes: 8, MaxSessions: 100})
		var silent []net.Conn
		for range 20 {
			conn, err := n.Connect()
			if err != nil {
				t.Fatal(err)
			}
			silent = append(silent, conn)
		}
		synctest.Wait()
		if _, err := n.DialTCP(t.Context(), e.dock, wire.Options{}); err != nil {
			t.Fatalf("among silent clients: %v", err)
		}
		if _, err := l.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		cut := 0
		for _, conn := range silent {
			if conn.SetReadDeadline(time.Now().Add(time.Second)) != nil {
				t.Fatal("no deadline")
			}
			if _, err := conn.Read(make([]byte, 1)); !isTimeout(err) {
				cut++
			}
		}
		if cut < 12 {
			t.Errorf("%d of 20 were cut off with 8 places", cut)
		}
		began := time.Now()
		for _, conn := range silent {
			_ = conn.SetReadDeadline(time.Time{})
			_, _ = io.Copy(io.Discard, conn)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("the last was cut off after %v", took)
		}
	})
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestARefusedSessionIsToldSo(t *testing.T) {
	e := newEnds(t)
	l, err := wire.Listen("127.0.0.1:0", e.server, wire.Options{MaxSessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e.dock.ServerName = "ingest.example"
	first, err := wire.DialTCP(t.Context(), l.Addr().String(), e.dock, wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close(0, "")
	for name, dial := range map[string]dialFunc{"quic": wire.Dial, "tcp": wire.DialTCP} {
		if _, err := dial(t.Context(), l.Addr().String(), e.dock, wire.Options{}); !errors.Is(err, wire.ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		}
	}
}

// The dial stops with its context, in every phase.
func TestADialOverTCPEndsWithItsContext(t *testing.T) {
	e := newEnds(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := wire.DialTCP(ctx, l.Addr().String(), e.dock, wire.Options{}); err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
