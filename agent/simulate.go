package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/sealdock/sealdock/agent/internal/simulate"
	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/internal/wire"
)

type simulateCommand struct {
	Docks    int           `required:"" placeholder:"N" help:"How many docks."`
	Folder   string        `required:"" type:"path" placeholder:"DIR" help:"Folder that keeps the docks' keys and certificates: a second run needs no tokens."`
	Server   string        `placeholder:"URL" help:"The server, to enrol docks that the folder has not: https://host:8443"`
	Tokens   string        `type:"path" placeholder:"FILE" help:"Tokens for these docks, as sealdock-ingest dock-tokens made them."`
	Pace     float64       `default:"100" placeholder:"N" help:"How many docks a second begin to connect, at most (${default}); no more than 64 are waited for at once."`
	Patience time.Duration `default:"2m" help:"How long it may be that no dock is welcomed (${default})."`
	Idle     time.Duration `help:"Scene: stay connected for so long with nothing to send."`
	Burst    int           `placeholder:"K" help:"Scene: every dock offers K recordings at once."`
	SizeKiB  uint64        `name:"size-kib" default:"1024" placeholder:"KIB" help:"Length of each recording (${default} KiB)."`
	InFlight int           `default:"4" placeholder:"N" help:"Recordings that one dock has under way at once (${default})."`
	Status   time.Duration `default:"3m" help:"How often a dock repeats a status that has not changed (${default}, as real ones do)."`
	Policy   time.Duration `default:"20s" help:"How often a dock asks for its policy (${default}, as real ones do)."`
	Over     string        `enum:"both,quic,tcp" default:"both" help:"What docks connect over: both, quic or tcp (${default})."`
	Sockets  int           `placeholder:"N" help:"UDP sockets that the docks share; one for each 500 docks unless given."`
	JSON     string        `name:"json" type:"path" placeholder:"FILE" help:"Write the figures there too."`
	Verbose  bool          `help:"Write to standard error what happens to each connection."`
}

// Run runs the scenes: all docks connect, stay idle, then upload.
func (c *simulateCommand) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	folder, err := c.enrolled(ctx)
	if err != nil {
		return err
	}
	network, err := simulate.OpenNetwork(folder.Server, folder.Docks[:c.Docks], c.Sockets)
	if err != nil {
		return err
	}
	fleet, err := simulate.New(c.options(folder, network))
	if err != nil {
		return errors.Join(err, network.Close())
	}
	watching, stop := context.WithCancel(ctx)
	go show(watching, fleet)
	played := c.play(ctx, fleet)
	stop()
	report := fleet.Report()
	report.Used()
	fleet.Stop()
	return errors.Join(played, report.Print(os.Stdout), c.write(&report), network.Close())
}

func (c *simulateCommand) check() error {
	const most = 100_000
	switch {
	case c.Docks < 1 || c.Docks > most:
		return fmt.Errorf("--docks %d: 1 to %d are possible", c.Docks, most)
	case c.Pace <= 0 || c.Pace > most:
		return fmt.Errorf("--pace %v: want more than 0 docks a second, and at most %d", c.Pace, most)
	case c.Burst < 0 || c.Burst > most || c.InFlight < 1 || c.Sockets < 0:
		return errors.New("--burst, --in-flight, --sockets: the numbers must not be negative, and --in-flight at least 1")
	case c.SizeKiB < 1 || c.SizeKiB > 128<<20:
		return fmt.Errorf("--size-kib %d: a recording has 1 KiB to 128 GiB", c.SizeKiB)
	case c.Status < time.Second/2 || c.Policy < time.Second || c.Patience <= 0 || c.Idle < 0:
		return errors.New("--status must be at least 500ms, --policy at least 1s, --patience more than 0, --idle not negative")
	}
	return nil
}

// enrolled opens the folder, and enrols the docks that it lacks.
func (c *simulateCommand) enrolled(ctx context.Context) (*simulate.Folder, error) {
	folder, err := simulate.OpenFolder(c.Folder)
	if err != nil {
		return nil, err
	}
	if have := len(folder.Docks); have < c.Docks {
		if c.Tokens == "" || c.Server == "" {
			return nil, fmt.Errorf("%s has %d of %d docks: to enrol the others, make a file of tokens with sealdock-ingest dock-tokens, and name it with --tokens and the server with --server", c.Folder, have, c.Docks)
		}
		tokens, err := simulate.ReadTokens(c.Tokens)
		if err != nil {
			return nil, err
		}
		began, said := time.Now(), time.Now()
		err = folder.Enrol(ctx, c.Server, tokens, c.Docks, func(have int) {
			if time.Since(said) > 2*time.Second {
				said = time.Now()
				fmt.Fprintf(os.Stderr, "%d of %d docks enrolled; more enrolments_per_second in the server's configuration make it faster\n", have, c.Docks)
			}
		})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%d docks enrolled in %v\n", c.Docks-have, time.Since(began).Round(time.Second/10))
	}
	folder.Sort()
	return folder, nil
}

func (c *simulateCommand) options(folder *simulate.Folder, network *simulate.Network) simulate.Options {
	log := slog.New(slog.DiscardHandler)
	if c.Verbose {
		log, _ = telemetry.New(os.Stderr, "text", "debug") // both are known
	}
	return simulate.Options{
		Server: folder.Server, Docks: folder.Docks[:c.Docks], Dial: network.Dial, Version: "simulated, " + buildinfo.Version(version),
		NoQUIC: c.Over == string(wire.TCP), NoTCP: c.Over == string(wire.QUIC), StatusEvery: c.Status, PolicyEvery: c.Policy, InFlight: c.InFlight, Log: log,
	}
}

// play runs the scenes. An interrupted one is no failure: what was counted is told.
func (c *simulateCommand) play(ctx context.Context, fleet *simulate.Fleet) error {
	err := fleet.Connect(ctx, c.Pace, c.Patience)
	if err == nil && c.Idle > 0 {
		if err = fleet.Idle(ctx, c.Idle); err == nil {
			err = fleet.All(ctx, c.Patience)
		}
	}
	if err == nil && c.Burst > 0 {
		err = fleet.Burst(ctx, c.Burst, c.SizeKiB<<10)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *simulateCommand) write(report *simulate.Report) error {
	if c.JSON == "" {
		return nil
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.JSON, append(text, '\n'), 0o644)
}

// show writes a line a second to standard error.
func show(ctx context.Context, fleet *simulate.Fleet) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			fmt.Fprintf(os.Stderr, "%s  %s\n", now.Format(time.TimeOnly), fleet.Line())
		}
	}
}
