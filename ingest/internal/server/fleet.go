package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// openFleet opens what docks and cameras have to follow. Where the camera
// authority's key is gone, or is another one, all else goes on without it.
func (c *Config) openFleet(ctx context.Context, s *secrets, db *sqldb.DB, log *slog.Logger, now func() time.Time) (*fleet.Service, error) {
	key, err := identity.LoadStatementKey(c.cameraKey(), identity.PurposeCamera)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	config := fleet.Config{
		Catalog: db, Agency: c.agency(), Key: key, Certificate: s.authority.Certificate(), ReceiptKeys: [][]byte{s.receipt.Public()}, Images: c.firmwareDir(), Now: now, Log: telemetry.Component(log, "fleet"),
	}
	service, err := fleet.New(config)
	if err != nil {
		return nil, err
	}
	if err := service.Check(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		config.Log.ErrorContext(ctx, "cameras are told nothing new, and no camera's key can be approved", "error", err)
		config.Key = nil
		return fleet.New(config)
	}
	return service, nil
}

// makeCameraKey makes the camera authority's key in a data folder from before
// there was one. A key that cameras know already is never replaced. The folder
// is locked.
func (c *Config) makeCameraKey(ctx context.Context, db *sqldb.DB) error {
	_, err := identity.LoadStatementKey(c.cameraKey(), identity.PurposeCamera)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = db.CameraTrust(ctx, c.agency())
	if !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	key, err := identity.NewStatementKey(identity.PurposeCamera)
	if err == nil {
		err = key.Save(c.cameraKey())
	}
	if err != nil {
		return fmt.Errorf("making the camera authority: %w", err)
	}
	return nil
}

// WithFleet runs one step of the command line on what docks and cameras have to
// follow. The server may be running or not.
func WithFleet(ctx context.Context, c Config, log *slog.Logger, now func() time.Time, step func(*fleet.Service) error) error {
	secrets, err := loadOwnSecrets(&c)
	if err != nil {
		return err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	service, err := c.openFleet(ctx, secrets, db, log, now)
	if err == nil {
		err = step(service)
	}
	return errors.Join(err, db.Close())
}
