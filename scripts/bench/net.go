package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
)

type netCommand struct {
	common
	Seconds int    `default:"90" help:"How long the link should be full, at its rate."`
	Only    string `help:"Run only the scenes whose names hold this."`
	Cap     string `help:"The command of sealdock-ingest that limits the dock, {mbit} standing for 10^6 bits a second; without it no limit is measured."`
}

// mbit is 10^6 bits a second.
const mbit = 1e6

// fill is a link, and the share of its rate that must come through as recordings
// that the server holds for good.
type fill struct {
	name  string
	link  netlab.Conditions
	least float64
	clean bool // nothing is lost: two connections must do
}

var fills = []fill{
	{"50 Mbit/s, 20 ms", netlab.Conditions{Rate: 50 * mbit, RTT: 20 * time.Millisecond}, 0.94, true},
	{"100 Mbit/s, 80 ms", netlab.Conditions{Rate: 100 * mbit, RTT: 80 * time.Millisecond}, 0.93, true},
	{"20 Mbit/s, 40 ms, 3 % in bursts", netlab.Conditions{Rate: 20 * mbit, RTT: 40 * time.Millisecond, BurstLoss: 0.03, BurstLen: 5}, 0.90, false},
	{"100 Mbit/s, 80 ms, 1 %", netlab.Conditions{Rate: 100 * mbit, RTT: 80 * time.Millisecond, Loss: 0.01}, 0.80, false},
}

// Run plays every scene in every round, each round with seeds of its own.
func (c *netCommand) Run(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run it with sudo")
	}
	b, err := c.prepare("net")
	if err != nil {
		return err
	}
	for round := range c.Rounds {
		say("round %d of %d", round+1, c.Rounds)
		for _, scene := range c.scenes() {
			if !strings.Contains(scene.name, c.Only) {
				continue
			}
			if err := scene.play(ctx, b, uint64(round+1)); err != nil {
				return fmt.Errorf("%s: %w", scene.name, err)
			}
		}
	}
	c.judge(b.result)
	return b.finish()
}

// scene is one thing that is played on one link.
type scene struct {
	name string
	play func(ctx context.Context, b *bench, seed uint64) error
}

func (c *netCommand) scenes() (all []scene) {
	for _, f := range fills {
		all = append(all,
			scene{f.name, func(ctx context.Context, b *bench, seed uint64) error { return c.fill(ctx, b, f, seed, false) }},
			scene{f.name + ", one recording", func(ctx context.Context, b *bench, seed uint64) error { return c.fill(ctx, b, f, seed, true) }})
	}
	for _, limit := range limits {
		if c.Cap != "" {
			all = append(all, scene{capped(limit), func(ctx context.Context, b *bench, seed uint64) error { return c.hold(ctx, b, seed, limit) }})
		}
	}
	return append(all,
		scene{shared, c.share},
		scene{slowCPU, c.slow},
		scene{firewall, func(ctx context.Context, b *bench, seed uint64) error {
			return c.disturb(ctx, b, seed, firewall, 15*time.Second, func(l *netlab.Lab) { l.DropUDP(true) })
		}},
		scene{rebound, func(ctx context.Context, b *bench, seed uint64) error {
			return c.disturb(ctx, b, seed, rebound, 15*time.Second, (*netlab.Lab).Rebind)
		}},
		scene{moved, func(ctx context.Context, b *bench, seed uint64) error {
			return c.disturb(ctx, b, seed, moved, 15*time.Second, (*netlab.Lab).Readdress)
		}})
}

// limits are caps in 10^6 bits a second; held within 3 % over a minute.
var limits = []int{2, 20, 200}

func capped(limit int) string { return fmt.Sprintf("a limit of %d Mbit/s", limit) }

const (
	shared   = "a TCP connection beside it, 50 Mbit/s, 20 ms"
	slowCPU  = "cost at 100 Mbit/s, 20 ms"
	firewall = "a firewall begins to drop UDP, 20 Mbit/s, 40 ms"
	rebound  = "the source port changes, 20 Mbit/s, 40 ms"
	moved    = "the source address changes, 20 Mbit/s, 40 ms"
)

func (c *netCommand) judge(r *Result) {
	has := func(name string) bool { return strings.Contains(name, c.Only) }
	for _, f := range fills {
		for _, name := range []string{f.name, f.name + ", one recording"} {
			if !has(name) {
				continue
			}
			r.atLeast(name+": share of the rate in recordings held", f.least, r.look(name).Figures["share"])
			if f.clean {
				r.atMost(name+": connections", 2, r.look(name).Figures["connections"])
			}
		}
	}
	for _, limit := range limits {
		if has(capped(limit)) {
			r.atMost(capped(limit)+": how far off over a minute", 0.03, r.look(capped(limit)).Figures["off by"])
		}
	}
	if has(shared) {
		r.atLeast(shared+": what is left to it", 0.40, r.look(shared).Figures["TCP share"])
	}
	if has(slowCPU) {
		r.atMost(slowCPU+": the agent against a sender on stock quic-go", 1.1, ratios(r.look(slowCPU).Figures["agent s/GB"], r.look(slowCPU).Figures["stock sender s/GB"]))
	}
	for _, name := range []string{firewall, rebound, moved} {
		if has(name) {
			r.atMost(name+": seconds until it moves again", 5, r.look(name).Figures["standstill s"])
		}
	}
}

