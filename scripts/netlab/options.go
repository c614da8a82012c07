package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
)

// options are what the command line says.
type options struct {
	link           netlab.Conditions
	server, client string
	settle, grace  time.Duration
	stats          string
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("netlab", flag.ContinueOnError)
	f.SetOutput(usage)
	preset := func(s string) error {
		c, ok := netlab.Presets()[s]
		if !ok {
			var names []string
			for name := range netlab.Presets() {
				names = append(names, name)
			}
			slices.Sort(names)
			return fmt.Errorf("no such preset: there are %s", strings.Join(names, ", "))
		}
		c.Seed = o.link.Seed
		o.link = c
		return nil
	}
	// A preset stands first: what follows it changes it.
	if i := slices.IndexFunc(args, func(a string) bool { return a == "-preset" || a == "--preset" }); i > 0 {
		return o, errors.New("-preset must be the first flag: those behind it change it")
	}
	f.Func("preset", "named conditions, as the first flag: office, wan, wan-loss, lte-poor, lan, flaky", preset)
	rate := func(to *float64) func(string) error {
		return func(s string) (err error) { *to, err = parseRate(s); return err }
	}
	share := func(to *float64) func(string) error {
		return func(s string) (err error) { *to, err = parseShare(s); return err }
	}
	spans := func(to *[]netlab.Span) func(string) error {
		return func(s string) (err error) { *to, err = parseSpans(s); return err }
	}
	times := func(to *[]time.Duration) func(string) error {
		return func(s string) (err error) { *to, err = parseTimes(s); return err }
	}
	f.Func("rate", "rate each way, as 50mbit or 1gbit; 0 is unlimited", rate(&o.link.Rate))
	f.Func("rate-down", "rate from server to client, where it differs", rate(&o.link.RateDown))
	f.DurationVar(&o.link.RTT, "rtt", 0, "round-trip time added, half each way")
	f.DurationVar(&o.link.Jitter, "jitter", 0, "delay added one way, uniform below it; order is kept")
	f.IntVar(&o.link.Queue, "queue", 0, "bytes that the queue takes; 0 is one rate x RTT, at least 64 KiB")
	f.Func("loss", "share lost one by one, as 1%", share(&o.link.Loss))
	f.Func("burst-loss", "share lost in bursts, as 3%", share(&o.link.BurstLoss))
	f.Float64Var(&o.link.BurstLen, "burst-len", 0, "mean length of a burst in packets; 0 is 5")
	f.Func("loss-dir", "where there is loss: both, up (client to server), down", func(s string) error {
		directions := map[string]netlab.Direction{"both": netlab.Both, "up": netlab.Up, "down": netlab.Down}
		d, ok := directions[s]
		if !ok {
			return errors.New("want both, up or down")
		}
		o.link.Lossy = d
		return nil
	})
	f.Func("outages", "when nothing passes, from the client's start, as 5s+3s,20s+10s", spans(&o.link.Outages))
	f.Func("drop-udp", "when a firewall drops UDP both ways, as 10s+60s", spans(&o.link.UDPDrops))
	f.Func("rebind", "when the client's source ports change, as 5s,10s", times(&o.link.Rebinds))
	f.Func("readdress", "when the client's source address changes, and its ports, as 5s", times(&o.link.Readdress))
	f.IntVar(&o.link.MTU, "mtu", 0, "of the link; 0 is 1500")
	f.Uint64Var(&o.link.Seed, "seed", 1, "of loss and jitter")
	f.StringVar(&o.link.TCPCC, "tcp-cc", "", "congestion control of TCP in both namespaces, as cubic")
	f.StringVar(&o.server, "server", "", "command to run in the server's namespace")
	f.StringVar(&o.client, "client", "", "command to run in the client's namespace")
	f.DurationVar(&o.settle, "settle", 300*time.Millisecond, "wait between the server's start and the client's")
	f.DurationVar(&o.grace, "stop-timeout", 5*time.Second, "what the server has to end in after SIGTERM")
	f.StringVar(&o.stats, "stats", "", "write the statistics to this file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", f.Arg(0))
	}
	if o.client == "" {
		return o, errors.New("-client is needed")
	}
	return o, nil
}
