package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/telemetry"
)

type agencyCommand struct{ configured }

// Run lists the agency's settings.
func (a *agencyCommand) Run(ctx context.Context, to streams) error {
	return a.settings(ctx, to, func(d *settings.Desk) error {
		all, err := d.List(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "SETTING\tVALUE\tSTANDING\tTAKEN")
		for _, s := range all {
			fmt.Fprintf(table, "%s\t%q\t%s\t%s\n", s.Name, s.Value, s.Standing, s.Bounds())
		}
		return table.Flush()
	})
}

func (c *configured) settings(ctx context.Context, to streams, step func(*settings.Desk) error) error {
	config, err := c.existing()
	if err != nil {
		return err
	}
	log, err := telemetry.New(to.log, config.LogFormat, "warn")
	if err != nil {
		return err
	}
	return server.WithSettings(ctx, config, log, time.Now, step)
}

type setCommand struct {
	configured
	Name   string `arg:"" help:"Setting, as settings agency lists it."`
	Value  string `arg:"" help:"New value. Several lines are one text."`
	Reason string `help:"Why, for the record. Needed for a value that is weaker than the default."`
}

// Run changes a setting of the agency.
func (s *setCommand) Run(ctx context.Context, to streams) error {
	return s.change(ctx, to, settings.Change{Name: s.Name, Value: s.Value, Reason: s.Reason})
}

type unsetCommand struct {
	configured
	Name   string `arg:"" help:"Setting, as settings agency lists it."`
	Reason string `help:"Why, for the record."`
}

// Run sets a setting of the agency back to its default.
func (u *unsetCommand) Run(ctx context.Context, to streams) error {
	return u.change(ctx, to, settings.Change{Name: u.Name, Unset: true, Reason: u.Reason})
}

func (c *configured) change(ctx context.Context, to streams, change settings.Change) error {
	return c.settings(ctx, to, func(d *settings.Desk) error {
		former, err := d.Set(ctx, change)
		if errors.Is(err, settings.ErrReason) {
			return fmt.Errorf("%w: give it with --reason", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(to.out, "%s was %q and is %q. It holds within a second, and is on record in the custody log.\n", change.Name, former, d.Value(ctx, change.Name))
		return nil
	})
}

type passwordCommand struct {
	configured
	Login string `arg:"" help:"Sign-in name of the account."`
}

// Run gives an account another password, which is asked for.
func (p *passwordCommand) Run(ctx context.Context, to streams) error {
	config, err := p.existing()
	if err != nil {
		return err
	}
	if config.Prompt == nil {
		return errors.New("there is no terminal to type the new password at")
	}
	password, err := config.Prompt("New password of " + p.Login)
	if err != nil {
		return err
	}
	err = server.SetPassword(ctx, config, p.Login, string(password), time.Now)
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("there is no account with the sign-in name %s", p.Login)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Account %s has the new password, and its sessions have ended. It is on record in the custody log.\n", p.Login)
	return nil
}
