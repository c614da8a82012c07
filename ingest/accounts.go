package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/server"
)

type linkCommand struct {
	configured
	Force bool `help:"Make one for a further administrator although there are accounts. The custody log tells of it."`
}

// Run prints a link, alone on standard output.
func (l *linkCommand) Run(ctx context.Context, to streams) error {
	config, err := l.existing()
	if err != nil {
		return err
	}
	link, err := server.SetupLink(ctx, config, l.Force, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintln(to.out, link)
	fmt.Fprintln(to.log, "Open this link in a browser while the server runs and make the account there. It works once, within 24 hours; any former link is closed.\nWhoever has it becomes administrator: hand it over as you would a password.")
	if l.Force {
		fmt.Fprintln(to.log, "It is on record in the custody log that it was made.")
	}
	return nil
}

type releaseCommand struct {
	configured
	Login string `arg:"" help:"Sign-in name of the account."`
}

// Run releases a locked account.
func (r *releaseCommand) Run(ctx context.Context, to streams) error {
	config, err := r.existing()
	if err != nil {
		return err
	}
	if err := server.ReleaseAccount(ctx, config, r.Login, time.Now); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Account %s can sign in again, with its password. It is on record in the custody log.\n", r.Login)
	return nil
}

type resetFactorsCommand struct {
	configured
	Login string `arg:"" help:"Sign-in name of the account."`
}

// Run takes an account's second factors away.
func (r *resetFactorsCommand) Run(ctx context.Context, to streams) error {
	config, err := r.existing()
	if err != nil {
		return err
	}
	if err := server.ResetFactors(ctx, config, r.Login, time.Now); err != nil {
		return err
	}
	fmt.Fprintf(to.out, "Account %s has no second factor any more, and its sessions have ended. It signs in with its password alone, and sets up another factor where its role needs one. It is on record in the custody log.\n", r.Login)
	return nil
}
