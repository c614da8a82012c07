package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/internal/wire"
)

// loopback makes QUIC sessions over real sockets of this machine.
func loopback(t testing.TB, listen string, opt wire.Options) (l *wire.Listener, dial func() (dock, server *wire.Session)) {
	t.Helper()
	return loopbackOf(t, wire.Dial, listen, opt)
}

type dialFunc func(context.Context, string, *tls.Config, wire.Options) (*wire.Session, error)

// loopbackOf makes sessions as dial does.
func loopbackOf(t testing.TB, dialKind dialFunc, listen string, opt wire.Options) (l *wire.Listener, dial func() (dock, server *wire.Session)) {
	t.Helper()
	a := pki.NewAuthority(t)
	l, err := wire.Listen(listen, a.ServerTLS(a.Server(t, "127.0.0.1", "::1", "localhost")), opt)
	if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Skipf("NOT TESTED: this machine cannot listen on %s: %v", listen, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	if host == "" {
		host = "localhost"
	}
	addr := net.JoinHostPort(host, strconv.Itoa(l.Addr().(*net.UDPAddr).Port))
	tlsConf := a.DockTLS(a.Dock(t, "north", "dock-1"), "")
	return l, func() (dock, server *wire.Session) {
		dock, err := dialKind(t.Context(), addr, tlsConf, opt)
		if err != nil {
			t.Fatal(err)
		}
		if server, err = l.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = dock.Close(0, "") })
		return dock, server
	}
}

func TestCoalescedAndPlainReceiveBringTheSameBytes(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		for name, plain := range map[string]bool{"coalesced": false, "plain": true} {
			t.Run(listen+" "+name, func(t *testing.T) {
				l, dial := loopback(t, listen, wire.Options{PlainReceive: plain})
				dock, server := dial()
				var transfers sync.WaitGroup
				defer transfers.Wait()
				for seed := range uint64(3) {
					ours, theirs := streams(t, dock, server)
					transfers.Go(func() {
						sent := make(chan [32]byte, 1)
						go func() { sent <- send(t, ours, seed, 3<<20) }()
						digest := sha256.New()
						if _, err := io.Copy(digest, theirs); err != nil {
							t.Error(err)
						}
						if want := <-sent; !bytes.Equal(digest.Sum(nil), want[:]) {
							t.Error("what arrived is not what was sent")
						}
					})
				}
				transfers.Wait()
				stats := l.Socket()
				if stats.Coalesced == plain && !plain {
					t.Skip("NOT TESTED: this system has no coalesced receive")
				}
				if plain && stats.Coalesced {
					t.Error("coalesced although plain was asked for")
				}
				if !plain && stats.Packets < 2*stats.Datagrams {
					t.Errorf("%d packets in %d datagrams and %d calls: hardly anything was joined", stats.Packets, stats.Datagrams, stats.Calls)
				}
				if perMiB := float64(stats.Calls) / 9; !plain && perMiB > 200 {
					t.Errorf("%.0f receive calls for each MiB", perMiB)
				}
				t.Logf("buffers %d and %d bytes; %d calls, %d datagrams, %d packets", stats.ReceiveBuffer, stats.SendBuffer, stats.Calls, stats.Datagrams, stats.Packets)
			})
		}
	}
}

func TestADialledSocketClosesWithItsSession(t *testing.T) {
	_, dial := loopback(t, "127.0.0.1:0", wire.Options{})
	dock, _ := dial()
	port := dock.LocalAddr().(*net.UDPAddr).Port
	if err := dock.Close(0, ""); err != nil {
		t.Fatal(err)
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		if err == nil {
			_ = c.Close()
			return
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("the socket is still open")
		}
	}
}

func TestAddressesThatCannotBeDialledSayWhy(t *testing.T) {
	a := pki.NewAuthority(t)
	for _, addr := range []string{"", "no-port", "127.0.0.1:0", "127.0.0.1:https", "127.0.0.1:70000"} {
		if _, err := wire.Dial(t.Context(), addr, a.DockTLS(a.Dock(t, "north", "dock-1"), ""), wire.Options{}); err == nil {
			t.Errorf("dialling %q succeeded", addr)
		}
	}
}
