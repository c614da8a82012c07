package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/server"
)

type freezeCommand struct {
	configured
	Scope  string `arg:"" enum:"agency,station,camera,officer,item" help:"What is frozen: agency (everything), station, camera, officer or item."`
	Value  string `arg:"" optional:"" help:"Which: name of the station, serial number of the camera, id of the officer or of the item."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, as the custody log will keep it: a case, a court's order."`
}

// Run freezes.
func (f *freezeCommand) Run(ctx context.Context, to streams) error {
	config, err := f.existing()
	if err != nil {
		return err
	}
	made, err := server.Freeze(ctx, config, catalog.FreezeScope(f.Scope), f.Value, f.Reason, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Frozen: nothing of %s can be deleted from now on. The freeze is %s.\n", frozen(&made), made.ID)
	return nil
}

func frozen(f *catalog.Freeze) string {
	if f.Scope == catalog.FreezeAgency {
		return "the whole agency"
	}
	return string(f.Scope) + " " + f.Value
}

type unfreezeCommand struct {
	configured
	ID     string `arg:"" help:"The freeze, as freezes lists it."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, as the custody log will keep it."`
}

// Run ends a freeze.
func (u *unfreezeCommand) Run(ctx context.Context, to streams) error {
	config, err := u.existing()
	if err != nil {
		return err
	}
	if err := server.EndFreeze(ctx, config, u.ID, u.Reason, time.Now); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Freeze %s is ended. Others may still stand: sealdock-ingest freezes.\n", u.ID)
	return nil
}

type freezesCommand struct{ configured }

// Run lists freezes.
func (f *freezesCommand) Run(ctx context.Context, to streams) error {
	config, err := f.existing()
	if err != nil {
		return err
	}
	all, err := server.Freezes(ctx, config, time.Now)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(to.out, "Nothing was ever frozen.")
	}
	const form = "2006-01-02 15:04 UTC"
	for i := range all {
		f := &all[i]
		until := "in force"
		if !f.EndedAt.IsZero() {
			until = "until " + f.EndedAt.UTC().Format(form) + ": " + f.EndReason
		}
		fmt.Fprintf(to.out, "%s  %s, since %s: %s (%s)\n", f.ID, frozen(f), f.At.UTC().Format(form), f.Reason, until)
	}
	return nil
}
