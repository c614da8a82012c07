package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/telemetry"
)

func (c *Config) openSettings(ctx context.Context, db *sqldb.DB, log *slog.Logger, now func() time.Time) (*settings.Service, error) {
	return settings.New(ctx, settings.Config{Catalog: db, Agency: c.agency(), Now: now, Log: telemetry.Component(log, "settings")})
}

// people opens the accounts for a command, under the agency's own policy.
func (c *Config) people(ctx context.Context, db *sqldb.DB, s *secrets, now func() time.Time) (*auth.Service, error) {
	decided, err := c.openSettings(ctx, db, slog.Default(), now)
	if err != nil {
		return nil, err
	}
	agencys, err := c.openDirectory(now)
	if err != nil { // which must keep nobody from letting somebody in; nobody of it signs in meanwhile
		agencys = nil
	}
	return auth.New(auth.Config{Catalog: db, Agency: c.agency(), Pepper: s.pepper, Policy: decided.Policy, Directory: agencys, Now: now})
}

// WithSettings runs one step on the agency's settings, as whoever may run the
// server's commands. The server may be running or not.
func WithSettings(ctx context.Context, c Config, log *slog.Logger, now func() time.Time, step func(*settings.Desk) error) error {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	s, err := c.openSettings(ctx, db, log, now)
	if err == nil {
		err = step(s.CommandLine())
	}
	return errors.Join(err, db.Close())
}

// SetPassword gives an account another password, and records that.
func SetPassword(ctx context.Context, c Config, login, password string, now func() time.Time) error {
	return c.withAccounts(ctx, now, func(people *auth.Service) error {
		by, from := local()
		return people.SetPassword(ctx, login, password, by, from)
	})
}
