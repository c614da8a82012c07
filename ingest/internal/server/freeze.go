package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/freeze"
)

// Freeze stops all deletion in a scope, from this moment on. The server may be running.
func Freeze(ctx context.Context, c Config, scope catalog.FreezeScope, value, reason string, now func() time.Time) (f catalog.Freeze, err error) {
	err = c.withFreezes(ctx, now, func(d *freeze.Desk) error {
		f, err = d.Begin(ctx, scope, value, reason)
		return err
	})
	return f, err
}

// EndFreeze lets what a freeze stopped be deleted again, unless another one stands.
func EndFreeze(ctx context.Context, c Config, id, reason string, now func() time.Time) error {
	return c.withFreezes(ctx, now, func(d *freeze.Desk) error {
		err := d.End(ctx, id, reason)
		if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, catalog.ErrConflict) {
			return fmt.Errorf("no freeze %q is in force: sealdock-ingest freezes lists them", id)
		}
		return err
	})
}

// Freezes returns all freezes, also those that have ended.
func Freezes(ctx context.Context, c Config, now func() time.Time) (all []catalog.Freeze, err error) {
	err = c.withFreezes(ctx, now, func(d *freeze.Desk) error {
		all, err = d.List(ctx)
		return err
	})
	return all, err
}

// withFreezes acts on freezes as whoever may run the server's commands.
func (c *Config) withFreezes(ctx context.Context, now func() time.Time, act func(*freeze.Desk) error) error {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	by, from := local()
	s := freeze.New(freeze.Config{Catalog: db, Agency: c.agency(), Now: now, Log: slog.New(slog.DiscardHandler)})
	return errors.Join(act(s.CommandLine(by, from.Address)), db.Close())
}