// fill sends as much as the link carries in its time, and takes the share of its
// rate, from the agent's start to the last receipt.
func (c *netCommand) fill(ctx context.Context, b *bench, f fill, seed uint64, single bool) error {
	name := f.name
	if single {
		name += ", one recording"
	}
	r, err := b.loaded(ctx, f.link, seed, time.Duration(c.Seconds)*time.Second, single)
	if err != nil {
		return err
	}
	defer r.close()
	limited, cancel := context.WithTimeout(ctx, time.Duration(4*c.Seconds)*time.Second)
	defer cancel()
	var seen []progress
	took, err := r.send(limited, func(p progress) { seen = append(seen, p) })
	carried := r.docking.bytes()
	if err != nil && ctx.Err() == nil && limited.Err() != nil && len(seen) > 0 { // far too slow: what came through by then counts
		last := seen[len(seen)-1]
		carried, took, err = last.bytes, last.at, nil
	}
	if err != nil {
		return err
	}
	share := func(bytes int64, in time.Duration) float64 { return float64(bytes) * 8 / in.Seconds() / f.link.Rate }
	row := b.result.row(name)
	row.add("share", share(carried, took))
	row.add("steady share", steady(seen, share))
	row.add("connections", float64(r.connections()))
	stats := r.lab.Stats()
	row.add("sent for each byte", float64(stats.Up.Bytes+stats.Up.Lost*1400)/float64(max(carried, 1)))
	say("%s: %.3f of the rate (steady %.3f), %d connections over %s", name, share(carried, took), row.Figures["steady share"][len(row.Figures["steady share"])-1], r.connections(), r.protocols())
	return nil
}

// steady is the share between the first tenth and the last, where neither start
// nor last receipts weigh.
func steady(seen []progress, share func(int64, time.Duration) float64) float64 {
	if len(seen) == 0 {
		return 0
	}
	most := seen[len(seen)-1].bytes
	first := slices.IndexFunc(seen, func(p progress) bool { return p.bytes >= most/10 })
	last := slices.IndexFunc(seen, func(p progress) bool { return p.bytes >= most-most/10 })
	if first < 0 || last <= first {
		return 0
	}
	return share(seen[last].bytes-seen[first].bytes, seen[last].at-seen[first].at)
}

// share lets a plain TCP connection run beside the product on a clean link.
func (c *netCommand) share(ctx context.Context, b *bench, seed uint64) error {
	r, err := b.loaded(ctx, netlab.Conditions{Rate: 50 * mbit, RTT: 20 * time.Millisecond}, seed, time.Duration(c.Seconds)*time.Second, false)
	if err != nil {
		return err
	}
	defer r.close()
	port, stop, err := rival(r.lab)
	if err != nil {
		return err
	}
	defer stop()
	r.lab.Begin()
	if err := r.station.StartAgent(ctx); err != nil {
		return err
	}
	// Both have come up to their rates after 5 s; then as long as both surely send.
	carried := func() (theirs, ours int64) {
		for _, f := range r.lab.Flows() {
			if f.Protocol == "tcp" && f.ServerPort == port {
				theirs += f.Bytes
			} else {
				ours += f.Bytes
			}
		}
		return theirs, ours
	}
	var theirs, ours int64
	var started bool
	until := time.Duration(c.Seconds) * time.Second
	err = r.follow(ctx, func(p progress) bool {
		if !started && p.at > 5*time.Second {
			started = true
			theirs, ours = carried()
		}
		return p.at > until
	})
	if err != nil {
		return err
	}
	endTheirs, endOurs := carried()
	theirs, ours = endTheirs-theirs, endOurs-ours
	row := b.result.row(shared)
	row.add("TCP share", float64(theirs)/float64(max(theirs+ours, 1)))
	row.add("connections", float64(r.connections()-1))
	say("%s: it keeps %.2f", shared, float64(theirs)/float64(max(theirs+ours, 1)))
	return nil
}

