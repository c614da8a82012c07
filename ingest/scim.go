package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/server"
)

type scimCommands struct {
	Add    scimAddCommand    `cmd:"" help:"Make the token of a program. It is shown this once."`
	List   scimListCommand   `cmd:"" help:"List them, also those that have ended."`
	Revoke scimRevokeCommand `cmd:"" help:"Make a token hold no more. Whom its program provisioned stay as they are."`
}

type scimAddCommand struct {
	configured
	Name    string        `arg:"" help:"What the program is called in the custody log, for example entra."`
	Valid   time.Duration `default:"8760h" help:"How long the token holds, up to 8784h (366 days)."`
	Network []string      `placeholder:"CIDR" help:"From where it may come, for example 192.0.2.0/24; may be given several times. Without it, from anywhere."`
}

// Run prints the token, alone on standard output.
func (a *scimAddCommand) Run(ctx context.Context, to streams) error {
	config, err := a.existing()
	if err != nil {
		return err
	}
	address, token, err := server.AddProvisioner(ctx, config, auth.NewProvisioner{Name: a.Name, Networks: a.Network, Life: a.Valid}, time.Now)
	if err != nil {
		return err
	}
	fmt.Fprintln(to.out, token)
	fmt.Fprintf(to.log, "This token is shown this once. Give it to %s with the address %s.\nWhoever has it makes accounts, with the roles of [[directory.group]]: hand it over as you would a password.\n", a.Name, address)
	return nil
}

type scimListCommand struct{ configured }

// Run lists them.
func (l *scimListCommand) Run(ctx context.Context, to streams) error {
	config, err := l.existing()
	if err != nil {
		return err
	}
	all, err := server.Provisioners(ctx, config, time.Now)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tHOLDS UNTIL\tLAST USED\tFROM")
	for _, p := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", p.Name, provisionerState(&p, time.Now()), day(p.ExpiresAt), day(p.LastUsedAt), from(p.Networks))
	}
	return table.Flush()
}

func provisionerState(p *catalog.Provisioner, now time.Time) string {
	switch {
	case !p.EndedAt.IsZero():
		return "revoked"
	case !now.Before(p.ExpiresAt):
		return "expired"
	}
	return "stands"
}

func day(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.DateOnly)
}

func from(networks []string) string {
	if len(networks) == 0 {
		return "anywhere"
	}
	return strings.Join(networks, " ")
}

type scimRevokeCommand struct {
	configured
	Name string `arg:"" help:"What the program is called."`
}

// Run ends it.
func (r *scimRevokeCommand) Run(ctx context.Context, to streams) error {
	config, err := r.existing()
	if err != nil {
		return err
	}
	err = server.RevokeProvisioner(ctx, config, r.Name, time.Now)
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("there is no token of %s that stands: sealdock-ingest scim list tells", r.Name)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(to.out, "The token of %s holds no more. It is on record in the custody log.\n", r.Name)
	return nil
}
