package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/check"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

type checkCommand struct {
	Agent    string        `required:"" type:"existingfile" placeholder:"BIN" help:"The sealdock-agent to check."`
	Ingest   string        `required:"" type:"existingfile" placeholder:"BIN" help:"The sealdock-ingest that it sends to."`
	Short    bool          `help:"Only the short set, about a minute."`
	Only     string        `placeholder:"PATTERN" help:"Only rows whose name, or the cases that they cover, match this regular expression."`
	JSON     string        `name:"json" type:"path" placeholder:"FILE" help:"Write the verdicts here too, for programs."`
	AtOnce   int           `default:"6" placeholder:"N" help:"How many rows are played at once. [${default}]"`
	Patience time.Duration `default:"60s" placeholder:"TIME" help:"How long after a fault's end all must be done. [${default}]"`
	Keep     string        `type:"path" placeholder:"DIR" help:"Play in this new folder and leave it, logs and all. Without it a folder is made, and kept only when a promise was broken."`
}

// errBroken means that the check itself went well and found a broken promise.
var errBroken = errors.New("not every promise was kept")

// Run plays every promise against the two programs.
func (c *checkCommand) Run(ctx context.Context, log *slog.Logger) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this simulator's own program: %w", err)
	}
	dir := c.Keep
	if dir == "" {
		dir, err = os.MkdirTemp("", "sealdock-check-")
	} else {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("making a folder to play in: %w", err)
	}
	report, err := check.Run(ctx, check.Options{Dir: dir, Short: c.Short, Only: c.Only, AtOnce: c.AtOnce, Patience: c.Patience, Log: log,
		Programs: station.Programs{Agent: c.Agent, Ingest: c.Ingest, Simulator: self}})
	if err != nil {
		return fmt.Errorf("checking (what the programs said is in %s): %w", dir, err)
	}
	if err := c.write(report); err != nil {
		return err
	}
	if !report.Sound() {
		return fmt.Errorf("%w; what the programs said is in %s", errBroken, dir)
	}
	if c.Keep == "" {
		return os.RemoveAll(dir)
	}
	return nil
}

// write prints the verdicts.
func (c *checkCommand) write(report *check.Report) (err error) {
	if err := report.WriteTable(os.Stdout); err != nil || c.JSON == "" {
		return err
	}
	file, err := os.OpenFile(c.JSON, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the verdicts: %w", err)
	}
	return errors.Join(report.WriteJSON(file), file.Close())
}