// hold limits the dock and takes what the link itself counted over a minute, of
// whole IP packets, from 10 s after the start.
func (c *netCommand) hold(ctx context.Context, b *bench, seed uint64, limit int) error {
	const settle, over = 10 * time.Second, time.Minute
	r, err := b.loaded(ctx, netlab.Conditions{Rate: float64(limit) * 2 * mbit, RTT: 10 * time.Millisecond}, seed, (settle+over)*2/3, false)
	if err != nil {
		return err
	}
	defer r.close()
	if _, err := r.station.Operate(ctx, strings.Fields(strings.ReplaceAll(c.Cap, "{mbit}", fmt.Sprint(limit)))...); err != nil {
		return err
	}
	r.lab.Begin()
	if err := r.station.StartAgent(ctx); err != nil {
		return err
	}
	var from, to progress // bytes here are the link's
	err = r.follow(ctx, func(p progress) bool {
		carried := progress{p.at, r.lab.Stats().Up.Bytes}
		if from.at == 0 && p.at > settle {
			from = carried
		}
		to = carried
		return from.at > 0 && to.at-from.at > over
	})
	if err != nil {
		return err
	}
	if to.at-from.at < over {
		return fmt.Errorf("all was sent within %v: the limit did not hold", to.at)
	}
	got := float64(to.bytes-from.bytes) * 8 / (to.at - from.at).Seconds() / (float64(limit) * mbit)
	row := b.result.row(capped(limit))
	row.add("of the limit", got)
	row.add("off by", math.Abs(got-1))
	say("%s: %.3f of it", capped(limit), got)
	return nil
}

// rival sends over one TCP connection of the kernel until stop.
func rival(lab *netlab.Lab) (port uint16, stop func(), err error) {
	var l net.Listener
	lab.Server.Do(func() { l, err = net.Listen("tcp4", netlab.ServerAddress+":0") })
	if err != nil {
		return 0, nil, err
	}
	go func() {
		if conn, err := l.Accept(); err == nil {
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	var conn net.Conn
	lab.Client.Do(func() { conn, err = net.DialTimeout("tcp4", l.Addr().String(), 5*time.Second) })
	if err != nil {
		return 0, nil, errors.Join(err, l.Close())
	}
	go func() {
		for buf := make([]byte, 256<<10); ; {
			if _, err := conn.Write(buf); err != nil {
				return
			}
		}
	}()
	return uint16(l.Addr().(*net.TCPAddr).Port), func() { conn.Close(); l.Close() }, nil
}

// slow compares what the agent costs on a slow link with a bare sender there.
func (c *netCommand) slow(ctx context.Context, b *bench, seed uint64) error {
	link := netlab.Conditions{Rate: 100 * mbit, RTT: 20 * time.Millisecond}
	r, err := b.loaded(ctx, link, seed, time.Duration(c.Seconds)*time.Second/2, false)
	if err != nil {
		return err
	}
	defer r.close()
	ingest, err := r.station.Ingest.Usage()
	if err != nil {
		return err
	}
	// The agent is a process of its own from here on: all that it uses counts.
	if _, err := r.send(ctx, nil); err != nil {
		return err
	}
	after, err := used(r.station)
	if err != nil {
		return err
	}
	gb := float64(r.docking.bytes()) / 1e9
	row := b.result.row(slowCPU)
	row.add("agent s/GB", after[0].CPU/gb)
	row.add("ingest s/GB", (after[1].CPU-ingest.CPU)/gb)
	if err := r.station.Agent.Stop(ctx); err != nil {
		return err
	}
	sent, received, err := b.transportBetween(ctx, stockQUIC, r.docking.bytes(), netlab.ServerAddress,
		func(cmd *exec.Cmd) error { return r.lab.Server.Start(cmd) }, func(cmd *exec.Cmd) error { return r.lab.Client.Start(cmd) })
	if err != nil {
		return err
	}
	row.add("stock sender s/GB", sent.CPUPerGB)
	row.add("stock receiver s/GB", received.CPUPerGB)
	say("%s: agent %.1f, ingest %.1f, bare sender %.1f, bare receiver %.1f s/GB", slowCPU, after[0].CPU/gb, (after[1].CPU-ingest.CPU)/gb, sent.CPUPerGB, received.CPUPerGB)
	return nil
}

// disturb does something to the link in the middle of a transfer and takes the
// longest time after it in which nothing more became durable.
func (c *netCommand) disturb(ctx context.Context, b *bench, seed uint64, name string, after time.Duration, do func(*netlab.Lab)) error {
	const give = 60 * time.Second // a standstill is given up after it
	r, err := b.loaded(ctx, netlab.Conditions{Rate: 20 * mbit, RTT: 40 * time.Millisecond}, seed, after+15*time.Second, false)
	if err != nil {
		return err
	}
	defer r.close()
	r.lab.Begin()
	if err := r.station.StartAgent(ctx); err != nil {
		return err
	}
	var done bool
	var last progress
	var longest time.Duration
	err = r.follow(ctx, func(p progress) bool {
		if !done && p.at > after {
			done, last = true, p
			do(r.lab)
		}
		if done {
			longest = max(longest, p.at-last.at)
		}
		if p.bytes > last.bytes {
			last = p
		}
		return longest > give
	})
	if err != nil {
		return err
	}
	row := b.result.row(name)
	row.add("standstill s", longest.Seconds())
	row.add("connections", float64(r.connections()))
	stats := r.lab.Stats()
	row.add("sent for each byte", float64(stats.Up.Bytes)/float64(max(last.bytes, 1)))
	say("%s: %.1f s of standstill, then over %s", name, longest.Seconds(), r.protocols())
	return nil
}
