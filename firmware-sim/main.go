// Command firmware-sim is a dock full of body cameras made of software: USB devices
// that any USB/IP client can import, with real recordings and scripted faults.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
)

// version is set by the linker (see the Makefile).
var version = ""

type commands struct {
	Run      runCommand      `cmd:"" help:"Simulate cameras until interrupted."`
	Ctl      ctlCommand      `cmd:"" help:"Control a running simulator: plug, unplug, record, break."`
	Check    checkCommand    `cmd:"" help:"Play every known fault and attack against an agent and a server, and print a verdict for each promise."`
	Firmware firmwareCommand `cmd:"" help:"Make firmware for simulated cameras."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

const description = `A dock full of simulated body cameras.

Each camera is a USB device (PTP/MTP) served over USB/IP. Sealdock's dock agent
reads it directly; on Linux "usbip attach -r 127.0.0.1 -b 1-1" makes it an
ordinary USB device for every program. The bays are called 1-1, 1-2 and so on.`

func defaultSocket() string { return filepath.Join(os.TempDir(), "sealdock-firmware-sim.sock") }

// newParser makes the command line.
func newParser(c *commands, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{kong.Name("firmware-sim"), kong.Description(description), kong.ShortUsageOnError(),
		kong.Vars{"socket": defaultSocket(), "model": simulator.Model, "counter": strconv.Itoa(simulator.FirstCounter)}, kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100})}, more...)...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parser, err := newParser(&c)
	if err != nil {
		panic(err) // the commands above do not fit together
	}
	chosen, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	chosen.BindTo(ctx, (*context.Context)(nil))
	chosen.Bind(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err := chosen.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "firmware-sim:", err)
		if errors.Is(err, syscall.EADDRINUSE) {
			fmt.Fprintln(os.Stderr, "Another program listens there, perhaps another simulator: stop it, or choose another address with --listen.")
		}
		stop()
		os.Exit(1)
	}
}
