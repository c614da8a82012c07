package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/carry"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/telemetry"
)

type importCommand struct {
	configured
	Folder string `arg:"" type:"path" help:"Folder that sealdock-agent export-spool was given: where the drive is mounted. A running server must be able to read it."`
}

// Run takes a drive in and tells what became of each dock's folder.
func (c *importCommand) Run(ctx context.Context, to streams) error {
	config, err := c.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	var told time.Time
	reports, err := server.ImportSpool(ctx, config, buildinfo.Version(version), c.Folder, log, time.Now, func(p carry.Progress) {
		if time.Since(told) < time.Second {
			return
		}
		told = time.Now()
		fmt.Fprintf(to.log, "dock %s: %d of %d recordings, %d of %d MB\n", p.Dock, p.Recordings, p.OfRecordings, p.Bytes/1_000_000, p.OfBytes/1_000_000)
	})
	whole := true
	for i := range reports {
		r := &reports[i]
		fmt.Fprintf(to.out, "Dock %s, exported %s: %d recordings on the drive, %d now stored, %d were stored already. %d statements, %d receipts written to the drive.\n",
			r.Dock, r.MadeAt.UTC().Format("2006-01-02 15:04 UTC"), r.OfRecordings, r.Stored, r.Known, r.Statements, r.Receipts)
		if r.Left > 0 {
			fmt.Fprintf(to.out, "  %d more waited at the dock and are not on this drive.\n", r.Left)
		}
		if r.NoReceipts != "" {
			fmt.Fprintf(to.out, "  Not all receipts could be written to the drive, the dock gets them over the network: %s\n", r.NoReceipts)
		}
		for _, trouble := range r.Troubles {
			fmt.Fprintf(to.out, "  %s\n", trouble)
		}
		whole = whole && r.Whole()
	}
	if err == nil && !whole {
		err = fmt.Errorf("not all of it was taken in: see above. What is missing is still at the dock")
	}
	return err
}
