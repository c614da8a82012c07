package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/telemetry"
)

type restartCommand struct {
	configured
	Reason string `required:"" placeholder:"TEXT" help:"Why, as the custody log will keep it: what happened, and of when the backup is."`
	Known  int64  `placeholder:"ENTRIES" help:"The most entries that the log is known to have had, from a witness or a dock's alert. Those beside this server's files are found by themselves."`
}

// Run lets the custody log go on.
func (r *restartCommand) Run(ctx context.Context, to streams) error {
	config, err := r.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	name, restart, err := server.RestartLog(ctx, config, r.Reason, r.Known, log, time.Now)
	if err != nil {
		return err
	}
	restarted(to, name, restart)
	return nil
}

func restarted(to streams, name string, restart *catalog.LogRestore) {
	fmt.Fprintf(to.out, "The custody log goes on as %s from its first %d entries; it is known to have had %d.\n", name, restart.Size, restart.Newest)
	fmt.Fprintln(to.out, `Now:
  - start the server: docks take their receipts back, and read anew what cameras still have; dock every camera again
  - look at completeness and alerts: they name what is lost
  - publish the log's key under its new name (sealdock-ingest log-key), and have witnesses add it`)
}
