// Command sealdock-agent is the program of a docking station: it copies what
// docked body cameras hold, hands it to the evidence server, and lets cameras
// erase what the server has proven to hold.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/service"
)

// version is set by the linker (see the Makefile).
var version = ""

type commands struct {
	Run       runCommand       `cmd:"" help:"Run the agent until it is interrupted."`
	Enrol     enrolCommand     `cmd:"" help:"Make this machine a dock of a server, with a token from its administrator."`
	Status    statusCommand    `cmd:"" help:"Show how the running agent is doing."`
	Doctor    doctorCommand    `cmd:"" help:"Examine this machine and say what to mend."`
	Export    exportCommand    `cmd:"" name:"export-spool" help:"Write what waits for the server to a drive, to be carried there. The agent may be running."`
	Receipts  receiptsCommand  `cmd:"" name:"import-receipts" help:"Give the agent the server's receipts that such a drive brought back."`
	Install   installCommand   `cmd:"" help:"Make the agent a service of this system."`
	Uninstall uninstallCommand `cmd:"" help:"Remove the service. Its data stays."`
	Start     startCommand     `cmd:"" help:"Start the service."`
	Stop      stopCommand      `cmd:"" help:"Stop the service."`
	Restart   restartCommand   `cmd:"" help:"Restart the service."`
	Simulate  simulateCommand  `cmd:"" help:"For load tests: many docks in one process, against a server made for tests. What they send stays in its store and custody log for ever."`
	Config    configCommands   `cmd:"" help:"Show the configuration."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

const description = `The Sealdock dock agent.

On a docking station, as root, with a token from the server's administrator:

  sealdock-agent install
  sealdock-agent enrol --server https://evidence.example.org:8443 --token -
  sealdock-agent start

To try it out, in a folder of your own:

  sealdock-agent enrol --server https://evidence.example.org:8443 --token - --data ./dock
  sealdock-agent run --data ./dock`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parser := kong.Parse(&c, kong.Name("sealdock-agent"), kong.Description(description), kong.ShortUsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))
	parser.BindTo(ctx, (*context.Context)(nil))
	if err := parser.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "sealdock-agent:", err)
		if advice := advice(err); advice != "" {
			fmt.Fprintln(os.Stderr, advice)
		}
		stop()
		os.Exit(1)
	}
}

// advice is what to do about errors that the system gives without any.
func advice(err error) string {
	switch {
	case errors.Is(err, daemon.ErrNotRunning):
		known := ""
		if state := serviceState(); state != service.StateUnknown {
			known = "The service is " + string(state) + ". "
		}
		return known + "Start it with sealdock-agent start (or run), or name the data folder of the one that runs with --data." + service.Trail()
	case errors.Is(err, fs.ErrPermission):
		return "Run it as the user that owns the data folder, or choose another folder with --data."
	case errors.Is(err, syscall.ENOSPC):
		return "The disk is full: make room on it, then start again. Nothing is lost."
	}
	return ""
}
