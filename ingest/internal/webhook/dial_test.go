package webhook_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

// names is a DNS server for one test: it answers each name with the addresses that of
// gives for it, asked anew each time.
func names(t *testing.T, of func(name string) []netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	serving.Go(func() {
		packet := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			var asked dnsmessage.Message
			if asked.Unpack(packet[:n]) != nil || len(asked.Questions) != 1 {
				continue
			}
			q := asked.Questions[0]
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: asked.ID, Response: true, Authoritative: true, RecursionAvailable: true}, Questions: asked.Questions}
			head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
			for _, ip := range of(strings.TrimSuffix(q.Name.String(), ".")) {
				switch {
				case q.Type == dnsmessage.TypeA && ip.Is4():
					answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: ip.As4()}})
				case q.Type == dnsmessage.TypeAAAA && ip.Is6():
					answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
				}
			}
			if packed, err := answer.Pack(); err == nil {
				conn.WriteTo(packed, from)
			}
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// doors are listeners on this machine that count who knocks.
func doors(t *testing.T) (port string, knocks *atomic.Int64) {
	t.Helper()
	knocks = new(atomic.Int64)
	all, err := net.Listen("tcp", ":0") // IPv4 and IPv6, every address of this machine
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { all.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			c, err := all.Accept()
			if err != nil {
				return
			}
			knocks.Add(1)
			c.Close()
		}
	})
	_, port, err = net.SplitHostPort(all.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, knocks
}

// However an inside address is written, as a number or behind a name, nothing connects to
// it.
func TestNoSpellingOfAnInsideAddressIsReached(t *testing.T) {
	behind := map[string]string{ // names that an attacker has
		"loopback.example": "127.0.0.1", "private-a.example": "10.0.0.5", "private-b.example": "172.16.9.9", "private-c.example": "192.168.1.1", "metadata.example": "169.254.169.254",
		"shared.example": "100.64.0.1", "unspecified.example": "0.0.0.0", "broadcast.example": "255.255.255.255", "multicast.example": "224.0.0.251", "reserved.example": "240.0.0.1",
		"benchmark.example": "198.18.0.1", "six-loopback.example": "::1", "six-unspecified.example": "::", "six-link.example": "fe80::1", "six-site.example": "fec0::1", "six-local.example": "fd12:3456::1",
		"six-multicast.example": "ff02::1", "nat64.example": "64:ff9b::7f00:1", "nat64-local.example": "64:ff9b:1::a00:5", "six-to-four.example": "2002:7f00:1::", "teredo.example": "2001:0:7f00:1::",
		"compatible.example": "::127.0.0.1", "mapped.example": "::ffff:127.0.0.1", "translated.example": "::ffff:0:127.0.0.1", "metadata-six.example": "fd00:ec2::254", "discard.example": "100::1",
	}
	resolver := names(t, func(name string) (all []netip.Addr) {
		if ip, ok := behind[name]; ok {
			all = append(all, netip.MustParseAddr(ip))
		}
		return all
	})
	port, knocks := doors(t)
	spellings := []string{
		"127.0.0.1", "127.8.9.10", "localhost", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "0", "0.0.0.0", "127.0.0.1.", "LOCALHOST", "localhost.",
		"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::10.0.0.5]", "[2002:7f00:1::1]", "[fe80::1]", "[fd00::1]",
		"[ff02::1]", "10.0.0.5", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.100.100.200", "224.0.0.1", "255.255.255.255", "198.19.0.1", "192.0.0.192", "②⑦.0.0.1", "127。0。0。1", "%31%32%37.0.0.1",
	}
	for name := range behind {
		spellings = append(spellings, name)
	}
	g := newRig(t)
	s := g.service(func(c *webhook.Config) {
		c.Resolver = resolver
		c.Networks = func(context.Context) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} }
	})
	refused := 0
	for i, host := range spellings {
		w, _, err := s.For(g.fresh()).Make(t.Context(), fmt.Sprintf("hook %d", i), "https://"+host+":"+port+"/", []evidence.EventType{evidence.EventEvidenceStored})
		if err != nil {
			refused++ // it is no address of the form that is kept
			continue
		}
		d, err := s.For(g.fresh()).Test(t.Context(), w.ID)
		g.must(err)
		if d.Trouble == "" || d.Status != 0 || !strings.Contains(d.Trouble, "not public") && !strings.Contains(d.Trouble, "no such host") {
			t.Errorf("%s: %+v", host, d)
		}
		g.must(s.For(g.fresh()).Delete(t.Context(), w.ID))
	}
	if n := knocks.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	if refused > 5 || len(spellings) < 60 {
		t.Errorf("%d of %d were refused before anything was looked up", refused, len(spellings))
	}
	t.Logf("%d spellings", len(spellings))
}

// A name that means something public when it is looked at and something inside when it is
// used gains nothing; nor does one that means both.
func TestANameThatChangesItsMeaningGainsNothing(t *testing.T) {
	port, knocks := doors(t)
	g := newRig(t)
	public, inside := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("127.0.0.1")
	var asked atomic.Int64
	for name, of := range map[string]func(string) []netip.Addr{
		"changing": func(string) []netip.Addr {
			if asked.Add(1) <= 2 { // A and AAAA
				return []netip.Addr{public}
			}
			return []netip.Addr{inside}
		},
		"both": func(string) []netip.Addr { return []netip.Addr{inside, public} },
	} {
		// What stands for a public address here is let in, and leads nowhere.
		s := g.service(func(c *webhook.Config) {
			c.Resolver = names(t, of)
			c.Networks = func(context.Context) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")} }
			c.Patience = 200_000_000
		})
		w, _, err := s.For(g.fresh()).Make(t.Context(), name, "https://rebound.example:"+port+"/", []evidence.EventType{evidence.EventEvidenceStored})
		g.must(err)
		for range 3 {
			if d, err := s.For(g.fresh()).Test(t.Context(), w.ID); err != nil || d.Trouble == "" {
				t.Errorf("%+v %v", d, err)
			}
		}
	}
	if n := knocks.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// A network that is let in is reached, another one beside it is not; and when it is let
// in no more, not even over a connection that stands.
func TestALetInNetworkIsReachedAsLongAsItIs(t *testing.T) {
	g := newRig(t)
	r := newReceiver(t, g.Clock.Now, nil)
	letIn := loopback
	s := g.service(trusting(r), func(c *webhook.Config) { c.Networks = func(context.Context) []netip.Prefix { return letIn } })
	w, _ := g.hook(s, r, "records")
	_, port, _ := net.SplitHostPort(r.Listener.Addr().String())
	beside, _, err := s.For(g.fresh()).Make(t.Context(), "beside", "https://127.0.0.2:"+port+"/", []evidence.EventType{evidence.EventEvidenceStored})
	g.must(err)
	try := func(id string, reached bool) {
		t.Helper()
		if d, err := s.For(g.fresh()).Test(t.Context(), id); err != nil || (d.Status == http.StatusOK) != reached || !reached && !strings.Contains(d.Trouble, "webhooks.networks") {
			t.Errorf("%+v %v", d, err)
		}
	}
	try(w.ID, true)
	try(beside.ID, false)
	letIn = nil
	try(w.ID, false)
	letIn = loopback
	try(w.ID, true)
}
