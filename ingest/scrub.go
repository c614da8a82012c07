package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/scrub"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/telemetry"
)

type scrubCommand struct {
	configured
	Items []string `arg:"" optional:"" name:"item" help:"Evidence ids: read these from the disk and prove them now. Without any, how far the server has come is told."`
}

// Run reads the items, or tells how far the server has come. What does not hold makes
// the command fail.
func (s *scrubCommand) Run(ctx context.Context, to streams) error {
	ids, err := evidenceIDs(s.Items)
	if err != nil {
		return err
	}
	config, err := s.existing()
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return s.status(ctx, config, to)
	}
	log, err := telemetry.New(to.log, config.LogFormat, "error")
	if err != nil {
		return err
	}
	return server.WithScrub(ctx, config, log, time.Now, func(service *scrub.Service) error {
		bad := 0
		for _, id := range ids {
			proven, bytes, err := service.Prove(ctx, id)
			switch {
			case err != nil:
				return err
			case proven:
				fmt.Fprintf(to.out, "%s: intact, %d bytes read\n", id, bytes)
			default:
				bad++
				fmt.Fprintf(to.out, "%s: NOT PROVEN; sealdock-ingest alerts says why\n", id)
			}
		}
		if bad > 0 {
			return fmt.Errorf("%d of %d items could not be proven", bad, len(ids))
		}
		return nil
	})
}

func (s *scrubCommand) status(ctx context.Context, config server.Config, to streams) error {
	is, err := server.ScrubStatus(ctx, config, time.Now)
	if err != nil {
		return err
	}
	if is.Items == 0 {
		fmt.Fprintln(to.out, "Nothing is stored yet.")
		return nil
	}
	fmt.Fprintf(to.out, "%d items, %d bytes. The least proven was last read and found right at %s.\n", is.Items, is.Bytes, is.Oldest.UTC().Format("2006-01-02 15:04:05 UTC"))
	if config.ScrubCycle == 0 {
		fmt.Fprintln(to.out, "The server reads nothing again: scrub_cycle is 0s.")
		return nil
	}
	fmt.Fprintf(to.out, "Cycle %s, at most %d MiB a second: %d items are due.\n", time.Duration(config.ScrubCycle), config.ScrubMiB, is.Due)
	if is.Behind {
		return errors.New("the server is behind: give scrub_mib_per_second more, or let it run")
	}
	return nil
}
