package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Who and where the command line is, in the custody log.
func local() (evidence.Actor, auth.Origin) {
	return evidence.Actor{Kind: "server", ID: "local"}, auth.Origin{Address: "local"}
}

// SetupLink makes a new link for the first administrator. With force it makes
// one for a further administrator, whoever has an account, and records that.
// The server may be running or not.
func SetupLink(ctx context.Context, c Config, force bool, now func() time.Time) (link string, err error) {
	err = c.withAccounts(ctx, now, func(people *auth.Service) error {
		var token string
		if force {
			by, from := local()
			token, err = people.ForceSetupToken(ctx, by, from)
		} else {
			token, err = people.NewSetupToken(ctx)
		}
		link = c.setupLink(token)
		return err
	})
	if errors.Is(err, auth.ErrAccounts) {
		err = fmt.Errorf("%w: sign in with one of them, or let a locked one in with release-account; "+
			"--force makes a link for a further administrator, and the custody log tells of it", err)
	}
	if err != nil {
		return "", err
	}
	return link, nil
}

// ReleaseAccount lets a sign-in name in again that is locked, and records that.
// The server may be running or not.
func ReleaseAccount(ctx context.Context, c Config, login string, now func() time.Time) error {
	return c.withAccounts(ctx, now, func(people *auth.Service) error {
		by, from := local()
		err := people.Release(ctx, login, by, from)
		if errors.Is(err, catalog.ErrNotFound) {
			return fmt.Errorf("there is no account with the sign-in name %s", login)
		}
		return err
	})
}

// ResetFactors takes all second factors of a sign-in name away, ends its sessions,
// and records that. The server may be running or not.
func ResetFactors(ctx context.Context, c Config, login string, now func() time.Time) error {
	return c.withAccounts(ctx, now, func(people *auth.Service) error {
		by, from := local()
		err := people.ResetFactors(ctx, login, by, from)
		if errors.Is(err, catalog.ErrNotFound) {
			return fmt.Errorf("there is no account with the sign-in name %s", login)
		}
		return err
	})
}

// withAccounts runs one step on the accounts of a server.
func (c *Config) withAccounts(ctx context.Context, now func() time.Time, step func(*auth.Service) error) error {
	secrets, err := loadOwnSecrets(c)
	if err != nil {
		return err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	people, err := c.people(ctx, db, secrets, now)
	if err == nil {
		err = step(people)
	}
	return errors.Join(err, db.Close())
}

func (c *Config) setupLink(token string) string { return c.webAddress() + "/setup?token=" + token }

// dormantEvery is how often it is looked for accounts that nobody uses.
const dormantEvery = time.Hour

// sweepDormant disables accounts that nobody uses until ctx ends, at the start too. A
// fault of this machine is told and tried again.
func (p *parts) sweepDormant(ctx context.Context) error {
	log := telemetry.Component(p.log, "accounts")
	for {
		disabled, err := p.people.DisableDormant(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			log.ErrorContext(ctx, "disabling accounts that nobody uses failed; it is tried again in an hour", "error", err)
		case disabled > 0:
			log.InfoContext(ctx, "accounts that nobody uses were disabled", "accounts", disabled)
		}
		timer := time.NewTimer(dormantEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}
