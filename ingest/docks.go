package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/proto/evidence"
)

// dockAccess names one dock.
type dockAccess struct {
	configured
	Dock string `arg:"" help:"Name of the dock."`
}

func (d *dockAccess) set(ctx context.Context, to streams, enabled bool) error {
	err := d.fleet(ctx, to, func(s *fleet.Service) error {
		return s.SetDockEnabled(ctx, fleet.CommandLine(), evidence.DockID(d.Dock), enabled)
	})
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("there is no dock %s: the dashboard's overview lists all", d.Dock)
	}
	return err
}

type disableCommand struct{ dockAccess }

// Run disables a dock.
func (d *disableCommand) Run(ctx context.Context, to streams) error {
	if err := d.set(ctx, to, false); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Dock %s is let in no more, and cameras that are docked elsewhere from now on open to it no more. A connection that is open goes on: restart the server to end it. It is on record in the custody log.\n", d.Dock)
	return nil
}

type enableCommand struct{ dockAccess }

// Run enables a dock.
func (e *enableCommand) Run(ctx context.Context, to streams) error {
	if err := e.set(ctx, to, true); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Dock %s is let in again. It is on record in the custody log.\n", e.Dock)
	return nil
}
