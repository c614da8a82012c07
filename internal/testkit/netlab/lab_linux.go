package netlab

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Addresses of the two ends, from the range for benchmarks (RFC 2544). They are
// seen only inside the namespaces.
const (
	ClientAddress = "198.18.0.1"
	ServerAddress = "198.18.0.2"
)

// Lab is two namespaces and the link between them. Safe for concurrent use.
type Lab struct {
	Client, Server *Host

	conditions Conditions
	gate       *gate
	translator *translator
	up, down   *link
	running    sync.WaitGroup

	mu     sync.Mutex // guards all below
	began  time.Time
	timers []*time.Timer
}

// Open makes the namespaces and lets packets pass. Call Close.
func Open(c Conditions) (*Lab, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	client, err := newHost("nl-client", netip.MustParseAddr(ClientAddress), c)
	if err != nil {
		return nil, err
	}
	server, err := newHost("nl-server", netip.MustParseAddr(ServerAddress), c)
	if err != nil {
		return nil, errors.Join(err, client.close())
	}
	l := &Lab{
		Client: client, Server: server, conditions: c, began: time.Now(),
		gate:       &gate{outages: c.Outages, udpDrops: c.UDPDrops},
		translator: newTranslator(netip.MustParseAddr(ClientAddress).As4()),
	}
	up, down := c.ways()
	outward := func(p []byte) bool { l.translator.out(p); return true }
	l.up = newLink(client.tun, server.tun, l.gate, outward, newShaper(up, c.Seed))
	l.down = newLink(server.tun, client.tun, l.gate, l.translator.home, newShaper(down, c.Seed+1))
	for _, work := range []func(){l.up.read, l.up.deliver, l.down.read, l.down.deliver} {
		l.running.Go(work)
	}
	return l, nil
}

// Begin is the moment from which outages, drops and rebindings count, and the
// statistics too.
func (l *Lab) Begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = time.Now()
	for _, k := range []*link{l.up, l.down} {
		k.count.reset()
		k.flows.reset()
	}
	l.gate.begin(l.began)
	for _, at := range l.conditions.Rebinds {
		l.timers = append(l.timers, time.AfterFunc(at, l.Rebind))
	}
	for _, at := range l.conditions.Readdress {
		l.timers = append(l.timers, time.AfterFunc(at, l.Readdress))
	}
}

// Cut closes the link, or opens it again.
func (l *Lab) Cut(closed bool) { l.gate.set(&closed, nil) }

// DropUDP lets a firewall drop UDP both ways, or no longer.
func (l *Lab) DropUDP(drop bool) { l.gate.set(nil, &drop) }

// Rebind has the translator forget: the client's packets have other source
// ports from here, and answers to the old ones are lost.
func (l *Lab) Rebind() { l.translator.forget(false) }

// Readdress is Rebind with another source address.
func (l *Lab) Readdress() { l.translator.forget(true) }

// Traffic is what passed one way, and what did not.
type Traffic struct {
	PacketsIn       int64   `json:"packets_in"`
	Packets         int64   `json:"packets"`
	Bytes           int64   `json:"bytes"` // of IP packets delivered
	Lost            int64   `json:"lost"`
	QueueDropped    int64   `json:"queue_dropped"`
	OutageDropped   int64   `json:"outage_dropped"`
	FirewallDropped int64   `json:"firewall_dropped"`
	Strays          int64   `json:"strays"` // to a port that the translator has forgotten
	MbitPerS        float64 `json:"mbit_per_s"`
	Share           float64 `json:"share_of_rate,omitempty"` // of the link's rate; 0 where it is unlimited
}

// Stats are of both directions since Begin.
type Stats struct {
	Seconds float64 `json:"seconds"`
	Up      Traffic `json:"up"`
	Down    Traffic `json:"down"`
}

// Stats tells what has passed so far.
func (l *Lab) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Seconds: time.Since(l.began).Seconds()}
	one := func(k *link) Traffic {
		t := k.count.read()
		t.MbitPerS = float64(t.Bytes) * 8 / s.Seconds / 1e6
		if rate := k.shaper.way.bitsPerSec; rate > 0 {
			t.Share = t.MbitPerS * 1e6 / rate
		}
		return t
	}
	s.Up, s.Down = one(l.up), one(l.down)
	return s
}

// Flows are the connections that have carried something to the server since
// Begin, the largest first.
func (l *Lab) Flows() []Flow { return l.up.flows.list() }

// Close takes the devices away and ends the namespaces' threads. Commands still
// running in a namespace keep it, without its link.
func (l *Lab) Close() error {
	l.mu.Lock()
	for _, t := range l.timers {
		t.Stop()
	}
	l.mu.Unlock()
	err := errors.Join(l.Client.close(), l.Server.close())
	l.running.Wait()
	if err != nil {
		return fmt.Errorf("closing the link: %w", err)
	}
	return nil
}
