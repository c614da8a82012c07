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
	Dock   string `arg:"" help:"Name of the dock."`
	Reason string `placeholder:"TEXT" help:"Why, for the custody log."`
}

func (d *dockAccess) set(ctx context.Context, to streams, enabled bool) error {
	err := d.fleet(ctx, to, func(s *fleet.Service) error {
		return s.Docks().SetEnabled(ctx, evidence.DockID(d.Dock), enabled, d.Reason)
	})
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("there is no dock %s: the dashboard lists all under Docks", d.Dock)
	}
	return err
}

type disableCommand struct{ dockAccess }

// Run disables a dock.
func (d *disableCommand) Run(ctx context.Context, to streams) error {
	if err := d.set(ctx, to, false); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Dock %s is let in no more, and cameras that are docked elsewhere from now on open to it no more. Its open enrolment tokens are withdrawn, and a running server ends its connections within a second. It is on record in the custody log.\n", d.Dock)
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
