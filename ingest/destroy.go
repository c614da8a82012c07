package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/proto/evidence"
)

type destroyCommand struct {
	configured
	twoPeople
	Item   string `arg:"" help:"Id of the item, 32 digits."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, as the custody log will keep it: a court's order, the end of the time of keeping."`
}

// Run destroys.
func (d *destroyCommand) Run(ctx context.Context, to streams) error {
	config, err := d.existing()
	if err != nil {
		return err
	}
	id, err := evidence.ParseEvidenceID(d.Item)
	if err != nil {
		return err
	}
	requester, approver, err := d.credentials()
	if err != nil {
		return err
	}
	done, err := server.DestroyItem(ctx, config, id, d.Reason, requester, approver, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "The key of item %s (%s) is destroyed: this server cannot open it any more. It is on record in the custody log.\n", id, done.Path)
	if !done.Original {
		fmt.Fprintln(to.out, "No dock has told that the camera's original was erased: the camera may still hold it.")
	}
	if !done.Forgotten {
		fmt.Fprintln(to.out, "The catalog's files may hold the former wrapped key for a while (another process reads SQLite, or it is PostgreSQL).")
	}
	fmt.Fprintln(to.out, "Backups of the catalog, and drives of docks, from before hold the wrapped key. To make these of no use too:\nkeys rotate, then keys retire the former key, then destroy escrows and copies of the key folder from before.")
	return nil
}
