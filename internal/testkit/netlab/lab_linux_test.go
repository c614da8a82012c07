package netlab

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func lab(t *testing.T, c Conditions) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: THE LINK WAS NOT TESTED: network namespaces need root")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("SKIPPED: THE LINK WAS NOT TESTED: %v", err)
	}
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// socket opens a UDP socket in a namespace.
func socket(t *testing.T, h *Host, address string) (c *net.UDPConn) {
	t.Helper()
	var err error
	h.Do(func() { c, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address))) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// seen sends a word from the client, and returns from where the server heard
// it; the zero address when it did not, or when its answer was not heard.
func seen(t *testing.T, client, server *net.UDPConn, word string) netip.AddrPort {
	t.Helper()
	to := server.LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := client.WriteToUDPAddrPort([]byte(word), to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	wait := time.Now().Add(500 * time.Millisecond)
	server.SetReadDeadline(wait)
	n, from, err := server.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:n]) != word {
		return netip.AddrPort{}
	}
	if _, err := server.WriteToUDPAddrPort(buf[:n], from); err != nil {
		t.Fatal(err)
	}
	client.SetReadDeadline(wait)
	if n, _, err = client.ReadFromUDPAddrPort(buf); err != nil || string(buf[:n]) != word {
		return netip.AddrPort{}
	}
	return from
}

func TestARealLinkIsCutFilteredAndRebound(t *testing.T) {
	l := lab(t, Conditions{RTT: 20 * time.Millisecond})
	client, server := socket(t, l.Client, ClientAddress+":40000"), socket(t, l.Server, ServerAddress+":4433")
	l.Begin()
	began := time.Now()
	first := seen(t, client, server, "first")
	if first != netip.MustParseAddrPort(ClientAddress+":40000") {
		t.Fatalf("the server saw %v", first)
	}
	if d := time.Since(began); d < 20*time.Millisecond {
		t.Errorf("a round trip took %v, want 20 ms", d)
	}
	l.Rebind()
	second := seen(t, client, server, "second")
	if second.Addr() != first.Addr() || second.Port() == first.Port() {
		t.Errorf("after a rebinding the server saw %v", second)
	}
	if _, err := server.WriteToUDPAddrPort([]byte("stray"), first); err != nil {
		t.Fatal(err)
	}
	l.Readdress()
	if third := seen(t, client, server, "third"); !third.IsValid() || third.Addr() == first.Addr() {
		t.Errorf("after a change of address the server saw %v", third)
	}
	l.DropUDP(true)
	if at := seen(t, client, server, "dropped"); at.IsValid() {
		t.Error("UDP passed the firewall")
	}
	l.DropUDP(false)
	l.Cut(true)
	if at := seen(t, client, server, "cut"); at.IsValid() {
		t.Error("a packet passed a link that was cut")
	}
	l.Cut(false)
	if at := seen(t, client, server, "whole"); !at.IsValid() {
		t.Error("nothing passes a link that was opened again")
	}
	right := func(s Stats) bool {
		return s.Up.Packets == 4 && s.Up.FirewallDropped == 1 && s.Up.OutageDropped == 1 && s.Down.Packets == 4 && s.Down.Strays == 1
	}
	s := l.Stats()
	tick := time.NewTicker(time.Millisecond) // a packet is counted once it was written
	defer tick.Stop()
	for end := time.Now().Add(time.Second); !right(s) && time.Now().Before(end); s = l.Stats() {
		<-tick.C
	}
	if !right(s) {
		t.Errorf("the statistics are %+v", s)
	}
	flows := l.Flows()
	if len(flows) != 3 {
		t.Errorf("one socket before, between and behind two rebindings is three flows, not %+v", flows)
	}
	for _, f := range flows {
		if f.Protocol != "udp" || f.ServerPort != 4433 || f.Bytes == 0 {
			t.Errorf("a flow is %+v", f)
		}
	}
}

// A client that moves is heard from its new address and hears what is sent there,
// with the translator asleep and awake.
func TestAClientMovesToAnotherAddress(t *testing.T) {
	l := lab(t, Conditions{})
	client, server := socket(t, l.Client, "0.0.0.0:40000"), socket(t, l.Server, ServerAddress+":4433")
	before := seen(t, client, server, "before")
	for _, prepare := range []func(){func() {}, l.Rebind} {
		prepare()
		if err := l.Move(); err != nil {
			t.Fatal(err)
		}
		after := seen(t, client, server, "after")
		if !after.IsValid() || after.Addr() == before.Addr() {
			t.Errorf("the server saw %v, then %v", before, after)
		}
		before = after
	}
}

func TestCommandsStartInTheirNamespace(t *testing.T) {
	l := lab(t, Conditions{})
	var out bytes.Buffer
	table := exec.Command("cat", "/proc/self/net/dev")
	table.Stdout = &out
	if err := l.Server.Start(table); err != nil {
		t.Fatal(err)
	}
	if err := table.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "nl-server") || strings.Contains(out.String(), "eth0") {
		t.Errorf("the command saw\n%s", out.String())
	}
}

func TestTheRateHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes two seconds of real time")
	}
	l := lab(t, Conditions{Rate: 8e6, RTT: 2 * time.Millisecond, Queue: 500_000}) // half a second: enough for a machine that is busy
	client := socket(t, l.Client, ClientAddress+":40000")
	socket(t, l.Server, ServerAddress+":4433") // nobody reads: the link counts
	to := netip.MustParseAddrPort(ServerAddress + ":4433")
	l.Begin()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); <-tick.C {
		for range 3 { // about 35 Mbit/s offered
			if _, err := client.WriteToUDPAddrPort(make([]byte, 1400), to); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := l.Stats()
	if s.Up.Share < 0.95 || s.Up.Share > 1.03 || s.Up.QueueDropped == 0 {
		t.Errorf("the link carried %.3f of its rate and dropped %d at its queue", s.Up.Share, s.Up.QueueDropped)
	}
}
