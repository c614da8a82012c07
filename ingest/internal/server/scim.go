package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/scim"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// errNoDirectory: people who are provisioned sign in by the directory.
var errNoDirectory = errors.New("the configuration names no directory: people who are provisioned sign in by it, so set [directory.oidc] or [directory.ldap] and [[directory.group]] first (docs/directory.md)")

// provisioning answers the directory's programs.
func (p *parts) provisioning() http.Handler {
	return scim.New(scim.Config{Auth: p.people, Base: p.config.webAddress() + scim.Prefix, Now: p.now, Log: telemetry.Component(p.log, "scim")})
}

// AddProvisioner lets a program of the directory provision people, and returns the
// address and the token that it needs. The server may be running or not.
func AddProvisioner(ctx context.Context, c Config, n auth.NewProvisioner, now func() time.Time) (address, token string, err error) {
	if !c.Directory.any() {
		return "", "", errNoDirectory
	}
	err = c.withAccounts(ctx, now, func(people *auth.Service) error {
		by, from := local()
		token, err = people.MakeProvisioner(ctx, n, by, from)
		return err
	})
	if err != nil {
		return "", "", err
	}
	return c.webAddress() + scim.Prefix, token, nil
}

// Provisioners lists them, also those that have ended. The server may be running or not.
func Provisioners(ctx context.Context, c Config, now func() time.Time) (all []catalog.Provisioner, err error) {
	err = c.withAccounts(ctx, now, func(people *auth.Service) error {
		all, err = people.Provisioners(ctx)
		return err
	})
	return all, err
}

// RevokeProvisioner makes the token of a name hold no more. catalog.ErrNotFound. The
// server may be running or not.
func RevokeProvisioner(ctx context.Context, c Config, name string, now func() time.Time) error {
	return c.withAccounts(ctx, now, func(people *auth.Service) error {
		by, from := local()
		return people.EndProvisioner(ctx, name, by, from)
	})
}
